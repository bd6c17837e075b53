"""From the files of a run to its result. A student's code could write them too: nothing in them is trusted."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.report.job import MB, Answer, Check, Job, Result, Status
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coursekit.report.sandbox import Ended

SMALL = MB
LINE = 300
MOST_NOTES = 10_000


def nothing(job: Job, status: Status, detail: str) -> Result:
    """A result without a run."""
    return Result(
        job.key(),
        job.student,
        job.name,
        job.model,
        shown(job.base_url),
        job.source,
        job.parameters,
        status,
        one_line(detail),
    )


def collect(job: Job, place: Path, ended: Ended, account: int | None) -> Result:
    """What a run left in its folder, checked; the executed notebook goes to where the job wants it."""
    out = place / "out"
    outcome = _json(out / "outcome.json", account)
    status, detail = _judge(outcome, ended, _text(out / "progress", SMALL, account), out, account)
    kept = read(out / "executed.ipynb", job.limits.output + 64 * MB, account)
    cells = _cells(kept)
    executed = ""
    if kept and cells is not None and job.target:
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        Path(job.target).write_bytes(kept)
        executed = job.target
    checks, answers = _notes(job, out / "sidecar.jsonl", account)
    return replace(
        nothing(job, status, detail),
        cells=len(cells or ()),
        cells_run=sum(cell.get("execution_count") is not None for cell in cells or ()),
        cell_seconds=tuple(map(_duration, cells or ())),
        peak_memory=ended.peak_memory,
        checks=checks,
        answers=answers,
        executed=executed,
    )


def read(path: Path, most: int, account: int | None = None) -> bytes | None:
    """The bytes of a plain file that is not too long; None for what is missing, a link, a pipe or somebody else's.

    A student's code could put a link in the place of a result, and so have root read a file for it.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        own = account is None or found.st_uid == account
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_size > most or not own:
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None


def one_line(text: str) -> str:
    """The first words of a text, without what could move a terminal's cursor."""
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 10 * LINE]).split())
    return words if len(words) <= LINE else words[: LINE - 4] + " ..."


def _judge(outcome: Any, ended: Ended, progress: str, out: Path, account: int | None) -> tuple[Status, str]:
    """How the run ended: what the supervisor saw comes before what the run says of itself."""
    where = f"cell {progress}" if progress.replace("/", "").isdigit() else "before the first cell"
    if ended.told:
        return Status.LOST, "the report was ended"
    if ended.limit in {"start", "supervisor"}:
        return Status.LOST, ended.detail
    if ended.limit:
        return Status.STOPPED, f"{where}: {ended.detail}"
    with contextlib.suppress(KeyError, TypeError, ValueError):
        status = Status(outcome["status"])
        detail = str(outcome["detail"])
        return status, detail if status in {Status.PASSED, Status.LOST} else f"cell {int(outcome['cell'])}: {detail}"
    last = _text(out / "log.txt", SMALL, account).strip().splitlines()[-1:]
    return Status.LOST, f"{where}: the process that executes cells ended ({last[0] if last else 'it said nothing'})"


def _cells(content: bytes | None) -> list[dict[str, Any]] | None:
    """The notebook's own code cells, or None where the file is no notebook."""
    try:
        cells = json.loads(content or b"")["cells"]
        return [
            cell
            for cell in cells
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


def _notes(job: Job, path: Path, account: int | None) -> tuple[tuple[Check, ...], tuple[Answer, ...]]:
    """Checks, the last of each exercise, and the answers that came from the job's own endpoint and model.

    A lesson asks scripted endpoints too, with speeds and faults of its choice: those say nothing about the model.
    """
    checks: dict[str, Check] = {}
    answers = []
    for note in _lines(path, account):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if note["kind"] == "check":
                name = one_line(str(note["exercise"]))[:20]
                checks[name] = Check(name, note["passed"] is True, one_line(str(note["missing"] or "")))
            elif note["kind"] == "answer" and (note["base_url"], note["model"]) == (job.base_url, job.model):
                answers.append(
                    Answer(_seconds(note["ttft"]), _seconds(note["e2e"]), int(note["tokens"]), str(note["ended"])[:20])
                )
    return tuple(checks[name] for name in sorted(checks)[:100]), tuple(answers)


def _lines(path: Path, account: int | None) -> Iterator[Any]:
    for line in _text(path, 8 * MB, account).splitlines()[:MOST_NOTES]:
        with contextlib.suppress(ValueError, RecursionError):
            yield json.loads(line)


def _seconds(value: object) -> float | None:
    """A time that can be one; raises ValueError for what cannot."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise ValueError(f"{value!r} is no time")
    return float(value)


def _json(path: Path, account: int | None) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(_text(path, SMALL, account))
    return None


def _text(path: Path, most: int, account: int | None) -> str:
    """The text of a file; what is longer than it may be counts as empty."""
    return (read(path, most, account) or b"").decode("utf-8", errors="replace")
