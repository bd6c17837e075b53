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
    """Counts how many jobs are under way. Each lasts a few turns of the loop, the first until all have begun."""

    def __init__(self, count: int, limit: int) -> None:
        self.running = self.most = 0
        self.begun: list[int] = []
        self.idle = False
        self.jobs = [self._job(number) for number in range(count)]
        self._all = asyncio.Event()
        self._waits = limit > 1  # alone, the first job would wait for ever

    def _job(self, number: int) -> Job:
        async def work() -> int:
            self.begun.append(number)
            self.running += 1
            self.most = max(self.most, self.running)
            if len(self.begun) >= len(self.jobs):
                self._all.set()
            for _ in range(5 + 3 * (number % 3)):
                await asyncio.sleep(0)
            if number == 0 and self._waits:
                await self._wait()
            self.running -= 1
            return number

        return work

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._all.wait(), 2)
        except TimeoutError:
            self.idle = True


@exercise(
    "asyncio.Semaphore(limit) has that many places. `async with` takes one, or waits until one is free.",
    "First: door = asyncio.Semaphore(limit). Then write an inner `async def one(job)` with the body "
    "`async with door: return await job()`. Last: return await asyncio.gather(*[one(job) for job in jobs]).",
)
def at_most(answer: Callable[[int, list[Job]], Awaitable[list[int]]]) -> str | None:
    """02.1: at once, but not all at once."""

    def run(limit: int, count: int) -> tuple[Any, _Desk]:
        async def within() -> tuple[Any, _Desk]:
            desk = _Desk(count, limit)
            given: Any = answer(limit, desk.jobs[:])
            return await asyncio.wait_for(given, 5) if inspect.isawaitable(given) else given, desk

        # In a thread of its own: the notebook's own loop is running while this check is.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, within()).result()

    def judge(result: Any, _: None, __: str, limit: int, count: int) -> str | None:
        jobs = "one job" if count == 1 else f"{count} jobs"
        if isinstance(result, TimeoutError):
            return f"With limit={limit} and {jobs} it did not end within 5 s."
        given, desk = result
        if desk.most > limit:
            return f"With limit={limit}, {desk.most} jobs were running at the same time."
        if len(desk.begun) > count:
            return f"With {jobs} it began {len(desk.begun)}; each job is to run once."
        if not isinstance(given, list | tuple) or list(given) != list(range(count)):
            return f"With {jobs} it returned {given!r}; expected their results in the order of the jobs."
        if desk.most < min(limit, count):
            return (
                f"With limit={limit} at most {desk.most} ran at once. They should overlap as far as the limit allows."
            )
        if desk.idle:
            return (
                f"With limit={limit} and {jobs}, a free place stayed empty while the first job ran on. "
                "When any job ends, the next should begin."
            )
        return None

    cases = [(limit, count, None, "") for limit, count in ((1, 4), (3, 12), (5, 2), (3, 1), (3, 0))]
    return compare(run, cases, judge, accept=TimeoutError)


@exercise(
    "Sort first. How many values are `percent` per cent of them? Round up. That is the place, counted from 1.",
    "import math. Then rank = max(1, math.ceil(len(values) * percent / 100)), and return sorted(values)[rank - 1].",
)
def nearest_rank(answer: Callable[[list[float], float], float]) -> str | None:
    """02.2: a percentile of your own."""
    five = [15, 20, 35, 40, 50]
    hundred = [float(number) for number in range(1, 101)]
    cases = [
        (five, 30, 20, five),
        (five, 40, 20, five),
        (five, 45, 35, five),
        (five, 50, 35, five),
        (five, 100, 50, five),
        ([3, 1, 2], 50, 2, [3, 1, 2]),
        ([7], 99, 7, [7]),
        (hundred, 99, 99, "the numbers from 1 to 100"),
        (hundred, 12.5, 13, "the numbers from 1 to 100"),
        ([5, 5, 1, 9], 1, 1, [5, 5, 1, 9]),
        ([5, 5, 1, 9], 75, 5, [5, 5, 1, 9]),
        ([5, 5, 1, 9], 0, 1, [5, 5, 1, 9]),
        ([-3, 0.25, -8], 100, 0.25, [-3, 0.25, -8]),
    ]
    changed = "It changed the list that it was given. sorted(...) makes a new one."
    return compare(answer, cases, "For {1} per cent of {what} it gave {given!r}; expected {expected}.", changed=changed)


