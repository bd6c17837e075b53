"""A text as a reader sees it: foreign digits, invisible signs, spaces, dashes; and where texts stand in a message."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.routing.privacy import plain, texts, views

ANY_TEXT = st.text(st.characters(codec=None))  # with lone surrogates, which JSON may carry


def moved(digits: str, zero: int) -> str:
    """ASCII digits as those that begin at another zero."""
    return "".join(chr(zero + int(digit)) for digit in digits)


@pytest.mark.parametrize("zero", [0xFF10, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x1D7CE])
def test_digits_of_any_script(zero: int) -> None:
    assert plain(f"nr {moved('0123456789', zero)}.") == "nr 0123456789."


@pytest.mark.parametrize(
    "sign", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\ufe00", "\ufe0f", "\u202e"]
)
def test_invisible_signs_are_gone(sign: str) -> None:
    assert plain(f"4{sign}11{sign}{sign}1") == "4111"


@pytest.mark.parametrize(
    "dash", ["\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212", "\ufe63", "\uff0d"]
)
def test_every_dash_and_the_minus_sign(dash: str) -> None:
    assert plain(f"070{dash}17") == "070-17"


@pytest.mark.parametrize("space", ["\u00a0", "\u1680", "\u2002", "\u2009", "\u202f", "\u205f", "\u3000"])
def test_every_space(space: str) -> None:
    assert plain(f"070{space}17") == "070 17"


@pytest.mark.parametrize("sign", ["\u2028", "\u2029"])
def test_line_and_paragraph_separators(sign: str) -> None:
    assert plain(f"a{sign}b") == "a\nb"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param("anna＠example．com", "anna@example.com", id="full-width at sign and dot"),
        pytest.param("Ａｎｎａ", "Anna", id="full-width letters"),
        pytest.param("Åsa Öhrn", "Åsa Öhrn", id="letters of Swedish stay"),
        pytest.param("A\u030asa", "Åsa", id="a letter in two signs is one"),
        pytest.param("क\u094dष 你好 🌊", "क\u094dष 你好 🌊", id="other scripts stay"),
        pytest.param("x²", "x2", id="a raised digit"),
    ],
)
def test_letters(text: str, seen: str) -> None:
    assert plain(text) == seen


@given(st.text(st.characters(codec="ascii")))
def test_ascii_is_left_alone(text: str) -> None:
    assert plain(text) == text


@given(ANY_TEXT | st.text("A\u200b\u030a\u00ad\u2212\uff11\u1100\u1161\u2009"))
@example("A\u200b\u030a")
def test_once_is_enough(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(ANY_TEXT)
def test_nothing_is_left_that_hides_a_number(text: str) -> None:
    for letter in plain(text):
        kind = unicodedata.category(letter)
        assert letter.isascii() or kind not in {"Nd", "Cf", "Pd", "Zs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "view"),
    [
        pytest.param("a n n a @ e x . c o m", "anna@ex.com", id="spaced letters"),
        pytest.param("nr 4  1\t1   1 5 end", "nr 41115 end", id="spaced digits"),
        pytest.param("anna@\nexample.com", "anna@example.com", id="broken after the at sign"),
        pytest.param("anna \n  @example.com", "anna@example.com", id="broken before the at sign"),
        pytest.param(
            "anna@ \nexample.com\n2 eggs", "anna@example.com\n2 eggs", id="broken, and the line after it stays"
        ),
        pytest.param("anna\n@example.com\n2 eggs", "anna@example.com\n2 eggs", id="broken before, likewise"),
        pytest.param(f"anna\n{' ' * 40}@example.com", "anna@example.com", id="indented far"),
        pytest.param("anna @ example . com", "anna@example.com", id="spaces around"),
        pytest.param("anna(at)example[dot]com", "anna@example.com", id="in words"),
        pytest.param("anna ( AT ) example { Dot } com", "anna@example.com", id="in words with blanks"),
        pytest.param("anna [snabel-a] example [punkt] se", "anna@example.se", id="in Swedish words"),
        pytest.param("anna%40example.com", "anna@example.com", id="a web address's code"),
        pytest.param("anna\\u0040example.com", "anna@example.com", id="a JSON code"),
        pytest.param("4111\\u200b1111", "41111111", id="a JSON code of an invisible sign"),
        pytest.param("4111%E2%80%8B1111", "41111111", id="a web code of an invisible sign"),
        pytest.param("ghp_abc \r\n  def", "ghp_abcdef", id="without line breaks"),
    ],
)
def test_a_view_shows_it(text: str, view: str) -> None:
    assert view in views(text)


@pytest.mark.parametrize("text", ["", "Show me the weather", "a b c and d", "user@host at home. Yes (at last)"])
def test_an_ordinary_text_has_one_view(text: str) -> None:
    assert views(text) == (text,)


@given(ANY_TEXT)
def test_the_first_view_is_the_plain_text(text: str) -> None:
    seen = views(text)
    assert len(set(seen)) == len(seen) <= 3
    assert all(isinstance(view, str) for view in seen)
    if "%" not in text and "\\u" not in text:
        assert seen[0] == plain(text)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("Hi", ["Hi"], id="a string"),
        pytest.param(None, [], id="nothing"),
        pytest.param(7, [], id="a number"),
        pytest.param(b"Hi", [], id="bytes"),
        pytest.param([{"type": "text", "text": "Hi"}], ["text", "Hi"], id="a part"),
        pytest.param(({"a": ["b", {"c": ("d",)}]}, "e"), ["b", "d", "e"], id="nested"),
        pytest.param(
            [{"function": {"name": "send", "arguments": '{"to": "anna"}'}}],
            ["send", '{"to": "anna"}'],
            id="a tool call",
        ),
    ],
)
def test_texts(content: Any, found: list[str]) -> None:
    assert texts(content) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(JSON, ANY_TEXT)
def test_texts_finds_a_text_wherever_it_stands(value: Any, text: str) -> None:
    found = texts([{"deep": [value, {"deeper": text}]}, value])
    assert text in found
    assert found == [*texts(value), text, *texts(value)]
