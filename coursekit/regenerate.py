"""Run notebooks on the live runtime and write their outputs back: the only way that outputs are made."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from coursekit.errors import WorkbookError
from coursekit.processes import child
from labkit.plots.picture import LOAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELL_SECONDS = 180
# Percent of the processors' time. Other programs that use more would change the times that a notebook shows.
MOST_LOAD = 15


def load() -> float:
    """The share of the processors' time, in percent, that other programs use during one second."""
    return float(psutil.cpu_percent(interval=1))


@contextlib.contextmanager
def noted_load(*, busy: bool) -> Iterator[float]:
    """Measure the load before anything runs, and give it to the figures' footers by the variable LABKIT_LOAD.

    Raises WorkbookError above MOST_LOAD, unless `busy`.
    """
    measured = load()
    if measured > MOST_LOAD and not busy:
        raise WorkbookError(
            f"This machine is busy: other programs use {measured:.0f} % of its processors, and at most {MOST_LOAD} % "
            "is allowed, since the notebooks show measured times",
            fix="end the other programs and run this again, or record anyway with --busy",
        )
    os.environ[LOAD] = f"{measured:.0f}"
    try:
        yield measured
    finally:
        del os.environ[LOAD]


@contextlib.contextmanager
def endpoint() -> Iterator[str]:
    """One endpoint in a process of its own, which the notebooks find and share; gives its READY line."""
    command = [sys.executable, "-m", "coursekit", "serve"]
    with child(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as process:
        assert process.stdout is not None
        ready = process.stdout.readline().strip()
        if not ready.startswith("READY"):
            raise WorkbookError("The endpoint did not start", fix="python lab.py serve shows why")
        yield ready


def regenerate(path: Path) -> None:
    """Run one notebook in a fresh kernel and save it. Raises WorkbookError, and saves nothing then."""
    notebook = nbformat.read(path, as_version=4)
    # Without coalescing, every flush of a streamed answer would become an output of its own.
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        coalesce_streams=True,
        record_timing=False,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise WorkbookError(
            f"{path.name} failed with {error.ename}: {error.evalue}", fix="correct the cell and run this again"
        ) from error
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)
