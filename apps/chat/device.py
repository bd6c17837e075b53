# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""The one device that all users share: connecting to it once, its health, and a queue before it."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from labkit import Connection, Health, LabError, SettingsError, Source, connect
from labkit.notebook import watched
from labkit.streaming import SILENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

# Foundry Local shares one device among its answers; behind BASE_URL there may be many servers.
WIDTH = {Source.BASE_URL: 64}
FEW = 2


class Refused(StrEnum):
    """Why a question is not taken."""

    RATE = "rate"  # this user asks too often
    QUEUE = "queue"  # the queue is full
    DRAINING = "draining"  # the server is about to stop


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of this program
    """A question that is not taken; after `wait` seconds the same one would be, where that is known."""

    def __init__(self, why: Refused, wait: float = 0.0) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait


class Queue:
    """As many answers at once as `width`, the others in the order in which they came, `most` of them."""

    def __init__(self, width: int, most: int = 100) -> None:
        self.width = width
        self.most = most
        self.running = 0
        self._line: deque[asyncio.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait in the queue."""
        return len(self._line)

    @asynccontextmanager
    async def turn(self, show_position: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Wait for a turn and hold it; `show_position` gets the place in the queue, from 1. A cancelled caller leaves.

        Raises Refusal where the line is full.
        """
        self.refuse_when_full()
        me = asyncio.Event()
        self._line.append(me)
        self._call()
        try:
            told = 0
            while me in self._line:
                me.clear()
                place = self._line.index(me) + 1
                if place != told:
                    told = place
                    await show_position(place)
                if me in self._line:
                    await me.wait()
            yield
        finally:
            if me in self._line:
                self._line.remove(me)
            else:
                self.running -= 1
            self._call()

    def refuse_when_full(self) -> None:
        """Raise Refusal where the queue is full."""
        if self.running >= self.width and self.waiting >= self.most:
            raise Refusal(Refused.QUEUE)

    def _call(self) -> None:
        """Give the free turns away, and let the others look at their places."""
        while self._line and self.running < self.width:
            self._line.popleft().set()
            self.running += 1
        for each in self._line:
            each.set()


class Device:
    """A connection that the first user makes, with the queue that belongs to it."""

    def __init__(self, fresh: float = 5.0, concurrency: int | None = None, most: int = 100) -> None:
        self.fresh = fresh
        self.concurrency = concurrency
        self.queue = Queue(1, most)  # how wide it is, the first connection says
        self.progress = ""  # of a download, while the connection is made
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._health: tuple[float, Health] | None = None
        self._asking = asyncio.Lock()

    async def connection(self) -> Connection:
        """The connection; `progress` says meanwhile how it comes about. Raises what `connect` raises.

        If one of them is cancelled, the others go on waiting for the same one: a runtime must not be started twice.
        """
        while self._connection is None:
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect())
            await asyncio.shield(self._connecting)
        return self._connection

    async def _connect(self) -> None:
        with watched(self._note):
            connection = await asyncio.to_thread(connect, say=lambda _: None)
        self.queue.width = self.concurrency or width(connection.source)
        # The page has a button for it, and a client that asks again by itself doubles the wait on a hanging endpoint.
        self._connection = replace(connection, retries=0)

    def _note(self, progress: str) -> None:
        self.progress = progress

    def forget(self) -> None:
        """Look for an endpoint again at the next question: the old one may be gone, and another be there."""
        self._connection = self._health = None

    async def health(self) -> Health:
        """Whether it answers and lists its model; asked at most once in `fresh` seconds, and generates nothing."""
        async with self._asking:
            now = time.monotonic()
            if self._health is None or now - self._health[0] > self.fresh:
                try:
                    seen = await asyncio.to_thread((await self.connection()).health)
                except LabError as error:
                    seen = Health(False, time.monotonic() - now, (), str(error))
                self._health = (now, seen)
            return self._health[1]


def width(source: Source, environ: Mapping[str, str] = os.environ) -> int:
    """How many answers at once: MAX_CONCURRENCY, else what the source can take. Raises SettingsError."""
    told = environ.get("MAX_CONCURRENCY", "").strip()
    if not told:
        return WIDTH.get(source, FEW)
    if not told.isdecimal() or int(told) < 1:
        raise SettingsError(f"MAX_CONCURRENCY is {told!r}", fix="set it to a whole number from 1, or unset it")
    return int(told)


def patience(environ: Mapping[str, str] = os.environ) -> float:
    """After how many seconds of silence an answer is given up: CHAT_PATIENCE, else 120. Raises SettingsError."""
    told = environ.get("CHAT_PATIENCE", "").strip()
    try:
        seconds = float(told or SILENCE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise SettingsError(f"CHAT_PATIENCE is {told!r}", fix="set it to a number of seconds, or unset it")
    return seconds
