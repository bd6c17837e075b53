"""The commands that run in the foreground until Ctrl-C: the workbook, the endpoint, the chat, the pages, Open WebUI."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from coursekit.processes import signal_handler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from labkit.connection import Connection

CHAT_PORT = 8080
PAGES_PORT = 5173
WEBUI_PORT = 3000
JUPYTER_PORT = 8888
QUESTION = "Why is the sky blue?"
EVERYWHERE = ("0.0.0.0", "::")


def open_workbook(port: int | None, *, no_browser: bool) -> int:
    """Start the endpoint, show one answer, open JupyterLab at notebook 01; ends with Ctrl-C or with JupyterLab."""
    from coursekit import copies, jupyter, ports
    from labkit.settings import Settings

    settings = Settings.from_environment()
    port = ports.pick(port, JUPYTER_PORT)
    for offer in copies.refresh():
        print(offer)
    log = settings.cache / "jupyterlab.log"
    with _until_signal(), _endpoint(settings.cache) as lab:
        _first_answer(lab)
        with jupyter.jupyterlab(port, log) as (process, address):
            jupyter.wait_until_up(process, address, log)
            address = address.format(name=copies.lessons()[0].copy.name)
            _announce("\nThe workbook is open", address, no_browser=no_browser)
            while process.poll() is None:  # on Windows Ctrl-C does not get through to a wait
                time.sleep(0.2)
    return 0


def serve(port: int | None, *, mock: bool) -> int:
    """Run the endpoint in the foreground; the first line on stdout is `READY <base_url> <model id>`."""
    from coursekit import ports
    from labkit import endpoints, foundry
    from labkit.settings import Settings

    settings = Settings.from_environment()
    chosen = ports.pick(port, foundry.PORT)
    if mock:
        return _serve_mock(chosen)
    with _until_signal(), contextlib.redirect_stdout(sys.stderr):
        running = foundry.start(settings.cache, settings.model, port=chosen, spare=port is None)
        try:
            with endpoints.publish(settings.cache, running.base_url, running.model):
                print(f"READY {running.base_url} {running.model}", file=sys.__stdout__, flush=True)
                while not running.stop_asked():
                    time.sleep(0.2)
        finally:
            running.close()
    return 0


def _serve_mock(port: int) -> int:
    """Run the mock in the foreground. It is not published, so that no program finds it by accident."""
    from foundry_mock import MockEndpoint

    with _until_signal(), MockEndpoint(port=port) as mock:
        print(f"READY {mock.base_url} {mock.model}", flush=True)
        mock.wait()
    return 0


def chat(port: int | None, host: str, *, no_browser: bool) -> int:
    """Run the chat application until Ctrl-C."""
    from coursekit import ports
    from coursekit.chainlit_app import command_line
    from coursekit.copies import ROOT

    port = ports.pick(port, CHAT_PORT, host)
    command = command_line(ROOT / "apps" / "chat_prod" / "app.py", port, host, headless=no_browser)
    environ = os.environ | {"CHAINLIT_APP_ROOT": str(ROOT / "apps" / "chat")}
    own = host if host not in EVERYWHERE else "127.0.0.1"
    named = f"[{own}]" if ":" in own else own
    _announce("The chat starts,", f"http://{named}:{port}", no_browser=True)  # chainlit opens the browser itself
    if os.name != "nt":
        os.execve(sys.executable, command, environ)  # so that a signal to this process ends the app
    with signal_handler(signal.SIG_IGN, "SIGINT"):  # Ctrl-C reaches the app too, which shuts down by itself
        return subprocess.run(command, env=environ, check=False).returncode


def webgpu(port: int | None, *, no_browser: bool) -> int:
    """Serve the pages of apps/webgpu until Ctrl-C."""
    from coursekit import ports
    from coursekit.webgpu import pages
    from coursekit.webgpu.digits import FOLDER
    from labkit.settings import Settings

    settings = Settings.from_environment()
    port = ports.pick(port, PAGES_PORT)
    with _until_signal():
        server = pages.serve(FOLDER, settings.cache, port)
        address = server.start()
        try:
            _announce("The pages are", address, no_browser=no_browser)
            server.wait()
        finally:
            server.stop()
    return 0


def openwebui(port: int | None, *, no_browser: bool, slim: bool) -> int:
    """Set Open WebUI up, and run it beside an endpoint until Ctrl-C."""
    from coursekit import open_webui as webui
    from coursekit import ports
    from labkit.settings import Settings

    cache = Settings.from_environment().cache
    port = ports.pick(port, WEBUI_PORT)
    kind = webui.SLIM if slim else webui.FULL
    with _until_signal(), contextlib.ExitStack() as stack:
        python = webui.install(cache, kind)
        lab = stack.enter_context(_endpoint(cache))
        server = stack.enter_context(webui.running(python, lab, cache, port, kind))
        _announce(f"Open WebUI was ready after {server.seconds:.0f} s,", server.address, no_browser=no_browser)
        server.wait()
    return 0


def _announce(what: str, address: str, *, no_browser: bool) -> None:
    """Print an address and how to end the program, and open the address in the browser."""
    print(f"{what} at\n  {address}\nPress Ctrl-C here to end.", flush=True)
    if not no_browser:
        import webbrowser

        webbrowser.open(address)


@contextlib.contextmanager
def _endpoint(cache: Path) -> Iterator[Connection]:
    """Connect; where no endpoint is shared, start a runtime and publish it."""
    from coursekit import ports
    from labkit import endpoints, foundry
    from labkit.connection import Source, connect

    with connect(port=ports.pick(None, foundry.PORT)) as lab, contextlib.ExitStack() as stack:
        if lab.source is Source.IN_PROCESS:
            stack.enter_context(endpoints.publish(cache, lab.base_url, lab.model))
        yield lab


def _first_answer(lab: Connection) -> None:
    """Stream one short answer to the terminal, with its first-token time."""
    from labkit.events import FirstToken
    from labkit.streaming import stream_sync

    print(f"\n{QUESTION}\n  ", end="", flush=True)
    first = ""
    for event in stream_sync(lab, QUESTION, max_tokens=40, temperature=0):
        print(event.text.replace("\n", "\n  "), end="", flush=True)
        if isinstance(event, FirstToken):
            first = f" ...\n(first token after {event.at:.2f} s)"
    print(first or "(no answer)", flush=True)


@contextlib.contextmanager
def _until_signal() -> Iterator[None]:
    """Run a block until Ctrl-C, SIGTERM or (Windows) SIGBREAK; each of them then runs the block's cleanup."""
    with (
        signal_handler(signal.default_int_handler, "SIGTERM", "SIGBREAK"),
        contextlib.suppress(KeyboardInterrupt),
    ):
        yield
