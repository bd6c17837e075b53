"""The commands of `python lab.py`, each a few lines that call what does the work."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.arguments import CHAT_PORT, JUPYTER_PORT, PAGES_PORT, WEBUI_PORT, parser
from labkit.errors import LabError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from labkit.connection import Connection
    from labkit.settings import Settings

QUESTION = "Why is the sky blue?"
# Two processes, since most tests wait; a file stays whole, so that what its tests share is made once.
SIDE_BY_SIDE = ("-n2", "--dist=loadfile", "--no-loadscope-reorder")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. What is wrong is said in one line with its cure."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows code page has no letters for all that a model says
            stream.reconfigure(errors="replace")
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def open_workbook(options: argparse.Namespace) -> int:
    """Start the endpoint, show one answer, open JupyterLab at notebook 01; ends with Ctrl-C or with JupyterLab."""
    from labkit import ports
    from labkit.settings import Settings
    from labkit.workbook import copies, lab

    settings = Settings.from_environment()
    port = ports.pick(options.port, JUPYTER_PORT)
    for offer in copies.refresh():
        print(offer)
    log = settings.cache / "jupyterlab.log"
    with _until_told(), _endpoint(settings), lab.jupyterlab(port, log) as (process, address):
        lab.wait_until_up(process, address, log)
        address = address.format(name=copies.lessons()[0].copy.name)
        print(f"\nThe workbook is open at\n  {address}\nEnd it with Ctrl-C here.", flush=True)
        if not options.no_browser:
            import webbrowser

            webbrowser.open(address)
        process.wait()
    return 0


def serve(options: argparse.Namespace) -> int:
    """Run the endpoint in the foreground; the first line on stdout is `READY <base_url> <model id>`."""
    from labkit import endpoints, ports, runtime
    from labkit.settings import Settings

    settings = Settings.from_environment()
    port = ports.pick(options.port, runtime.PORT)
    if options.mock:
        return _serve_mock(port)
    with _until_told(), contextlib.redirect_stdout(sys.stderr):
        running = runtime.start(settings.cache, settings.model, port=port, spare=options.port is None)
        try:
            with endpoints.publish(settings.cache, running.base_url, running.model):
                print(f"READY {running.base_url} {running.model}", file=sys.__stdout__, flush=True)
                while not running.stop_asked():
                    time.sleep(0.2)
        finally:
            if not running.close():
                os._exit(0)  # the SDK waits at exit for a close that will not come
    return 0


def _serve_mock(port: int) -> int:
    """The mock in the foreground. It is not published: nobody gets it who did not ask for it."""
    from labkit.mock import MockEndpoint

    with _until_told(), MockEndpoint(port=port) as mock:
        print(f"READY {mock.base_url} {mock.model}", flush=True)
        mock.wait()
    return 0


def test(options: argparse.Namespace) -> int:
    """Run the tests; --all, or CI in the environment, runs every lane and lets nothing be skipped."""
    from labkit.workbook.copies import ROOT

    command = [sys.executable, "-m", "pytest", *(options.pytest or SIDE_BY_SIDE)]
    if options.all or os.environ.get("CI"):
        command.append("--all-lanes")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def chat(options: argparse.Namespace) -> int:
    """Run the chat application until Ctrl-C."""
    from labkit import ports
    from labkit.workbook.copies import ROOT

    folder = ROOT / "apps" / "chat"
    port = ports.pick(options.port, CHAT_PORT)
    command = [sys.executable, "-m", "chainlit", "run", str(folder / "app.py")]
    command += ["--host", options.host, "--port", str(port), *(["--headless"] if options.no_browser else [])]
    environ = os.environ | {"CHAINLIT_APP_ROOT": str(folder)}
    if os.name != "nt":
        os.execve(sys.executable, command, environ)  # so that whoever ends this process ends the app
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the app too, which ends in good order
    return subprocess.run(command, env=environ, check=False).returncode


def backup(options: argparse.Namespace) -> int:
    """Save, check or restore the threads of the chat application, in a process that has its modules."""
    from labkit.workbook.copies import ROOT

    chosen = {"--check": options.check, "--restore": options.restore}
    command = [sys.executable, str(ROOT / "apps" / "chat" / "backup.py")]
    command += [word for name, file in chosen.items() if file for word in (name, file)]
    return subprocess.run(command, check=False).returncode


def webgpu(options: argparse.Namespace) -> int:
    """Serve the pages of apps/webgpu until Ctrl-C."""
    from labkit import pages, ports
    from labkit.digits import FOLDER
    from labkit.settings import Settings

    settings = Settings.from_environment()
    port = ports.pick(options.port, PAGES_PORT)
    with _until_told():
        server = pages.serve(FOLDER, settings.cache, port)
        address = server.start()
        print(f"The pages are at\n  {address}\nEnd them with Ctrl-C here.", flush=True)
        if not options.no_browser:
            import webbrowser

            webbrowser.open(address)
        try:
            server.wait()
        finally:
            server.stop()
    return 0


def openwebui(options: argparse.Namespace) -> int:
    """Set Open WebUI up, and run it beside an endpoint until Ctrl-C."""
    from labkit import endpoints, ports, runtime
    from labkit import openwebui as webui
    from labkit.connection import Source, connect
    from labkit.settings import Settings

    cache = Settings.from_environment().cache
    port = ports.pick(options.port, WEBUI_PORT)
    kind = webui.SLIM if options.slim else webui.FULL
    with _until_told(), contextlib.ExitStack() as stack:
        python = webui.install(cache, kind)
        lab = stack.enter_context(connect(port=ports.pick(None, runtime.PORT)))
        if lab.source is Source.IN_PROCESS:
            stack.enter_context(endpoints.publish(cache, lab.base_url, lab.model))
        server = stack.enter_context(webui.running(python, lab, cache, port, kind))
        print(f"Open WebUI was ready after {server.seconds:.0f} s, at\n  {server.address}", flush=True)
        print("End it with Ctrl-C here.", flush=True)
        if not options.no_browser:
            import webbrowser

            webbrowser.open(server.address)
        server.wait()
    return 0


def kernel(_: argparse.Namespace) -> int:
    """Register this environment as the Jupyter kernel `foundry-local` of this user."""
    from ipykernel.kernelspec import install

    place = install(user=True, kernel_name="foundry-local", display_name="Foundry Local")
    print(f'The kernel "Foundry Local" is registered in {place}.')
    return 0


def reset(options: argparse.Namespace) -> int:
    """A fresh copy of one notebook."""
    from labkit.workbook import copies

    fresh, kept = copies.reset(options.number)
    print(f"{fresh.name} is fresh." + (f" Your old one is {kept.name}, beside it." if kept else ""))
    return 0


def progress(_: argparse.Namespace) -> int:
    """Print where the student stands."""
    from labkit.workbook import exercises

    print(exercises.progress())
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Look at this machine; the exit status is 1 when something is wrong."""
    from labkit.workbook import doctor as examination
    from labkit.workbook import production

    report = production.examine(options.host) if options.production else examination.examine()
    print(report.as_json() if options.json else report.as_text())
    return 0 if report.ok else 1


