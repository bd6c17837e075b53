"""A small table for Jupyter, with a plain-text form for terminals."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A header and rows of text, which is escaped.

    The cells of a `measured` table differ from run to run. They get the class `measured`, so that a comparison of two
    runs can ignore them, and the plain-text form only names the columns.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    measured: bool = False

    def __repr__(self) -> str:
        if self.measured:
            return f"A table of measured values: {', '.join(filter(None, self.header))}"
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [self.header, *self.rows]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.header)
        body = "".join(f"<tr>{''.join(map(self._cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cell(self, text: str) -> str:
        opening = '<td class="measured">' if self.measured else "<td>"
        return f"{opening}{html.escape(text)}</td>"
