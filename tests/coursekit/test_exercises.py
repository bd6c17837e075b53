"""Exercises: solutions and other right answers pass, starters and plausible wrong answers do not."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from coursekit import exercises
from coursekit.copies import ORIGINS, lessons
from coursekit.errors import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = [item.number for item in lessons() if (ROOT / "coursekit/checks" / f"nb{item.number}.py").exists()]
ANSWERS = ROOT / "tests" / "answers"
EXERCISES = [number for notebook in NUMBERS for number in exercises.exercises(notebook)]


def starter(number: str) -> str:
    """What a student finds in the cell of an exercise, without the check at its end."""
    path = next(item.original for item in lessons() if item.number == number.partition(".")[0])
    cells = nbformat.read(path, as_version=4).cells
    [cell] = [cell for cell in cells if f"exercise-{number}" in cell.metadata.get("tags", [])]
    source, found, _ = cell.source.partition("\n\n\ncheck(")
    assert found, f"the cell of {number} ends in no check"
    return "import asyncio\n" + str(source)  # as an earlier cell does


def solution(number: str) -> str:
    """The solution that is kept apart."""
    path = ROOT / "notebooks" / "solutions" / f"nb{number.partition('.')[0]}.py"
    head, *parts = re.split(r"^# %% (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return head + dict(zip(parts[::2], parts[1::2], strict=True))[number]


def answer(source: str) -> Any:
    """What a piece of code defines last: the student's answer."""
    names: dict[str, Any] = {}
    exec("import openai\n" + source, names)
    last = ast.parse(source).body[-1]
    return names[last.name if isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef) else last.targets[0].id]  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", EXERCISES)
def test_right_answers_pass(number: str) -> None:
    """The solution, and the other right answers, of which there is at least one."""
    others = [file.read_text(encoding="utf-8") for file in (ANSWERS / number.replace(".", "_")).glob("right_*.py")]
    assert others
    for source in (solution(number), *others):
        verdict = exercises.check(number, answer(source))
        assert verdict.passed, f"{verdict}\n{source}"
        assert verdict.solution, "nothing unfolds below the verdict"
        assert verdict.solution in solution(number)


