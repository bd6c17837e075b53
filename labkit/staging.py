"""What is filled beside its place and moved there whole, so that a kill at any point leaves no half."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

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


def secret(file: Path) -> str:
    """A random key in a file: made once, readable by its owner only, the same after a restart.

    Two processes that start at once take the same one.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f"{file.name}.lock")):
        if not file.exists() or not file.stat().st_size:
            part = file.with_name(f"{file.name}.part")
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            part.write_text(secrets.token_urlsafe(48), encoding="utf-8")
            part.replace(file)
    return file.read_text(encoding="utf-8")
