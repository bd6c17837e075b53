"""Stopping in good order: no new questions, time for the answers under way, and what came is kept in every case."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import partial
from typing import TYPE_CHECKING

from uvicorn.server import HANDLED_SIGNALS, Server

from apps.chat.device import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

# What an answer that was ended may take to be saved, and a page to take note that its connection is closed.
SAVING, CLOSING = 5.0, 5
# Ctrl-C on your own machine: long enough for an answer that is nearly there.
AT_ONCE = 2.0
log = logging.getLogger("chat")


class Drain:
    """The tasks that answer, and how they end when the server does. `settle` waits until all writes are done."""

    def __init__(self, seconds: float, interrupt: float, settle: Callable[[], Awaitable[None]]) -> None:
        self.seconds = seconds
        self.interrupt = interrupt
        self.settle = settle
        self.draining = False  # no new questions
        self.over = False  # no more time for the old ones
        self._tasks: set[asyncio.Task[object]] = set()
        self._hurry = asyncio.Event()
        self._run: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """Note that the current task answers a question. Raises Refusal while the server drains."""
        if self.draining:
            raise Refusal(Refused.DRAINING)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def listen(self) -> None:
        """Come before uvicorn's handlers of SIGTERM and Ctrl-C, which would end the answers at once.

        Call it in the loop of the server when that has set its own.
        """
        loop = asyncio.get_running_loop()
        for number in HANDLED_SIGNALS:
            server = getattr(signal.getsignal(number), "__self__", None)
            if isinstance(server, Server):
                # A page that does not close its connection must not keep the process.
                server.config.timeout_graceful_shutdown = CLOSING
                signal.signal(number, partial(self._heard, loop, server))

    def _heard(self, loop: asyncio.AbstractEventLoop, server: Server, number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(self.told, number, server)

    def told(self, number: int, server: Server) -> None:
        """A signal has come: the first one begins, the second ends what still runs, a third does not wait for it."""
        if not self.draining:
            self.draining = True
            seconds = self.interrupt if number == signal.SIGINT else self.seconds
            self._run = asyncio.create_task(self.run(seconds))
            self._run.add_done_callback(lambda _: server.handle_exit(number, None))
        elif not self._hurry.is_set():
            self._hurry.set()
        else:
            server.handle_exit(number, None)

    async def run(self, seconds: float) -> None:
        """Wait for the answers, end those that take longer, and wait until all is saved."""
        self.draining = True
        log.info("draining", extra={"fields": {"running": len(self._tasks), "seconds": seconds}})
        hurry = asyncio.create_task(self._hurry.wait())
        done = asyncio.create_task(self._finished())
        await asyncio.wait([hurry, done], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        self.over = True
        cut = [task for task in self._tasks if not task.done()]
        for task in cut:
            task.cancel()
        try:
            async with asyncio.timeout(SAVING):
                await done
                await self.settle()
            log.info("drained", extra={"fields": {"ended": len(cut)}})
        except TimeoutError:
            log.error("drained too late", extra={"fields": {"ended": len(cut), "running": len(self._tasks)}})
        finally:
            hurry.cancel()

    async def _finished(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))
