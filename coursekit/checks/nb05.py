"""Checks of notebook 05. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import math
from numbers import Integral
from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise, same

if TYPE_CHECKING:
    from collections.abc import Callable


@exercise(
    "e to the power of each, divided by the sum of all of them. "
    "If you take the same number off all of them, nothing changes.",
    "top = max(logits); raised = [math.exp(each - top) for each in logits]; then divide by sum(raised).",
)
def probabilities(answer: Callable[[list[float]], list[float]]) -> str | None:
    """05.1: from logits to probabilities."""
    third = [1 / 3] * 3
    cases = [
        ([0.0, 0.0, 0.0], third, "three equal logits"),
        ([math.log(1), math.log(2), math.log(5)], [0.125, 0.25, 0.625], "the logarithms of 1, 2 and 5"),
        ([-3.0, -3.0, -3.0], third, "negative logits"),
        ([1000.0, 1000.0, 1000.0], third, "very large logits, whose exponential no float can hold"),
        ([-1000.0, -1000.0, -1000.0], third, "very small logits, whose exponentials are all zero"),
        ([1000.0, 1001.0], [0.268941421, 0.731058579], "two large logits that differ by 1"),
        ([0.0, 1000.0], [0.0, 1.0], "a logit that is far below the other"),
        ([1000.0, 0.0], [1.0, 0.0], "a logit that is far above the other"),
        ([0.0, 5000.0, 0.0], [0.0, 1.0, 0.0], "a logit that is far above the mean of all"),
        ([5.0], [1.0], "a single one"),
    ]

    def judge(result: Any, expected: list[float], what: str, logits: list[float]) -> str | None:
        if isinstance(result, ArithmeticError):
            large = max(map(abs, logits)) >= 1000
            missing = "Take the largest logit off all first." if large else "Raise e to the power of each logit first."
            return f"With {what} ({logits}) it failed: {type(result).__name__}. {missing}"
        if not _has_length(result, len(expected)):
            return f"With {what} ({logits}) it returned {result!r}; expected a list of {len(expected)} probabilities."
        if any(isinstance(each, str) for each in result):
            return f"With {what} ({logits}) it returned texts: {result!r}. Return the numbers themselves."
        given = [float(each) for each in result]
        if not all(map(same, given, expected)):
            return f"With {what} ({logits}) it gave {given}; expected {[round(each, 3) for each in expected]}."
        return None

    changed = "It changed the list that it was given. Make a new one."
    return compare(answer, cases, judge, changed=changed, accept=(OverflowError, ZeroDivisionError))


def _has_length(value: object, length: int) -> bool:
    """Whether a value is a list, a tuple or an array with so many elements."""
    return hasattr(value, "__len__") and not isinstance(value, str) and len(value) == length


@exercise(
    "The centre of mass is the mean of the rows, each weighted with its ink; the same for the columns.",
    "mass = sum of all ink; row = sum(ink * y) / mass; the middle of 28 rows is 13.5; round(13.5 - row).",
)
def shift(answer: Callable[[list[list[float]]], tuple[int, int]]) -> str | None:
    """05.2: how far to move."""
    cases: list[tuple[list[tuple[int, int, float]], tuple[int, int], str]] = [
        ([(0, 0, 1.0), (1, 1, 1.0)], (13, 13), "ink in the upper left corner"),
        ([(26, 26, 1.0), (27, 27, 1.0)], (-13, -13), "ink in the lower right corner"),
        ([(0, 26, 1.0), (1, 27, 1.0)], (13, -13), "ink in the upper right corner"),
        ([(13, 13, 1.0), (14, 14, 1.0)], (0, 0), "ink in the very middle"),
        ([(4, 10, 1.0), (9, 14, 0.5)], (8, 2), "a dark point, and one half as dark below it"),
        ([(10, 4, 1.0), (14, 9, 0.5)], (2, 8), "a dark point, and one half as dark to the right of it"),
        ([(23, 17, 1.0), (18, 13, 0.5)], (-8, -2), "a way up and to the left that is not whole"),
        ([(2, 20, 0.2), (3, 23, 0.2)], (11, -8), "pale ink"),
        ([(4, 10, 0.2), (9, 14, 0.1)], (8, 2), "pale ink, and still paler ink below it"),
        ([(26, 0, 1.0), (27, 1, 1.0)], (-13, 13), "ink in the lower left corner"),
    ]

    def draw(ink: list[tuple[int, int, float]]) -> list[list[float]]:
        picture = [[0.0] * 28 for _ in range(28)]
        for row, column, amount in ink:
            picture[row][column] = amount
        return picture

    def judge(given: Any, expected: tuple[int, int], what: str, _: object) -> str | None:
        if not _has_length(given, 2):
            wanted = "expected two whole numbers: rows down and columns to the right"
            return f"With {what} it returned {given!r}; {wanted}."
        if tuple(given) != expected:
            return f"With {what} it gave {tuple(given)}; expected {expected} (rows down, columns to the right)."
        if not all(isinstance(each, Integral) for each in given):
            return f"With {what} it gave {tuple(given)}, which are not of type int. A whole pixel: round(x), or int(x)."
        return None

    changed = "It changed the picture that it was given. The page still needs it."
    return compare(answer, [(draw(ink), *rest) for ink, *rest in cases], judge, changed=changed)


@exercise(
    "taken[0] is the first run. Of the others, one slow run must not count much.",
    "statistics.median(taken[1:])",
)
def summary(answer: Callable[[list[float]], tuple[float, float]]) -> str | None:
    """05.3: what a row of timings says."""
    cases = [
        ([20.0, 1.0, 2.0, 3.0], (20.0, 2.0), "a slow first run"),
        ([20.0, 3.0, 1.0, 2.0], (20.0, 2.0), "runs that are not in order"),
        ([20.0, 1.0, 1.0, 100.0], (20.0, 1.0), "one run that was disturbed"),
        ([20.0, 1.0, 2.0, 3.0, 4.0], (20.0, 2.5), "an even number of runs after the first"),
        ([7.0, 5.0], (7.0, 5.0), "two runs"),
        ([2.0, 4.0, 3.0, 9.0], (2.0, 4.0), "a first run that was the fastest"),
        ([5.0, 1.0, 5.0, 5.0], (5.0, 5.0), "later runs that took as long as the first"),
        ([20.0, 50.0, 1.0, 2.0, 3.0, 10.0], (20.0, 3.0), "two runs that were disturbed"),
        ([0.031, 0.004, 0.002, 0.006], (0.031, 0.004), "very short runs"),
    ]

    def judge(given: Any, expected: tuple[float, float], what: str, taken: list[float]) -> str | None:
        if not _has_length(given, 2):
            wanted = "expected two numbers: the first run, and the median of the others"
            return f"With {what} ({taken}) it returned {given!r}; {wanted}."
        if not all(map(same, given, expected)):
            return f"With {what} ({taken}) it gave {tuple(given)}; expected {expected}."
        return None

    changed = "It changed the list of timings that it was given. Make a new one."
    return compare(answer, cases, judge, changed=changed)


@exercise(
    "Compare the whole Origin with those that are allowed, and repeat it in the answer. Otherwise only Vary.",
    'return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if origin in allowed else {})',
)
def headers(answer: Callable[[str | None, set[str]], dict[str, str]]) -> str | None:
    """05.4: which page may read."""
    ours = {"http://127.0.0.1:5173", "http://localhost:5173"}
    allowed = "http://127.0.0.1:5173"
    cases: list[tuple[str | None, str | None, str]] = [
        (allowed, allowed, "our page"),
        ("http://evil.example", None, "a page elsewhere"),
        ("http://127.0.0.1", None, "a page whose address is a part of ours"),
        ("http://127.0.0.1:5173.evil.example", None, "a page whose name begins like ours"),
        ("http://evil.localhost:5173", None, "a page whose name ends like ours"),
        ("http://localhost:8000", None, "a page on another port"),
        ("https://localhost:5173", None, "a page with another scheme"),
        ("http://127-0-0-1:5173", None, "a page whose name has other characters where ours has dots"),
        ("null", None, "a file, or a frame in a sandbox"),
        (None, None, "a program that is not a browser"),
        ("http://localhost:5173", "http://localhost:5173", "our page by its other name"),
    ]
    theirs = "https://chat.example"
    with_origins = [
        *((origin, ours, *rest) for origin, *rest in cases),
        (theirs, {theirs}, theirs, "the page of another application, which is allowed there"),
        (allowed, {theirs}, None, "our page, where only another one is allowed"),
        (allowed, set(), None, "our page, where nobody is allowed"),
    ]

    def judge(given: Any, expected: str | None, what: str, origin: str | None, _: object) -> str | None:
        if not isinstance(given, dict):
            return f"For {what} (Origin {origin}) it gave {given!r}; expected a dictionary of headers."
        if not all(isinstance(name, str) for name in given):
            return f"For {what} (Origin {origin}) the name of a header is not a text: {list(given)}."
        named = {name.lower(): value for name, value in given.items()}
        value = named.get("access-control-allow-origin")
        if "access-control-allow-origin" in named and not isinstance(value, str):
            return f"For {what} (Origin {origin}) the value of a header is not a text. Leave the header out instead."
        if not isinstance(named.get("vary", ""), str):
            return f"For {what} (Origin {origin}) the value of Vary is not a text: {named['vary']!r}."
        if value == "*":
            return f"For {what} (Origin {origin}) it allows everybody: '*'. Then each page that you visit may read."
        if value != expected:
            shown = "no such header" if value is None else repr(value)
            wanted = "none" if expected is None else repr(expected)
            return f"For {what} (Origin {origin}), Access-Control-Allow-Origin: {shown}; expected {wanted}."
        if "origin" not in [each.strip().lower() for each in named.get("vary", "").split(",")]:
            told = "The answer depends on the Origin: say so with Vary: Origin, or a cache gives it to another page."
            return f"For {what} (Origin {origin}) there is no Vary with Origin. {told}"
        return None

    changed = "It changed the set of allowed origins, and with it what the next request may do."
    return compare(answer, with_origins, judge, changed=changed)
