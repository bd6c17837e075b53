"""What is to be run and what came of it, as frozen values that pass from one process or machine to another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "labkit-report/1"
MB = 1024 * 1024


class Status(StrEnum):
    """How the run of one notebook ended."""

    PASSED = "passed"  # every cell ran
    FAILED = "failed"  # a cell raised an error
    TIMED_OUT = "timed out"  # a cell took longer than it may; its kernel was ended
    DIED = "kernel died"
    STOPPED = "stopped"  # a limit of the whole run: time, memory, processes, files, output
    MISSING = "missing"  # there is no such notebook, or it is none
    LOST = "not run"  # what runs notebooks failed before or around it


@dataclass(frozen=True)
class Limits:
    """What one run may use; sizes in bytes. All but the two times hold only for code that is not trusted."""

    cell_seconds: float = 120
    seconds: float = 1800
    memory: int = 2048 * MB  # of all its processes together
    file_size: int = 256 * MB
    folder: int = 512 * MB  # what it may leave in its folder
    processes: int = 64
    threads: int = 512  # of all its processes together
    output: int = 20 * MB  # printed and shown, by all cells together


@dataclass(frozen=True)
class Job:
    """One notebook to run. `folder` is copied beside it where a student's own files belong to it."""

    notebook: str
    base_url: str
    model: str
    source: str
    student: str = ""
    folder: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    trusted: bool = True
    retries: int = 1
    target: str = ""  # where the executed notebook goes

    @property
    def name(self) -> str:
        """The notebook's file name without its ending."""
        return Path(self.notebook).stem

    def there(self) -> bool:
        """Whether the notebook is a file; a student's may be no link, which could lead to any file of the machine."""
        path = Path(self.notebook)
        return path.is_file() and (self.trusted or not path.is_symlink())

    def key(self) -> str:
        """The same for the same work: who, which file as it is now, with which parameters, on what."""
        from labkit.connection import Source

        path = Path(self.notebook)
        content = hashlib.sha256(path.read_bytes()).hexdigest() if self.there() else ""
        # An endpoint of this machine has another port at each start; one that somebody named is its address.
        where = self.base_url if self.source == Source.BASE_URL else self.source
        told = {name: value for name, value in self.parameters.items() if value != self.base_url}
        parts = [self.student, str(path), content, told, where, self.model]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Check:
    """One exercise as its check left it."""

    exercise: str
    passed: bool
    missing: str = ""


@dataclass(frozen=True)
class Answer:
    """The times of one streamed answer, in seconds; None where no text came."""

    ttft: float | None
    e2e: float | None
    tokens: int
    ended: str

    @property
    def rate(self) -> float | None:
        """Tokens a second, the wait for the first included."""
        return self.tokens / self.e2e if self.e2e else None


@dataclass(frozen=True)
class Latency:
    """What was felt of a model in one run; None where nothing was streamed."""

    answers: int
    ttft_p50: float | None
    ttft_p95: float | None
    tokens_per_second: float | None  # the median of the answers


@dataclass(frozen=True)
class Result:
    """What came of a job. `detail` is one line for people; `first_try` says why a second try was needed."""

    key: str
    student: str
    notebook: str
    model: str
    base_url: str
    source: str
    parameters: dict[str, Any]
    status: Status
    detail: str = ""
    seconds: float = 0.0
    cells: int = 0
    cells_run: int = 0
    cell_seconds: tuple[float, ...] = ()
    peak_memory: int = 0
    first_try: str = ""
    checks: tuple[Check, ...] = ()
    answers: tuple[Answer, ...] = ()
    executed: str = ""
    page: str = ""

    @property
    def passed(self) -> bool:
        """Whether every cell ran."""
        return self.status is Status.PASSED

    @property
    def checks_passed(self) -> int:
        """How many exercises are done."""
        return sum(check.passed for check in self.checks)

    @property
    def latency(self) -> Latency:
        """The percentiles of its answers."""
        from labkit.latency import percentile

        first = [answer.ttft for answer in self.answers if answer.ttft is not None]
        rates = [answer.rate for answer in self.answers if answer.rate is not None]
        return Latency(
            len(self.answers),
            percentile(first, 50) if first else None,
            percentile(first, 95) if first else None,
            median(rates) if rates else None,
        )

    def as_json(self) -> dict[str, Any]:
        """The same as values of JSON."""
        return asdict(self) | {"latency": asdict(self.latency)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Result:
        """What `as_json` wrote. Raises TypeError, KeyError or ValueError for anything else."""
        known = {name: value for name, value in values.items() if name != "latency"}
        known["status"] = Status(known["status"])
        known["checks"] = tuple(Check(**each) for each in known["checks"])
        known["answers"] = tuple(Answer(**each) for each in known["answers"])
        known["cell_seconds"] = tuple(known["cell_seconds"])
        return cls(**known)


def document(results: Sequence[Result], made: str, machine: str) -> dict[str, Any]:
    """What `results.json` holds; `results.schema.json` beside this module describes it."""
    return {"schema": SCHEMA, "made": made, "machine": machine, "results": [each.as_json() for each in results]}
