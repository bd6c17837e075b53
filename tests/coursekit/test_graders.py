"""Every grader with right answers and with plausible wrong ones."""

from __future__ import annotations

import pytest

from coursekit.routing_data.graders import Expected, Grader, Task, grade, normalize

LUND = Expected(fields={"city": "Lund", "price": 5})
NINETEEN = Expected(("19",))
CANBERRA = Expected(("Canberra",), ("Sydney",))
EIGHT = Expected(("åtta", "8"))
OPENED = Expected(("he", "opened", "the", "door"), ("opens",), most_words=5)
UPPER = Expected(("open", "window"), case="upper")
LOWER = Expected(("open",), case="lower")
TOOLS = Expected(fields={"tools": ["saw", "axe"]})

# For each grader, what is expected, the right answers, and the wrong ones.
TABLE: list[tuple[Grader, Expected, list[str], list[str]]] = [
    (
        Grader.LABEL,
        Expected(("sport",), ("food", "weather")),
        ["sport", "Sport.", "The topic of this text is **sport**, and sport alone."],
        [
            *("food", "transport", "sporty", ""),
            "sport, food or weather",  # all labels
            "It is sport, not food.",  # more than one, which no word list can untangle
            *("This is not sport.", "This is not a sport at all"),
        ],
    ),
    (
        Grader.EXTRACT,
        Expected(("14:30",)),
        ["14:30", ' "14:30". ', "**14:30**\n"],
        ["The meeting starts at 14:30.", "14:30 14:30", "4:30", ""],
    ),
    (Grader.EXTRACT, Expected(("NYC", "New York")), ["new  york"], ["York"]),
    (Grader.EXTRACT, Expected(("Åsa",)), ["A\u030asa"], ["Asa"]),  # composed or not
    (
        Grader.JSON,
        LUND,
        [
            '{"city": "Lund", "price": 5}',
            '{\n  "price": 5,\n  "city": "Lund"\n}\n',
            'Here you are:\n```json\n{"city": "Lund", "price": 5}\n```\nThis is JSON.',
            '```\n{"city": "Lund", "price": 5}\n```',
        ],
        [
            '{"city": "Lund", "price": "5"}',  # a text, not a number
            '{"city": "Lund", "price": true}',
            '{"city": "Lund"}',
            '{"city": "Lund", "price": 5, "note": ""}',
            '{"city": "Oslo", "price": 5}',
            '{"city": "Oslo", "city": "Lund", "price": 5}',  # a key twice
            "{'city': 'Lund', 'price': 5}",
            '[{"city": "Lund", "price": 5}]',
            '{"city": "Lund", "price": 5',
            *("[" * 100_000, ""),
        ],
    ),
    (Grader.JSON, Expected(fields={"breakfast": True}), ['{"breakfast": true}'], ['{"breakfast": 1}']),
    (Grader.JSON, TOOLS, ['{"tools": ["saw", "axe"]}'], ['{"tools": ["axe", "saw"]}']),
    (
        Grader.NUMBER,
        NINETEEN,
        ["19", "12 + 7 = 19.", "**19**", "19.0"],
        ["19 is 12 + 7", "190", "119", "19.5", "-19", "18", "nineteen", ""],  # first: its last number is another
    ),
    (Grader.NUMBER, Expected(("1234",)), ["It is 1,234 kronor"], ["234"]),
    (Grader.NUMBER, Expected(("-3",)), ["The answer is -3."], ["5-3"]),
    (Grader.NUMBER, Expected(("3",)), ["5-3"], ["-3"]),  # an operator, no sign
    (Grader.NUMBER, Expected(("2.5",)), ["2.5"], ["25"]),
    (
        Grader.FACT,
        CANBERRA,
        ["Canberra", "The capital of Australia is canberra."],
        ["Sydney", "It is Canberra or Sydney.", "Canberras", "The capital of Australia", ""],
    ),
    (Grader.FACT, EIGHT, ["åtta", "8 ben", "Den har ÅTTA ben."], ["18"]),
    (Grader.FACT, Expected(("box@example.net",)), ["box@example.net"], ["box@example.network"]),
    (
        Grader.REWRITE,
        OPENED,
        ["He opened the door.", "he opened the door"],
        [
            *("He opens the door.", "He opened it.", ""),
            "He opened the door, and before he opens the window he waits.",
            "He opened the door because he wanted to see the garden",  # too long
        ],
    ),
    (Grader.REWRITE, UPPER, ["OPEN THE WINDOW!"], ["Open the window!", "OPEN THE DOOR"]),
    (Grader.REWRITE, LOWER, ["we are open"], ["We are open"]),
    (Grader.REWRITE, Expected(), ["anything"], [" "]),
]


@pytest.mark.parametrize(("grader", "expected", "right", "wrong"), TABLE)
def test_grades(grader: Grader, expected: Expected, right: list[str], wrong: list[str]) -> None:
    task = Task("made-01", "made", "a prompt", grader, expected, "", 8)
    assert [answer for answer in right if not grade(task, answer)] == []
    assert [answer for answer in wrong if grade(task, answer)] == []


def test_what_stands_around_a_text_does_not_count() -> None:
    assert normalize("“Åsa  Berg”.\n") == "åsa berg"
