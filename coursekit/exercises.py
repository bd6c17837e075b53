"""Exercises: a check that says at once what is missing, hints on request, and the progress of a student.

The checks are in `coursekit/checks/`, a module for each notebook. A check takes the student's answer and returns
what is still missing, or None when the answer is right; most of them call `compare` with a table of cases.
"""

from __future__ import annotations

import contextlib
import html
import importlib
import inspect
import json
import math
import os
import re
import reprlib
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit import sidecar
from coursekit.copies import ORIGINS, ROOT, lessons
from coursekit.errors import WorkbookError
from labkit.files import append_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PROGRESS = "progress.jsonl"
RAISED = "Your code raised"
UNUSABLE = "The check cannot use what your code returned"
FAILED = "the check itself failed, which says nothing about your answer. Run the cell again. The check raised"


@dataclass(frozen=True)
class Exercise:
    """One exercise: its number ("01.2"), a title, hints from vague to plain, and its check."""

    number: str
    title: str
    hints: tuple[str, str]
    check: Callable[[Any], str | None]


def exercise(*hints: str) -> Callable[[Callable[[Any], str | None]], Exercise]:
    """Make a check an exercise, with two hints; the check's docstring is its number and its title."""

    def make(check: Callable[[Any], str | None]) -> Exercise:
        number, _, title = (check.__doc__ or "").partition(": ")
        first, second = hints
        return Exercise(number, title.removesuffix("."), (first, second), check)

    return make


class UnusableError(Exception):
    """A check cannot read what the student's code returned; its cause says why."""


def compare(
    answer: Callable[..., Any],
    cases: Iterable[tuple[Any, ...]],
    say: str | Callable[..., str | None],
    *,
    changed: str | None = None,
    accept: type[Exception] | tuple[type[Exception], ...] = (),
) -> str | None:
    """Call the answer for each case and return a message about the first wrong result, or None.

    A case is the arguments, the expected result and a few words about them. `say` is the message: {0} is the first
    argument, and {given}, {expected} and {what} are the rest. A function instead of a text is called with these four
    (`say(given, expected, what, *arguments)`) and finds by itself whether the result is right.

    `changed` is the message for an answer that changes its arguments. An exception in `accept` counts as a result.
    """
    for *arguments, expected, what in cases:
        passed = deepcopy(arguments)
        try:
            given = answer(*passed)
        except accept as error:
            given = error
        if changed and passed != arguments:
            return changed
        try:
            if callable(say):
                missing = say(given, expected, what, *arguments)
            elif same(given, expected):
                missing = None
            else:
                missing = say.format(*arguments, given=given, expected=expected, what=what)
        except Exception as error:
            raise UnusableError from error
        if missing:
            return missing
    return None


def same(given: Any, expected: Any) -> bool:
    """Whether a result is the expected one: a number may be a rounding error away, and 1 is not True."""
    if isinstance(expected, bool) and getattr(getattr(given, "dtype", None), "kind", "") == "b" and given.shape == ():
        given = bool(given)  # NumPy has truth values of its own, which every comparison of its numbers gives
    if expected is None or isinstance(expected, bool):
        return given is expected
    if isinstance(expected, float):
        return isinstance(given, int | float) and math.isclose(given, expected, rel_tol=1e-6, abs_tol=1e-6)
    return bool(given == expected)


@dataclass(frozen=True)
class Verdict:
    """What a check found; Jupyter shows it as a box whose words, not its colour, carry the result."""

    number: str
    title: str
    missing: str | None
    failed: bool = False  # the check itself, so that nothing is known about the answer
    solution: str = ""  # the course's own, shown folded below an answer that passed

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return self.missing is None

    def __str__(self) -> str:
        if self.passed:
            return f"Exercise {self.number}, {self.title}: passed."
        if self.failed:
            return f"Exercise {self.number}, {self.title}: {self.missing}"
        said = f"Exercise {self.number}, {self.title}: not yet. {self.missing}"
        return f"{said}\nFor help, in a new cell: hint({self.number!r})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = "#009E73" if self.passed else "#D55E00"
        style = f"border-left:6px solid {colour};padding:.4em .8em;margin:.3em 0"
        text = html.escape(str(self)).replace("\n", "<br>")
        folded = ""
        if self.solution:
            code = html.escape(self.solution)
            folded = f"<details><summary>The course's own solution</summary><pre>{code}</pre></details>"
        return f'<div role="status" style="{style}">{text}{folded}</div>'


@dataclass(frozen=True)
class Attempt:
    """One line of the sidecar: a check that passed or not, or (None) a hint; `hint` is how many have been shown."""

    notebook: str
    exercise: str
    passed: bool | None
    hint: int
    time: str


class StrictError(AssertionError):
    """A check that did not pass while LABKIT_STRICT_CHECKS is set: for the tests of the exercises."""


