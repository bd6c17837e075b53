"""The mock's texts: fixed answers for the lessons' questions, and a default answer for all others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from foundry_mock.requests import Message

# A piece is a word or a sign with the white space before it: close to what a tokenizer makes of plain text.
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")
_ANSWERS = {
    r"sky blue": "Air scatters the short waves of sunlight more than the long ones, so the blue part reaches "
    "us from every side of the sky. This is called Rayleigh scattering. Near sunset the light crosses more air, "
    "most of the blue is scattered away before it reaches us, and what remains looks red and orange.",
    r"capital of sweden": "The capital of Sweden is Stockholm.",
    r"\bof norway": "The capital of Norway is Oslo.",
    r"web browser": "A web browser is a program that fetches pages over a network and shows them.",
    r"17 times 23": "17 times 23 is 391.",
    r"hello in swedish": "Hej!",
    r"\bapi\b": "An API is an agreed way for one program to ask another for something, and to understand the answer.",
    r"uses of python": "Python is used to analyse data, to build the server side of web applications, and to automate "
    "small tasks that people would otherwise do by hand.",
    r"haiku": "Grey waves come and go.\nA gull stands on the wet stone\nand waits for the wind.",
    r"one word": "Yes.",
}


@dataclass(frozen=True)
class Script:
    """The pieces to send, the number of tokens, and the finish reason.

    The tokens of a stop string count too, so there can be more tokens than pieces.
    `finish` is None for an answer that is broken off.
    """

    pieces: tuple[str, ...]
    tokens: int
    finish: str | None


def script(messages: Sequence[Message], limit: int, stops: Sequence[str]) -> Script:
    """The answer to a conversation, cut off after `limit` tokens or before a stop string."""
    parts = pieces(answer(messages))
    text = ""
    for tokens, piece in enumerate(parts[:limit], 1):
        text += piece
        if found := [text.index(stop) for stop in stops if stop in text]:
            return Script(tuple(_first(parts, min(found))), tokens, "stop")
    kept = tuple(parts[:limit])
    return Script(kept, len(kept), "length" if len(parts) >= limit else "stop")


def _first(parts: Sequence[str], length: int) -> Iterator[str]:
    """The pieces of the first `length` characters."""
    for piece in parts:
        if length <= 0:
            return
        yield piece[:length]
        length -= len(piece)


def pieces(text: str) -> list[str]:
    """Cut a text into the pieces that the mock sends, one a chunk; joined they are the text again."""
    return _PIECE.findall(text)


def answer(messages: Sequence[Message]) -> str:
    """The answer to a conversation; the same one each time."""
    question = next((message.content for message in reversed(messages) if message.role == "user"), "")
    lowered = question.lower()
    if match := re.search(r"count to (\d{1,5})\b", lowered):
        return " ".join(str(number) for number in range(1, int(match[1]) + 1))
    if "what is my name" in lowered:
        return _name(messages)
    for pattern, text in _ANSWERS.items():
        if re.search(pattern, lowered):
            return text
    start = " ".join(question.split()[:8])
    return f"This is a scripted answer of the mock endpoint, not of a model. You wrote: {start}"


def _name(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        if match := re.search(r"my name is (\w+)", message.content, re.IGNORECASE):
            return f"Your name is {match[1]}."
    return "You have not told me your name."
