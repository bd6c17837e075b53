"""Run a command under limits, in the care of a supervisor process; whatever it started is ended with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from coursekit.report.job import Limits

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Order:
    """A command, where it runs and with what; `place` is the folder that is its own, `progress` a file in it.

    `guarded` sets the limits of memory, files, processes and the user; the time holds in any case.
    """

    command: tuple[str, ...]
    cwd: str
    environ: dict[str, str]
    place: str
    log: str
    progress: str
    limits: Limits = field(default_factory=Limits)
    guarded: bool = True
    account: int | None = None

    @classmethod
    def read(cls, line: str | bytes) -> Order:
        """What `line` wrote."""
        values = json.loads(line)
        values["limits"] = Limits(**values["limits"])
        values["command"] = tuple(values["command"])
        return cls(**values)

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class Ended:
    """How a command ended: by itself (`limit` is empty), or which limit it met. `told` means that we gave it up."""

    limit: str = ""
    detail: str = ""
    code: int | None = None
    seconds: float = 0.0
    peak_memory: int = 0
    told: bool = False


class Crew:
    """The supervisors that work for this process; to end them all is safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working: set[subprocess.Popen[str]] = set()
        self._over = False

    def join(self, process: subprocess.Popen[str]) -> None:
        """Count one in; when all is over already it is ended at once."""
        with self._lock:
            self._working.add(process)
            if self._over:
                _let_go(process)

    def leave(self, process: subprocess.Popen[str]) -> None:
        """Count one out."""
        with self._lock:
            self._working.discard(process)

    def end(self) -> None:
        """Let all of them end what they run."""
        with self._lock:
            self._over = True
            for process in self._working:
                _let_go(process)


def run(order: Order, say: Callable[[str], None] = lambda _: None, crew: Crew | None = None) -> Ended:
    """Run an order to its end; `say` is told each line of its progress. Never raises for what the command does."""
    command = [sys.executable, "-P", "-m", "coursekit.report.supervisor"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=dict(os.environ)
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(order.line())
        process.stdin.flush()
        if crew:
            crew.join(process)
        ended = Ended("supervisor", "the process that watches runs ended by itself")
        try:
            for line in process.stdout:
                told = json.loads(line)
                if "ended" in told:
                    ended = Ended(**told["ended"])
                else:
                    say(str(told["progress"]))
        finally:
            if crew:
                crew.leave(process)
            _let_go(process)
    return ended


def _let_go(process: subprocess.Popen[str]) -> None:
    """Close the line by which a supervisor knows that somebody still waits for it."""
    if process.stdin and not process.stdin.closed:
        process.stdin.close()
