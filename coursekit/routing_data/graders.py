"""Automatic graders: whether an answer is right, decided by code alone, so that a recording can be graded again.

They are strict where a small model would otherwise pass by accident: an answer that names every label, or that only
repeats the prompt, is wrong.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Grader(StrEnum):
    """The kinds of graders, and what each asks of an answer."""

    LABEL = "label"  # names the accepted label, as a whole word, and none of the others
    EXTRACT = "extract"  # is one of the accepted texts and nothing else; case, quotes and final points do not count
    JSON = "json"  # is JSON, perhaps inside a code fence, with exactly the expected keys and values
    NUMBER = "number"  # its last number equals the accepted one
    FACT = "fact"  # holds one of the accepted texts as whole words, and none of the forbidden
    REWRITE = "rewrite"  # holds all accepted words, none of the forbidden, and keeps to `most_words` and `case`


@dataclass(frozen=True)
class Expected:
    """What is right; which fields count depends on the grader. `forbidden` are the other labels, or wrong answers."""

    accepted: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    most_words: int | None = None
    case: str = ""  # "upper" or "lower"


@dataclass(frozen=True)
class Task:
    """A prompt and how to grade its answer; `right` is an answer that passes."""

    id: str
    domain: str
    prompt: str
    grader: Grader
    expected: Expected
    right: str
    max_tokens: int


def grade(task: Task, answer: str) -> bool:
    """Whether the answer is right."""
    return _CHECKS[task.grader](task.expected, unicodedata.normalize("NFC", answer))


def normalize(text: str) -> str:
    """Without case, line breaks, and the characters around the text: quotes, brackets, points, Markdown's stars."""
    return " ".join(text.casefold().split()).strip(" .,;:!?\"'`*_()[]“”‘’«»")


def _names(text: str, words: Iterable[str]) -> list[str]:
    """Which of the words or phrases the text holds whole."""
    return [word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)]


def _label(expected: Expected, answer: str) -> bool:
    named = _names(answer, expected.accepted)
    # "Not positive" names a label and means another.
    denied = _names(answer, [f"{no}{word}" for word in named for no in ("not ", "not a ", "not an ")])
    return bool(named) and not denied and not _names(answer, expected.forbidden)


def _extract(expected: Expected, answer: str) -> bool:
    return normalize(answer) in {normalize(text) for text in expected.accepted}


def _json(expected: Expected, answer: str) -> bool:
    fenced = re.search(r"```(?:json)?\s*\n(.*?)```", answer, re.DOTALL | re.IGNORECASE)
    try:
        found = json.loads(fenced[1] if fenced else answer, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    # As text, because True == 1 in Python and not in JSON.
    return isinstance(found, dict) and _text(found) == _text(expected.fields)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no key comes twice: json would keep the last, and so let a wrong value pass."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _number(expected: Expected, answer: str) -> bool:
    # A minus after a digit or a bracket is an operator; a comma before three digits parts thousands.
    found = re.findall(r"(?:(?<![\d)])[-−])?(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?", answer)
    if not found:
        return False
    return Decimal(found[-1].replace(",", "").replace("−", "-")) == Decimal(expected.accepted[0])


def _fact(expected: Expected, answer: str) -> bool:
    return bool(_names(answer, expected.accepted)) and not _names(answer, expected.forbidden)


def _rewrite(expected: Expected, answer: str) -> bool:
    words = answer.split()
    cased = {"": True, "upper": answer.isupper(), "lower": answer.islower()}[expected.case]
    short = expected.most_words is None or len(words) <= expected.most_words
    whole = len(_names(answer, expected.accepted)) == len(expected.accepted)
    return bool(words) and cased and short and whole and not _names(answer, expected.forbidden)


_CHECKS = {
    Grader.LABEL: _label,
    Grader.EXTRACT: _extract,
    Grader.JSON: _json,
    Grader.NUMBER: _number,
    Grader.FACT: _fact,
    Grader.REWRITE: _rewrite,
}
