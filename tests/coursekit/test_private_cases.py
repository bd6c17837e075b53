"""The set that judges the privacy gate: made the same every time, evenly, and by arithmetic that is right."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeVar

import pytest

from coursekit.routing_data import private_cases
from coursekit.routing_data.private_cases import (
    DISGUISES,
    INVISIBLE,
    KINDS,
    LOOKALIKES,
    MAKERS,
    Case,
    born,
    cases,
    danish,
    disguise,
    finnish,
    found,
    luhn,
    mod97,
    norwegian,
    secret,
    verhoeff,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import SupportsLenAndGetItem

T = TypeVar("T")
CASES = cases()


def text_of(case: Case) -> str:
    """All that is said in a chat, as text."""
    contents = [message["content"] for message in case.messages]
    return "\n".join(
        content if isinstance(content, str) else "\n".join(part["text"] for part in content)
        for content in contents
        if isinstance(content, (str, list))
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_makes_one_even_set(seed: int) -> None:
    made = cases(seed)
    assert made == cases(seed)
    assert (made == CASES) is (seed == 0)
    assert [case.number for case in made] == list(range(1, len(made) + 1))
    kinds = Counter(case.kind for case in made)
    assert len(made) >= 240
    assert abs(kinds[None] - len(made) / 2) <= 5
    assert set(kinds) == {None, *KINDS}
    assert min(kinds.values()) >= 12
    assert len({json.dumps(case.messages) for case in made}) == len(made)


def test_messages_are_those_of_a_chat() -> None:
    for case in CASES:
        assert {message["role"] for message in case.messages} <= {"system", "user", "assistant"}
        assert case.messages[-1]["role"] == "user"
        assert all(isinstance(message["content"], (str, list)) for message in case.messages)
        assert isinstance(case.messages[-1]["content"], list) is case.note.endswith("; parts")
        assert json.loads(json.dumps(case.messages)) == list(case.messages)


def test_every_disguise_place_and_look_alike_occurs() -> None:
    secret_notes = {tuple(case.note.split("; ")) for case in CASES if case.kind}
    harmless_notes = {re.split("[,;] ", case.note)[0] for case in CASES if not case.kind}
    assert {name for name, _ in secret_notes} == {"plain", *DISGUISES}
    assert harmless_notes == set(LOOKALIKES)
    places = {"last turn", "early turn", "assistant turn", "system message", "parts"}
    assert {place for _, place in secret_notes} == places
    assert {case.note.split("; ")[1] for case in CASES if not case.kind} == places


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (luhn, "4111111111111111", "4111111111111112"),  # the test card of many payment services
        (luhn, "49927398716", "49927398717"),  # the usual example of Luhn
        (luhn, "9001019802", "9001019803"),  # 18900101-9802 of Skatteverket's test numbers
        (luhn, "8112289874", "8112289873"),  # 811228-9874, the example of many forms
        (luhn, "7010632391", "7010632390"),  # 701063-2391, a samordningsnummer
        (luhn, "378282246310005", "378282246310006"),
        (verhoeff, "2363", "2364"),
        (verhoeff, "2363", "3263"),
        *((verhoeff, digits, digits[:-1]) for digits in ("758722", "123451", "1428570", "999941057058")),
        (verhoeff, "234123412346", "234123412345"),
        (mod97, "GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 33"),
        (mod97, "SE45 5000 0000 0583 9825 7466", "SE45 5000 0000 0583 9825 7467"),
        (mod97, "de89370400440532013000", "de89370400440532013001"),
        (finnish, "131052-308T", "131052-308U"),
        (danish, "2110625629", "2110625628"),
        (norwegian, "15108695088", "15108695087"),
        (born, "850412", "851312"),
        (born, "701063", "850230"),
    ],
)
def test_check_digits(check: Callable[[str], bool], right: str, wrong: str) -> None:
    """The published examples, and the same with one digit changed."""
    assert check(right)
    assert not check(wrong)


def is_right(kind: str, text: str) -> bool:
    """Whether a plain secret is valid, told by its form and its check digits."""
    digits = re.sub(r"\D", "", text)
    if kind == "national id":
        if re.fullmatch(r"9999 \d{4} \d{4}", text):
            return verhoeff(digits)
        if re.fullmatch(r"\d{6}-[5-8]\d{3}", text):
            return danish(digits)
        if re.fullmatch(r"\d{6}\+\d{3}[0-9A-Y]", text) and finnish(text):
            return True
        if len(digits) == 11:
            return norwegian(digits)
        return luhn(digits[-10:]) and born(digits[-10:-4]) and 980 <= int(digits[-4:-1]) <= 999
    if kind == "card":
        return luhn(digits) and len(digits) in (15, 16)
    if kind == "iban":
        return mod97(text) and 15 <= len(text.replace(" ", "")) <= 34
    if kind == "phone":
        swedish = "701740(60[5-9]|6[1-9].)|3139006..|4062804..|8465004..|980319[23]..".replace(".", r"\d")
        abroad = r"440?2079460\d{3}|447700900\d{3}|1\d{3}55501\d\d|490?3023125\d{3}|61491570\d{3}"
        return bool(re.fullmatch(rf"(0|46|460|0046)({swedish})|{abroad}", digits))
    if kind == "email":
        ends = ("example", "test", "example.com", "example.org", "example.net", "example.se", "example.edu")
        return text.count("@") == 1 and text.lower().endswith((*ends, "contoso.com", "fabrikam.com"))
    return len(text) >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_are_right(kind: str) -> None:
    random = Random(1)
    made = [secret(kind, random) for _ in range(400)]
    assert [text for text in made if not is_right(kind, text)] == []
    assert len(set(made)) > 80


@pytest.mark.parametrize("kind", ["email", "card", "iban", "national id", "phone"])
def test_reference_sees_what_is_plain(kind: str) -> None:
    """So that it would see a look-alike that is a secret by chance."""
    random = Random(2)
    seen = {found(f"It is {text}, they say.") for _ in range(200) if "0980" not in (text := secret(kind, random))}
    assert None not in seen
    assert seen == {kind} or kind in ("national id", "phone")  # a number of a person may be taken for another


def test_look_alikes_are_harmless() -> None:
    assert [case for case in CASES if case.kind is None and found(text_of(case))] == []


@pytest.mark.parametrize("family", ["card", "personal number", "Aadhaar", "IBAN"])
def test_wrong_checks_are_wrong(family: str) -> None:
    right = mod97 if family == "IBAN" else verhoeff if family == "Aadhaar" else lambda digits: luhn(digits[-16:])
    make = LOOKALIKES[f"{family} with a wrong check"]
    random = Random(4)
    for _ in range(200):
        text = make(random)
        digits = text if family == "IBAN" else re.sub(r"\D", "", text)
        assert not right(digits[-10:] if family == "personal number" else digits), text


@pytest.mark.parametrize("kind", KINDS)
def test_disguises(kind: str) -> None:
    """Each changes the text, and all that are meant for a kind come up."""
    random = Random(5)
    names = set()
    for _ in range(600):
        text = secret(kind, random)
        hidden, name = disguise(text, kind, random)
        names.add(name)
        assert hidden != text
        assert kind in DISGUISES[name][0]
        if name in INVISIBLE:
            assert hidden.replace(INVISIBLE[name], "") == text
    assert names == {name for name, (kinds, _) in DISGUISES.items() if kind in kinds}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("low", [True, False])
def test_no_loop_waits_for_luck(kind: str, low: bool) -> None:
    """A property test may draw the lowest or the highest number every time."""

    class Stuck(Random):
        def random(self) -> float:
            return 0.0 if low else 0.999999

        def choice(self, seq: SupportsLenAndGetItem[T]) -> T:
            return seq[0 if low else len(seq) - 1]

        def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
            first, end = (0, start) if stop is None else (start, stop)
            return first if low else end - step

    random = Stuck()
    text = MAKERS[kind](random)
    assert is_right(kind, text)
    assert disguise(text, kind, random)[0]


def test_source_holds_no_key() -> None:
    """A scanner for secrets takes none of the files for a leak."""
    shapes = r"sk-[A-Za-z0-9]{20}|ghp_\w{36}|AKIA[A-Z0-9]{16}|AIza[\w-]{35}|-----BEGIN [A-Z ]*KEY--"
    data = Path(private_cases.__file__)
    for place in (data, data.with_suffix(".json"), Path(__file__)):
        assert not re.search(shapes, place.read_text(encoding="utf-8"))
