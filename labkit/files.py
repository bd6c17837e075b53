"""Write files whole or not at all: a process that is killed at any point leaves no partial file."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_atomically(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Write a file whole or not at all; `mode` is its permission bits, else those of the file that it replaces.

    Raises OSError; the old file is then still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode is None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(
            part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600 if mode else 0o666
        )
        with open(handle, "wb") as file:  # noqa: PTH123 - a handle, not a path
            file.write(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            part.chmod(mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def append_line(path: Path, value: object) -> None:
    """Append a value as one line of JSON (json.org's JSON Lines); a torn last line is ended first. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(value, ensure_ascii=False).encode() + b"\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


@contextlib.contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A new folder beside its target, removed afterwards; one whose process was killed is removed first."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(".staging-*.lock"):
        _remove(left.with_suffix(""), FileLock(left))
    # A new name each time: a pip whose parent was killed may still be writing into the old folder.
    stage = parent / f".staging-{secrets.token_hex(4)}"
    lock = FileLock(stage.with_name(f"{stage.name}.lock"))
    try:
        with lock:  # while this process holds it, no other one removes the folder
            stage.mkdir()
            try:
                yield stage
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)


def _remove(stage: Path, lock: FileLock) -> None:
    """Remove a staging folder, unless a living process holds its lock."""
    with contextlib.suppress(Timeout, OSError), lock.acquire(blocking=False):
        shutil.rmtree(stage, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)


def secret(file: Path) -> str:
    """A random key in a file: made once, readable by its owner only, the same after a restart.

    Two processes that start at once read the same one.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f"{file.name}.lock")):
        if not file.exists() or not file.stat().st_size:
            write_atomically(file, secrets.token_urlsafe(48), mode=0o600)
    return file.read_text(encoding="utf-8")
