"""Folders that are filled beside their place and moved there whole, so that a kill at any point leaves no half."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A folder beside the target, gone afterwards. One that a killed process left is taken away first."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".staging*"):
        shutil.rmtree(left, ignore_errors=True)
    # A new name each time: a pip whose parent was killed may still be writing into the old one.
    stage = Path(tempfile.mkdtemp(prefix=".staging", dir=parent))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