@pytest.mark.parametrize("number", EXERCISES)
def test_starter_runs_and_does_not_pass_in_strict_mode(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_STRICT_CHECKS", "1")
    unfinished = answer(starter(number))
    with pytest.raises(exercises.StrictError, match=r"not yet\. .{20}") as caught:
        exercises.check(number, unfinished)
    assert "NameError" not in str(caught.value)


@pytest.mark.parametrize(
    "file", sorted(ANSWERS.glob("*/wrong_*.py")), ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_wrong_answer_is_rejected_for_its_mistake(file: Path) -> None:
    """The message has the words of the file's first line; an exception that no case expected is no rejection."""
    number = file.parent.name.replace("_", ".")
    source = file.read_text(encoding="utf-8")
    found = re.match("# word: (.+)\n", source)
    assert found, f"{file} must begin with `# word: ...`, the words that the message must contain"
    missing = exercises.check(number, answer(source)).missing
    assert missing
    assert found[1] in missing
    assert not missing.startswith((exercises.RAISED, exercises.UNUSABLE, exercises.FAILED)), missing


@pytest.mark.parametrize("notebook", NUMBERS)
def test_a_notebook_has_at_least_four_with_wrong_answers_to_try(notebook: str) -> None:
    known = exercises.exercises(notebook)
    assert len(known) >= 4
    assert [number for number in known if len(list(ANSWERS.glob(f"{number.replace('.', '_')}/wrong_*.py"))) < 2] == []


@pytest.mark.parametrize(
    ("number", "given"),
    [("02.2", "([15, 20, 35, 40, 50], 30)"), ("02.1", "(1, [work, work, work, work])")],
    ids=["function", "coroutine"],
)
def test_an_exception_of_the_students_code_is_shown_with_its_input(number: str, given: str) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    async def broken_later(*_: object) -> None:
        broken()

    shown = str(exercises.check(number, broken_later if number == "02.1" else broken))
    assert f"Your code raised ZeroDivisionError for the input {given}: division by zero." in shown


def test_a_result_that_the_check_cannot_read_is_not_shown_as_an_exception_of_the_student() -> None:
    class Odd:
        def __eq__(self, _: object) -> bool:
            raise TypeError("not comparable")

        __hash__ = None  # type: ignore[assignment]

    assert exercises.UNUSABLE in str(exercises.check("01.4", lambda *_: Odd()))


def fail_at_once(_: Callable[[], None]) -> str | None:
    raise OSError("no mock")


def fail_after_the_answer(answer: Callable[[], None]) -> str | None:
    exercises.compare(answer, [(None, "")], "", accept=KeyError)
    raise OSError("no mock")


@pytest.mark.parametrize("check", [fail_at_once, fail_after_the_answer])
def test_a_check_that_fails_is_not_called_the_students(
    check: Callable[[Any], str | None], desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it counted as a try."""

    def broken() -> None:
        raise KeyError

    exercise = exercises.Exercise("01.1", "a title", ("", ""), check)
    monkeypatch.setattr(exercises, "find", lambda _: exercise)
    verdict = exercises.check("01.1", broken)
    assert str(verdict).startswith(f"Exercise 01.1, a title: {exercises.FAILED} OSError")
    assert not verdict.passed
    assert not (desk / "work" / exercises.PROGRESS).exists()


def test_the_result_stands_in_words_and_is_escaped() -> None:
    shown = exercises.Verdict("01.1", "a <title>", "It gave <script>.")._repr_html_()
    assert "not yet" in shown
    assert 'role="status"' in shown
    assert "<script>" not in shown
    passed = exercises.Verdict("01.1", "a title", None, solution="a < b")
    assert str(passed) == "Exercise 01.1, a title: passed."
    assert "<details><summary>The course&#x27;s own solution" in passed._repr_html_().replace("'", "&#x27;")
    assert "<pre>a &lt; b</pre>" in passed._repr_html_()


def test_an_unknown_number_names_the_known_ones() -> None:
    with pytest.raises(WorkbookError, match=r"01\.1, 01\.2"):
        exercises.find("01.99")
    with pytest.raises(WorkbookError, match="no exercises"):
        exercises.find("99.1")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's folder `work/`, as the current one, in a workbook with one lesson."""
    work = tmp_path / "work"
    work.mkdir()
    (work / ORIGINS).write_text("{}")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_client_setup.ipynb").write_text("{}")
    monkeypatch.chdir(work)
    return tmp_path


def test_attempts_and_hints_are_noted(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exercises.check("01.4", answer(starter("01.4")))
    for expected in ("Hint 1 of 2", "Hint 2 of 2", "Hint 2 of 2"):
        exercises.hint("01.4")
        assert expected in capsys.readouterr().out
    exercises.check("01.4", answer(solution("01.4")))
    noted = exercises.attempts(desk / "work")
    assert [(item.exercise, item.passed, item.hint) for item in noted] == [
        ("01.4", False, 0),
        ("01.4", None, 1),
        ("01.4", None, 2),
        ("01.4", None, 2),
        ("01.4", True, 2),
    ]
    first = json.loads((desk / "work" / exercises.PROGRESS).read_text().splitlines()[0])
    assert set(first) == {"notebook", "exercise", "passed", "hint", "time"}


def test_progress_shows_where_a_student_stands(desk: Path) -> None:
    exercises.check("01.4", answer(solution("01.4")))
    exercises.check("01.3", answer(starter("01.3")))
    with (desk / "work" / exercises.PROGRESS).open("a") as file:
        file.write("half a li")
    rows = {row.split()[0]: row.split()[1:3] for row in exercises.progress(desk).splitlines()[1:]}
    assert rows["01.4"] == ["passed", "1"]
    assert rows["01.3"] == ["open", "1"]
    assert rows["01.1"] == ["open", "0"]


@pytest.mark.parametrize("torn", [b'{"notebook": "01", "exer', b"\xc3"])
def test_a_torn_line_takes_no_other_with_it(desk: Path, torn: bytes) -> None:
    """A disk that was full may leave half a line, or half a sign."""
    exercises.check("01.3", answer(starter("01.3")))
    with (desk / "work" / exercises.PROGRESS).open("ab") as file:
        file.write(torn)
    exercises.check("01.4", answer(solution("01.4")))
    exercises.check("01.4", answer(solution("01.4")))
    noted = [(item.exercise, item.passed) for item in exercises.attempts(desk / "work")]
    assert noted == [("01.3", False), ("01.4", True), ("01.4", True)]
    assert len((desk / "work" / exercises.PROGRESS).read_bytes().splitlines()) == 4


def test_what_cannot_be_noted_is_shown_all_the_same(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here a folder is in the way; a full disk and one that is only for reading fail in the same place."""
    (desk / "work" / exercises.PROGRESS).mkdir()
    assert exercises.check("01.4", answer(solution("01.4"))).passed
    assert f"could not be noted in {exercises.PROGRESS}" in capsys.readouterr().out
    exercises.hint("01.4")
    shown = capsys.readouterr().out
    assert f"could not be noted in {exercises.PROGRESS}" in shown
    assert "Hint 1 of 2" in shown


def test_nothing_is_noted_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exercises.check("01.4", answer(solution("01.4")))
    assert list(tmp_path.glob(exercises.PROGRESS)) == []
