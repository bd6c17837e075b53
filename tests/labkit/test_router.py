"""The router: where an answer comes from and why, what happens when an endpoint fails, and what Stop leaves behind."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import pytest

import labkit
from foundry_mock import Behaviour, Counters, Fault, MockEndpoint, Step
from labkit.chat_view import ChatView
from labkit.connection import TIMEOUT, Connection, Source
from labkit.errors import LabError, RoutingError, StreamError
from labkit.events import COMPLETE, End, Event, Failure, Finish, FirstToken, Text, Usage
from labkit.routing.cloud import Cloud, Price
from labkit.routing.privacy import Kind
from labkit.routing.resilience import Breaker, Retries, State
from labkit.routing.router import PASSED_OVER, Decision, Reason, Routed, Router, Target
from labkit.routing.scorers import Cascade, Recorded, WordCount
from tests.conftest import Reply
from tests.support.doubles import Clock, Doubts, Fixed, fail, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from labkit.streaming import Answer
    from tests.conftest import Asked, Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]
    Messages = str | Sequence[Mapping[str, Any]]

T = TypeVar("T")
LOCAL, CLOUD = Target.LOCAL, Target.CLOUD
QUICK = Behaviour(first_token=0.001, rate=2000)
STEADY = Behaviour(first_token=0.01, rate=50)
PRICE = Price(1.0, 4.0)
PATIENT = {LOCAL: 30.0, CLOUD: 30.0}
HASTY = {LOCAL: 0.2, CLOUD: 0.2}
EASY, HARD = 0.0, 1.0
MAIL = "Write to anna.lindqvist@example.com, please."


@dataclass(frozen=True)
class Never:
    """A scorer that must not be asked."""

    def score(self, messages: object) -> float:
        raise AssertionError(f"asked for a score of {messages}")


@dataclass
class Lab:
    """A local endpoint and a simulated cloud, and routers over them that wait without waiting."""

    local: MockEndpoint
    cloud: MockEndpoint
    nobody: str  # an address where nobody listens
    clock: Clock = field(default_factory=Clock)
    waits: list[float] = field(default_factory=list)
    price: Price | None = PRICE
    source: Source = Source.MOCK

    def __post_init__(self) -> None:
        self.local_url, self.cloud_url = self.local.base_url, self.cloud.base_url

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def cloud_of_it(self) -> Cloud:
        return Cloud(Connection(self.cloud_url, self.cloud.model, Source.SIMULATED), self.price, simulated=True)

    @property
    def connection(self) -> Connection:
        return Connection(self.local_url, self.local.model, self.source)

    def breakers(self, failures: int = 3) -> dict[Target, Breaker]:
        return {target: Breaker(failures, 10.0, self.clock) for target in Target}

    def router(self, score: float = EASY, **changes: Any) -> Router:
        settings: dict[str, Any] = {
            "retries": Retries(random=Random(7)),
            "patience": PATIENT,
            "breakers": self.breakers(),
            "sleep": self.sleep,
        } | changes
        return Router(self.connection, self.cloud_of_it, settings.pop("scorer", Fixed(score)), **settings)

    def half_open(self, breaker: Breaker) -> Breaker:
        """The breaker, which lets one request through to see whether the endpoint works again."""
        fail(breaker, 60)
        self.clock.now += 60
        return breaker

    @property
    def started(self) -> tuple[int, int]:
        """How many requests each has had: local, cloud."""
        return self.local.counters.started, self.cloud.counters.started

    def behave(self, behaviour: Behaviour) -> None:
        self.local.state.behaviour = self.cloud.state.behaviour = behaviour


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[MockEndpoint, MockEndpoint]]:
    with MockEndpoint(QUICK) as local, MockEndpoint(QUICK) as cloud:
        yield local, cloud


@pytest.fixture
def lab(endpoints: tuple[MockEndpoint, MockEndpoint], closed_port: int) -> Lab:
    """The two endpoints as if they had just begun."""
    for mock in endpoints:
        assert wait_until(lambda mock=mock: not (mock.counters.running or mock.counters.waiting), 10)  # type: ignore[misc]
        while mock.state.next_step().fault is not Fault.NONE:
            pass
        mock.state.behaviour, mock.state.counters = QUICK, Counters()
    return Lab(*endpoints, f"http://127.0.0.1:{closed_port}/v1")


async def read(answer: Answer) -> list[Event]:
    """All events. An error is raised after its Failure, which is the last event."""
    seen: list[Event] = []
    raised = None
    try:
        async for event in answer:
            seen.append(event)  # noqa: PERF401 - events before an error count
    except LabError as error:
        raised = error
    assert [event.error for event in seen if isinstance(event, Failure)] == ([raised] if raised else [])
    return seen


@dataclass(frozen=True)
class Asking:
    """One answer that has ended, and its events."""

    answer: Routed
    events: list[Event]

    @property
    def decision(self) -> Decision:
        assert self.answer.decision is not None
        return self.answer.decision

    @property
    def tried(self) -> str:
        """Each attempt as its target and how it ended."""
        return ", ".join(f"{each.target} {each.ended}" for each in self.decision.tried)

    @property
    def shown(self) -> str:
        return "".join(event.text for event in self.events)


def drive(router: Router, use: Callable[[Router], Awaitable[T]]) -> T:
    """Use a router in an event loop, and close it there."""

    async def use_and_close() -> T:
        try:
            return await use(router)
        finally:
            await router.aclose()

    return asyncio.run(use_and_close())


def ask_each(router: Router, *questions: Messages, **options: object) -> list[Asking]:
    """Some questions one after the other."""

    async def all_of_them(_: Router) -> list[Asking]:
        answers = [router.stream(question, **options) for question in questions]
        return [Asking(answer, await read(answer)) for answer in answers]

    return drive(router, all_of_them)


def ask(router: Router, question: Messages = "Count to 5.", **options: object) -> Asking:
    return ask_each(router, question, **options)[0]


async def until(done: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(wait_until, done, 10)


async def stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Scenarios.


@dataclass(frozen=True)
class Row:
    """How the endpoints behave and how the router is set, and what the user then gets.

    `tried` has one text for each question that is asked; the other expectations are those of the last one.
    """

    tried: str | Sequence[str]
    reason: Reason
    text: str = "1 2 3 4 5"
    error: type[LabError] | None = None
    said: Sequence[str] = ()  # in the error
    cost: float | None = 0.0  # in millionths of a dollar
    waits: Sequence[tuple[float, float]] = ()  # shortest and longest
    open: Sequence[Target] = ()  # breakers, in the end

    score: float = EASY
    local: Sequence[Fault | Step] = ()
    cloud: Sequence[Fault | Step] = ()
    away: Target | None = None
    tripped: Sequence[Target] = ()  # breakers, in the beginning
    pause: float = 0.0  # after that
    question: str = "Count to 5."
    options: Mapping[str, object] = field(default_factory=dict)
    doubt: float | None = None
    attempts: int = 3
    failures: int = 3
    patience: Mapping[Target, float] = field(default_factory=lambda: PATIENT)
    price: Price | None = PRICE
    source: Source = Source.MOCK


ERROR, DROP, OVERFLOW, HANG = Fault.SERVER_ERROR, Fault.DROP, Fault.OVERFLOW, Fault.HANG
EARLY_DROP, EARLY_END = Step(Fault.DROP, after=0), Step(Fault.TRUNCATE, after=0)
TWO_WAITS = ((0, 0.25), (0, 0.5))
NO_LEAVE = ("This conversation may not leave this machine (found: email), and the local model does not answer. Local",)
ROWS = {
    # The score.
    "easy": Row("local finished", Reason.EASY),
    "just easy": Row("local finished", Reason.EASY, score=0.4999),
    "just hard": Row("cloud finished", Reason.HARD, score=0.5, cost=28),
    "hard": Row("cloud finished", Reason.HARD, score=HARD, cost=28),
    # A target fails before it has answered: three tries, two waits, and then the other one.
    "local fails": Row(
        "local refused, local dropped, local dropped, cloud finished", Reason.LOCAL_FAILED, cost=28, waits=TWO_WAITS,
        local=[ERROR, EARLY_DROP, EARLY_END], open=[LOCAL],
    ),
    "cloud fails": Row(
        "cloud refused, cloud dropped, cloud dropped, local finished", Reason.CLOUD_FAILED, waits=TWO_WAITS,
        score=HARD, cloud=[ERROR, EARLY_DROP, EARLY_END], open=[CLOUD],
    ),
    "one attempt": Row(
        "local refused, cloud finished", Reason.LOCAL_FAILED, cost=28, local=[ERROR] * 9, attempts=1
    ),
    "four attempts": Row(
        f"{4 * 'local refused, '}cloud finished", Reason.LOCAL_FAILED, cost=28, waits=(*TWO_WAITS, (0, 1)),
        local=[ERROR] * 9, attempts=4, failures=99,
    ),
    "a second try answers": Row("local refused, local finished", Reason.EASY, waits=[(0, 0.25)], local=[ERROR]),
    "a short Retry-After": Row(
        "cloud refused, cloud finished", Reason.HARD, cost=28, waits=[(2, 2.25)],
        score=HARD, cloud=[Step(Fault.RATE_LIMIT, retry_after=2)],
    ),
    "a long Retry-After opens the breaker": Row(
        ["cloud refused, local finished", "cloud passed over, local finished"], Reason.CLOUD_FAILED, open=[CLOUD],
        score=HARD, cloud=[Step(Fault.RATE_LIMIT, retry_after=60)],
    ),
    "too long a request": Row(
        ["local refused, cloud finished"] * 4, Reason.LOCAL_FAILED, cost=28, local=[OVERFLOW] * 4
    ),
    # Silence. Where the wrong patience is taken, the test runs out of time.
    "no headers": Row(
        "cloud timed out, local finished", Reason.CLOUD_FAILED, score=HARD, cloud=[HANG] * 2,
        patience={LOCAL: 60, CLOUD: 0.2},
    ),
    "no text": Row(
        "cloud timed out, local finished", Reason.CLOUD_FAILED, score=HARD, cloud=[Fault.HANG_FIRST] * 2,
        patience=HASTY,
    ),
    "no headers here": Row(
        "local timed out, cloud finished", Reason.LOCAL_FAILED, cost=28, local=[HANG], patience={LOCAL: 0.2, CLOUD: 60}
    ),
    "a timeout of the request": Row(
        "cloud timed out, local finished", Reason.CLOUD_FAILED, score=HARD, cloud=[HANG], options={"timeout": 0.2},
    ),
    # Text was shown: the reader keeps it and sees an error, and no endpoint is asked again.
    "local breaks off": Row("local dropped", Reason.EASY, "1 2 3", StreamError, ["broke off"], local=[DROP]),
    "local ends too early": Row("local dropped", Reason.EASY, "1 2 3", StreamError, local=[Fault.TRUNCATE]),
    "local falls silent": Row(
        "local timed out", Reason.EASY, "1 2 3", StreamError, local=[Fault.HANG_MIDDLE], patience=HASTY
    ),
    "cloud breaks off": Row("cloud dropped", Reason.HARD, "1 2 3", StreamError, cost=12, score=HARD, cloud=[DROP]),
    "cloud falls silent": Row(
        "cloud timed out", Reason.HARD, "1 2 3", StreamError, cost=12, score=HARD, cloud=[Fault.HANG_MIDDLE],
        patience=HASTY,
    ),
    # A private conversation never reaches the cloud.
    "private, no local model": Row(
        f"{2 * 'local refused, '}local refused", Reason.PRIVATE, "", RoutingError, (*NO_LEAVE, "Local, 3 times: "),
        waits=TWO_WAITS, score=HARD, doubt=1.0, away=LOCAL, question=MAIL, open=[LOCAL],
    ),
    "private, breaker open": Row(
        "local passed over", Reason.PRIVATE, "", RoutingError, NO_LEAVE,
        score=HARD, tripped=[LOCAL], question=MAIL, open=[LOCAL],
    ),
    "private, local fails": Row(
        "local refused, local dropped, local refused", Reason.PRIVATE, "", RoutingError, NO_LEAVE, waits=TWO_WAITS,
        score=HARD, local=[ERROR, EARLY_DROP, ERROR], question=MAIL, open=[LOCAL],
    ),
    "private, local refuses": Row(
        "local refused", Reason.PRIVATE, "", RoutingError, NO_LEAVE, score=HARD, local=[OVERFLOW], question=MAIL
    ),
    "private, local silent": Row(
        "local timed out", Reason.PRIVATE, "", RoutingError, NO_LEAVE,
        score=HARD, local=[HANG], question=MAIL, patience=HASTY,
    ),
    "private, the local endpoint may be a proxy": Row(
        "", Reason.PRIVATE, "", RoutingError, ["(found: email), and http://127.0.0.1:", "may send it to another one"],
        question=MAIL, source=Source.BASE_URL,
    ),
    # No target answers: the error names what was tried.
    "both fail": Row(
        f"{3 * 'local refused, '}cloud refused", Reason.LOCAL_FAILED, "", RoutingError,
        [
            "Neither the local model nor the cloud answers. Local, 3 times: The endpoint failed inside (Inference",
            ". Cloud: The messages and the answer do not fit",
        ],
        waits=TWO_WAITS, local=[ERROR] * 3, cloud=[OVERFLOW], open=[LOCAL],
    ),
    "both refuse": Row(
        "local refused, cloud refused", Reason.LOCAL_FAILED, "", RoutingError,
        ["Local: The messages and the answer do not fit", "Cloud: The messages and the answer do not fit"],
        local=[OVERFLOW], cloud=[OVERFLOW],
    ),
    "both breakers open": Row(
        "local passed over, cloud passed over", Reason.LOCAL_FAILED, "", RoutingError,
        ["Local: Its breaker is open. Cloud: Its breaker is open"], tripped=list(Target), open=list(Target),
    ),
    "a target that was passed over is not asked after all": Row(
        "local passed over, cloud refused", Reason.LOCAL_FAILED, "", RoutingError,
        tripped=[LOCAL], cloud=[OVERFLOW], open=[LOCAL],
    ),
    # Breakers.
    "three failures open it": Row(
        ["local refused, cloud finished"] * 3 + ["local passed over, cloud finished"], Reason.LOCAL_FAILED, cost=28,
        local=[ERROR] * 3, attempts=1, open=[LOCAL],
    ),
    "a success between keeps it closed": Row(
        [*["local refused, cloud finished"] * 2, "local finished", *["local refused, cloud finished"] * 2],
        Reason.LOCAL_FAILED, cost=28, local=[ERROR, ERROR, Fault.NONE, ERROR, ERROR], attempts=1,
    ),
    "a probe that answers closes it": Row("local finished", Reason.EASY, tripped=[LOCAL], pause=60),
    "a probe that fails is the only one": Row(
        "local refused, cloud finished", Reason.LOCAL_FAILED, cost=28,
        local=[ERROR], tripped=[LOCAL], pause=60, open=[LOCAL],
    ),
    "a probe that is refused for itself leaves the next one": Row(
        ["local refused, cloud finished", "local finished"], Reason.EASY, local=[OVERFLOW], tripped=[LOCAL], pause=60
    ),
    # Cascade: the local answer is held back until it has passed its check.
    "an answer that passes": Row("local finished", Reason.EASY, score=HARD, doubt=0.49),
    "an answer in doubt": Row(
        "local doubted, cloud refused, cloud finished", Reason.DOUBTED, cost=28, waits=[(0, 0.25)],
        doubt=0.5, cloud=[ERROR],
    ),
    "in doubt, no cloud": Row(
        f"local doubted{3 * ', cloud refused'}", Reason.CLOUD_FAILED, "1 2 3", waits=TWO_WAITS,
        doubt=1.0, away=CLOUD, options={"max_tokens": 3}, open=[CLOUD],
    ),
    "in doubt, breaker open": Row(
        "local doubted, cloud passed over", Reason.CLOUD_FAILED, doubt=1.0, tripped=[CLOUD], open=[CLOUD]
    ),
    "in doubt, cloud silent": Row(
        "local doubted, cloud timed out", Reason.CLOUD_FAILED, doubt=1.0, cloud=[Fault.HANG_FIRST], patience=HASTY
    ),
    "in doubt, cloud breaks off": Row(
        "local doubted, cloud dropped", Reason.DOUBTED, "1 2 3", StreamError, cost=12, doubt=1.0, cloud=[DROP]
    ),
    "cascade, no local model": Row(
        f"{3 * 'local refused, '}cloud finished", Reason.LOCAL_FAILED, cost=28, waits=TWO_WAITS,
        doubt=0.0, away=LOCAL, open=[LOCAL],
    ),
    "cascade, what was not shown is asked for again": Row(
        "local dropped, local finished", Reason.EASY, waits=[(0, 0.25)], doubt=0.0, local=[DROP]
    ),
    # Cost, where the price is not known.
    "no price": Row("cloud finished", Reason.HARD, cost=None, score=HARD, price=None),
    "no price, and local": Row("local finished", Reason.EASY, price=None),
    "no price, and refused": Row(
        "cloud refused, local finished", Reason.CLOUD_FAILED, score=HARD, cloud=[OVERFLOW], price=None
    ),
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_scenario(lab: Lab, row: Row) -> None:
    assert lab.connection.retries > 0  # the client's own retries, which would be counted at the endpoint
    lab.price, lab.source = row.price, row.source
    if row.away is LOCAL:
        lab.local_url = lab.nobody
    if row.away is CLOUD:
        lab.cloud_url = lab.nobody
    lab.local.fail(*row.local)
    lab.cloud.fail(*row.cloud)
    router = lab.router(
        row.score, cascade=None if row.doubt is None else Doubts(row.doubt), breakers=lab.breakers(row.failures),
        retries=Retries(row.attempts, random=Random(7)), patience=row.patience,
    )  # fmt: skip
    for target in row.tripped:
        fail(router.breakers[target], 60)
    lab.clock.now += row.pause
    expected = [row.tried] if isinstance(row.tried, str) else row.tried
    askings = ask_each(router, *[row.question] * len(expected), **row.options)
    assert [each.tried for each in askings] == list(expected)
    sent = [each.target for asked in askings for each in asked.decision.tried if each.ended != PASSED_OVER]
    assert lab.started == tuple(0 if row.away is target else sent.count(target) for target in Target)
    assert [target for target in Target if router.breakers[target].state is State.OPEN] == list(row.open)
    assert len(lab.waits) == len(row.waits)
    assert all(low <= wait <= high for wait, (low, high) in zip(lab.waits, row.waits, strict=True))
    check_answer(row, askings[-1])


def check_answer(row: Row, asked: Asking) -> None:
    decision, trace, last = asked.decision, asked.answer.trace, asked.events[-1]
    assert (decision.reason, decision.threshold, decision.simulated) == (row.reason, 0.5, True)
    assert decision.private == ((Kind.EMAIL,) if row.question == MAIL else ())
    assert decision.score == (None if decision.private or row.doubt is not None else row.score)
    assert decision.cost == (None if row.cost is None else pytest.approx(row.cost / 1_000_000))
    assert asked.shown == asked.answer.text == row.text
    times = [event.at for event in asked.events]
    vain = sum(each.seconds for each in decision.tried if each.ended not in COMPLETE)
    assert times == sorted(times)
    assert vain <= times[-1] <= decision.seconds
    assert sum(each.seconds for each in decision.tried) <= decision.seconds
    assert all(each.seconds >= 0.2 for each in decision.tried if each.ended == End.TIMED_OUT)
    if row.error:
        assert isinstance(last, Failure)
        assert type(last.error) is row.error
        assert trace.error is last.error
        assert trace.ended == (decision.tried[-1].ended if row.text else End.REFUSED)
        assert last.error.fix
        assert all(words in last.error.message for words in row.said)
        assert "anna" not in str(last.error)
        return
    answered = LOCAL if decision.reason in (Reason.EASY, Reason.PRIVATE, Reason.CLOUD_FAILED) else CLOUD
    assert decision.target is answered
    short = "max_tokens" in row.options
    kinds = [FirstToken, *[Text] * (row.text.count(" ")), Usage, Finish]
    assert [type(event) for event in asked.events] == kinds
    assert isinstance(last, Finish)
    assert last.reason == ("length" if short else "stop")
    assert (trace.ended, trace.error) == (End.LENGTH if short else End.FINISHED, None)
    assert (trace.prompt_tokens, trace.tokens) == (8, len(row.text.split()))
    assert trace.first_text is not None
    assert trace.first_text - trace.request >= (vain if row.doubt is None else 0)


# Decisions.


def test_the_threshold_is_the_routers(lab: Lab) -> None:
    assert lab.router(0.7, threshold=0.71).decide("Hi").target is LOCAL
    assert lab.router(0.7, threshold=0.7).decide("Hi").target is CLOUD


def test_deciding_asks_nobody(lab: Lab) -> None:
    router = lab.router(scorer=WordCount(3))
    assert router.decide("one two").reason is Reason.EASY
    assert router.decide("one two three").reason is Reason.HARD
    assert lab.started == (0, 0)
    assert router.decide("one two three").tried == ()


def test_deciding_while_both_breakers_are_open(lab: Lab) -> None:
    """Then there is no other target to choose."""
    router = lab.router()
    for breaker in router.breakers.values():
        fail(breaker, 60)
    decision = router.decide("Hi")
    assert (decision.reason, decision.tried) == (Reason.EASY, ())


def test_nothing_is_sent_before_the_first_event(lab: Lab) -> None:
    answer = lab.router().stream("Count to 5.")
    assert answer.decision is None
    assert answer.text == ""
    assert lab.started == (0, 0)
    asyncio.run(answer.aclose())


def parts(*contents: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"role": "user", "content": list(contents)}]


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def call(arguments: object) -> dict[str, object]:
    function = {"name": "send", "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


LAST: list[dict[str, object]] = [{"role": "user", "content": "Thanks. Now count to 5."}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        (MAIL, Kind.EMAIL),
        ([{"role": "user", "content": MAIL}, {"role": "assistant", "content": "Yes."}, *LAST], Kind.EMAIL),
        ([{"role": "system", "content": MAIL}, *LAST], Kind.EMAIL),
        ([{"role": "system", "content": MAIL}, {"role": "user", "content": MAIL}], Kind.EMAIL),
        ([*LAST, {"role": "assistant", "content": MAIL}, *LAST], Kind.EMAIL),
        (parts(text("Hi."), text(MAIL)), Kind.EMAIL),
        ([*LAST, call('{"to": "anna.lindqvist@example.com"}'), *LAST], Kind.EMAIL),
        ([*LAST, call({"to": ["anna.lindqvist@example.com"]}), *LAST], Kind.EMAIL),
        ([*LAST, {"role": "tool", "tool_call_id": "1", "content": MAIL}, *LAST], Kind.EMAIL),
        ([{"role": "user", "name": "anna@example.com", "content": "Hi"}], Kind.EMAIL),
        (parts(text("What is this?"), PICTURE), Kind.UNREADABLE),
        (parts(text("Listen."), {"type": "input_audio", "input_audio": {"data": "AAAA"}}), Kind.UNREADABLE),
    ],
    ids=[
        "question", "early", "system", "twice", "assistant", "parts", "tool call", "tool call as an object", "tool",
        "name", "picture", "sound",
    ],
)  # fmt: skip
def test_private_stays_here(lab: Lab, messages: Messages, kind: Kind) -> None:
    """Wherever it stands, and however hard the question is; no score is even asked for."""
    asked = ask(lab.router(scorer=Never(), cascade=Doubts(1.0)), messages)
    assert asked.decision.reason is Reason.PRIVATE
    assert asked.decision.private == (kind,)
    assert asked.decision.score is None
    assert asked.answer.text
    assert lab.started == (1, 0)
    assert kind in str(asked.decision)


def test_the_same_without_a_secret_goes_out(lab: Lab) -> None:
    """So that the test above is one of privacy."""
    messages: Messages = [{"role": "system", "content": "Be brief."}, *LAST, call('{"to": "all"}'), *LAST]
    assert ask(lab.router(HARD), messages).decision.target is CLOUD
    assert lab.started == (0, 1)


def test_regions_are_the_gates(lab: Lab) -> None:
    """A British number without its country code is known where the region is told."""
    number = "Call 0117 496 0123."
    assert ask(lab.router(HARD), number).decision.target is CLOUD
    asked = ask(lab.router(HARD, regions=("GB",)), number)
    assert (asked.decision.target, asked.decision.private) == (LOCAL, (Kind.PHONE,))


def test_what_the_gate_has_read_is_what_is_sent(lab: Lab) -> None:
    """A caller that changes its messages while the local model fails does not get the change past the gate."""
    messages: list[dict[str, str]] = [{"role": "user", "content": "Count to 5."}]

    async def change(_: float) -> None:
        messages[0]["content"] = MAIL

    lab.local.fail(Fault.SERVER_ERROR, Fault.SERVER_ERROR, Fault.SERVER_ERROR)
    asked = ask(lab.router(sleep=change), messages)
    assert messages[0]["content"] == MAIL
    assert asked.decision.target is CLOUD
    assert asked.answer.text == "1 2 3 4 5"


@pytest.mark.parametrize("content", [iter([text(MAIL)]), {MAIL}, MAIL.encode()], ids=["iterator", "set", "bytes"])
def test_what_the_gate_cannot_read_is_not_sent(lab: Lab, content: object) -> None:
    """The client would take some of these apart and send them."""
    with pytest.raises(RoutingError, match="JSON"):
        lab.router(HARD).stream([{"role": "user", "content": content}])
    assert lab.started == (0, 0)


@pytest.mark.parametrize("private", [False, True])
def test_simulated_is_said(lab: Lab, private: bool) -> None:
    decision = lab.router(HARD).decide(MAIL if private else "Hi")
    assert decision.simulated
    assert str(decision).startswith("local: private" if private else "simulated cloud: score at or above")
    real = replace(lab.cloud_of_it, simulated=False)
    assert str(Router(lab.connection, real, Fixed(HARD)).decide("Hi")).startswith("cloud: score")


def test_a_decision_in_words(lab: Lab) -> None:
    lab.cloud.fail(Fault.OVERFLOW)
    said = str(ask(lab.router(0.75)).decision)
    assert said == ("local: the cloud failed; score 0.75, threshold 0.50; tried cloud (refused), local (finished)")


def test_patience_is_not_for_connecting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where packets are dropped, the next target is asked after the few seconds that connecting may take."""
    reach, waits = httpx2.AsyncHTTPTransport.handle_async_request, []

    async def unreachable(transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        if str(request.url).startswith(lab.local_url):
            waits.append(request.extensions["timeout"]["connect"])
            raise httpx2.ConnectTimeout("", request=request)
        return await reach(transport, request)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", unreachable)
    asked = ask(lab.router())
    assert waits == [TIMEOUT.connect]
    assert asked.tried == "local timed out, cloud finished"


def test_an_error_of_the_scorer(lab: Lab) -> None:
    asked = ask(lab.router(scorer=Recorded({})))
    error = asked.answer.trace.error
    assert error is not None
    assert "no recorded score" in error.message
    assert asked.answer.decision is None
    assert lab.started == (0, 0)


def test_one_probe_at_a_time(lab: Lab) -> None:
    """Of some questions at once, one goes to the endpoint that may work again."""
    lab.behave(STEADY)
    router = lab.router()
    breaker = lab.half_open(router.breakers[LOCAL])

    async def at_once(_: Router) -> list[str]:
        answers = [router.stream("Count to 5.") for _ in range(4)]
        await asyncio.gather(*map(read, answers))
        return [answer.text for answer in answers]

    assert drive(router, at_once) == ["1 2 3 4 5"] * 4
    assert lab.started == (1, 3)
    assert breaker.state is State.CLOSED


def test_a_real_cascade(lab: Lab) -> None:
    json, plain = ask_each(lab.router(cascade=Cascade()), "Say hello as JSON.", "What is the capital of Sweden?")
    assert json.tried == "local doubted, cloud finished"
    assert plain.tried == "local finished"


def test_what_is_held_back_is_not_shown(lab: Lab) -> None:
    """It is not in the events, nor in `text`, which a ChatView shows while it grows."""
    lab.behave(STEADY)
    seen: list[str] = []

    class Looks(Cascade):
        def doubt(self, messages: object, answer: str) -> float:  # noqa: ARG002
            seen.append(routed.text)
            return 1.0

    router = lab.router(cascade=Looks())
    routed = router.stream("Count to 5.")

    async def look(_: Router) -> None:
        async for event in routed:
            seen.append(event.text)
            assert routed.text == "".join(seen)

    drive(router, look)
    assert seen[0] == ""
    assert "".join(seen) == "1 2 3 4 5"


def test_waits_count(lab: Lab) -> None:
    lab.local.fail(ERROR)
    asked = ask(lab.router(sleep=lambda _: asyncio.sleep(0.1)))
    assert asked.events[0].at >= 0.1
    assert asked.decision.seconds >= sum(each.seconds for each in asked.decision.tried) + 0.1


def test_a_scorer_that_waits_does_not_block_the_event_loop(lab: Lab) -> None:
    """Embeddings ask a model for each score."""
    ticked = threading.Event()

    class Waits:
        def score(self, _: object) -> float:
            assert ticked.wait(10)
            return EASY

    async def go(router: Router) -> None:
        asyncio.get_running_loop().call_later(0.05, ticked.set)
        assert await read(router.stream("Count to 3."))

    drive(lab.router(scorer=Waits()), go)


# Stop.


async def leave_the_loop(answer: Answer) -> None:
    async for _ in answer:
        break


async def close(answer: Answer) -> None:
    reading = aiter(answer)
    await anext(reading)
    await answer.aclose()


async def leave_the_block(answer: Answer) -> None:
    async with answer:
        async for _ in answer:
            break


async def cancel(answer: Answer) -> None:
    task = asyncio.create_task(read(answer))
    await until(lambda: bool(answer.text))
    await stop(task)


@pytest.mark.parametrize("probe", [False, True], ids=["closed", "half open"])
@pytest.mark.parametrize("leave", [leave_the_loop, close, leave_the_block, cancel])
def test_stop_closes_upstream(lab: Lab, leave: Callable[[Answer], Awaitable[None]], probe: bool) -> None:
    """A stopped answer says nothing about the endpoint: the next question may go there."""
    lab.behave(STEADY)
    router = lab.router(HARD)
    breaker = router.breakers[CLOUD]
    if probe:
        lab.half_open(breaker)

    async def go(_: Router) -> Routed:
        answer = router.stream("Count to 500.")
        await leave(answer)
        await until(lambda: lab.cloud.counters.running == 0)
        assert breaker.ready
        again = router.stream("Count to 3.")
        await read(again)
        assert again.text == "1 2 3"
        return answer

    asked = Asking(drive(router, go), [])
    assert lab.cloud.counters.aborted == 1
    assert lab.started == (0, 2)
    assert breaker.state is State.CLOSED
    assert (asked.answer.trace.ended, asked.answer.trace.error) == (End.STOPPED, None)
    assert asked.tried == "cloud stopped"
    assert 0 < asked.decision.tried[0].seconds <= asked.decision.seconds
    assert asked.decision.cost == pytest.approx(len(asked.answer.trace.chunks) * 4e-6)
    assert asked.answer.text


def test_leaving_at_the_end_is_a_success(lab: Lab) -> None:
    """A probe whose answer was whole closes the breaker, also where the loop was left at its last event."""
    router = lab.router(HARD)
    breaker = lab.half_open(router.breakers[CLOUD])

    async def go(_: Router) -> Routed:
        async with router.stream("Count to 5.") as answer:
            async for event in answer:
                if isinstance(event, Finish):
                    break
        assert isinstance(answer, Routed)
        return answer

    asked = Asking(drive(router, go), [])
    assert breaker.state is State.CLOSED
    assert asked.answer.trace.ended is End.FINISHED
    assert asked.tried == "cloud finished"


BETWEEN = "between two tries"


@pytest.mark.parametrize(
    ("moment", "question", "probe"),
    [
        *[(moment, "Count to 500.", probe) for moment in ("no headers", "no text", "in the queue", "held back")
          for probe in (False, True)],
        (BETWEEN, "Count to 5.", False),
        (BETWEEN, MAIL, False),
    ],
)  # fmt: skip
def test_stop_before_anything_is_shown(lab: Lab, moment: str, question: str, probe: bool) -> None:
    """Nothing more is sent, and the error of a first try is not the answer's end."""
    held = moment == "held back"
    lab.behave(STEADY if held else replace(STEADY, first_token=60, slots=1))
    lab.local.fail(*{"no headers": [HANG], BETWEEN: [ERROR]}.get(moment, []))
    paused = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    router = lab.router(cascade=Doubts(1.0) if held else None, sleep=pause)
    breaker = router.breakers[LOCAL]
    if probe:
        lab.half_open(breaker)
    before = 1 if moment == "in the queue" else 0

    async def go(_: Router) -> Routed:
        others = [asyncio.create_task(read(labkit.stream(lab.connection, "Hi"))) for _ in range(before)]
        await until(lambda: lab.local.counters.running == before)
        answer = router.stream(question)
        task = asyncio.create_task(read(answer))
        await until(lambda: paused.is_set() if moment == BETWEEN else lab.started[0] == before + 1)
        await stop(task)
        await until(lambda: lab.local.counters.running == before and not lab.local.counters.waiting)
        for other in others:
            await stop(other)
        return answer

    answer = drive(router, go)
    assert lab.started == (before + 1, 0)
    assert breaker.ready
    assert (answer.trace.ended, answer.trace.error, answer.text) == (End.STOPPED, None, "")
    assert Asking(answer, []).tried == ("local refused" if moment == BETWEEN else "local stopped")


# In the place of a connection.


def test_stream_takes_a_router(lab: Lab) -> None:
    async def go(router: Router) -> Answer:
        answer = labkit.stream(router, "Count to 5.", max_tokens=3)
        assert isinstance(answer, Routed)
        await read(answer)
        with pytest.raises(RuntimeError, match="once"):
            aiter(answer)
        return answer

    answer = drive(lab.router(HARD), go)
    assert (answer.text, answer.trace.ended) == ("1 2 3", End.LENGTH)
    assert lab.started == (0, 1)


def view(router: Router, **options: object) -> ChatView:
    return ChatView(router, **options)  # type: ignore[arg-type] # it says Connection, and takes what streams


def test_a_chat_view_takes_a_router(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole history goes through the gate each time: what was private once keeps the chat here."""

    async def go(router: Router) -> list[str]:
        chat = view(router, system="Be brief.", context=4096)
        for question, started in (
            ("What is the capital of Sweden?", (0, 1)),
            (f"My name is Astrid. {MAIL}", (1, 1)),
            ("What is my name?", (2, 1)),
        ):
            await chat.ask(question)
            assert lab.started == started
        return [str(message["role"]) for message in chat.messages]

    assert drive(lab.router(HARD), go) == ["system"] + ["user", "assistant"] * 3
    said = capsys.readouterr().out
    assert "Stockholm" in said
    assert "Your name is Astrid." in said


def test_a_chat_view_says_why_there_is_no_answer(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.local_url = lab.nobody

    async def go(router: Router) -> None:
        chat = view(router)
        await chat.ask(MAIL)
        assert chat.messages == []

    drive(lab.router(), go)
    said = capsys.readouterr().out
    assert "may not leave this machine" in said
    assert "python lab.py serve" in said
    assert lab.started == (0, 0)


def test_a_chat_view_shows_one_answer_of_a_cascade(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """It looks at `text` ten times a second: the local answer, which is not good enough, must not be there."""
    lab.local.state.behaviour = Behaviour(first_token=0.001, rate=40)
    lab.cloud.state.behaviour = Behaviour(first_token=0.15, rate=40)
    drive(lab.router(cascade=Doubts(1.0)), lambda router: view(router).ask("Count to 12."))
    assert capsys.readouterr().out.strip() == "1 2 3 4 5 6 7 8 9 10 11 12"


def test_stop_of_a_chat_view(lab: Lab) -> None:
    lab.behave(STEADY)

    async def go(router: Router) -> Answer:
        chat = view(router)
        asking = asyncio.create_task(chat.ask("Count to 500."))
        await until(lambda: bool(chat.last and chat.last.text))
        chat.stop()
        answer = await asyncio.wait_for(asking, 10)
        await until(lambda: lab.cloud.counters.running == 0)
        assert chat.messages[-1]["content"] == answer.text
        return answer

    assert drive(lab.router(HARD), go).trace.ended is End.STOPPED


def test_closing_leaves_the_given_connections_and_their_runtime_open(lab: Lab) -> None:
    """A connection in this process owns its runtime; a router that borrows it must not end it."""

    class Runtime:
        closed = False

        def close(self) -> None:
            self.closed = True

    runtime = Runtime()
    local, cloud = replace(lab.connection, _runtime=runtime), lab.cloud_of_it  # type: ignore[arg-type]
    router = Router(local, cloud, WordCount(4), patience=PATIENT)

    async def go() -> None:
        given = [local.async_client, cloud.connection.async_client]
        for question in ("Count to 3.", "Now please count to 3."):
            await read(router.stream(question))
        assert lab.started == (1, 1)
        own = [connection.async_client for connection in router._connections.values()]
        assert not any(client.is_closed() for client in own)
        await router.aclose()
        assert all(client.is_closed() for client in own)
        assert not any(client.is_closed() for client in given)
        for client in given:
            await client.close()

    asyncio.run(go())
    assert not runtime.closed
    local.close()
    assert runtime.closed


def test_the_key_of_the_cloud_is_sent_and_not_said(lab: Lab, loopback: Serve) -> None:
    """It is refused by an endpoint that repeats it; the local model answers."""
    key = "k-7f3a-never-shown"
    refused = Reply(b'{"error": {"message": "Incorrect API key provided: ' + key.encode() + b'"}}', 401)
    server = loopback(refused)
    cloud = Cloud(Connection(server.base_url, "gpt", Source.CLOUD, key), None, simulated=False)
    router = Router(lab.connection, cloud, Fixed(HARD), patience=PATIENT, sleep=lab.sleep)
    asked = ask(router)
    assert len(server.asked) == 1
    assert server.asked[0].headers["authorization"] == f"Bearer {key}"
    assert asked.tried == "cloud refused, local finished"
    shown = [str(asked.decision), repr(asked.decision), repr(router), str(asked.events)]
    assert [each for each in shown if key in each] == []


def test_what_goes_along_passes_the_gate_too(lab: Lab) -> None:
    """A user's name or a tool is sent as well."""
    router = lab.router(HARD)
    assert router.decide("Hi", {"user": "anna.berg@example.com"}).reason is Reason.PRIVATE
    assert router.decide("Hi", {"temperature": 0.5}).reason is Reason.HARD
    asked = ask(router, "Hi", user="anna.berg@example.com")
    assert asked.answer.decision is not None
    assert asked.answer.decision.private == (Kind.EMAIL,)
    assert lab.started == (1, 0)
