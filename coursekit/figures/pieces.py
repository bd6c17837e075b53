"""The pieces of a text, such as its tokens, in alternating colours."""

from __future__ import annotations

import html
from dataclasses import dataclass

# Half transparent, so that the text is readable in a light and in a dark theme; a border as well as a colour.
_STYLE = "background:{};border-left:1px solid #888;white-space:pre-wrap;padding:.15em 0;line-height:1.9"
_COLOURS = ("rgba(0,114,178,.25)", "rgba(230,159,0,.35)")


@dataclass(frozen=True)
class Pieces:
    """Pieces of one text; plain text has a bar between them, and a line end is shown as `⏎`."""

    texts: tuple[str, ...]

    def __repr__(self) -> str:
        return "|".join(text.replace("\n", "⏎") for text in self.texts)

    def _repr_html_(self) -> str:
        spans = (
            f'<span style="{_STYLE.format(_COLOURS[number % 2])}">{html.escape(text.replace(chr(10), "⏎"))}</span>'
            for number, text in enumerate(self.texts)
        )
        return f"<div>{''.join(spans)}</div>"


def pieces(texts: list[str]) -> Pieces:
    """Show pieces of a text in alternating colours."""
    return Pieces(tuple(texts))
