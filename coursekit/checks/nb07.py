"""Checks of notebook 07. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import math
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD = {"PORT": "8080", "TIMEOUT": "30", "MODE": "production", "SECRET": "s" * 32}


@exercise(
    "Begin with an empty list, look at each variable by itself, and append its name. Return at the end only.",
    "math.isfinite(x) and x > 0 for TIMEOUT, float() inside try. SECRET counts only where MODE is production.",
)
def mistakes(answer: Callable[[dict[str, str]], list[str]]) -> str | None:
    """07.1: all mistakes at once."""
    cases: list[tuple[dict[str, str], list[str], str]] = [
        (GOOD, [], "everything right"),
        ({}, [], "nothing set"),
        (GOOD | {"PORT": "http"}, ["PORT"], "a port that is not a number"),
        (GOOD | {"PORT": "0"}, ["PORT"], "port 0"),
        (GOOD | {"PORT": "1"}, [], "the lowest port, 1"),
        (GOOD | {"PORT": "65535"}, [], "the highest port, 65535"),
        (GOOD | {"PORT": "\N{SUPERSCRIPT TWO}"}, ["PORT"], "a port of a raised 2, which int() cannot read"),
        (GOOD | {"PORT": "65536"}, ["PORT"], "a port that is too high"),
        (GOOD | {"PORT": "-5"}, ["PORT"], "a negative port"),
        (GOOD | {"PORT": "80.5"}, ["PORT"], "a port that is not whole"),
        (GOOD | {"TIMEOUT": "0.5"}, [], "a time-out of half a second"),
        (GOOD | {"TIMEOUT": "-3"}, ["TIMEOUT"], "a negative time-out"),
        (GOOD | {"TIMEOUT": "0"}, ["TIMEOUT"], "a time-out of 0"),
        (GOOD | {"TIMEOUT": "nan"}, ["TIMEOUT"], "a time-out of nan, which is a float to Python"),
        (GOOD | {"TIMEOUT": "inf"}, ["TIMEOUT"], "a time-out of inf, which is for ever"),
        (GOOD | {"MODE": "prod"}, ["MODE"], "a mode that is neither"),
        (GOOD | {"MODE": "Production"}, ["MODE"], "a mode with a capital letter"),
        (GOOD | {"SECRET": "short"}, ["SECRET"], "a short secret in production"),
        (GOOD | {"SECRET": "s" * 31}, ["SECRET"], "a secret of 31 characters"),
        (GOOD | {"SECRET": "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 16}, ["SECRET"], "16 characters in 32 bytes"),
        ({"MODE": "production"}, ["SECRET"], "production without a secret"),
        ({"MODE": "development"}, [], "development without a secret"),
        ({"MODE": "development", "SECRET": "short"}, [], "development with a short secret"),
        ({"SECRET": "short"}, [], "an unset mode with a short secret"),
        ({"MODE": "prod", "SECRET": "short"}, ["MODE"], "a mode that is neither, and a short secret"),
        (
            {"PORT": "x", "TIMEOUT": "soon", "MODE": "production", "SECRET": ""},
            ["PORT", "TIMEOUT", "SECRET"],
            "three mistakes at once",
        ),
        ({"PORT": "x", "TIMEOUT": "soon", "MODE": "x"}, ["PORT", "TIMEOUT", "MODE"], "three others at once"),
    ]

    def judge(given: object, expected: list[str], what: str, _: object) -> str | None:
        if isinstance(given, ValueError):
            return f"With {what} it raised ValueError ({given}). A value that cannot be read is a mistake to name."
        return None if given == expected else f"With {what} it gave {given!r}; expected {expected!r}."

    changed = "It changed the environment that it was given. Only look at it."
    return compare(answer, cases, judge, changed=changed, accept=ValueError)


@exercise(
    "The rank is share times the last count. Find the first bucket whose count is at least the rank.",
    "If the last count is 0, return None. If high is infinite, return low. Otherwise return "
    "low + (high - low) * (rank - before) / (count - before).",
)
def quantile(answer: Callable[[list[tuple[float, float]], float], float | None]) -> str | None:
    """07.2: a quantile out of a histogram."""
    inf = math.inf
    some = [(0.1, 0.0), (0.2, 10.0), (0.5, 40.0), (1.0, 50.0), (inf, 50.0)]
    cases: list[tuple[list[tuple[float, float]], float, float | None, str]] = [
        (some, 0.5, 0.35, "half of 50 is the 25th: 15 of the 30 that are between 0.2 and 0.5"),
        (some, 0.2, 0.2, "the 10th is the last one of its bucket"),
        (some, 0.95, 0.875, "the 47.5th: 7.5 of the 10 that are between 0.5 and 1.0"),
        ([(1.0, 4.0), (inf, 4.0)], 0.5, 0.5, "the first bucket begins at 0"),
        ([(1.0, 1.0), (2.0, 1.0), (inf, 10.0)], 0.95, 2.0, "above the last bound nothing is known but that bound"),
        ([(1.0, 0.0), (inf, 0.0)], 0.5, None, "without observations there is none"),
        (some, 1.0, 1.0, "the 50th is the last one of all"),
        (
            [(0.1, 10.0), (0.2, 10.0), (0.5, 20.0), (inf, 20.0)],
            0.5,
            0.1,
            "the first bucket that reaches the 10th, not the empty one behind it",
        ),
    ]
    say = "With {0} and {1} it gave {given!r}; expected {expected!r}: {what}."
    return compare(answer, cases, say, changed="It changed the list of buckets that it was given. Only look at it.")


@exercise(
    "Alive comes first: without it, wait within the first 60 seconds and restart afterwards.",
    'if not alive: "wait" if since < 60 else "restart"; otherwise "serve" if ready else "hold".',
)
def action(answer: Callable[[bool, bool, float], str]) -> str | None:
    """07.3: what a supervisor does."""
    cases = [
        (True, True, 100.0, "serve", "alive and ready"),
        (True, False, 100.0, "hold", "alive and not ready: a restart would not bring the model back"),
        (False, False, 100.0, "restart", "not alive"),
        (False, False, 5.0, "wait", "not alive 5 s after its start, of the 60 that it has"),
        (False, False, 60.0, "restart", "not alive after exactly 60 s"),
        (False, False, 59.75, "wait", "not alive a quarter of a second before the 60 s are over"),
        (False, False, 0.0, "wait", "not alive at the moment of its start"),
        (True, True, 5.0, "serve", "ready early"),
        (True, False, 5.0, "hold", "alive early and not ready"),
        (False, True, 100.0, "restart", "dead, with a ready flag from before"),
        (False, True, 5.0, "wait", "not alive yet, with a ready flag from before"),
    ]
    return compare(answer, cases, "With {what} it gave {given!r}; expected {expected!r}.")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that a traceback would show above it."""
    while error:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@exercise(
    "BEGIN before the first step, COMMIT after the last one, and ROLLBACK where one fails.",
    'try: ... except BaseException: database.execute("ROLLBACK"); raise',
)
def upgrade(answer: Callable[[sqlite3.Connection, list[str]], None]) -> str | None:
    """07.4: all of a migration or nothing of it."""
    good = ["ALTER TABLE notes ADD COLUMN colour TEXT", "UPDATE notes SET colour = 'red'"]
    bad = [*good, "UPDATE nothing SET colour = 'blue'"]
    twice = ["CREATE UNIQUE INDEX each_once ON notes (body)", "INSERT INTO notes VALUES ('milk')"]
    # With a word of the error that must come out.
    cases: list[tuple[list[str], tuple[tuple[str, ...], str], str]] = [
        (good, (("milk", "red"), ""), "two good steps"),
        (bad, (("milk",), "nothing"), "a third step that fails"),
        (twice, (("milk",), "UNIQUE"), "a second step that breaks a rule of the database"),
        ([], (("milk",), ""), "no steps at all"),
    ]

    def run(steps: list[str]) -> tuple[Exception | None, bool, list[tuple[str, ...]]]:
        """The exception of the answer, whether it left a transaction open, and what is in the file afterwards."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
            file = Path(place) / "notes.db"
            raised = None
            with closing(sqlite3.connect(file, isolation_level=None)) as database:
                database.execute("CREATE TABLE notes (body TEXT)")
                database.execute("INSERT INTO notes VALUES ('milk')")
                try:
                    answer(database, steps)
                except Exception as error:
                    raised = error
                still_open = database.in_transaction
            # Another look at the file, as the next start would have it.
            with closing(sqlite3.connect(file)) as later:
                return raised, still_open, later.execute("SELECT * FROM notes").fetchall()

    def judge(result: Any, expected: tuple[tuple[str, ...], str], what: str, _: object) -> str | None:
        raised, still_open, rows = result
        row, word = expected
        if raised and not word:
            return f"With {what} it raised {type(raised).__name__}: {raised}."
        if not raised and word:
            return f"With {what} it raised nothing. The caller must hear of it: raise the error again."
        # A student may raise an error of their own, from that of the step or while handling it.
        if raised and not any(isinstance(each, sqlite3.Error) and word in str(each) for each in _chain(raised)):
            return f"With {what} it raised {raised!r}, which is not the error of that step. Raise that one again."
        if rows != [row]:
            return f"With {what} the file then held {rows}; expected {[row]}."
        if still_open:
            missing = "Say ROLLBACK" if raised else "Say COMMIT"
            return f"With {what} the transaction was still open afterwards. {missing}, or nothing after it is kept."
        return None

    changed = "It changed the list of steps. The next database needs them too."
    return compare(run, cases, judge, changed=changed)


@exercise(
    "One user holds a slot for service_s seconds of every service_s + think_s.",
    "slots * (service_s + think_s) / service_s",
)
def saturation(answer: Callable[[float, int, float], float]) -> str | None:
    """07.5: how many users until somebody always waits."""
    cases = [
        (5.0, 1, 20.0, 5.0, "one slot: each user needs 5 s of every 25"),
        (5.0, 2, 20.0, 10.0, "two slots"),
        (0.5, 2, 9.5, 40.0, "short answers"),
        (4.0, 1, 5.0, 2.25, "a number that is not whole"),
        (4.0, 3, 0.0, 3.0, "users who do not think at all"),
        (3.0, 1, 7.0, 10 / 3, "a number with many digits"),
    ]
    return compare(answer, cases, "With {what} ({0} s, {1}, {2} s) it gave {given!r}; expected {expected}.")
