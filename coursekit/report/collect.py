"""From the files of a run to its result. A student's code can write these files, so nothing in them is trusted."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.report.job import MB, AnswerTimes, ExerciseResult, Job, Result, Status
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coursekit.report.sandbox import Exit

LONGEST_DETAIL = 300
MOST_NOTES = 10_000


def empty_result(job: Job, status: Status, detail: str) -> Result:
    """A result without a run."""
    address, detail = shown(job.base_url), one_line(detail)
    return Result(
        job.key(), job.student, job.name, job.model, address, job.source, job.parameters, status, detail=detail
    )


def collect(job: Job, folder: Path, ended: Exit, user: int | None) -> Result:
    """Read and check what a run left in its folder; the executed notebook is copied to the job's target."""
    files = _Files(folder / "out", user)
    status, detail = _judge(files, ended)
    notebook = files.read("executed.ipynb", job.limits.output + 64 * MB)
    cells = _code_cells(notebook)
    executed = ""
    if notebook and cells is not None and job.target:
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        Path(job.target).write_bytes(notebook)
        executed = job.target
    checks, answers = _read_sidecar(files, job)
    return replace(
        empty_result(job, status, detail),
        cells=len(cells or ()),
        cells_run=sum(cell.get("execution_count") is not None for cell in cells or ()),
        cell_seconds=tuple(map(_duration, cells or ())),
        peak_memory=ended.peak_memory,
        checks=checks,
        answers=answers,
        executed=executed,
    )


def one_line(text: str) -> str:
    """The first words of a text, without characters that could control a terminal."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * LONGEST_DETAIL]).split())
    return words if len(words) <= LONGEST_DETAIL else words[: LONGEST_DETAIL - 4] + " ..."


def read_plain_file(path: Path, most: int, user: int | None = None) -> bytes | None:
    """The bytes of a plain file; None where it is missing, too long, a link, a pipe or another user's.

    A student's code could put a link in the place of a result, and root would read any file for it.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        own = user is None or found.st_uid == user
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_size > most or not own:
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None


class _Files:
    """The files that a run may have left; one that cannot be trusted counts as empty."""

    def __init__(self, folder: Path, user: int | None) -> None:
        self.folder, self.user = folder, user

    def read(self, name: str, most: int = MB) -> bytes:
        return read_plain_file(self.folder / name, most, self.user) or b""

    def text(self, name: str) -> str:
        return self.read(name).decode("utf-8", errors="replace")


def _judge(files: _Files, ended: Exit) -> tuple[Status, str]:
    """How the run ended: what the supervisor saw counts more than what the run says about itself."""
    progress = files.text("progress")
    where = f"cell {progress}" if progress.replace("/", "").isdigit() else "before the first cell"
    if ended.cancelled:
        return Status.LOST, "the report was cancelled"
    if ended.limit in {"start", "supervisor"}:
        return Status.LOST, ended.detail
    if ended.limit:
        return Status.STOPPED, f"{where}: {ended.detail}"
    with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):
        outcome = json.loads(files.text("outcome.json"))
        status, detail = Status(outcome["status"]), str(outcome["detail"])
        return status, detail if status in {Status.PASSED, Status.LOST} else f"cell {int(outcome['cell'])}: {detail}"
    last = files.text("log.txt").strip().splitlines()[-1:] or ["it printed nothing"]
    return Status.LOST, f"{where}: the process that executes cells ended ({last[0]})"


def _code_cells(content: bytes) -> list[dict[str, Any]] | None:
    """The notebook's own code cells; None where the file is not a notebook."""
    try:
        return [
            cell
            for cell in json.loads(content)["cells"]
            if cell["cell_type"] == "code"
            and "".join(cell["source"]).strip()
            and "injected-parameters" not in cell["metadata"].get("tags", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _duration(cell: dict[str, Any]) -> float:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        value = float(cell["metadata"]["papermill"]["duration"])
        return value if math.isfinite(value) else 0.0
    return 0.0


def _read_sidecar(files: _Files, job: Job) -> tuple[tuple[ExerciseResult, ...], tuple[AnswerTimes, ...]]:
    """The last check of each exercise, and the answers from the job's own endpoint and model.

    A lesson also asks scripted endpoints, slow or broken on purpose: their times say nothing about the model.
    """
    checks: dict[str, ExerciseResult] = {}
    answers = []
    for note in _notes(files):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if note["kind"] == "check":
                name = one_line(str(note["exercise"]))[:20]
                checks[name] = ExerciseResult(name, note["passed"] is True, one_line(str(note["missing"] or "")))
            elif note["kind"] == "answer" and (note["base_url"], note["model"]) == (job.base_url, job.model):
                times = _seconds(note["ttft"]), _seconds(note["e2e"])
                answers.append(AnswerTimes(*times, int(note["tokens"]), str(note["ended"])[:20]))
    return tuple(checks[name] for name in sorted(checks)[:100]), tuple(answers)


def _notes(files: _Files) -> Iterator[Any]:
    """The values of the sidecar's lines. Lines of bytes: str.splitlines would also split at U+2028."""
    for line in files.read("sidecar.jsonl", 8 * MB).split(b"\n")[:MOST_NOTES]:
        with contextlib.suppress(ValueError, RecursionError):
            yield json.loads(line)


def _seconds(value: object) -> float | None:
    """A time in seconds, or None. Raises ValueError for anything else."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise ValueError(f"{value!r} is not a time")
    return float(value)
