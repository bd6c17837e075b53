"""Checks of notebook 02. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from coursekit.exercises import Exercise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Messages = list[dict[str, str]]
    Job = Callable[[], Awaitable[int]]


class _Desk:
    """Counts how many jobs are under way, without any clock: each job waits for a few turns of the loop."""

    def __init__(self) -> None:
        self.running = self.most = 0

    def job(self, number: int) -> Job:
        async def work() -> int:
            self.running += 1
            self.most = max(self.most, self.running)
            for _ in range(5 + 3 * (number % 3)):
                await asyncio.sleep(0)
            self.running -= 1
            return number

        return work


def at_most(answer: Callable[[int, list[Job]], Awaitable[list[int]]]) -> str | None:
    """02.1: several at once, with a limit, in order."""
    for limit, count in ((1, 4), (3, 12), (5, 2)):
        desk = _Desk()
        jobs = [desk.job(number) for number in range(count)]

        def work(limit: int = limit, jobs: list[Job] = jobs) -> Any:
            async def within() -> Any:
                return await asyncio.wait_for(answer(limit, jobs), 5)

            return asyncio.run(within())

        # In a thread of its own: the notebook's own loop is running while this check is.
        with ThreadPoolExecutor(1) as pool:
            try:
                given = pool.submit(work).result()
            except TimeoutError:
                return f"With limit={limit} and {count} jobs it did not end within 5 s."
        if desk.most > limit:
            return f"With limit={limit}, {desk.most} jobs were under way at once."
        if given is None or list(given) != list(range(count)):
            return f"With {count} jobs it returned {given!r}; expected their results in the order of the jobs."
        if desk.most < min(limit, count):
            return (
                f"With limit={limit} at most {desk.most} ran at once. They should overlap as far as the limit allows."
            )
    return None


def nearest_rank(answer: Callable[[list[float], float], float]) -> str | None:
    """02.2: the nearest-rank percentile."""
    cases: list[tuple[list[float], float, float]] = [
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        ([3, 1, 2], 50, 2),
        ([7], 99, 7),
        ([float(number) for number in range(1, 101)], 99, 99),
        ([5, 5, 1, 9], 1, 1),
    ]
    for values, percent, expected in cases:
        before = list(values)
        given = answer(values, percent)
        shown = values if len(values) < 9 else "the numbers from 1 to 100"
        if values != before:
            return "It changed the list that it was given. sorted(...) makes a new one."
        if given != expected:
            return f"For {percent} per cent of {shown} it gave {given!r}; expected {expected:g}."
    return None


def first_token(answer: Callable[[float, list[tuple[float, str]]], float | None]) -> str | None:
    """02.3: the time to the first text that is not empty."""
    cases: list[tuple[float, list[tuple[float, str]], float | None, str]] = [
        (10.0, [(10.25, ""), (10.5, "An"), (10.75, " API")], 0.5, "an empty chunk first"),
        (10.0, [(10.5, "An")], 0.5, "one chunk"),
        (0.0, [(1.0, ""), (2.0, "")], None, "empty chunks only"),
        (0.0, [], None, "no chunk at all"),
        (0.0, [(0.0, "now")], 0.0, "text at once"),
        (1.0, [(2.0, " "), (3.0, "x")], 1.0, "a space, which is text too"),
    ]
    for request, chunks, expected, what in cases:
        try:
            given = answer(request, list(chunks))
        except Exception as error:
            return f"With {what} it raised {type(error).__name__}; expected {expected}."
        if given is None or expected is None:
            if given is not expected:
                return f"With {what} it gave {given!r}; expected {expected}."
        elif abs(given - expected) > 1e-9:
            return f"With {what} it gave {given:g} s; expected {expected:g} s."
    return None


def trim(answer: Callable[[Messages, list[int], int], Messages]) -> str | None:
    """02.4: what fits into the budget."""
    system = {"role": "system", "content": "Be brief."}
    turns = [
        {"role": role, "content": f"{role} {number}"} for number in range(1, 4) for role in ("user", "assistant")
    ] + [{"role": "user", "content": "last"}]
    full = [system, *turns]
    sizes = [10, 5, 5, 5, 5, 5, 5, 5]
    cases = [
        (full, sizes, 100, full, "everything fits"),
        (full, sizes, 45, full, "it just fits"),
        (full, sizes, 44, [system, *turns[2:]], "there is one token too many (a question and its answer go together)"),
        (full, sizes, 25, [system, *turns[4:]], "half of it fits"),
        (full, sizes, 15, [system, turns[-1]], "only the last question fits"),
        (full, sizes, 1, [system, turns[-1]], "not even the last question fits"),
        (turns, sizes[1:], 20, turns[4:], "there is no system message"),
        (full, [10, 40, 5, 5, 5, 5, 5, 5], 40, [system, *turns[2:]], "the first question is a long one"),
        (full, [10, 5, 5, 5, 5, 5, 40, 5], 40, [system, turns[-1]], "the last answer is a long one"),
        ([turns[-1]], [5], 1, [turns[-1]], "there is one message"),
    ]
    for messages, counts, budget, expected, what in cases:
        before = deepcopy(messages)
        given = answer(messages, list(counts), budget)
        if messages != before:
            return "It changed the list that it was given. Make a new one."
        if given == expected:
            continue
        if given is None:
            return "It returned None. Return the messages that are kept."
        if messages[0] is system and system not in given:
            return f"When {what}, the system message was lost."
        if messages[-1] not in given:
            return f"When {what}, the last message was lost."
        rest = [message for message in given if message["role"] != "system"]
        if rest[0]["role"] != "user":
            return f"When {what}, what remains begins with a message of the {rest[0]['role']}."
        return f"When {what}, it kept {len(given)} of {len(messages)} messages; expected {len(expected)}."
    return None


EXERCISES = [
    Exercise(
        "02.1",
        "at once, but not all at once",
        (
            "asyncio.Semaphore(limit) lets that many in. Who enters waits at the door, in `async with`.",
            "Write an inner `async def one(job)` that does `async with door: return await job()`, and gather one(job) "
            "for each job.",
        ),
        at_most,
    ),
    Exercise(
        "02.2",
        "a percentile of your own",
        (
            "Sort first. Then the place counts from 1: at least percent of the values must lie at or before it.",
            "rank = max(1, math.ceil(len(values) * percent / 100)); the value is sorted(values)[rank - 1].",
        ),
        nearest_rank,
    ),
    Exercise(
        "02.3",
        "the first token",
        (
            "Go through the chunks in order and stop at the first whose text is not empty.",
            "next((at - request for at, text in chunks if text), None)",
        ),
        first_token,
    ),
    Exercise(
        "02.4",
        "trim a conversation",
        (
            "Take the system message out first, with its size. Drop from the front of the rest, and after that drop on "
            "while the front is not a user's message.",
            "While len(rest) > 1 and (the sum is over the budget or rest[0]['role'] != 'user'): "
            "drop rest[0] and its size.",
        ),
        trim,
    ),
]
