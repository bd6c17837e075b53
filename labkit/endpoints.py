"""The endpoints that `python lab.py` runs on this machine, so that seven notebooks can share one.

Each serving process keeps one small file, named by its process id, in the cache folder. A file whose
process is gone is taken away by whoever reads it.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psutil

from labkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of this machine: its address, the full id of its model, its process and when that began."""

    base_url: str
    model: str
    pid: int
    started: float


def published(cache: Path) -> list[Endpoint]:
    """The endpoints whose process lives, oldest first."""
    found = []
    for path in _folder(cache).glob("*.json"):
        try:
            endpoint = Endpoint(**json.loads(path.read_text(encoding="utf-8")))
            lives = _lives(endpoint)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError):
            lives = False  # a file of another version, or half of one
        if lives:
            found.append(endpoint)
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda item: item.started)


@contextlib.contextmanager
def publish(cache: Path, base_url: str, model: str) -> Iterator[Endpoint]:
    """Let `connect()` of every process on this machine find the endpoint that this process serves."""
    endpoint = Endpoint(base_url, model, os.getpid(), psutil.Process().create_time())
    path = _folder(cache) / f"{endpoint.pid}.json"
    write_atomically(path, json.dumps(asdict(endpoint)))
    try:
        yield endpoint
    finally:
        path.unlink(missing_ok=True)


def _folder(cache: Path) -> Path:
    return cache / "endpoints"


def _lives(endpoint: Endpoint) -> bool:
    """Whether the process is the same one: a process id alone may have been given to another since.

    Raises TypeError or ValueError for what is no endpoint.
    """
    if not isinstance(endpoint.pid, int):
        raise TypeError("a process id is a number")
    try:
        return bool(abs(psutil.Process(endpoint.pid).create_time() - endpoint.started) < 1)
    except psutil.Error:
        return False
