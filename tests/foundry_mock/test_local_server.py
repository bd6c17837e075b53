"""A server on loopback: what it leaves alone in the process that starts it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from foundry_mock import LocalServer
from tests.support.raw import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send


class Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The smallest ASGI application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def heard() -> Iterator[Heard]:
    """A handler of the process's own on the logger of uvicorn."""
    logger, handler = logging.getLogger("uvicorn"), Heard()
    before = logger.handlers[:]
    logger.handlers[:] = [handler]
    yield handler
    logger.handlers[:] = before


def test_the_logging_of_the_process_stays_as_it_was(heard: Heard) -> None:
    """Uvicorn's own configuration lets a server that is starting write a line while the next one is made."""
    server = LocalServer(hello)
    address = server.start()
    try:
        assert ask(address, "GET", "/").body == b"hello"
    finally:
        server.stop()
    assert logging.getLogger("uvicorn").handlers == [heard]
    assert heard.lines == []
