"""The gate: what it claims on examples and on a set of made-up chats, how a text looks to it, and how long it takes.

At the end a thousand made-up chats go through a router whose endpoints fail at random. No secret of a claimed kind may
reach the cloud, wherever it is and however it is disguised. A question has one answer: what was shown is a whole
answer or the beginning of one, and the decision counts every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import json
import socket
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coursekit.routing_data.gate import GateReport, judge_gate
from coursekit.routing_data.private_cases import cases, disguise, secret
from foundry_mock import Behaviour, Fault, MockEndpoint, Step, requests, scripts
from foundry_mock.answers import ChatResponse
from labkit.connection import Connection, Source
from labkit.errors import LabError, RoutingError, StreamError
from labkit.events import End, Failure, Finish, FirstToken, Usage
from labkit.routing import privacy
from labkit.routing.cloud import Cloud, Price
from labkit.routing.privacy import CLAIMED, Hit, Kind, find, plain, texts, views
from labkit.routing.resilience import Breaker, Retries
from labkit.routing.router import DOUBTED, PASSED_OVER, Reason, Routed, Router, Target
from tests.support.doubles import Clock, Doubts, Fixed, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from foundry_mock.answers import Slots
    from foundry_mock.behaviour import State
    from labkit.events import Event

Message = dict[str, Any]

ANY_TEXT = st.text(st.characters(codec=None))  # with lone surrogates, which JSON may carry
SEEDS = range(6)


# Examples.


def kinds(text: Any, *regions: str) -> set[Kind]:
    """The kinds found in one text."""
    return {hit.kind for hit in find(text, regions or ("SE",))}


def glued(*pieces: str) -> str:
    """Keys are put together here, so that a scanner for secrets finds none in this file."""
    return "".join(pieces)


SECRETS = {
    Kind.EMAIL: (
        "anna.berg@example.com", "ANNA@EXAMPLE.ORG", "mejla anna+faktura-3@post.acme.example.",
        "åsa@förening.example", "x@a.xn--p1ai", "a n n a @ e x a m p l e . c o m", "anna (at) example (dot) com",
        "anna%40example.com", "anna＠example.com", "an\u200bna@exa\u00admple.com", f"{'a' * 64}@{'b' * 63}.example",
    ),
    Kind.PHONE: (
        "070-174 06 05", "0701740605", "(08) 465 004 00", "+46 70 174 06 05", "+46 (0)70-174 06 05", "004670-1740605",
        "+(46) 70 174 06 05", "+44 20 7946 0123", "+1 (415) 555-0123", "tel:%2B46+70+174+06+05", "+٤٦ ٧٠ ١٧٤ ٠٦ ٠٥",
        "ring 070–174 06 05!", "0701740605-a",
    ),
    Kind.NATIONAL_ID: (
        "850709-9805", "8507099805", "19850709-9805", "198507099805", "850769-9802", "120101+9802", "८५०७०९-९८०५",
        "131052-308T", "131052 - 308t", "9999 4105 7058",
    ),
    Kind.CARD: (
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
        "3782 822463 10005", "4242424242424242.", "card4111111111111111x", "４１１１ １１１１ １１１１ １１１１",
        "4111111111111111-abc", "4111 1111\n1111 1111",
    ),
    Kind.IBAN: (
        "GB82 WEST 1234 5698 7654 32", "gb82west12345698765432", "SE45 5000 0000 0583 9825 7466",
        "DE89370400440532013000", "konto:NO9386011117947,", "MT84MALT011000012345MTLCAST001S",
    ),
    Kind.KEY: (
        glued("sk", "-proj-abcdefgh12345678abcd"), glued("gh", "p_abcdefghijklmnopqrstuvwxyz0123456789"),
        glued("AK", "IAABCDEFGHIJKLMNOP"), glued("xo", "xb-123456789012-abc"),
        glued("ey", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh"), glued("-----BEGIN RSA PRIVATE", " KEY-----\nabc"),
        glued("postgres", "://anna:hemligt7@db.internal.test/x"), glued("api-", "key: 0123456789abcdef"),
        glued("pass", "word = 'Sommar2024%'"), glued("lösen", "ord: Tr0llhättan"), glued("DB_PASS", "WORD=hunter2x"),
        glued("Bearer ", "abcdef0123456789abcdef"),
    ),
    Kind.NAME: ("Write to Anna Lindqvist", "My name is Kiran", "Jag heter Åsa", "Dear Mr. Whitcombe", "Priya K. Rao"),
}  # fmt: skip
EXAMPLES = [(kind, text) for kind, shown in SECRETS.items() for text in shown]


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_found(kind: Kind, text: str) -> None:
    assert kind in kinds(text)
    assert kind in kinds(f"Please rewrite this: «{text}» for me.")


HARMLESS_TEXTS = [
    "Show me the weather", "classical sonata", "", "a@b", "root@localhost", "@app.route('/x')", "y = W @ x.T",
    "kl. 9 @ kontoret", "user@host, or actions/checkout@v4", "112 and 1177 and 90 000",
    "1 299,90 kr on 2026-03-11 09:25", "192.0.2.17:8080", "10.0.19045.4021",
    "3.14159265358979323846264338327950288419716939937510", "59.32931, 18.06858", "123 456 789", "070-174",
    "850709-9806", "854709-9805", "131052-308U", "9999 4105 7059", "2345 7447 5432", "1-9999-4105-7058",
    "0.4111111111111111", "4111 1111 1111 1112", "1234567890123456", "GB82 WEST 1234 5698 7654 33",
    "ZZ82 WEST 1234 5698 7654 32", "550e8400-e29b-41d4-a716-446655440000",
    "commit 0701740605abcdef0701740605abcdef07017406", "a task-force for risk-averse desk-bound people", "sk-...",
    "sk-learn-is-an-old-name-of-a-package", "ghp_xxxx", "https://docs.example/guide?page=3", "api_key='not-needed'",
    "password = os.environ['PASS1']", "password: ********", "password: <your key 1>", "password = getpass1()",
    "lösenord: minst tolv tecken", "a token limit of 4096 tokens", "the token width32 of a model",
    "password: 2024-11-23", "-----BEGIN PRIVATE KEY-----", "Ruby on Rails", "March and April", "Göteborg Central",
    "my name is on the list", "anna lindqvist",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS_TEXTS)
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


def call(arguments: object) -> Message:
    return {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": arguments}}]}


def part(text: str) -> Message:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        ({"role": "system", "content": "Answer a@example.com and b@example.com."}, [Kind.EMAIL]),
        ({"role": "assistant", "content": "Call 070-174 06 05 or mail a@example.com."}, [Kind.EMAIL, Kind.PHONE]),
        ({"role": "user", "name": "a@example.com", "content": "Hi"}, [Kind.EMAIL]),
        ({"role": "user", "content": [part("Hm"), part("4111111111111111")]}, [Kind.CARD]),
        ({"role": "user", "content": [part("anna.berg@"), part("example.com")]}, [Kind.EMAIL]),
        ({"role": "tool", "content": [part("a@example.com")]}, [Kind.EMAIL]),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "not for a@example.com"}]}, [Kind.EMAIL]),
        ({"content": {"to": ["a@example.com"]}}, [Kind.EMAIL]),
        (call('{"to": "a@example.com"}'), [Kind.EMAIL]),
        (call({"a@example.com": 1}), [Kind.EMAIL]),
        (call({"card": 4111111111111111}), [Kind.CARD]),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}, [Kind.UNREADABLE]),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, [Kind.UNREADABLE]),
        ({"role": "user", "content": ({"type": "file", "file": {}},)}, [Kind.UNREADABLE]),
        ({"role": "user", "content": [part("Hi"), {"type": "refusal", "refusal": "No"}, {"text": "Hi"}, "Hi"]}, []),
    ],
)
def test_wherever_in_a_message(message: Message, kinds: list[Kind]) -> None:
    """One hit for each kind and message, whoever wrote it; a part that is not text counts as private."""
    chat = [{"role": "user", "content": "Hi"}, message, message]
    assert find(chat) == tuple(Hit(kind, number) for number in (1, 2) for kind in kinds)


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
    claimed = [case for seed in SEEDS for case in cases(seed) if case.kind in CLAIMED]
    assert [case.note for case in claimed if case.kind not in {hit.kind for hit in find(case.messages)}] == []
    assert all(report.found[kind][1] >= 8 for report in reports for kind in CLAIMED)


def test_harmless_chats_go_through(reports: list[GateReport]) -> None:
    assert all(report.precision > 0.97 and report.harmless > 150 for report in reports)


def test_names_are_a_best_effort(reports: list[GateReport]) -> None:
    """The lesson says that some are missed: were all found, or few, it would have to say something else."""
    found, every = map(sum, zip(*(report.found[Kind.NAME] for report in reports), strict=True))
    assert 0.5 < found / every < 1


# A text as a reader sees it.


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        *[(f"nr {''.join(chr(zero + digit) for digit in range(10))}.", "nr 0123456789.")
          for zero in (0xFF10, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x1D7CE)],
        *[(f"4{sign}11{sign}{sign}1", "4111")
          for sign in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\ufe00\ufe0f\u202e"],
        *[(f"070{dash}17", "070-17") for dash in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"],
        *[(f"070{space}17", "070 17") for space in "\u00a0\u1680\u2002\u2009\u202f\u205f\u3000"],
        *[(f"a{sign}b", "a\nb") for sign in "\u2028\u2029"],
        ("anna＠example．com", "anna@example.com"),
        ("Ａｎｎａ", "Anna"),
        ("Åsa Öhrn", "Åsa Öhrn"),
        ("A\u030asa", "Åsa"),
        ("क\u094dष 你好 🌊", "क\u094dष 你好 🌊"),
        ("x²", "x2"),
    ],
)  # fmt: skip
def test_plain(text: str, seen: str) -> None:
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
        ("a n n a @ e x . c o m", "anna@ex.com"),
        ("nr 4  1\t1   1 5 end", "nr 41115 end"),
        ("anna@\nexample.com", "anna@example.com"),
        ("anna \n  @example.com", "anna@example.com"),
        ("anna@ \nexample.com\n2 eggs", "anna@example.com\n2 eggs"),
        ("anna\n@example.com\n2 eggs", "anna@example.com\n2 eggs"),
        (f"anna\n{' ' * 40}@example.com", "anna@example.com"),
        ("anna @ example . com", "anna@example.com"),
        ("anna(at)example[dot]com", "anna@example.com"),
        ("anna ( AT ) example { Dot } com", "anna@example.com"),
        ("anna [snabel-a] example [punkt] se", "anna@example.se"),
        ("anna%40example.com", "anna@example.com"),
        ("anna\\u0040example.com", "anna@example.com"),
        ("4111\\u200b1111", "41111111"),
        ("see\\\\nanna@example.com", "see\nanna@example.com"),  # JSON inside JSON
        ("4111%E2%80%8B1111", "41111111"),
        ("ghp_abc \r\n  def", "ghp_abcdef"),
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
        ("Hi", ["Hi"]),
        (None, []),
        (7, []),
        (b"Hi", []),
        ([{"type": "text", "text": "Hi"}], ["text", "Hi"]),
        (({"a": ["b", {"c": ("d",)}]}, "e"), ["b", "d", "e"]),
        (
            [{"function": {"name": "send", "arguments": '{"to": "anna"}'}}],
            ["send", '{"to": "anna"}'],
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


# Long texts. What repeats tempts a pattern to try again from every place.
LONG = 200_000
REPEATED = [
    "4", " ", "a", "@", "\t", "\n", "\r", " \n", "\u00a0", "a@", "         @", "a.", "sk-", "-sk-a", "-eyJaaaaaaaa",
    "eyJaaaaaaaaa.", "abc://", "password ", "password:=", "-----BEGIN A", "Anna ", "  [", "0000-", "a ", "1 ", "0 ",
    "12-", "1.", "1+", "00-", "1\n", "010101-", "4111 1111 1111 1112 ", "SE45", "%40", "\\ud800", "\ufb03", "\u0301",
]  # fmt: skip
GROUPS = ("1 ", "0 ", "1.", "1+", "00-", "1\n")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", REPEATED)
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


# Chats through a router whose endpoints fail.

QUICK = Behaviour(first_token=0.0, rate=1e6, slots=64)
LIMIT = 8
CHATS = 6
PATIENT = {Target.LOCAL: 30.0, Target.CLOUD: 30.0}
HASTY = {Target.LOCAL: 0.3, Target.CLOUD: 0.3}


@dataclass(frozen=True)
class Chat:
    """A conversation, and the secret that stands in it somewhere; None in a harmless one."""

    messages: list[Message]
    secret: str | None = None
    note: str = ""


def harmless(random: Random) -> list[Message]:
    return [dict(message) for message in random.choice(HARMLESS).messages]


HARMLESS = [case for seed in range(4) for case in cases(seed) if case.kind is None]
FRAMES = ("Keep this: {}", "{}", "Hej! {} Tack.", "What does it say here?\n\n{}\n", "Läs {} högt.")


def tool_call(arguments: str) -> Message:
    function = {"name": "note", "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": function}]}


# How one message can hold a text.
HOLDERS: Mapping[str, Callable[[str], Message]] = {
    "user": lambda text: {"role": "user", "content": text},
    "system": lambda text: {"role": "system", "content": text},
    "developer": lambda text: {"role": "developer", "content": text},
    "assistant": lambda text: {"role": "assistant", "content": text},
    "tool": lambda text: {"role": "tool", "tool_call_id": "a", "content": text},
    "parts": lambda text: {"role": "user", "content": [{"type": "text", "text": part} for part in ("Hi.", text)]},
    "tool call": lambda text: tool_call(json.dumps({"text": text})),
    "refusal": lambda text: {"role": "assistant", "content": None, "refusal": text},
}


def private(random: Random) -> Chat:
    """A secret of a claimed kind, plain or disguised, in a message of any role at any place of a longer chat."""
    kind = random.choice(CLAIMED).value
    text, name = secret(kind, random), "plain"
    if random.random() < 0.6:
        text, name = disguise(text, kind, random)
    holder = random.choice(list(HOLDERS))
    messages = harmless(random) + (harmless(random) if random.random() < 0.5 else [])
    messages.insert(random.randrange(len(messages) + 1), HOLDERS[holder](random.choice(FRAMES).format(text)))
    return Chat(messages, text, f"{kind}, {name}, {holder}")


def chat(random: Random) -> Chat:
    return private(random) if random.random() < 0.5 else Chat(harmless(random))


def strings(value: object) -> Iterator[str]:
    """Every text in a request, and in the JSON that stands inside a text."""
    if isinstance(value, str):
        yield value
        if value.startswith("{"):
            with contextlib.suppress(ValueError):
                yield from strings(json.loads(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(key)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def whole(messages: list[Message]) -> str:
    """The whole answer that either endpoint gives to a conversation."""
    body = json.dumps({"model": "any", "messages": messages}).encode()
    return "".join(scripts.script(requests.chat(body).messages, LIMIT, ()).pieces)


async def no_wait(_: float) -> None:
    """Wait for nothing."""


@dataclass
class World:
    """A router over two endpoints, one loop for all examples, what each endpoint was sent, and what has been seen."""

    local: MockEndpoint
    cloud: MockEndpoint
    runner: asyncio.Runner
    bodies: dict[Target, list[bytes]] = field(default_factory=lambda: {target: [] for target in Target})
    chats: set[str] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clock = Clock()
        cloud = Connection(self.cloud.base_url, self.cloud.model, Source.SIMULATED)
        local = Connection(self.local.base_url, self.local.model, Source.MOCK)
        self.router = Router(local, Cloud(cloud, Price(1, 4), simulated=True), Fixed(0), sleep=no_wait)

    def endpoint(self, target: Target) -> MockEndpoint:
        return self.local if target is Target.LOCAL else self.cloud

    def note(self, state: State, body: bytes) -> None:
        self.bodies[Target.LOCAL if state is self.local.state else Target.CLOUD].append(body)

    def prepare(self, plan: Plan) -> None:
        """Fresh breakers, and the faults that the next requests meet."""
        for target, steps in ((Target.LOCAL, plan.local), (Target.CLOUD, plan.cloud)):
            state = self.endpoint(target).state
            while state._steps:
                state.next_step()
            state.queue(steps)
            self.bodies[target].clear()
        router = self.router
        router.scorer = Fixed(plan.score)
        router.cascade = None if plan.doubt is None else Doubts(plan.doubt)
        router.retries = Retries(plan.attempts, random=Random(plan.seed))
        router.patience = HASTY if plan.hangs else PATIENT
        router.breakers = {target: Breaker(plan.failures, 10.0, self.clock) for target in Target}

    async def ask(self, chat: Chat) -> tuple[Routed, list[Event]]:
        answer, events = self.router.stream(chat.messages, max_tokens=LIMIT), []
        with contextlib.suppress(LabError):
            async for event in answer:
                events.append(event)  # noqa: PERF401 - what came before an error counts
        return answer, events


def listener(address: tuple[str, int]) -> socket.socket:
    """A listener whose connections do not wait 40 ms for each other's acknowledgement (Nagle), so that tests are quick.

    asyncio sees to it by itself only for sockets that were made with the number of the protocol.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(address)
    made.listen()
    return made


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[MockEndpoint, MockEndpoint]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_server", listener)
        local, cloud = MockEndpoint(QUICK).start(), MockEndpoint(QUICK).start()
    with contextlib.ExitStack() as stack:
        stack.callback(local.stop)
        stack.callback(cloud.stop)
        yield local, cloud


