"""Checks of notebook 04. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise

if TYPE_CHECKING:
    from collections.abc import Callable

    Pairs = list[tuple[str, str]]


@exercise(
    "Take the notes out first. Then look at each question and what comes right after it.",
    "kept = without notes; keep kept[i] when it is an answer, or the last one, or kept[i + 1] is an answer.",
)
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
        ([note], [], "notes only"),
        ([u1, a1], [u1, a1], "an answer at the end"),
        ([u1, u2, a2], [u2, a2], "a question whose next one has an answer"),
        ([a1, u1], [a1, u1], "an answer before the first question"),
        ([u1, a1, a2, u2], [u1, a1, a2, u2], "an answer in two parts"),
        ([u1, u1, a1], [u1, a1], "a question that was asked twice and answered once"),
        ([("user", "note")], [("user", "note")], "a question whose text is the word note"),
        ([("user", "answer"), u2], [u2], "a question whose text is the word answer"),
    ]
    say = "With {what} ({0}) it gave {given!r}; expected {expected!r}."
    return compare(answer, cases, say, changed="It changed the list that it was given. Make a new one.")


@exercise(
    "How many turns are free? It may be none, but never less than none.",
    "free = max(0, width - running); waiting[:free] start, and enumerate(waiting[free:], 1) gives the places.",
)
def next_up(answer: Callable[[list[str], int, int], tuple[list[str], dict[str, int]]]) -> str | None:
    """04.2: who is next."""
    cases: list[tuple[list[str], int, int, tuple[list[str], dict[str, int]], str]] = [
        (["a", "b", "c"], 0, 1, (["a"], {"b": 1, "c": 2}), "nobody runs and one may"),
        (["a", "b", "c"], 1, 2, (["a"], {"b": 1, "c": 2}), "one of two runs"),
        (["a", "b"], 2, 2, ([], {"a": 1, "b": 2}), "all turns are taken"),
        (["a", "b"], 0, 4, (["a", "b"], {}), "there is room for all"),
        ([], 1, 2, ([], {}), "nobody waits"),
        (["a", "b"], 3, 2, ([], {"a": 1, "b": 2}), "more run than may, since the width was made smaller"),
        (["a", "b", "c", "d", "e"], 1, 3, (["a", "b"], {"c": 1, "d": 2, "e": 3}), "two start and three stay"),
        (["cy", "bo", "al"], 0, 1, (["cy"], {"bo": 1, "al": 2}), "the first to come is not the first by name"),
        (["al", "bo"], 0, 0, ([], {"al": 1, "bo": 2}), "nobody may start"),
    ]

    def judge(given: Any, expected: tuple[list[str], dict[str, int]], what: str, *arguments: object) -> str | None:
        if not isinstance(given, tuple | list) or len(given) != 2:
            return f"When {what} {arguments}, it gave {given!r}; expected two things, the names and the places."
        now, places = expected
        if isinstance(given[0], str | set | frozenset) or not isinstance(given[0], Iterable):
            return f"When {what} {arguments}, the names were {given[0]!r}; expected a list, {now}."
        if not isinstance(given[1], Mapping):
            return f"When {what} {arguments}, the places were {given[1]!r}; expected a dictionary, {places}."
        if list(given[0]) != now:
            return f"When {what} {arguments}, {list(given[0])} started; expected {now}."
        if dict(given[1]) != places:
            return f"When {what} {arguments}, the places were {given[1]}; expected {places}."
        return None

    return compare(answer, cases, judge)


@exercise(
    "First the Host: is it one of ours? Then the Origin: none, or exactly the Host that was asked.",
    "urlsplit(origin).netloc is the host and the port of an origin; compare it whole with the Host.",
)
def trusted(answer: Callable[[str, str | None, set[str]], bool]) -> str | None:
    """04.3: whose page is it."""
    allowed = {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}
    elsewhere = {"chat.example:9000"}
    usual = [
        ("127.0.0.1:8080", None, True, "a program that is not a browser"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True, "the app's own page"),
        ("localhost:8080", "http://localhost:8080", True, "the app's own page by its other name"),
        ("127.0.0.1:8080", "http://evil.example", False, "a page elsewhere"),
        ("127.0.0.1:8080", "http://127.0.0.1:9999", False, "another server on this machine"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080", True, "the app's own page over https"),
        ("127.0.0.1:8080", "null", False, "a page from a file, or a frame in a sandbox"),
        ("evil.example:8080", None, False, "a stranger's name that points here"),
        ("evil.example:8080", "http://evil.example:8080", False, "a page of a stranger's name that points here"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080.evil.example", False, "a name that begins like ours"),
        ("127.0.0.1:8080", "http://evil.example/127.0.0.1:8080", False, "an address that has ours in its path"),
        (
            "127.0.0.1:8080",
            "http://localhost:8080",
            False,
            "another of our names: our own page has the same name in both",
        ),
        ("[::1]:8080", "http://[::1]:8080", True, "the app's own page by its IPv6 address, which has colons"),
        ("127.0.0.1:8080", "", False, "an empty Origin, which is not the same as none"),
        ("127.0.0.1:9999", None, False, "one of our names with another port"),
        ("127.0.0.1:80", None, False, "a host that is only a piece of one of ours"),
    ]
    cases = [(host, origin, allowed, expected, what) for host, origin, expected, what in usual]
    cases.append(("chat.example:9000", "http://chat.example:9000", elsewhere, True, "an app that has another host"))
    cases.append(("localhost:8080", None, elsewhere, False, "a host that is not among those of this app"))
    say = "With {what} (Host {0}, Origin {1!r}) it gave {given!r}; expected {expected}."
    return compare(answer, cases, say)


@exercise(
    "Old tries do not count. Which are still within the time?",
    "sum(now - time < seconds for time in tries) < most",
)
def may_try(answer: Callable[[list[float], float, int, float], bool]) -> str | None:
    """04.4: guessing passwords."""
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
        ([1.0] * 9, 1000.0, 3, 60.0, True, "nine tries, all long ago"),
        ([1.0, 2.0, 3.0], 60.5, 3, 60.0, False, "the first of three is almost too old, but still counts"),
        ([5.0, 5.0, 5.0], 6.0, 3, 60.0, False, "three tries at the same moment"),
        ([0.0, 1.0, 2.0], 3.0, 3, 60.0, False, "a try at 0 s, when the clock began"),
        ([1.0], 2.0, 1, 60.0, False, "one of one try"),
    ]
    say = "For the tries {0} at {1:g} s, most={2}, seconds={3:g} ({what}), it gave {given!r}; expected {expected}."
    return compare(answer, cases, say)