def capstone(options: argparse.Namespace) -> int:
    """Run the drills on an app, with progress meanwhile; the exit status is 1 when one failed."""
    from labkit.workbook import capstone as drills
    from labkit.workbook.copies import ROOT

    folder = options.folder or ROOT / "apps" / "capstone"
    print(f"The drills on {folder}; about a minute, more where they fail ...", file=sys.stderr, flush=True)
    say = functools.partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    verdict = drills.check(folder, say=say)
    print(verdict.as_json() if options.json else f"\n{verdict.summary}")
    return 0 if verdict.passed else 1


def regenerate(options: argparse.Namespace) -> int:
    """Run notebooks on the live runtime and save their outputs."""
    from labkit.workbook import regenerate as outputs
    from labkit.workbook.copies import lesson, lessons

    chosen = [lesson(number) for number in options.numbers] or lessons()
    with outputs.endpoint() as ready:
        print(ready)
        for item in chosen:
            start = time.perf_counter()
            outputs.regenerate(item.original)
            print(f"{item.original.name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 0


def report(options: argparse.Namespace) -> int:
    """Execute notebooks with papermill and write pages about it; the exit status is 1 when one did not pass."""
    from labkit.connection import connect
    from labkit.workbook.report import command
    from labkit.workbook.report.job import MB, Limits

    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    limits = Limits(cell_seconds=options.cell_seconds, seconds=options.seconds, memory=options.memory * MB)
    names = ("notebooks", "parameters", "models", "code", "workers", "per_endpoint", "scheduler", "fresh")
    asked = {name: getattr(options, name) for name in names}
    matrix = Path(options.matrix) if options.matrix else None
    return command.report(command.Options(out=Path(options.out), matrix=matrix, limits=limits, **asked), connect)


def export(options: argparse.Namespace) -> int:
    """Write the files that the notebooks own, or with --check only say what is wrong with them."""
    from labkit.workbook import export as exporter

    if options.check:
        problems = exporter.check()
        print("".join(problem.diff for problem in problems), end="", flush=True)
        if problems:
            raise exporter.failure(problems)
        return 0
    for path, state in exporter.write().items():
        print(f"{state:9}  {path}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    each.__name__: each
    for each in (
        open_workbook,
        serve,
        test,
        kernel,
        reset,
        progress,
        doctor,
        chat,
        backup,
        webgpu,
        openwebui,
        capstone,
        report,
        regenerate,
        export,
    )
}


@contextlib.contextmanager
def _endpoint(settings: Settings) -> Iterator[Connection]:
    """Connect, starting and publishing a runtime where none is shared, and show a first answer."""
    from labkit import endpoints, ports, runtime
    from labkit.connection import Source, connect

    lab = connect(port=ports.pick(None, runtime.PORT))
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab)
        if lab.source is Source.IN_PROCESS:
            stack.enter_context(endpoints.publish(settings.cache, lab.base_url, lab.model))
        _first_answer(lab)
        yield lab


def _first_answer(lab: Connection) -> None:
    """Stream one short answer to the terminal, with its first-token time."""
    from labkit.streaming import FirstToken, stream_sync

    print(f"\n{QUESTION}\n  ", end="", flush=True)
    first = ""
    for event in stream_sync(lab, QUESTION, max_tokens=40, temperature=0):
        print(event.text.replace("\n", "\n  "), end="", flush=True)
        if isinstance(event, FirstToken):
            first = f" ...\n(first token after {event.at:.2f} s)"
    print(first or "(no answer)", flush=True)


@contextlib.contextmanager
def _until_told() -> Iterator[None]:
    """Run a block until Ctrl-C, SIGTERM or (Windows) SIGBREAK, all of which then end it in good order."""
    for name in ("SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        yield
