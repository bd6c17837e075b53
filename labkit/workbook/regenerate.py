"""Run notebooks on the live runtime and write their outputs back: the only way that outputs are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient

if TYPE_CHECKING:
    from pathlib import Path

CELL_SECONDS = 180


def regenerate(path: Path) -> None:
    """Run one notebook from top to bottom in a fresh kernel and save it. Raises nbclient's CellExecutionError."""
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
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)