@pytest.fixture
def world(endpoints: tuple[MockEndpoint, MockEndpoint], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # What an error has left open must not be collected in the thread of a mock, while the loop closes it here.
    gc.disable()
    with asyncio.Runner() as runner:
        world = World(*endpoints, runner)
        init = ChatResponse.__init__

        def noting(self: ChatResponse, state: State, slots: Slots, body: bytes) -> None:
            world.note(state, body)
            init(self, state, slots, body)

        monkeypatch.setattr(ChatResponse, "__init__", noting)
        yield world
        gc.enable()
        gc.collect()
        runner.run(world.router.aclose())


@dataclass(frozen=True)
class Plan:
    """What is random in one example: the chats by a seed, the faults of each endpoint, and the router's settings."""

    seed: int  # Hypothesis likes some numbers very much: the chats are drawn from the whole plan
    local: list[Step]
    cloud: list[Step]
    score: float
    doubt: float | None
    attempts: int
    failures: int
    pauses: list[float]
    hangs: bool = False


def faults(*, hangs: bool) -> st.SearchStrategy[list[Step]]:
    """A list of faults, in which no fault is the most frequent one."""
    after = st.integers(0, 4)
    some: list[st.SearchStrategy[Step]] = [
        st.just(Step(Fault.NONE)),
        st.just(Step(Fault.SERVER_ERROR)),
        st.just(Step(Fault.OVERFLOW)),
        st.builds(Step, st.just(Fault.RATE_LIMIT), retry_after=st.sampled_from([0, 0.01, 60])),
        st.builds(Step, st.sampled_from([Fault.DROP, Fault.TRUNCATE]), after),
    ]
    if hangs:
        some.append(st.builds(Step, st.sampled_from([Fault.HANG, Fault.HANG_FIRST, Fault.HANG_MIDDLE]), after))
    return st.lists(st.one_of(some), max_size=10)


def plans(*, hangs: bool) -> st.SearchStrategy[Plan]:
    return st.builds(
        Plan,
        seed=st.integers(0, 2**32),
        local=faults(hangs=hangs),
        cloud=faults(hangs=hangs),
        score=st.sampled_from([0.0, 1.0, 1.0]),
        doubt=st.sampled_from([None, None, None, 0.0, 1.0]),
        attempts=st.integers(1, 3),
        failures=st.integers(1, 3),
        pauses=st.lists(st.sampled_from([0.0, 0.0, 5.0, 100.0]), min_size=CHATS, max_size=CHATS),
        hangs=st.just(hangs),
    )


def check(world: World, plan: Plan) -> None:
    """Ask some chats one after the other, and look at both ends."""
    random = Random(repr(plan))
    world.prepare(plan)
    secrets: list[Chat] = []
    for pause in plan.pauses:
        world.clock.now += pause
        chat_ = chat(random)
        world.chats.add(json.dumps(chat_.messages))
        if chat_.secret is not None:
            secrets.append(chat_)
        before = {target: world.endpoint(target).counters.started for target in Target}
        answer, events = world.runner.run(world.ask(chat_))
        check_requests(world, answer, before)
        check_answer(world, chat_, answer, events)
    check_secrets(world, secrets)
    gc.collect(1)


def check_requests(world: World, answer: Routed, before: Mapping[Target, int]) -> None:
    """The endpoint counted as many requests as the decision tells of."""
    assert answer.decision is not None
    for target in Target:
        told = sum(each.target is target and each.ended != PASSED_OVER for each in answer.decision.tried)
        mock = world.endpoint(target)
        assert wait_until(lambda mock=mock, told=told, target=target: mock.counters.started - before[target] == told)  # type: ignore[misc]
    if answer.decision.private:
        assert {each.target for each in answer.decision.tried} == {Target.LOCAL}


def check_answer(world: World, chat: Chat, answer: Routed, events: list[Event]) -> None:
    """One answer, or the beginning of one and an error, or only an error."""
    assert answer.decision is not None
    expected, shown, last = whole(chat.messages), "".join(event.text for event in events), events[-1]
    assert shown == answer.text
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert sum(isinstance(event, FirstToken) for event in events) == bool(shown)
    assert sum(isinstance(event, Usage) for event in events) <= 1
    assert sum(isinstance(event, Finish | Failure) for event in events) == 1
    tried = [each.ended for each in answer.decision.tried]
    if isinstance(last, Finish):
        assert shown == expected
        assert answer.trace.ended in (End.FINISHED, End.LENGTH)
        assert answer.trace.error is None
        assert sum(ended in (End.FINISHED, End.LENGTH, DOUBTED) for ended in tried) in (1, 2)
        assert sum(ended in (End.FINISHED, End.LENGTH) for ended in tried) <= 1
        world.seen["answered"] += 1
    else:
        assert isinstance(last, Failure)
        assert answer.trace.error is last.error
        assert not set(tried) & {End.FINISHED, End.LENGTH}
        if shown:
            assert isinstance(last.error, StreamError)
            assert expected.startswith(shown)
            assert shown != expected
            world.seen["broken off"] += 1
        else:
            assert isinstance(last.error, RoutingError)
            world.seen["nobody"] += 1
    world.seen[answer.decision.reason] += 1
    world.seen.update(tried)


def check_secrets(world: World, secrets: list[Chat]) -> None:
    """No text in any request that the cloud was sent holds a secret."""
    sent = [list(strings(json.loads(body))) for body in world.bodies[Target.CLOUD]]
    for chat in secrets:
        assert chat.secret is not None
        assert not any(chat.secret in text for texts in sent for text in texts), chat.note
        here = any(chat.secret in text for body in world.bodies[Target.LOCAL] for text in strings(json.loads(body)))
        world.seen["secrets"] += 1
        world.seen["secrets that the local model was sent"] += here
    world.seen["sent to the cloud"] += len(sent)


@pytest.mark.e2e  # half a minute
@pytest.mark.parametrize(("hangs", "examples"), [(False, 300), (True, 12)], ids=["faults", "silence"])
def test_no_secret_leaves_and_no_answer_comes_twice(world: World, hangs: bool, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(plan=plans(hangs=hangs))
    def property_(plan: Plan) -> None:
        check(world, plan)

    property_()
    # All this would also hold if nothing happened: so make sure that it happened.
    seen = world.seen
    if hangs:
        assert seen[End.TIMED_OUT] > 5
        return
    assert len(world.chats) > 1000
    assert seen["secrets"] > 400
    assert seen["secrets that the local model was sent"] > 0.5 * seen["secrets"]
    assert seen["sent to the cloud"] > 300
    assert seen["answered"] > 500
    assert min(seen["broken off"], seen["nobody"]) > 20
    assert min(seen[reason] for reason in Reason) > 0
    assert min(seen[end] for end in (End.LENGTH, End.DROPPED, End.REFUSED, DOUBTED, PASSED_OVER)) > 20


@pytest.mark.e2e
def test_the_search_finds_a_secret(world: World) -> None:
    """Each way to hold one, sent to the cloud by a router whose gate sees nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labkit.routing.privacy.find", lambda *_: ())
        for number, holder in enumerate(HOLDERS):
            random = Random(number)
            text = secret("key", random)
            messages = [HOLDERS[holder](text), {"role": "user", "content": "Count to 5."}]
            world.prepare(Plan(0, [], [], 1.0, None, 1, 3, []))
            world.runner.run(world.ask(Chat(messages)))
            with pytest.raises(AssertionError, match=holder):
                check_secrets(world, [Chat(messages, text, holder)])