@exercise(
    "A letter, a line or an event may be cut between two blocks. Join all blocks first, and then decode.",
    'Go through the lines of b"".join(blocks).decode().split("\\n"). At "data: [DONE]" stop. From each line that '
    'begins with "data: " append line.removeprefix("data: ").',
)
def read_events(answer: Callable[[list[bytes]], list[str]]) -> str | None:
    """02.3: from bytes to events."""
    two = "data: one\n\ndata: two\n\ndata: [DONE]\n\n"
    cases: list[tuple[list[bytes], list[str], str]] = [
        ([two.encode()], ["one", "two"], "one block"),
        (_cut(two, 1), ["one", "two"], "blocks of one byte"),
        (_cut(two, 7), ["one", "two"], "blocks of seven bytes"),
        (_cut("data: fika på café 😀\n\ndata: [DONE]\n\n", 1), ["fika på café 😀"], "letters that are cut"),
        (_cut(": keep-alive\n\ndata: one\n\n: data: no\n\n", 5), ["one"], "comments and no [DONE]"),
        ([b'data: {"a": "data: b"}\n\ndata: [DONE]\n\n'], ['{"a": "data: b"}'], '"data: " inside a text'),
        ([b'data: {"a": "[DONE]"}\n\ndata: x\n\n'], ['{"a": "[DONE]"}', "x"], '"[DONE]" inside a text'),
        ([b"data: a tea\n\ndata: [DONE]\n\n"], ["a tea"], "a text that begins with letters of the word data"),
        ([b"data: one\n\ndata: [DONE]\n\ndata: two\n\n"], ["one"], "an event after [DONE]"),
        (["data: one\u2028two\n\ndata: [DONE]\n\n".encode()], ["one\u2028two"], "a line separator inside a text"),
        ([b"data:  two spaces \n\ndata: [DONE]\n\n"], [" two spaces "], "spaces around a text"),
        ([b"event: x\ndata: one\nid: 7\n\ndata: [DONE]\n\n"], ["one"], "lines of other kinds"),
        ([b"data: same\n\ndata: same\n\n"], ["same", "same"], "two equal events"),
        ([], [], "no block at all"),
    ]

    def judge(given: Any, expected: list[str], what: str, blocks: list[bytes]) -> str | None:
        if isinstance(given, UnicodeDecodeError):
            return f"With {what} ({blocks[:3]} ...) it raised UnicodeDecodeError: a block ends inside a letter."
        if isinstance(given, Exception):
            return f"With {what} ({blocks[:3]}) it raised {type(given).__name__}: {given}."
        if given is None or isinstance(given, str | bytes):
            return f"With {what} it gave {given!r}; expected the list {expected}."
        if list(given) == expected:
            return None
        return f"With {what} ({blocks[:3]}) it gave {list(given)}; expected {expected}."

    changed = "It changed the list of blocks that it was given."
    return compare(answer, cases, judge, changed=changed, accept=Exception)


def _cut(text: str, size: int) -> list[bytes]:
    """The bytes of a text in blocks of a size."""
    data = text.encode()
    return [data[start : start + size] for start in range(0, len(data), size)]


@exercise(
    "Go through the chunks in order and stop at the first whose text is not empty.",
    "In `for at, text in chunks:` write `if text: return at - request`. After the loop, return None.",
)
def first_token(answer: Callable[[float, list[tuple[float, str]]], float | None]) -> str | None:
    """02.4: the first token."""
    cases: list[tuple[float, list[tuple[float, str]], float | None, str]] = [
        (10.0, [(10.25, ""), (10.5, "An"), (10.75, " API")], 0.5, "an empty chunk first"),
        (10.0, [(10.5, "An")], 0.5, "one chunk"),
        (10.0, [(10.25, ""), (10.5, ""), (11.0, "An"), (11.5, "")], 1.0, "two empty chunks first, and one at the end"),
        (10.0, [(10.0375, "An"), (10.5, " API")], 0.0375, "text after 37.5 ms"),
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
        if isinstance(given, bool) or not isinstance(given, int | float) or expected is None:
            return f"With {what} it gave {given!r}; expected {expected}."
        return f"With {what} it gave {given:g} s; expected {expected:g} s."

    return compare(answer, cases, judge, accept=Exception)


@exercise(
    "Set the system message aside; its size still counts. Drop the first of the rest while the sum is too large, "
    "or while the first is not a user's message.",
    "rest is the messages after the system message, left their sizes. While len(rest) > 1 and (size of the system "
    "message + sum(left) > budget or rest[0]['role'] != 'user'): rest, left = rest[1:], left[1:]. Return the system "
    "message, if there is one, and rest.",
)
def trim(answer: Callable[[Messages, list[int], int], Messages]) -> str | None:
    """02.5: trim a conversation."""
    system = {"role": "system", "content": "Be brief."}
    later = {"role": "system", "content": "Be polite."}
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
        ([system], [10], 10, [system], "there is only a system message"),
        ([turns[0], *turns[2:]], [5] * 6, 25, turns[2:], "a question without an answer is first"),
        (
            [system, turns[1], *turns[4:]],
            [10, 5, 5, 5, 5],
            100,
            [system, *turns[4:]],
            "the assistant's greeting is first",
        ),
        ([*turns[4:6], turns[4]], [5, 5, 5], 5, [turns[4]], "the last question was asked before"),
        (
            [system, *turns[:2], later, *turns[4:]],
            sizes[:7],
            25,
            [system, *turns[4:]],
            "a second system message is in the middle (only the first of all is kept in any case)",
        ),
    ]

    def judge(given: Any, expected: Messages, what: str, messages: Messages, *_: object) -> str | None:
        if given == expected:
            return None
        if given is None:
            return "It returned None. Return the messages that are kept."
        if not isinstance(given, list):
            return f"It returned a value of type {type(given).__name__}. Return a list of the messages that are kept."
        if strange := [item for item in given if item not in messages]:
            return f"When {what}, the result has {strange[0]!r}, which is none of the messages."
        if messages[0] == system and system not in given:
            return f"When {what}, the system message was lost."
        if messages[-1] not in given:
            return f"When {what}, the last message was lost."
        rest = given[1:] if given[0] == system else given
        if rest and rest[0]["role"] != "user":
            return f"When {what}, what remains begins with a message of the {rest[0]['role']}."
        if len(given) == len(expected):
            return f"When {what}, it kept {len(given)} messages, but not the newest ones in their order."
        return f"When {what}, it kept {len(given)} of {len(messages)} messages; expected {len(expected)}."

    changed = "It changed a list that it was given. Make new ones: the messages and the sizes stay as they were."
    return compare(answer, cases, judge, changed=changed)