def exercises(notebook: str) -> dict[str, Exercise]:
    """The exercises of one notebook ("01"), by number. Raises WorkbookError where there are none."""
    try:
        module = importlib.import_module(f"coursekit.checks.nb{notebook}")
    except ModuleNotFoundError as error:
        raise WorkbookError(
            f"Notebook {notebook} has no exercises", fix="check the number, for example 01.2"
        ) from error
    return {item.number: item for item in vars(module).values() if isinstance(item, Exercise)}


def find(number: str) -> Exercise:
    """The exercise with this number. Raises WorkbookError that names the others."""
    known = exercises(number.partition(".")[0])
    if number not in known:
        raise WorkbookError(f"There is no exercise {number}", fix=f"choose one of {', '.join(known)}")
    return known[number]


def check(number: str, answer: Any) -> Verdict:
    """Try an answer: shows "passed" or what is missing, never a traceback, and notes it in the sidecar.

    A check that itself fails is not a try of the student, so the student's sidecar does not count it.

    Raises StrictError when the answer is not right and LABKIT_STRICT_CHECKS is set.
    """
    exercise = find(number)
    watched = _Watched(answer)
    failed = False
    try:
        missing = exercise.check(watched)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, UnusableError) else error
        failed = cause is error is not watched.error
        begin = FAILED if failed else RAISED if cause is watched.error else f"{UNUSABLE}: it raised"
        missing = f"{begin} {type(cause).__name__} for the input {watched.given}: {cause}."
    verdict = Verdict(number, exercise.title, missing, failed, "" if missing else solution(number))
    if not verdict.failed:
        _note(number, verdict.passed, _shown(number))
    sidecar.note("check", exercise=number, passed=verdict.passed, missing=missing)
    if os.environ.get("LABKIT_STRICT_CHECKS") and not verdict.passed:
        raise StrictError(str(verdict))
    return verdict


def solution(number: str) -> str:
    """The course's own answer to an exercise; nothing where the file of solutions is not here."""
    file = ROOT / "notebooks" / "solutions" / f"nb{number.partition('.')[0]}.py"
    try:
        cells = re.split(r"^# %% (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except OSError:
        return ""
    return dict(zip(cells[1::2], cells[2::2], strict=True)).get(number, "").strip()


def hint(number: str) -> None:
    """Print the next hint, and the last one again after that."""
    exercise = find(number)
    step = min(_shown(number) + 1, len(exercise.hints))
    _note(number, None, step)
    print(f"Hint {step} of {len(exercise.hints)}: {exercise.hints[step - 1]}")


def attempts(place: Path) -> list[Attempt]:
    """What the sidecar in a folder holds; a broken line, from a full disk for example, is passed over."""
    try:
        lines = (place / PROGRESS).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            found.append(Attempt(**json.loads(line)))
    return found


def progress(root: Path = ROOT) -> str:
    """The progress of a student, as a table in plain text: passed or not, tries, hints."""
    tried = attempts(root / "work")
    rows = ["exercise  state    tries  hints  title"]
    for item in lessons(root):
        try:
            known = exercises(item.number)
        except WorkbookError:
            continue
        for exercise in known.values():
            mine = [attempt for attempt in tried if attempt.exercise == exercise.number]
            tries = [attempt for attempt in mine if attempt.passed is not None]
            state = "passed" if any(attempt.passed for attempt in tries) else "open"
            hints = max((attempt.hint for attempt in mine), default=0)
            rows.append(f"{exercise.number:8}  {state:6}  {len(tries):6} {hints:6}  {exercise.title}")
    return "\n".join(rows)


class _Short(reprlib.Repr):
    """A short text of a value, in which a function is its name."""

    def repr_function(self, function: Callable[..., Any], _level: int) -> str:
        return function.__name__


class _Watched:
    """Calls a student's answer; keeps the last input as text, and the last exception that came out of the answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.given = "()"
        self.error: Exception | None = None

    def __call__(self, *arguments: Any) -> Any:
        # Before the call: the answer may change what it is given.
        self.given = f"({', '.join(map(_Short().repr, arguments))})"
        with self._watch():
            result = self.answer(*arguments)
        return self._await(result) if inspect.iscoroutine(result) else result

    async def _await(self, result: Any) -> Any:
        with self._watch():
            return await result

    @contextlib.contextmanager
    def _watch(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


def _note(number: str, passed: bool | None, hints: int) -> None:
    """Append to the sidecar, on this machine only, and only where a student works: beside the copies.

    Where that fails, on a full disk for example, a line says so: what was asked for is shown all the same.
    """
    time = datetime.now(UTC).isoformat(timespec="seconds")
    attempt = Attempt(number.partition(".")[0], number, passed, hints, time)
    try:
        if Path(ORIGINS).exists():
            append_line(Path(PROGRESS), asdict(attempt))
    except OSError as error:
        print(f"This could not be noted in {PROGRESS}: {error.strerror or error}.")


def _shown(number: str) -> int:
    """How many hints of an exercise have been shown so far."""
    return max((item.hint for item in attempts(Path()) if item.exercise == number), default=0)
