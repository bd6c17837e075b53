"""Notebooks and jobs for the tests of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

from coursekit.report.job import MB, Job, RunLimits

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
# Each does what a row must survive; the text is the notebook's one cell.
LOOP = "while True:\n    pass"
BOMB = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
HOG = "hoard = []\nwhile True:\n    hoard.append(bytearray(10_000_000))"
FLOOD = "for _ in range(1000):\n    print('x' * 1_000_000)"


def write(path: Path, *cells: str, parameters: str = "") -> Path:
    """A notebook of code cells, the first one tagged as parameters where there are some."""
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    if parameters:
        made.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def job(path: Path, mock: MockEndpoint, **changes: Any) -> Job:
    """A student's job on the mock, without a second try."""
    values: dict[str, Any] = {"trusted": False, "retries": 0, "limits": LIMITS, "student": "Åsa"}
    values |= {"target": str(path.parent.parent / "out" / path.name)}
    return Job(str(path), mock.base_url, mock.model, "the mock", **values | changes)
