"""Run a command under limits: a supervisor process watches it, and ends everything that it started."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from coursekit.report.job import RunLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Command:
    """A command for the sandbox. `folder` is the run's own folder; `log` and `progress` are files in it.

    `restricted` limits memory, files and processes; the limit of time always applies. `user` is a user id.
    """

    command: tuple[str, ...]
    cwd: str
    environ: dict[str, str]
    folder: str
    log: str
    progress: str
    limits: RunLimits = field(default_factory=RunLimits)
    restricted: bool = True
    user: int | None = None

    @classmethod
    def from_line(cls, line: str | bytes) -> Command:
        """Read the line that `as_line` wrote."""
        values = json.loads(line)
        values["limits"] = RunLimits(**values["limits"])
        values["command"] = tuple(values["command"])
        return cls(**values)

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class Exit:
    """How a command ended. `limit` is the limit that it exceeded, empty where it ended by itself."""

    limit: str = ""
    detail: str = ""
    peak_memory: int = 0
    cancelled: bool = False


class Supervisors:
    """The supervisors that this process has started; `cancel` is safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._cancelled = False

    @contextlib.contextmanager
    def running(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Count a supervisor in for the block; after `cancel` it is ended at once, and at the end in any case."""
        with self._lock:
            self._running.add(process)
            if self._cancelled:
                _release(process)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)
            _release(process)

    def cancel(self) -> None:
        """Let all of them end their commands."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                _release(process)


def run_command(
    command: Command, on_progress: Callable[[str], None] = lambda _: None, supervisors: Supervisors | None = None
) -> Exit:
    """Run a command to its end; `on_progress` gets each new count of cells ("2/5").

    Raises nothing for what the command does.
    """
    arguments = [sys.executable, "-P", "-m", "coursekit.report.supervisor"]
    ended = Exit("supervisor", "the supervisor process ended by itself")
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(command.as_line())
        process.stdin.flush()
        with (supervisors or Supervisors()).running(process):
            for line in process.stdout:
                message = json.loads(line)
                if "ended" in message:
                    ended = Exit(**message["ended"])
                else:
                    on_progress(str(message["progress"]))
    return ended


def _release(process: subprocess.Popen[str]) -> None:
    """Close a supervisor's standard input: it then ends its command."""
    if process.stdin and not process.stdin.closed:
        process.stdin.close()
