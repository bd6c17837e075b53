"""The commands of `python lab.py`, each a few lines that call what does the work."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labkit.connection import Connection
    from labkit.settings import Settings

QUESTION = "Why is the sky blue?"
JUPYTER_PORT = 8888


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. What is wrong is said in one line with its cure."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows code page has no letters for all that a model says
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description="The Foundry Local chat workbook.")
    parser.add_argument("--port", type=int, help="JupyterLab's port (default: 8888, or a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print JupyterLab's address and open nothing")
    parser.set_defaults(run=open_workbook)
    commands = parser.add_subparsers(title="commands", metavar="")

    served = commands.add_parser("serve", help="run the endpoint until Ctrl-C")
    served.add_argument(
        "--port", type=int, default=argparse.SUPPRESS, help="the endpoint's port (default: 51211, or a free one)"
    )
    served.add_argument("--mock", action="store_true", help="a scripted endpoint instead of a model, for tests")
    served.set_defaults(run=serve)

    tested = commands.add_parser("test", help="run the tests that this machine can run")
    tested.add_argument("--all", action="store_true", help="run every lane, and let nothing be skipped")
    tested.add_argument("pytest", nargs="*", help="what follows -- goes to pytest")
    tested.set_defaults(run=test)

    registered = commands.add_parser("kernel", help='register the kernel "Foundry Local" for VS Code and others')
    registered.set_defaults(run=kernel)

    fresh = commands.add_parser("reset", help="a fresh copy of one notebook; the old one is kept beside it")
    fresh.add_argument("number", help="the notebook's number, for example 01")
    fresh.set_defaults(run=reset)

    stood = commands.add_parser("progress", help="which exercises you have passed")
    stood.set_defaults(run=progress)

    looked = commands.add_parser("doctor", help="look for what is wrong on this machine")
    looked.add_argument("--json", action="store_true", help="the same for programs")
    looked.set_defaults(run=doctor)

    made = commands.add_parser("regenerate", help="for authors: make the outputs of the notebooks again")
    made.add_argument("numbers", nargs="*", help="the notebooks' numbers (default: all)")
    made.set_defaults(run=regenerate)
    return parser


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

    command = [sys.executable, "-m", "pytest", *options.pytest]
    if options.all or os.environ.get("CI"):
        command.append("--all-lanes")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


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

    report = examination.examine()
    print(report.as_json() if options.json else report.as_text())
    return 0 if report.ok else 1


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
