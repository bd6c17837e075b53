"""Checks of notebook 04. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coursekit.exercises import Exercise

if TYPE_CHECKING:
    from collections.abc import Callable

    Pairs = list[tuple[str, str]]


def visible(answer: Callable[[Pairs], Pairs]) -> str | None:
    """04.1: what the model may see."""
    u1, a1, u2, a2, u3 = ("user", "1"), ("answer", "1"), ("user", "2"), ("answer", "2"), ("user", "3")
    note = ("note", "place 2 in line")
    cases: list[tuple[Pairs, Pairs, str]] = [
        ([u1], [u1], "one question"),
        ([note, u1], [u1], "a welcome before it"),
        ([u1, a1, u2], [u1, a1, u2], "an ordinary conversation"),
        ([u1, note, u2], [u2], "a question that got a note and no answer"),
        ([u1, note, a1, u2], [u1, a1, u2], "a note between a question and its answer"),
        ([u1, u2, u3], [u3], "two questions without an answer"),
        ([u1, a1, u2, note, u3], [u1, a1, u3], "a question in the middle without an answer"),
        ([u1, a1, u2, a2, note, u3, note], [u1, a1, u2, a2, u3], "a note at the end"),
        ([], [], "nothing at all"),
    ]
    for messages, expected, what in cases:
        before = list(messages)
        given = answer(messages)
        if messages != before:
            return "It changed the list that it was given. Make a new one."
        if given != expected:
            return f"With {what} ({messages}) it gave {given!r}; expected {expected!r}."
    return None


def next_up(answer: Callable[[list[str], int, int], tuple[list[str], dict[str, int]]]) -> str | None:
    """04.2: who is next, and where the others stand."""
    cases: list[tuple[list[str], int, int, list[str], dict[str, int], str]] = [
        (["a", "b", "c"], 0, 1, ["a"], {"b": 1, "c": 2}, "nobody runs and one may"),
        (["a", "b", "c"], 1, 2, ["a"], {"b": 1, "c": 2}, "one of two runs"),
        (["a", "b"], 2, 2, [], {"a": 1, "b": 2}, "all turns are taken"),
        (["a", "b"], 0, 4, ["a", "b"], {}, "there is room for all"),
        ([], 1, 2, [], {}, "nobody waits"),
        (["a", "b"], 3, 2, [], {"a": 1, "b": 2}, "more run than may, since the width was made smaller"),
    ]
    for waiting, running, width, now, places, what in cases:
        given = answer(list(waiting), running, width)
        if given is None or len(given) != 2:
            return f"It gave {given!r}; expected two things, the names and the places."
        if list(given[0]) != now:
            return f"When {what} ({waiting}, {running}, {width}), {list(given[0])} started; expected {now}."
        if dict(given[1]) != places:
            return f"When {what} ({waiting}, {running}, {width}), the places were {given[1]}; expected {places}."
    return None


def trusted(answer: Callable[[str, str | None, set[str]], bool]) -> str | None:
    """04.3: whose page it is."""
    allowed = {"127.0.0.1:8080", "localhost:8080"}
    cases = [
        ("127.0.0.1:8080", None, True, "a program that is no browser"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True, "the app's own page"),
        ("localhost:8080", "http://localhost:8080", True, "the app's own page by its other name"),
        ("127.0.0.1:8080", "http://evil.example", False, "a page elsewhere"),
        ("127.0.0.1:8080", "http://127.0.0.1:9999", False, "another server on this machine"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080", True, "the app's own page over https"),
        ("127.0.0.1:8080", "null", False, "a page from a file, or a frame in a sandbox"),
        ("evil.example:8080", None, False, "a stranger's name that points here"),
        ("evil.example:8080", "http://evil.example:8080", False, "a page of a stranger's name that points here"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080.evil.example", False, "a name that begins like ours"),
        ("127.0.0.1:8080", "http://evil.example/127.0.0.1:8080", False, "an address with ours in its path"),
        ("127.0.0.1:8080", "http://localhost:8080", False, "another of our names: what comes from us has one"),
    ]
    for host, origin, expected, what in cases:
        given = answer(host, origin, set(allowed))
        if given is not expected:
            return f"With {what} (Host {host}, Origin {origin}) it gave {given!r}; expected {expected}."
    return None


def may_try(answer: Callable[[list[float], float, int, float], bool]) -> str | None:
    """04.4: so many tries in so many seconds."""
    cases: list[tuple[list[float], float, int, float, bool, str]] = [
        ([], 0.0, 3, 60.0, True, "no try yet"),
        ([1.0, 2.0], 3.0, 3, 60.0, True, "two of three tries"),
        ([1.0, 2.0, 3.0], 4.0, 3, 60.0, False, "three of three tries"),
        ([1.0, 2.0, 3.0], 61.5, 3, 60.0, True, "the first of three is long ago"),
        ([1.0, 2.0, 3.0], 61.0, 3, 60.0, True, "the first of three is just as long ago as counts"),
        ([1.0, 50.0, 55.0, 59.0], 62.0, 3, 60.0, False, "three of four are recent"),
        ([1.0, 2.0], 3.0, 2, 60.0, False, "two of two tries"),
        ([1.0, 2.0, 3.0, 4.0], 5.0, 5, 60.0, True, "four of five tries"),
        ([1.0, 2.0, 3.0], 12.0, 3, 10.0, True, "tries count for 10 s only"),
        ([1.0] * 100, 1000.0, 3, 60.0, True, "a hundred tries, all long ago"),
    ]
    for tries, now, most, seconds, expected, what in cases:
        given = answer(list(tries), now, most, seconds)
        if given is not expected:
            limits = f"most={most}, seconds={seconds:g}"
            return f"For the tries {tries[:5]} at {now:g} s, {limits} ({what}), it gave {given!r}; expected {expected}."
    return None


EXERCISES = [
    Exercise(
        "04.1",
        "what the model may see",
        (
            "Take the notes out first. Then look at each question and what comes right after it.",
            "kept = without notes; keep kept[i] when it is an answer, or the last one, or kept[i + 1] is an answer.",
        ),
        visible,
    ),
    Exercise(
        "04.2",
        "who is next",
        (
            "How many turns are free? It may be none, but never less than none.",
            "free = max(0, width - running); waiting[:free] start, and enumerate(waiting[free:], 1) gives the places.",
        ),
        next_up,
    ),
    Exercise(
        "04.3",
        "whose page is it",
        (
            "First the Host: is it one of ours? Then the Origin: none, or exactly the Host that was asked.",
            "urlsplit(origin).netloc is the host and the port of an origin; compare it whole with the Host.",
        ),
        trusted,
    ),
    Exercise(
        "04.4",
        "guessing passwords",
        (
            "Old tries do not count. Which are still within the time?",
            "sum(now - time < seconds for time in tries) < most",
        ),
        may_try,
    ),
]
