"""Guesses: what is shown, what a choice is compared with, and whether each notebook's questions fit its cells."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from coursekit.errors import WorkbookError
from coursekit.guesses import Choice, Guess, Question, guess, questions
from tests.conftest import ROOT

TIMES = Question("How long?", (Choice("short", "It overlaps.", 0.0), Choice("long", "That is the <sum>.", 0.5)), "s")


def notebooks() -> dict[str, str]:
    """The code of each notebook, by number."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.name[:2]] = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return found


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was displayed, each as its forms by media type."""
    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: bundles.append(bundle))
    return bundles


def test_a_front_end_without_widgets_shows_text(shown: list[dict[str, Any]]) -> None:
    Guess("00.a", TIMES).show()
    [data] = shown
    assert data["text/plain"] == "Guess 00.a: How long?\n  ( ) short\n  ( ) long"
    assert "<li>short</li>" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.mark.usefixtures("shown")
def test_a_click_is_a_guess_until_the_comparison() -> None:
    made = Guess("00.a", TIMES)
    made.show()
    buttons = made._widget.children[1]
    buttons.value = "long"
    assert repr(made.compare(0.31)) == "You guessed “long”. Result: short (0.31 s). That is the <sum>. It overlaps."
    assert buttons.disabled


@pytest.mark.parametrize(
    ("chosen", "measured", "said"),
    [
        (None, 0.3, "You made no guess. Result: short (0.3 s). It overlaps."),
        ("short", 0.3, "You guessed “short”, and that is right. Result: short (0.3 s). It overlaps."),
        ("short", "long", "You guessed “short”. Result: long. It overlaps. That is the <sum>."),
        (None, 0.5, "You made no guess. Result: long (0.5 s). That is the <sum>."),
    ],
)
def test_the_outcome(chosen: str | None, measured: str | float, said: str) -> None:
    made = Guess("00.a", TIMES)
    made.choose(chosen)
    assert repr(made.compare(measured)) == said


def test_html_is_escaped() -> None:
    assert "&lt;sum&gt;" in Guess("00.a", TIMES).compare("long")._repr_html_()


@pytest.mark.parametrize("measured", ["medium", -1.0])
def test_a_measurement_that_is_no_choice_is_an_error(measured: str | float) -> None:
    with pytest.raises(ValueError, match="is none of"):
        Guess("00.a", TIMES).compare(measured)


def test_an_unknown_number_names_the_others() -> None:
    with pytest.raises(WorkbookError, match="There is no guess 99"):
        guess("99.a")


@pytest.mark.parametrize("number", questions())
def test_a_question_has_choices_that_differ_and_say_why(number: str) -> None:
    choices = questions()[number].choices
    assert 2 <= len({choice.text for choice in choices}) == len(choices)
    assert all(choice.why.endswith(".") for choice in choices)
    least = [choice.least for choice in choices if choice.least is not None]
    assert len(least) in (0, len(choices))
    assert least == sorted(least)


def test_each_question_is_asked_once_and_compared_in_a_later_cell() -> None:
    asked, compared = [], []
    for number, code in notebooks().items():
        found = re.findall(r"^(\w+) = guess\(\"(\d\d\.\w)\"\)", code, re.MULTILINE)
        assert all(question.startswith(number) for _, question in found)
        asked += [question for _, question in found]
        compared += [question for name, question in found if f"{name}.compare(" in code]
    assert sorted(asked) == sorted(questions())
    assert compared == asked
