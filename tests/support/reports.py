"""Notebooks, jobs and results for the tests of reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nbformat

from coursekit.report.job import MB, AnswerTimes, ExerciseResult, Job, Result, RunLimits, Status

if TYPE_CHECKING:
    from pathlib import Path

    from foundry_mock import MockEndpoint

LIMITS = RunLimits(cell_seconds=30, seconds=120, memory=1024 * MB)
ASK = """from labkit import connect, stream
lab = connect()
answer = stream(lab, "Count to 5.")
async for _ in answer:
    pass
print(answer.text)"""
RIGHT = "from coursekit import check\ncheck('01.3', lambda answer: answer.choices[0].finish_reason == 'stop')"
WRONG = RIGHT.replace("==", "!=")
# Notebooks of one cell that must not disturb the others.
LOOP = "while True:\n    pass"
FORK_BOMB = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
MEMORY_HOG = "hoard = []\nwhile True:\n    hoard.append(bytearray(10_000_000))"
FLOOD = "for _ in range(1000):\n    print('x' * 1_000_000)"
RESULT = Result(
    "k", "", "01_client_setup", "m:1", "http://h/v1", "shared", {}, Status.PASSED, "", 12.3, 5, 5, (0.1,), 10**8,
    answers=tuple(AnswerTimes(0.1 * n, 1.0 + n / 10, 20, "finished") for n in range(1, 9)),
    checks=(ExerciseResult("01.1", True), ExerciseResult("01.2", False, "Two <b>versions</b> differ.")),
    executed="notebooks/a.ipynb", page="pages/a.html",
)  # fmt: skip


def write(path: Path, *cells: str, parameters: str = "") -> Path:
    """A notebook of code cells; `parameters` is the source of a first cell with that tag."""
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    if parameters:
        made.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def job(path: Path, mock: MockEndpoint, **changes: Any) -> Job:
    """A student's job on the mock, without a second try."""
    values: dict[str, Any] = {"trusted": False, "retry": False, "limits": LIMITS, "student": "Åsa"}
    values |= {"target": str(path.parent.parent / "out" / path.name)}
    return Job(str(path), mock.base_url, mock.model, "the mock", **values | changes)


def result(**changes: Any) -> Result:
    """A result of a run that passed, with other values where `changes` names some."""
    return replace(RESULT, **changes)
