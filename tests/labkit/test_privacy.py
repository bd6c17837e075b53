"""The gate: what it claims on examples and on the set written apart, what it lets through, and how long it takes."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.routing_data.gate import GateReport, judge_gate
from coursekit.routing_data.private_cases import cases
from labkit.routing import privacy
from labkit.routing.privacy import CLAIMED, Hit, Kind, find

ANY_TEXT = st.text(st.characters(codec=None))
SEEDS = range(6)


def kinds(text: Any, *regions: str) -> set[Kind]:
    """The kinds found in one text."""
    return {hit.kind for hit in find(text, regions or ("SE",))}


def glued(*pieces: str) -> str:
    """Keys are put together here, so that a scanner for secrets finds none in this file."""
    return "".join(pieces)


SECRETS = {
    Kind.EMAIL: (
        "anna.berg@example.com",
        "ANNA@EXAMPLE.ORG",
        "mejla anna+faktura-3@post.acme.example.",
        "åsa@förening.example",
        "x@a.xn--p1ai",
        "a n n a @ e x a m p l e . c o m",
        "anna (at) example (dot) com",
        "anna%40example.com",
        "anna＠example.com",
        "an\u200bna@exa\u00admple.com",
        f"{'a' * 64}@{'b' * 63}.example",
    ),
    Kind.PHONE: (
        "070-174 06 05",
        "0701740605",
        "(08) 465 004 00",
        "+46 70 174 06 05",
        "+46 (0)70-174 06 05",
        "004670-1740605",
        "+(46) 70 174 06 05",
        "+44 20 7946 0123",
        "+1 (415) 555-0123",
        "tel:%2B46+70+174+06+05",
        "+٤٦ ٧٠ ١٧٤ ٠٦ ٠٥",
        "ring 070–174 06 05!",
        "0701740605-a",
    ),
    Kind.NATIONAL_ID: (
        "850709-9805",
        "8507099805",
        "19850709-9805",
        "198507099805",
        "850769-9802",
        "120101+9802",
        "८५०७०९-९८०५",
        "131052-308T",
        "131052 - 308t",
        "9999 4105 7058",
    ),
    Kind.CARD: (
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
        "3782 822463 10005",
        "4242424242424242.",
        "card4111111111111111x",
        "４１１１ １１１１ １１１１ １１１１",
        "4111111111111111-abc",
        "4111 1111\n1111 1111",
    ),
    Kind.IBAN: (
        "GB82 WEST 1234 5698 7654 32",
        "gb82west12345698765432",
        "SE45 5000 0000 0583 9825 7466",
        "DE89370400440532013000",
        "konto:NO9386011117947,",
        "MT84MALT011000012345MTLCAST001S",
    ),
    Kind.KEY: (
        glued("sk", "-proj-abcdefgh12345678abcd"),
        glued("gh", "p_abcdefghijklmnopqrstuvwxyz0123456789"),
        glued("AK", "IAABCDEFGHIJKLMNOP"),
        glued("xo", "xb-123456789012-abc"),
        glued("ey", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh"),
        glued("-----BEGIN RSA PRIVATE", " KEY-----\nabc"),
        glued("postgres", "://anna:hemligt7@db.internal.test/x"),
        glued("api-", "key: 0123456789abcdef"),
        glued("pass", "word = 'Sommar2024%'"),
        glued("lösen", "ord: Tr0llhättan"),
        glued("DB_PASS", "WORD=hunter2x"),
        glued("Bearer ", "abcdef0123456789abcdef"),
    ),
    Kind.NAME: ("Write to Anna Lindqvist", "My name is Kiran", "Jag heter Åsa", "Dear Mr. Whitcombe", "Priya K. Rao"),
}
EXAMPLES = [(kind, text) for kind, shown in SECRETS.items() for text in shown]


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_found(kind: Kind, text: str) -> None:
    assert kind in kinds(text)
    assert kind in kinds(f"Please rewrite this: «{text}» for me.")


@pytest.mark.parametrize(
    "text",
    [
        "Show me the weather",
        "classical sonata",
        "",
        "a@b",
        "root@localhost",
        "@app.route('/x')",
        "y = W @ x.T",
        "kl. 9 @ kontoret",
        "user@host, or actions/checkout@v4",
        "112 and 1177 and 90 000",
        "1 299,90 kr on 2026-03-11 09:25",
        "192.0.2.17:8080",
        "10.0.19045.4021",
        "3.14159265358979323846264338327950288419716939937510",
        "59.32931, 18.06858",
        "123 456 789",
        "070-174",
        "850709-9806",
        "854709-9805",
        "131052-308U",
        "9999 4105 7059",
        "2345 7447 5432",
        "1-9999-4105-7058",
        "0.4111111111111111",
        "4111 1111 1111 1112",
        "1234567890123456",
        "GB82 WEST 1234 5698 7654 33",
        "ZZ82 WEST 1234 5698 7654 32",
        "550e8400-e29b-41d4-a716-446655440000",
        "commit 0701740605abcdef0701740605abcdef07017406",
        "a task-force for risk-averse desk-bound people",
        "sk-...",
        "sk-learn-is-an-old-name-of-a-package",
        "ghp_xxxx",
        "https://docs.example/guide?page=3",
        "api_key='not-needed'",
        "password = os.environ['PASS1']",
        "password: ********",
        "password: <your key 1>",
        "password = getpass1()",
        "lösenord: minst tolv tecken",
        "a token limit of 4096 tokens",
        "the token width32 of a model",
        "password: 2024-11-23",
        "-----BEGIN PRIVATE KEY-----",
        "Ruby on Rails",
        "March and April",
        "Göteborg Central",
        "my name is on the list",
        "anna lindqvist",
    ],
)
def test_nothing_private(text: str) -> None:
    assert find(text) == ()


@pytest.mark.parametrize("kind", CLAIMED)
def test_every_kind_is_found_beside_all_others(kind: Kind) -> None:
    text = "\n\n".join(shown[0] for shown in SECRETS.values())
    assert [hit.kind for hit in find(text)] == list(SECRETS)
    assert kind not in kinds("\n\n".join(shown[0] for other, shown in SECRETS.items() if other != kind))


def test_a_hit_carries_no_text() -> None:
    hits = find([{"role": "user", "content": text} for _, text in EXAMPLES])
    assert [field.name for field in dataclasses.fields(Hit)] == ["kind", "message"]
    assert len(hits) >= len(EXAMPLES)
    assert all(type(hit.kind) is Kind and type(hit.message) is int for hit in hits)


def test_each_message_counts_whoever_wrote_it() -> None:
    chat: list[dict[str, Any]] = [
        {"role": "system", "content": "Answer anna@example.com and bo@example.com."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Call 070-174 06 05 or mail anna@example.com."},
        {"role": "user", "content": [{"type": "text", "text": "Hm"}, {"type": "text", "text": "4111111111111111"}]},
    ]
    assert find(chat) == (Hit(Kind.EMAIL, 0), Hit(Kind.EMAIL, 2), Hit(Kind.PHONE, 2), Hit(Kind.CARD, 3))


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": '{"to": "a@example.com"}'}}]},
        {"role": "user", "name": "a@example.com", "content": "Hi"},
        {"role": "tool", "content": [{"type": "text", "text": "a@example.com"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "not for a@example.com"}]},
    ],
)
def test_wherever_in_a_message(message: dict[str, Any]) -> None:
    assert find([message]) == (Hit(Kind.EMAIL, 0),)


@pytest.mark.parametrize(
    ("part", "unreadable"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, True),
        ({"type": "input_audio", "input_audio": {}}, True),
        ({"type": "file", "file": {}}, True),
        ({"type": "text", "text": "Hi"}, False),
        ({"type": "refusal", "refusal": "No"}, False),
        ({"text": "Hi"}, False),
        ("Hi", False),
    ],
)
@pytest.mark.parametrize("many", [list, tuple])
def test_what_is_no_text_counts_as_private(part: Any, unreadable: bool, many: type) -> None:
    chat = [{"role": "user", "content": "Hi"}, {"role": "user", "content": many([part])}]
    assert find(chat) == ((Hit(Kind.UNREADABLE, 1),) if unreadable else ())


def test_regions() -> None:
    swedish, indian = "070-174 06 05", "098765 43210"
    assert kinds(swedish) == {Kind.PHONE}
    assert kinds(swedish, "IN") == set()
    assert kinds(indian) == set()
    assert kinds(indian, "IN") == kinds(indian, "SE", "IN") == {Kind.PHONE}
    assert kinds("+91 98765 43210", "SE") == kinds("0046 70 174 06 05", "US") == {Kind.PHONE}


@given(ANY_TEXT | st.text("0123456789 +-@.:/\\u%4sk-eyJAnB\n"))
def test_any_text_can_be_looked_at(text: str) -> None:
    hits = find([{"role": "user", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}])
    assert {hit.kind for hit in hits} <= set(Kind) - {Kind.UNREADABLE}
    first = [hit.kind for hit in hits if hit.message == 0]
    assert first == [hit.kind for hit in hits if hit.message == 1]
    assert first == sorted(set(first), key=list(Kind).index)


@given(st.sampled_from(EXAMPLES), ANY_TEXT, ANY_TEXT)
def test_what_stands_around_hides_nothing(example: tuple[Kind, str], before: str, after: str) -> None:
    kind, text = example
    if kind in CLAIMED:
        assert kind in kinds(f"{before}\n\n« {text} »\n\n{after}")


@pytest.fixture(scope="module")
def reports() -> list[GateReport]:
    """How the gate did on several sets that were made by somebody else."""
    return [judge_gate(cases(seed), find) for seed in SEEDS]


def test_every_secret_of_a_claimed_kind_is_found(reports: list[GateReport]) -> None:
    missed = [(case.kind, case.note) for report in reports for case in report.missed if case.kind in CLAIMED]
    assert missed == []
    assert all(report.found[kind][1] >= 8 for report in reports for kind in CLAIMED)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_kind_that_is_found_is_the_right_one(seed: int) -> None:
    wrong = [
        case.note
        for case in cases(seed)
        if case.kind in CLAIMED and case.kind not in {hit.kind for hit in find(case.messages)}
    ]
    assert wrong == []


def test_harmless_chats_go_through(reports: list[GateReport]) -> None:
    assert all(report.precision > 0.97 and report.harmless > 150 for report in reports)


def test_names_are_a_best_effort(reports: list[GateReport]) -> None:
    """The lesson says that some are missed: were all found, or few, it would have to say something else."""
    found, every = map(sum, zip(*(report.found[Kind.NAME] for report in reports), strict=True))
    assert 0.5 < found / every < 1


# Long texts. What repeats tempts a pattern to try again from every place.
LONG = 200_000
REPEATED = {
    "digits": "4",
    "spaces": " ",
    "letters": "a",
    "at signs": "@",
    "tabs": "\t",
    "line breaks": "\n",
    "carriage returns": "\r",
    "spaces and line breaks": " \n",
    "non-breaking spaces": "\u00a0",
    "short addresses": "a@",
    "spaced at signs": "         @",
    "labels": "a.",
    "prefix of a key": "sk-",
    "prefixes after a dash": "-sk-a",
    "prefix of a token": "-eyJaaaaaaaa",
    "pieces of a token": "eyJaaaaaaaaa.",
    "schemes": "abc://",
    "words before a value": "password ",
    "assignments": "password:=",
    "headers": "-----BEGIN A",
    "names": "Anna ",
    "brackets": "  [",
    "hexadecimal": "0000-",
    "spaced letters": "a ",
    "spaced digits": "1 ",
    "spaced zeros": "0 ",
    "dashed digits": "12-",
    "dotted digits": "1.",
    "added digits": "1+",
    "foreign calls": "00-",
    "digits in lines": "1\n",
    "dates": "010101-",
    "wrong cards": "4111 1111 1111 1112 ",
    "beginnings of an IBAN": "SE45",
    "web codes": "%40",
    "JSON codes": "\\ud800",
    "letters that unfold": "\ufb03",
    "accents": "\u0301",
}


GROUPS = ("1 ", "0 ", "1.", "1+", "00-", "1\n")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", REPEATED.values(), ids=REPEATED)
def test_long_texts_do_not_take_for_ever(piece: str) -> None:
    # Of groups of digits each is looked at several times over: that this grows as the text does is counted below.
    length = LONG // 4 if piece in GROUPS else LONG
    find((piece * length)[:length] + " x")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("before", "blanks"), [("1", " "), ("Anna", " "), ("password", " "), ("Mr", "\n"), ("@", "\t")]
)
def test_long_blanks_inside(before: str, blanks: str) -> None:
    assert find(f"{before}{blanks * LONG}x") == ()


@pytest.mark.parametrize("piece", [*GROUPS, "12-", "4111 1111 1111 1112 "])
def test_work_grows_as_the_text_does(piece: str) -> None:
    """Counted, not timed: the numbers that are looked at in a text of twice the length are twice as many."""
    one, two = (sum(1 for _ in privacy._numbers(piece * count)) for count in (500, 1000))
    assert one > 500
    assert two < 2.1 * one


def test_a_number_that_comes_again_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(privacy, "_planned", lambda number, *_: asked.append(number))
    assert find("0 " * 5000) == ()
    assert 5 < len(asked) < 100


def test_one_decision_is_quick() -> None:
    """Generous: the benchmark says how quick. A secret at the very end of a page is found, too."""
    page = "The quick brown fox jumps over the lazy dog. " * 40
    start = time.perf_counter()
    assert kinds(f"{page} anna@example.com") == {Kind.EMAIL}
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "text", "text": "anna.berg@"}, {"type": "text", "text": "example.com"}]},
        {"content": "Hi", "tool_calls": [{"function": {"arguments": {"anna.berg@example.com": 1}}}]},
        {"content": {"to": ["anna.berg@example.com"]}},
    ],
    ids=["over two parts", "a name of a field", "deep"],
)
def test_an_address_is_found_wherever_a_message_holds_it(message: dict[str, Any]) -> None:
    assert [hit.kind for hit in find([message])] == [Kind.EMAIL]


def test_a_number_that_is_no_text_is_read() -> None:
    message = {"content": "Hi", "tool_calls": [{"function": {"arguments": {"card": 4111111111111111}}}]}
    assert [hit.kind for hit in find([message])] == [Kind.CARD]
