"""The endpoints that `python lab.py` runs on this machine, so that seven notebooks can share one.

Each serving process keeps one small file, named by its process id, in the cache folder. A reader removes the file
of a process that has ended.
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
    """An endpoint of this machine: its address, the full id of its model, its process id and when that began."""

    base_url: str
    model: str
    pid: int
    started: float


def published(cache: Path) -> list[Endpoint]:
    """The endpoints whose process is still running, oldest first."""
    found = []
    for path in _folder(cache).glob("*.json"):
        try:
            endpoint = Endpoint(**json.loads(path.read_text(encoding="utf-8")))
            running = _is_running(endpoint)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError):
            running = False  # a file of another version, or half of one
        if running:
            found.append(endpoint)
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda item: item.started)


@contextlib.contextmanager
def publish(cache: Path, base_url: str, model: str) -> Iterator[Endpoint]:
    """Let `connect()` in every process of this machine find the endpoint that this process serves, within the block."""
    endpoint = Endpoint(base_url, model, os.getpid(), psutil.Process().create_time())
    path = _folder(cache) / f"{endpoint.pid}.json"
    write_atomically(path, json.dumps(asdict(endpoint)))
    try:
        yield endpoint
    finally:
        path.unlink(missing_ok=True)


def _folder(cache: Path) -> Path:
    return cache / "endpoints"


def _is_running(endpoint: Endpoint) -> bool:
    """Whether the process is still the same one: the system may have given its id to another process since.

    Raises TypeError or ValueError for a file that does not describe an endpoint.
    """
    if not isinstance(endpoint.pid, int):
        raise TypeError("a process id is a number")
    try:
        return bool(abs(psutil.Process(endpoint.pid).create_time() - endpoint.started) < 1)
    except psutil.Error:
        return False
