"""A small table that Jupyter shows as one, and that reads as text where there is no page."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A header and rows; what goes in is text, and is escaped.

    The cells of a `measured` table differ from run to run: they are marked, so that who compares two runs can pass
    over them, and as plain text it is described only.
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
