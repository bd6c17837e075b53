"""Checks of notebook 02. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise, same

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


@exercise(
    "asyncio.Semaphore(limit) lets that many in. The others wait at `async with`.",
    "Write an inner `async def one(job)` that does `async with door: return await job()`, and gather one(job) "
    "for each job.",
)
def at_most(answer: Callable[[int, list[Job]], Awaitable[list[int]]]) -> str | None:
    """02.1: at once, but not all at once."""

    def run(limit: int, count: int) -> tuple[list[int], int]:
        desk = _Desk()
        jobs = [desk.job(number) for number in range(count)]

        async def within() -> Any:
            given: Any = answer(limit, jobs)
            return await asyncio.wait_for(given, 5) if inspect.isawaitable(given) else given

        # In a thread of its own: the notebook's own loop is running while this check is.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, within()).result(), desk.most

    def judge(result: Any, _: None, __: str, limit: int, count: int) -> str | None:
        if isinstance(result, TimeoutError):
            return f"With limit={limit} and {count} jobs it did not end within 5 s."
        given, most = result
        if most > limit:
            return f"With limit={limit}, {most} jobs were under way at once."
        if given is None or list(given) != list(range(count)):
            return f"With {count} jobs it returned {given!r}; expected their results in the order of the jobs."
        if most < min(limit, count):
            return f"With limit={limit} at most {most} ran at once. They should overlap as far as the limit allows."
        return None

    cases = [(limit, count, None, "") for limit, count in ((1, 4), (3, 12), (5, 2))]
    return compare(run, cases, judge, accept=TimeoutError)


@exercise(
    "Sort first. Then the place counts from 1: at least percent of the values must be at or before it.",
    "rank = max(1, math.ceil(len(values) * percent / 100)); the value is sorted(values)[rank - 1].",
)
def nearest_rank(answer: Callable[[list[float], float], float]) -> str | None:
    """02.2: a percentile of your own."""
    five = [15, 20, 35, 40, 50]
    hundred = [float(number) for number in range(1, 101)]
    cases = [
        (five, 30, 20, five),
        (five, 40, 20, five),
        (five, 50, 35, five),
        (five, 100, 50, five),
        ([3, 1, 2], 50, 2, [3, 1, 2]),
        ([7], 99, 7, [7]),
        (hundred, 99, 99, "the numbers from 1 to 100"),
        ([5, 5, 1, 9], 1, 1, [5, 5, 1, 9]),
    ]
    changed = "It changed the list that it was given. sorted(...) makes a new one."
    return compare(answer, cases, "For {1} per cent of {what} it gave {given!r}; expected {expected}.", changed=changed)


@exercise(
    "Go through the chunks in order and stop at the first whose text is not empty.",
    "next((at - request for at, text in chunks if text), None)",
)
def first_token(answer: Callable[[float, list[tuple[float, str]]], float | None]) -> str | None:
    """02.3: the first token."""
    cases: list[tuple[float, list[tuple[float, str]], float | None, str]] = [
        (10.0, [(10.25, ""), (10.5, "An"), (10.75, " API")], 0.5, "an empty chunk first"),
        (10.0, [(10.5, "An")], 0.5, "one chunk"),
        (0.0, [(1.0, ""), (2.0, "")], None, "empty chunks only"),
        (0.0, [], None, "no chunk at all"),
        (0.0, [(0.0, "now")], 0.0, "text at once"),
        (1.0, [(2.0, " "), (3.0, "x")], 1.0, "a space, which is text too"),
    ]

    def judge(given: Any, expected: float | None, what: str, *_: object) -> str | None:
        if same(given, expected):
            return None
        if isinstance(given, Exception):
            return f"With {what} it raised {type(given).__name__}; expected {expected}."
        if given is None or expected is None:
            return f"With {what} it gave {given!r}; expected {expected}."
        return f"With {what} it gave {given:g} s; expected {expected:g} s."

    return compare(answer, cases, judge, accept=Exception)


@exercise(
    "Take the system message out first, with its size. Drop from the front of the rest, and after that drop on "
    "while the front is not a user's message.",
    "While len(rest) > 1 and (the sum is over the budget or rest[0]['role'] != 'user'): drop rest[0] and its size.",
)
def trim(answer: Callable[[Messages, list[int], int], Messages]) -> str | None:
    """02.4: trim a conversation."""
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

    def judge(given: Messages | None, expected: Messages, what: str, messages: Messages, *_: object) -> str | None:
        if given == expected:
            return None
        if given is None:
            return "It returned None. Return the messages that are kept."
        if messages[0] == system and system not in given:
            return f"When {what}, the system message was lost."
        if messages[-1] not in given:
            return f"When {what}, the last message was lost."
        rest = [message for message in given if message["role"] != "system"]
        if rest[0]["role"] != "user":
            return f"When {what}, what remains begins with a message of the {rest[0]['role']}."
        return f"When {what}, it kept {len(given)} of {len(messages)} messages; expected {len(expected)}."

    def run(messages: Messages, counts: list[int], budget: int) -> Messages:
        return answer(messages, list(counts), budget)  # the sizes may be changed

    return compare(run, cases, judge, changed="It changed the list that it was given. Make a new one.")
