"""Every grader with right answers and with plausible wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from coursekit.routing_data.graders import Expected, Grader, Task, grade, normalize


def graded(grader: Grader, answer: str, *accepted: str, **more: Any) -> bool:
    """Grade an answer to a task made for it."""
    expected = Expected(accepted, **more)
    return grade(Task("made-01", "made", "a prompt", grader, expected, "", 8), answer)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("sport", True),
        ("Sport.", True),
        ("The topic of this text is **sport**, and sport alone.", True),
        ("food", False),
        ("sport, food or weather", False),  # all labels
        ("It is sport, not food.", False),  # more than one, which no word list can untangle
        ("This is not sport.", False),
        ("This is not a sport at all", False),
        ("transport", False),  # no whole word
        ("sporty", False),
        ("", False),
    ],
)
def test_label(answer: str, right: bool) -> None:
    assert graded(Grader.LABEL, answer, "sport", forbidden=("food", "weather")) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("14:30", True),
        (' "14:30". ', True),
        ("**14:30**\n", True),
        ("The meeting starts at 14:30.", False),
        ("14:30 14:30", False),
        ("4:30", False),
        ("", False),
    ],
)
def test_extract(answer: str, right: bool) -> None:
    assert graded(Grader.EXTRACT, answer, "14:30") is right


def test_extract_takes_any_accepted_spelling() -> None:
    assert graded(Grader.EXTRACT, "new  york", "NYC", "New York")
    assert normalize("“Åsa  Berg”.\n") == "åsa berg"
    assert graded(Grader.EXTRACT, "A\u030asa", "Åsa")  # composed or not


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ('{"city": "Lund", "price": 5}', True),
        ('{\n  "price": 5,\n  "city": "Lund"\n}\n', True),
        ('Here you are:\n```json\n{"city": "Lund", "price": 5}\n```\nThis is JSON.', True),
        ('```\n{"city": "Lund", "price": 5}\n```', True),
        ('{"city": "Lund", "price": "5"}', False),  # a text, not a number
        ('{"city": "Lund", "price": true}', False),
        ('{"city": "Lund"}', False),
        ('{"city": "Lund", "price": 5, "note": ""}', False),
        ('{"city": "Oslo", "price": 5}', False),
        ('{"city": "Oslo", "city": "Lund", "price": 5}', False),  # a key twice
        ("{'city': 'Lund', 'price': 5}", False),
        ('[{"city": "Lund", "price": 5}]', False),
        ('{"city": "Lund", "price": 5', False),
        ("[" * 100_000, False),
        ("", False),
    ],
)
def test_json(answer: str, right: bool) -> None:
    assert graded(Grader.JSON, answer, fields={"city": "Lund", "price": 5}) is right


def test_json_does_not_take_true_for_one() -> None:
    assert not graded(Grader.JSON, '{"breakfast": 1}', fields={"breakfast": True})
    assert graded(Grader.JSON, '{"tools": ["saw", "axe"]}', fields={"tools": ["saw", "axe"]})
    assert not graded(Grader.JSON, '{"tools": ["axe", "saw"]}', fields={"tools": ["saw", "axe"]})


@pytest.mark.parametrize(
    ("answer", "expected", "right"),
    [
        ("19", "19", True),
        ("12 + 7 = 19.", "19", True),
        ("**19**", "19", True),
        ("19.0", "19", True),
        ("It is 1,234 kronor", "1234", True),
        ("The answer is -3.", "-3", True),
        ("5-3", "3", True),  # an operator, no sign
        ("2.5", "2.5", True),
        ("19 is 12 + 7", "19", False),  # its last number is another
        ("190", "19", False),
        ("119", "19", False),
        ("19.5", "19", False),
        ("-19", "19", False),
        ("18", "19", False),
        ("nineteen", "19", False),
        ("", "19", False),
    ],
)
def test_number(answer: str, expected: str, right: bool) -> None:
    assert graded(Grader.NUMBER, answer, expected) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Canberra", True),
        ("The capital of Australia is canberra.", True),
        ("Sydney", False),
        ("It is Canberra or Sydney.", False),
        ("Canberras", False),
        ("The capital of Australia", False),
        ("", False),
    ],
)
def test_fact(answer: str, right: bool) -> None:
    assert graded(Grader.FACT, answer, "Canberra", forbidden=("Sydney",)) is right


def test_fact_takes_any_accepted_text_and_other_letters() -> None:
    for answer in ("åtta", "8 ben", "Den har ÅTTA ben."):
        assert graded(Grader.FACT, answer, "åtta", "8")
    assert not graded(Grader.FACT, "18", "åtta", "8")
    assert graded(Grader.FACT, "box@example.net", "box@example.net")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("He opened the door.", True),
        ("he opened the door", True),
        ("He opens the door.", False),
        ("He opened it.", False),
        ("He opened the door, and before he opens the window he waits.", False),
        ("He opened the door because he wanted to see the garden", False),  # too long
        ("", False),
    ],
)
def test_rewrite(answer: str, right: bool) -> None:
    more: dict[str, Any] = {"forbidden": ("opens",), "most_words": 5}
    assert graded(Grader.REWRITE, answer, "he", "opened", "the", "door", **more) is right


def test_rewrite_asks_for_all_words_and_for_the_case() -> None:
    assert graded(Grader.REWRITE, "OPEN THE WINDOW!", "open", "window", case="upper")
    assert not graded(Grader.REWRITE, "Open the window!", "open", "window", case="upper")
    assert graded(Grader.REWRITE, "we are open", "open", case="lower")
    assert not graded(Grader.REWRITE, "We are open", "open", case="lower")
    assert not graded(Grader.REWRITE, "OPEN THE DOOR", "open", "window", case="upper")
    assert not graded(Grader.REWRITE, " ", case="")
