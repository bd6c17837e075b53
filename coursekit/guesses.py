"""Guesses: a question with choices before a cell, compared afterwards with what the cell measured.

The questions are in `guesses.toml`. A choice has a `text` and a `why`, which explains it after the measurement. Where
the measurement is a number, each choice has the number `least` from which it holds, in rising order.

A guess is kept in the kernel's memory and nowhere else.
"""

from __future__ import annotations

import html
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from coursekit.errors import WorkbookError
from labkit.notebook import short

_WIDGET = "application/vnd.jupyter.widget-view+json"
_BOX = "border-left:6px solid #0072B2;padding:.4em .8em;margin:.3em 0"


@dataclass(frozen=True)
class Choice:
    """One possible answer, and what is said about it after the measurement."""

    text: str
    why: str
    least: float | None = None


@dataclass(frozen=True)
class Question:
    """A question with choices; `unit` is that of a measured number."""

    text: str
    choices: tuple[Choice, ...]
    unit: str = ""

    def find(self, measured: str | float) -> Choice:
        """The choice that a measurement confirms. Raises ValueError where there is none."""
        if isinstance(measured, str):
            fitting = [choice for choice in self.choices if choice.text == measured]
        else:
            fitting = [choice for choice in self.choices if choice.least is not None and choice.least <= measured]
        if not fitting:
            raise ValueError(f"{measured!r} is none of {[choice.text for choice in self.choices]}")
        return fitting[-1]


class Guess:
    """One student's guess: a widget in a front end that has widgets, and text elsewhere."""

    def __init__(self, number: str, question: Question) -> None:
        self.number, self.question = number, question
        self.chosen: str | None = None
        self._widget: Any = None

    def __str__(self) -> str:
        lines = [f"Guess {self.number}: {self.question.text}"]
        return "\n".join(lines + [f"  ( ) {choice.text}" for choice in self.question.choices])

    __repr__ = __str__

    def show(self) -> None:
        """Show the widget, with the text for a front end that has no widgets and for a saved notebook."""
        from IPython.display import display
        from ipywidgets import HTML, RadioButtons, VBox

        head = f"<b>Guess {self.number}.</b> {html.escape(self.question.text)}"
        options = [choice.text for choice in self.question.choices]
        buttons = RadioButtons(options=options, index=None, layout={"width": "auto"})
        buttons.observe(lambda change: self.choose(change["new"]), "value")
        self._widget = VBox([HTML(head), buttons])
        items = "".join(f"<li>{html.escape(option)}</li>" for option in options)
        bundle = self._widget._repr_mimebundle_()
        text = {"text/plain": str(self), "text/html": f'<div style="{_BOX}">{head}<ul>{items}</ul></div>'}
        display({_WIDGET: bundle[_WIDGET], **text}, raw=True)

    def choose(self, text: str | None) -> None:
        """Note the student's choice."""
        self.chosen = text

    def compare(self, measured: str | float) -> Outcome:
        """Show the guess beside what was measured: the text of one choice, or a number."""
        if self._widget:
            self._widget.children[1].disabled = True
        return Outcome(self, measured)


class Outcome:
    """A guess beside the measurement. The box's words, not its colour, carry the result."""

    def __init__(self, guess: Guess, measured: str | float) -> None:
        question, right = guess.question, guess.question.find(measured)
        chosen = next((choice for choice in question.choices if choice.text == guess.chosen), None)
        amount = "" if isinstance(measured, str) else f" ({short(measured)}{question.unit and ' ' + question.unit})"
        self._result = f"{right.text}{amount}"
        if chosen is None:
            self._begin, self._why = "You made no guess.", right.why
        elif chosen == right:
            self._begin, self._why = f"You guessed “{chosen.text}”, and that is right.", right.why
        else:
            self._begin, self._why = f"You guessed “{chosen.text}”.", f"{chosen.why} {right.why}"

    def __repr__(self) -> str:
        return f"{self._begin} Result: {self._result}. {self._why}"

    def _repr_html_(self) -> str:
        begin, result, why = (html.escape(text) for text in (self._begin, self._result, self._why))
        return f'<div role="status" style="{_BOX}">{begin} Result: <b>{result}</b>.<br>{why}</div>'


@cache
def questions() -> dict[str, Question]:
    """Every question of the course, by number ("02.3")."""
    read = tomllib.loads(Path(__file__).with_name("guesses.toml").read_text(encoding="utf-8"))
    return {
        f"{notebook}.{letter}": Question(
            item["question"], tuple(Choice(**choice) for choice in item["choices"]), item.get("unit", "")
        )
        for notebook, items in read.items()
        for letter, item in items.items()
    }


def guess(number: str) -> Guess:
    """Show a question with choices; call `compare(measured)` on the result, in a later cell.

    Raises WorkbookError where there is no such question.

    Example: `first = guess("01.a")`, and in the next cell `first.compare("yes")`.
    """
    if number not in questions():
        raise WorkbookError(f"There is no guess {number}", fix=f"choose one of {', '.join(questions())}")
    made = Guess(number, questions()[number])
    made.show()
    return made
