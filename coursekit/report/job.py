"""A job (one notebook to run) and its result: frozen values that are sent to other processes and machines."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any

MB = 1024 * 1024
LONGEST_DETAIL = 300


class Status(StrEnum):
    """How the run of one notebook ended."""

    PASSED = "passed"  # every cell ran
    FAILED = "failed"  # a cell raised an error
    TIMED_OUT = "timed out"  # a cell took too long; its kernel was killed
    DIED = "kernel died"
    STOPPED = "stopped"  # the run exceeded one of its limits: time, memory, processes, files, output
    MISSING = "missing"  # there is no such notebook
    LOST = "not run"  # the report itself failed before or around the run, or the file is not a notebook


@dataclass(frozen=True)
class RunLimits:
    """What one run may use; sizes in bytes. Only the two times apply to trusted code too."""

    cell_seconds: float = 120
    seconds: float = 1800
    memory: int = 2048 * MB  # all processes together
    file_size: int = 256 * MB
    folder: int = 512 * MB  # all files in the run's folder
    processes: int = 64
    threads: int = 512  # all processes together
    output: int = 20 * MB  # printed and displayed by all cells together


@dataclass(frozen=True)
class Job:
    """One notebook to run. `folder`, where it is set, is a student's folder: its files are copied beside the notebook.

    `trusted` is False for students' code; `target` is the path of the executed notebook, `key` that of its result.
    """

    notebook: str
    base_url: str
    model: str
    source: str
    student: str = ""
    folder: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    limits: RunLimits = field(default_factory=RunLimits)
    trusted: bool = True
    retry: bool = True
    target: str = ""
    key: str = ""

    @property
    def name(self) -> str:
        """The notebook's file name without its extension."""
        return Path(self.notebook).stem

    @property
    def label(self) -> str:
        """The job in messages: student and notebook."""
        return " ".join(filter(None, [self.student, self.name]))

    def exists(self) -> bool:
        """Whether the notebook is a file. A student's must not be a link: it could lead to any file of this machine."""
        path = Path(self.notebook)
        return path.is_file() and (self.trusted or not path.is_symlink())

    def find_key(self) -> str:
        """The same for the same work: student, notebook and its content, parameters, endpoint, model."""
        from labkit.connection import Source

        path = Path(self.notebook)
        content = hashlib.sha256(path.read_bytes()).hexdigest() if self.exists() else ""
        # The port of an endpoint on this machine changes at each start, so only a BASE_URL counts as an address.
        endpoint = self.base_url if self.source == Source.BASE_URL else self.source
        parameters = {name: value for name, value in self.parameters.items() if value != self.base_url}
        parts = [self.student, str(path), content, parameters, endpoint, self.model]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**values | {"limits": RunLimits(**values["limits"])})

    def write(self, path: Path) -> None:
        """Write the job to a file that its run may read: without the paths of this machine."""
        job = replace(self, notebook=Path(self.notebook).name, folder="", target="")
        path.write_text(json.dumps(asdict(job)), encoding="utf-8")

    def result(self, status: Status, detail: str) -> Result:
        """A result without a run."""
        from labkit.listing import shown

        address = shown(self.base_url)
        values = (self.student, self.name, self.model, address, self.source, self.parameters)
        return Result(self.key, *values, status, one_line(detail))


@dataclass(frozen=True)
class ExerciseResult:
    """The last check of one exercise; `missing` says what is still to do."""

    exercise: str
    passed: bool
    missing: str = ""


@dataclass(frozen=True)
class AnswerTimes:
    """The times of one streamed answer in seconds; None where no text came."""

    ttft: float | None
    e2e: float | None
    tokens: int
    ended: str


@dataclass(frozen=True)
class Result:
    """The result of a job. `detail` is one line for people; `first_try` says why a second try was needed."""

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
    checks: tuple[ExerciseResult, ...] = ()
    answers: tuple[AnswerTimes, ...] = ()
    executed: str = ""
    page: str = ""

    @property
    def passed(self) -> bool:
        """Whether every cell ran."""
        return self.status is Status.PASSED

    @property
    def checks_passed(self) -> int:
        """How many exercises passed."""
        return sum(check.passed for check in self.checks)

    @property
    def first_tokens(self) -> list[float]:
        """The time to the first token of each answer that has text."""
        return [answer.ttft for answer in self.answers if answer.ttft is not None]

    @property
    def rates(self) -> list[float]:
        """The tokens per second of each answer that has text, with the wait for the first token included."""
        return [answer.tokens / answer.e2e for answer in self.answers if answer.e2e]

    @property
    def latency(self) -> dict[str, float | None]:
        """The latency of the model in this run, in seconds; None where nothing was streamed."""
        from labkit.latency import percentile

        first, rates = self.first_tokens, self.rates
        return {
            "answers": len(self.answers),
            "ttft_p50": percentile(first, 50) if first else None,
            "ttft_p95": percentile(first, 95) if first else None,
            "tokens_per_second": median(rates) if rates else None,
        }

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self) | {"latency": self.latency}


def one_line(text: str) -> str:
    """The first words of a text, without characters that could control a terminal."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * LONGEST_DETAIL]).split())
    return words if len(words) <= LONGEST_DETAIL else words[: LONGEST_DETAIL - 4] + " ..."
