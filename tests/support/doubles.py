"""What tests put in the place of a scorer, a cascade and the time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.routing.scorers import Cascade

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.routing.resilience import Breaker


@dataclass(frozen=True)
class Fixed:
    """A scorer that finds everything equally hard."""

    value: float

    def score(self, messages: object) -> float:  # noqa: ARG002
        return self.value


class Doubts(Cascade):
    """A cascade with the same doubt in each answer."""

    def __init__(self, value: float) -> None:
        self.value = value

    def doubt(self, messages: object, answer: str) -> float:  # noqa: ARG002
        return self.value


@dataclass
class Clock:
    """A clock that goes when the test says so."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def fail(breaker: Breaker, wait: float = 0.0) -> None:
    """One request through a breaker, which fails; `wait` is how long the endpoint asks to be left alone."""
    permit = breaker.admit()
    assert permit
    permit.failed(wait)


def wait_until(done: Callable[[], bool], seconds: float = 20.0, pause: float = 0.002) -> bool:
    """Whether something becomes true in time, on a busy machine too; a costly look wants a longer `pause`."""
    give_up = time.monotonic() + seconds
    while not done() and time.monotonic() < give_up:
        time.sleep(pause)
    return done()
