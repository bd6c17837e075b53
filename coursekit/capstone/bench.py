"""What a drill is, and what it works with: the app, pages of it, and an endpoint that behaves as the drill wants."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coursekit.capstone.report import DrillError
from coursekit.capstone.rules import complaint, short
from coursekit.chainlit_client import PageError, open_page
from foundry_mock import Behaviour, MockEndpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from coursekit.capstone.app import App
    from coursekit.chainlit_client import Page

# The window of the smallest model of the course.
WINDOW = 2048
QUICK = Behaviour(first_token=0.02, rate=400, context=WINDOW)
# Slow enough that no answer ends by itself during a drill, whatever its limit of tokens.
SLOW = Behaviour(first_token=0.02, rate=8, context=WINDOW)
LONG = "Count to 2000."
WORDS = "1 2 3 4"
_FIRST_WORDS = 5.0
# More than a client's own retries use up.
OFTEN = 8


@dataclass(frozen=True)
class Limits:
    """Seconds: CHAT_PATIENCE as the app is told it, and how long each kind of thing may take at most."""

    patience: float = 5.0
    ready: float = 60.0
    answer: float = 30.0
    complaint: float = 60.0
    ended: float = 15.0
    drill: float = 240.0


@dataclass(frozen=True)
class Drill:
    """One thing that is tried. `run` returns what was seen, and raises DrillError where that should not be."""

    name: str
    title: str
    lesson: str
    fix: str
    run: Callable[[Bench], Awaitable[str]]


@dataclass
class Bench:
    """The app under test, and what the drills share."""

    app: App
    port: int
    key: str
    limits: Limits
    needles: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def endpoint(self, behaviour: Behaviour = QUICK) -> AsyncIterator[MockEndpoint]:
        """An endpoint at the address that the app knows, with counters at zero; answers under way are cut off after."""
        mock = MockEndpoint(behaviour, port=self.port)
        await asyncio.to_thread(mock.start)
        try:
            yield mock
        finally:
            await asyncio.to_thread(mock.stop)

    def visit(self) -> contextlib.AbstractAsyncContextManager[Page]:
        """A tab of its own."""
        return open_page(self.app.url, self.limits.answer)

    async def under_way(self, tab: Page, mock: MockEndpoint) -> bool:
        """Ask for a long answer, and wait until the endpoint is at it; returns whether its first words are shown."""
        await tab.say(LONG)
        await tab.until(lambda: mock.counters.running, self.limits.answer, "the endpoint was not asked")
        with contextlib.suppress(PageError):  # an app that does not stream shows nothing yet
            await tab.until(lambda: WORDS in tab.text, _FIRST_WORDS, "")
        return WORDS in tab.text

    async def free(self, tab: Page, mock: MockEndpoint, otherwise: str) -> None:
        """Wait until the endpoint has no answer under way. Raises PageError."""

        def idle() -> bool:
            return mock.counters.running + mock.counters.waiting == 0

        await tab.until(idle, self.limits.ended, f"{otherwise}: the endpoint's running answers did not fall to zero")

    async def complains(self, tab: Page, partial: str = "") -> str:
        """Wait for the end of a question that went wrong; returns what the page says. Raises DrillError, PageError."""
        await tab.settled(self.limits.complaint)
        if partial and partial not in tab.text:
            raise DrillError(f"the part of the answer that had come is gone; the page shows: {short(tab.text)!r}")
        if missing := complaint(tab.replies, partial, len(tab.new_actions)):
            raise DrillError(missing)
        return short(tab.text.replace(partial, " ") if partial else tab.text)
