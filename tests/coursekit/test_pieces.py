"""Tokens in alternating colours: every character is kept, and a student's text is no HTML."""

from __future__ import annotations

import re

from coursekit.figures import pieces


def test_plain_text_shows_where_the_pieces_end() -> None:
    assert repr(pieces(["The", " sky", " is\n", "blue"])) == "The| sky| is⏎|blue"


def test_neighbours_have_two_colours_and_keep_their_spaces() -> None:
    spans = re.findall(r"background:([^;]+);.*?>([^<]*)</span>", pieces(["The", " sky", " is"])._repr_html_())
    assert [text for _, text in spans] == ["The", " sky", " is"]
    assert spans[0][0] == spans[2][0] != spans[1][0]


def test_html_is_escaped() -> None:
    assert "<b>" not in pieces(["<b>"])._repr_html_()
