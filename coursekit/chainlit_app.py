"""A Chainlit application in a process of its own: started, waited for until it serves, and ended with its children."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from coursekit.ports import free_port
from coursekit.processes import child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK = "127.0.0.1"


class StartError(Exception):
    """The application ended at once, or did not serve in time; its log is a note of the error."""


@dataclass
class RunningApp:
    """An application that serves on a port of loopback, and the file that it writes its log to."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.port}"


def command_line(target: Path | str, port: int, host: str = LOOPBACK, *, headless: bool = True) -> list[str]:
    """The command that serves an application; with `headless` it opens no browser."""
    command = [sys.executable, "-m", "chainlit", "run", str(target), "--host", host, "--port", str(port)]
    return [*command, "--headless"] if headless else command


@contextlib.contextmanager
def running_app(
    target: Path | str, log: Path, *, port: int = 0, seconds: float = 90, grace: float = 15, **options: Any
) -> Iterator[RunningApp]:
    """Serve an application until the block ends; the block begins when the application takes connections.

    `options` go to subprocess.Popen; the log is added to. At the end the process has `grace` seconds to shut down, and
    its children end with it. Raises StartError.
    """
    port = port or free_port()
    children: list[psutil.Process] = []
    try:
        with log.open("ab") as opened:
            own = {"stdin": subprocess.DEVNULL, "stdout": opened, "stderr": subprocess.STDOUT} | options
            with child(command_line(target, port), seconds=grace, **own) as process:
                try:
                    _wait_until_served(process, port, log, seconds)
                    yield RunningApp(port, log, process)
                finally:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        for each in children:  # those that have outlived the application
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def _wait_until_served(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if process.poll() is not None:
            break
        # A connection without a request, so that neither a log nor a counter of the application shows it.
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(0.05)
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    if process.poll() is None:
        error = StartError(f"the app did not serve within {seconds:.0f} s")
    else:
        error = StartError(f"the app ended at once: {text.splitlines()[-1] if text else 'it said nothing'}")
    error.add_note(text)
    raise error
