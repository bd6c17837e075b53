"""Solutions of notebook 02. Try the exercise and both hints first: what you find yourself, you keep."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any


# %% 02.1
async def at_most(limit: int, jobs: list[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """The results of all jobs, in order, with never more than `limit` at once."""
    door = asyncio.Semaphore(limit)

    async def one(job: Callable[[], Awaitable[Any]]) -> Any:
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))


# %% 02.2
def nearest_rank(values: list[float], percent: float) -> float:
    """The smallest value that has at least `percent` per cent of the values at or below it."""
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


# %% 02.3
def read_events(blocks: list[bytes]) -> list[str]:
    """The data of each event before [DONE]."""
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            events.append(line.removeprefix("data: "))
    return events


# %% 02.4
def first_token(request: float, chunks: list[tuple[float, str]]) -> float | None:
    """Seconds from the request to the first text that is not empty."""
    for at, text in chunks:
        if text:
            return at - request
    return None


# %% 02.5
def trim(messages: list[dict[str, str]], sizes: list[int], budget: int) -> list[dict[str, str]]:
    """The messages that fit into the budget: the system message and the newest ones."""
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first:]) <= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[:head] + messages[first:]
