"""A text as a reader sees it: what tells a person nothing, and hides a secret from a pattern, is taken away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

_SPACED = re.compile(r"(?<!\S)\S(?:[ \t]{1,3}\S){4,}(?!\S)")
# A run of blanks is tried from its first one only, or a long one would take the square of its length.
_BLANKS = r"(?:(?<!\s)\s++)"
_AROUND_AT = re.compile(
    rf"{_BLANKS}@\s+|(?=(?<!\s)[^\S\n]*+\n){_BLANKS}@|@[^\S\n]*+\n\s*|{_BLANKS}?+[\[({{]\s*(?:at|snabel-a)\s*[\])}}]\s*",
    re.IGNORECASE,
)
_AROUND_DOT = re.compile(rf"{_BLANKS}\.\s+|{_BLANKS}?+[\[({{]\s*(?:dot|punkt)\s*[\])}}]\s*", re.IGNORECASE)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SHORT = re.compile(r"\\([nrtbf\"'/\\])")
_LINE_BREAK = re.compile(r"(?:(?<![ \t])[ \t]++)?+[\r\n]+[ \t]*")


def plain(text: str) -> str:
    """Full-width and other digits as 0 to 9, every dash as `-`, every space as one kind, invisible signs gone.

    Source: Unicode Standard Annex 15 (NFKC) and the general categories Cf, Nd, Pd and Zs; the variation selectors
    and the combining grapheme joiner are invisible too.
    """
    if text.isascii():
        return text
    seen = "".join(map(_plain, unicodedata.normalize("NFKC", text)))
    return unicodedata.normalize("NFKC", seen)  # an invisible sign may have stood between a letter and its accent


def _plain(letter: str) -> str:
    if letter.isascii():
        return letter
    kind = unicodedata.category(letter)
    if kind == "Nd":
        return str(unicodedata.decimal(letter))
    if kind == "Cf" or letter == "\u034f" or "\ufe00" <= letter <= "\ufe0f":
        return ""
    return {"Pd": "-", "Zs": " ", "Zl": "\n", "Zp": "\n"}.get(kind, "-" if letter == "\u2212" else letter)


def views(text: str) -> tuple[str, ...]:
    """The plain text, and where they differ: without the spaces that split words, and without line breaks.

    The codes of web addresses and of JSON, such as %40 for @, are read first; JSON's short ones, which stand in the
    arguments of a tool call and may be code elsewhere, give views of their own.
    """
    once = _unescaped(text)
    reads = dict.fromkeys((text, once, _unescaped(once)))  # twice: JSON inside JSON
    return tuple(dict.fromkeys(view for read in reads for view in _views(read)))


def _unescaped(text: str) -> str:
    r"""The text with the short codes of JSON read: \n ends a word, and does not begin one with n."""
    return _SHORT.sub(lambda match: {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}.get(match[1], match[1]), text)


def _views(text: str) -> tuple[str, ...]:
    first = plain(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), unquote(text)))
    joined = _SPACED.sub(lambda match: re.sub(r"[ \t]", "", match[0]), first)
    joined = _AROUND_DOT.sub(".", _AROUND_AT.sub("@", joined))
    return tuple(dict.fromkeys((first, joined, _LINE_BREAK.sub("", joined))))


def texts(content: Any) -> list[str]:
    """Every text in a message's content: a string, or parts as the OpenAI API has them, however deep."""
    return [found for found, is_value in _leaves(content) if is_value and isinstance(found, str)]


def readable(content: Any) -> list[str]:
    """Everything in it that can be read, for a gate: the texts, and names of fields and numbers too."""
    return [str(found) for found, _ in _leaves(content)]


def _leaves(content: Any) -> Iterator[tuple[str | float, bool]]:
    """Texts, numbers and names of fields; for each whether it is a value, not a name."""
    if isinstance(content, str) or (isinstance(content, int | float) and not isinstance(content, bool)):
        yield content, True
    elif isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(name, str):
                yield name, False
            yield from _leaves(value)
    elif isinstance(content, Sequence) and not isinstance(content, bytes | bytearray):
        for value in content:
            yield from _leaves(value)
