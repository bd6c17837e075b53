"""The files by which the processes of this machine find each other's endpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from labkit import endpoints
from labkit.endpoints import Endpoint
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLISH = """
import pathlib, sys
from labkit import endpoints
with endpoints.publish(pathlib.Path(sys.argv[1]), "http://127.0.0.1:2/v1", "theirs"):
    print("published", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(cache: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that publishes an endpoint until its input ends."""
    command = [sys.executable, "-c", PUBLISH, str(cache)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout
        assert process.stdout.readline() == "published\n"
        yield process


def write(cache: Path, name: str, content: object) -> Path:
    """Leave a file as another process, or another version, might have left it."""
    path = cache / "endpoints" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def me(**changes: object) -> dict[str, object]:
    """The content of a file of this process, with changes."""
    started = psutil.Process().create_time()
    return {"base_url": "http://127.0.0.1:1/v1", "model": "mine", "pid": os.getpid(), "started": started} | changes


def test_published_endpoint_is_found(own_cache: Path) -> None:
    """It comes back as it was given, with its process."""
    with endpoints.publish(own_cache, "http://127.0.0.1:1/v1", "mine") as endpoint:
        assert endpoints.published(own_cache) == [endpoint]
    assert endpoint == Endpoint("http://127.0.0.1:1/v1", "mine", os.getpid(), psutil.Process().create_time())


def test_an_endpoint_is_published_within_its_block_only(own_cache: Path) -> None:
    assert endpoints.published(own_cache) == []  # not even the folder exists on a fresh machine
    with pytest.raises(KeyboardInterrupt), endpoints.publish(own_cache, "http://127.0.0.1:1/v1", "mine"):
        raise KeyboardInterrupt
    assert list((own_cache / "endpoints").iterdir()) == []


def test_each_process_removes_only_its_own_file(own_cache: Path) -> None:
    """The elder endpoint is first."""
    with endpoints.publish(own_cache, "http://127.0.0.1:1/v1", "mine") as mine:
        with another_process(own_cache) as process:
            found = endpoints.published(own_cache)
            assert [(item.model, item.pid) for item in found] == [("mine", os.getpid()), ("theirs", process.pid)]
        assert endpoints.published(own_cache) == [mine]
    with another_process(own_cache):
        with endpoints.publish(own_cache, "http://127.0.0.1:1/v1", "mine"):
            pass
        assert [item.model for item in endpoints.published(own_cache)] == ["theirs"]


def test_file_of_a_dead_process_is_taken_away(own_cache: Path) -> None:
    """A process that was killed could not do it itself."""
    with another_process(own_cache) as process:
        process.kill()
    assert len(list((own_cache / "endpoints").iterdir())) == 1
    assert endpoints.published(own_cache) == []
    assert list((own_cache / "endpoints").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param('{"base_url": "http://127', id="half"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param({"pid": 1}, id="fields missing"),
        pytest.param(me(pid="1"), id="process a text"),
        pytest.param(me(pid=-1), id="process below zero"),
        pytest.param(me(pid=None), id="no process"),
        pytest.param(me(started=None), id="no beginning"),
        pytest.param(me(started=psutil.Process().create_time() - 60), id="the id belongs to another process now"),
    ],
)
def test_broken_file_is_taken_away(own_cache: Path, content: object) -> None:
    """It keeps nobody from finding the others."""
    path = write(own_cache, "1.json", content)
    with endpoints.publish(own_cache, "http://127.0.0.1:1/v1", "mine") as endpoint:
        assert endpoints.published(own_cache) == [endpoint]
    assert not path.exists()
