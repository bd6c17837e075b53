"""The router: where an answer comes from and why, what happens when an endpoint fails, and what Stop leaves behind."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

import labkit
from foundry_mock import Behaviour, Counters, Fault, MockEndpoint, Step
from labkit.chat_view import ChatView
from labkit.connection import TIMEOUT, Connection, Source
from labkit.errors import LabError, RequestError, RoutingError, StreamError
from labkit.events import End, Event, Failure, Finish, FirstToken, Text, Usage
from labkit.routing.cloud import Cloud, Price
from labkit.routing.privacy import Kind
from labkit.routing.resilience import Breaker, Retries, State
from labkit.routing.router import DOUBTED, PASSED_OVER, Decision, Reason, Routed, Router, Target
from labkit.routing.scorers import Cascade, WordCount
from tests.conftest import Reply
from tests.support.doubles import Clock, Doubts, Fixed, fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from labkit.streaming import Answer
    from tests.conftest import Asked, Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]
    Messages = str | Sequence[Mapping[str, Any]]

QUICK = Behaviour(first_token=0.001, rate=2000)
STEADY = Behaviour(first_token=0.01, rate=50)
PRICE = Price(1.0, 4.0)
PATIENT = {Target.LOCAL: 30.0, Target.CLOUD: 30.0}
HASTY = {Target.LOCAL: 0.2, Target.CLOUD: 0.2}
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

    def __post_init__(self) -> None:
        self.local_url, self.cloud_url = self.local.base_url, self.cloud.base_url

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def cloud_of_it(self) -> Cloud:
        return Cloud(Connection(self.cloud_url, self.cloud.model, Source.SIMULATED), PRICE, simulated=True)

    @property
    def connection(self) -> Connection:
        return Connection(self.local_url, self.local.model, Source.MOCK)

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
    """All events; the error after a Failure is let go, since the event holds it."""
    seen = []
    with suppress(LabError):
        async for event in answer:
            seen.append(event)  # noqa: PERF401 - what came before an error counts
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
    def tried(self) -> list[tuple[Target, str]]:
        return [(each.target, each.ended) for each in self.decision.tried]

    @property
    def error(self) -> LabError:
        last = self.events[-1]
        assert isinstance(last, Failure)
        return last.error

    @property
    def shown(self) -> str:
        return "".join(event.text for event in self.events)


def ask_each(router: Router, *questions: Messages, **options: object) -> list[Asking]:
    """Some questions one after the other, in a loop of their own."""

    async def all_of_them() -> list[Asking]:
        try:
            answers = [router.stream(question, **options) for question in questions]
            return [Asking(answer, await read(answer)) for answer in answers]
        finally:
            await router.aclose()

    return asyncio.run(all_of_them())


def ask(router: Router, question: Messages = "Count to 5.", **options: object) -> Asking:
    return ask_each(router, question, **options)[0]


def wait_until(done: Callable[[], bool], seconds: float = 1.0) -> bool:
    """Whether something comes true in time."""
    give_up = time.monotonic() + seconds
    while not done() and time.monotonic() < give_up:
        time.sleep(0.005)
    return done()


# Decisions.


@pytest.mark.parametrize(
    ("score", "target", "reason"),
    [
        (0.0, Target.LOCAL, Reason.EASY),
        (0.4999, Target.LOCAL, Reason.EASY),
        (0.5, Target.CLOUD, Reason.HARD),
        (1.0, Target.CLOUD, Reason.HARD),
    ],
)
def test_the_score_decides(lab: Lab, score: float, target: Target, reason: Reason) -> None:
    asked = ask(lab.router(score))
    assert asked.decision == replace(
        Decision(target, reason, score, 0.5, simulated=True),
        tried=asked.decision.tried,
        cost=asked.decision.cost,
        seconds=asked.decision.seconds,
    )
    assert lab.started == ((1, 0) if target is Target.LOCAL else (0, 1))
    assert asked.tried == [(target, End.FINISHED)]
    assert asked.shown == asked.answer.text == "1 2 3 4 5"


def test_the_threshold_is_the_routers(lab: Lab) -> None:
    assert lab.router(0.7, threshold=0.71).decide("Hi").target is Target.LOCAL
    assert lab.router(0.7, threshold=0.7).decide("Hi").target is Target.CLOUD


def test_deciding_asks_nobody(lab: Lab) -> None:
    router = lab.router(scorer=WordCount(3))
    assert router.decide("one two").reason is Reason.EASY
    assert router.decide("one two three").reason is Reason.HARD
    assert lab.started == (0, 0)
    assert router.decide("one two three").tried == ()


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
    assert ask(lab.router(HARD), messages).decision.target is Target.CLOUD
    assert lab.started == (0, 1)


def test_regions_are_the_gates(lab: Lab) -> None:
    """A British number without its country code is known where the region is told."""
    number = "Call 0117 496 0123."
    assert ask(lab.router(HARD), number).decision.target is Target.CLOUD
    asked = ask(lab.router(HARD, regions=("GB",)), number)
    assert (asked.decision.target, asked.decision.private) == (Target.LOCAL, (Kind.PHONE,))


def test_what_the_gate_has_read_is_what_is_sent(lab: Lab) -> None:
    """A caller that changes its messages while the local model fails does not get the change past the gate."""
    messages: list[dict[str, str]] = [{"role": "user", "content": "Count to 5."}]

    async def change(_: float) -> None:
        messages[0]["content"] = MAIL

    lab.local.fail(Fault.SERVER_ERROR, Fault.SERVER_ERROR, Fault.SERVER_ERROR)
    asked = ask(lab.router(sleep=change), messages)
    assert messages[0]["content"] == MAIL
    assert asked.decision.target is Target.CLOUD
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


# Failures.


@pytest.mark.parametrize(
    ("score", "first", "reason"),
    [(EASY, Target.LOCAL, Reason.LOCAL_FAILED), (HARD, Target.CLOUD, Reason.CLOUD_FAILED)],
)
def test_the_other_one_answers(lab: Lab, score: float, first: Target, reason: Reason) -> None:
    """Three tries, two waits, and then the other; nobody sees anything of the first."""
    endpoint = lab.local if first is Target.LOCAL else lab.cloud
    endpoint.fail(Fault.SERVER_ERROR, Step(Fault.DROP, after=0), Step(Fault.TRUNCATE, after=0))
    asked = ask(lab.router(score))
    assert (asked.decision.target, asked.decision.reason) == (first.other, reason)
    assert asked.tried == [
        (first, End.REFUSED),
        (first, End.DROPPED),
        (first, End.DROPPED),
        (first.other, End.FINISHED),
    ]
    assert lab.started == ((3, 1) if first is Target.LOCAL else (1, 3))
    assert asked.shown == asked.answer.text == "1 2 3 4 5"
    assert [type(event) for event in asked.events] == [FirstToken, Text, Text, Text, Text, Usage, Finish]
    assert len(lab.waits) == 2
    assert 0 <= lab.waits[0] <= 0.25
    assert 0 <= lab.waits[1] <= 0.5


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_tries_are_counted_at_the_endpoint(lab: Lab, attempts: int) -> None:
    """None are hidden in the client, whose own retries the connection still has."""
    assert lab.connection.retries > 0
    lab.local.fail(*[Fault.SERVER_ERROR] * 10)
    asked = ask(lab.router(retries=Retries(attempts, random=Random(7)), breakers=lab.breakers(99)))
    assert lab.started == (attempts, 1)
    assert [target for target, _ in asked.tried] == [Target.LOCAL] * attempts + [Target.CLOUD]


def test_a_second_try_may_do(lab: Lab) -> None:
    lab.local.fail(Fault.SERVER_ERROR)
    asked = ask(lab.router())
    assert (asked.decision.target, asked.decision.reason) == (Target.LOCAL, Reason.EASY)
    assert asked.tried == [(Target.LOCAL, End.REFUSED), (Target.LOCAL, End.FINISHED)]
    assert lab.started == (2, 0)
    assert "failed inside" in asked.decision.tried[0].why


def test_a_short_retry_after_is_waited_for(lab: Lab) -> None:
    lab.cloud.fail(Step(Fault.RATE_LIMIT, retry_after=2))
    asked = ask(lab.router(HARD))
    assert asked.decision.target is Target.CLOUD
    assert lab.started == (0, 2)
    assert len(lab.waits) == 1
    assert 2 <= lab.waits[0] <= 2.25


def test_a_long_retry_after_opens_the_breaker(lab: Lab) -> None:
    """Nobody waits, the other answers, and the next question does not even try until the time is over."""
    lab.cloud.fail(Step(Fault.RATE_LIMIT, retry_after=60))
    router = lab.router(HARD)
    first, second = ask_each(router, "Count to 5.", "Count to 3.")
    assert first.tried == [(Target.CLOUD, End.REFUSED), (Target.LOCAL, End.FINISHED)]
    assert second.tried == [(Target.CLOUD, PASSED_OVER), (Target.LOCAL, End.FINISHED)]
    assert second.decision.reason is Reason.CLOUD_FAILED
    assert lab.waits == []
    assert lab.started == (2, 1)
    assert router.breakers[Target.CLOUD].state is State.OPEN
    lab.clock.now += 59
    assert router.decide("Hi").target is Target.LOCAL
    lab.clock.now += 1
    assert router.decide("Hi").target is Target.CLOUD


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_FIRST])
def test_a_time_out_falls_over_without_a_second_try(lab: Lab, fault: Fault) -> None:
    lab.cloud.fail(fault, fault)
    asked = ask(lab.router(HARD, patience=HASTY))
    assert asked.tried == [(Target.CLOUD, End.TIMED_OUT), (Target.LOCAL, End.FINISHED)]
    assert lab.started == (1, 1)
    assert lab.waits == []


def test_patience_is_each_targets_own(lab: Lab) -> None:
    lab.local.fail(Fault.HANG)
    hasty_here = {Target.LOCAL: 0.2, Target.CLOUD: 30.0}
    asked = ask(lab.router(patience=hasty_here))
    assert asked.tried[0] == (Target.LOCAL, End.TIMED_OUT)
    assert asked.decision.seconds < PATIENT[Target.CLOUD] / 2
    assert lab.started == (1, 1)


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
    assert asked.tried == [(Target.LOCAL, End.TIMED_OUT), (Target.CLOUD, End.FINISHED)]


def test_a_timeout_that_is_asked_for_wins(lab: Lab) -> None:
    """The option of one question comes before the router's patience."""
    lab.cloud.fail(Fault.HANG)
    asked = ask(lab.router(HARD), timeout=0.2)
    assert asked.tried[0] == (Target.CLOUD, End.TIMED_OUT)
    assert asked.decision.seconds < PATIENT[Target.CLOUD] / 2


def test_a_request_that_is_too_long_goes_to_the_other(lab: Lab) -> None:
    """Its window may be larger. It is tried once, and does not count against the endpoint."""
    router = lab.router()
    lab.local.fail(*[Fault.OVERFLOW] * 4)
    for asked in ask_each(router, *["Count to 5."] * 4):
        assert asked.tried == [(Target.LOCAL, End.REFUSED), (Target.CLOUD, End.FINISHED)]
    assert router.breakers[Target.LOCAL].state is State.CLOSED
    assert lab.started == (4, 4)


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.TRUNCATE, Fault.HANG_MIDDLE])
@pytest.mark.parametrize("score", [EASY, HARD])
def test_what_was_shown_is_not_replayed(lab: Lab, fault: Fault, score: float) -> None:
    """The reader keeps the part that came, and hears that the rest is missing; nobody else is asked."""
    (lab.local if score == EASY else lab.cloud).fail(fault)
    asked = ask(lab.router(score, patience=HASTY))
    assert isinstance(asked.error, StreamError)
    assert asked.shown == asked.answer.text == "1 2 3"
    assert lab.started == ((1, 0) if score == EASY else (0, 1))
    trace = asked.answer.trace
    assert trace.error is asked.error
    assert trace.ended == asked.tried[-1][1] == (End.TIMED_OUT if fault is Fault.HANG_MIDDLE else End.DROPPED)
    assert len(asked.tried) == 1


def test_the_error_is_raised_after_its_event(lab: Lab) -> None:
    lab.local.fail(Fault.DROP)

    async def go() -> None:
        router = lab.router()
        async for _ in router.stream("Count to 5."):
            pass

    with pytest.raises(StreamError, match="broke off"):
        asyncio.run(go())


def test_private_and_no_local_model(lab: Lab) -> None:
    """It fails closed: the cloud is there, and is not asked."""
    lab.local_url = lab.nobody
    asked = ask(lab.router(HARD, cascade=Doubts(1.0)), MAIL)
    assert isinstance(asked.error, RoutingError)
    assert "may not leave this machine" in asked.error.message
    assert "email" in asked.error.message
    assert "anna" not in str(asked.error)
    assert asked.error.fix
    assert asked.tried == [(Target.LOCAL, End.REFUSED)] * 3
    assert asked.answer.text == ""
    assert lab.started == (0, 0)


def test_private_while_the_breaker_is_open(lab: Lab) -> None:
    router = lab.router(HARD)
    fail(router.breakers[Target.LOCAL], 60)
    asked = ask(router, MAIL)
    assert isinstance(asked.error, RoutingError)
    assert asked.decision.private == (Kind.EMAIL,)
    assert asked.tried == [(Target.LOCAL, PASSED_OVER)]
    assert lab.started == (0, 0)


@pytest.mark.parametrize("fault", [Fault.OVERFLOW, Fault.SERVER_ERROR, Fault.HANG, Step(Fault.DROP, after=0)])
def test_private_and_a_failing_local_model(lab: Lab, fault: Fault | Step) -> None:
    lab.local.fail(*[fault] * 3)
    asked = ask(lab.router(HARD, patience=HASTY), MAIL)
    assert isinstance(asked.error, RoutingError)
    assert lab.cloud.counters.started == 0
    assert {target for target, _ in asked.tried} == {Target.LOCAL}


def test_both_are_down(lab: Lab) -> None:
    """The error names what was tried, and the trace has it too, which is what a ChatView shows."""
    lab.local.fail(*[Fault.SERVER_ERROR] * 3)
    lab.cloud.fail(Fault.OVERFLOW)
    asked = ask(lab.router())
    error = asked.error
    assert isinstance(error, RoutingError)
    assert error.message.startswith("Neither the local model nor the cloud answers")
    assert "Local, 3 times: The endpoint failed inside (Inference failed" in error.message
    assert "Cloud: The messages and the answer do not fit" in error.message
    assert asked.answer.trace.error is error
    assert asked.answer.trace.ended is End.REFUSED
    assert lab.started == (3, 1)


def test_both_breakers_are_open(lab: Lab) -> None:
    router = lab.router()
    for breaker in router.breakers.values():
        fail(breaker, 60)
    assert router.decide("Hi").reason is Reason.EASY  # there is nobody else to go to
    assert router.decide("Hi").tried == ()
    asked = ask(router)
    assert asked.error.message.count("Its breaker is open") == 2
    assert asked.tried == [(Target.LOCAL, PASSED_OVER), (Target.CLOUD, PASSED_OVER)]
    assert asked.answer.trace.error is asked.error
    assert lab.started == (0, 0)


def test_who_was_passed_over_is_not_asked_after_all(lab: Lab) -> None:
    router = lab.router()
    fail(router.breakers[Target.LOCAL], 60)
    lab.cloud.fail(Fault.OVERFLOW)
    asked = ask(router)
    assert isinstance(asked.error, RoutingError)
    assert asked.tried == [(Target.LOCAL, PASSED_OVER), (Target.CLOUD, End.REFUSED)]
    assert lab.started == (0, 1)


def test_an_error_of_the_scorer(lab: Lab) -> None:
    @dataclass(frozen=True)
    class Untaught:
        def score(self, messages: object) -> float:  # noqa: ARG002
            raise RoutingError("this scorer has learnt nothing yet")

    asked = ask(lab.router(scorer=Untaught()))
    assert "learnt nothing" in asked.error.message
    assert asked.answer.trace.error is asked.error
    assert asked.answer.decision is None
    assert lab.started == (0, 0)


# Breakers.


def test_three_failures_in_a_row_open_the_breaker(lab: Lab) -> None:
    router = lab.router(retries=Retries(1))
    lab.local.fail(*[Fault.SERVER_ERROR] * 3)
    askings = ask_each(router, *["Count to 5."] * 4)
    assert [asking.tried[0] for asking in askings] == [(Target.LOCAL, End.REFUSED)] * 3 + [(Target.LOCAL, PASSED_OVER)]
    assert {asking.decision.reason for asking in askings} == {Reason.LOCAL_FAILED}
    assert lab.started == (3, 4)
    assert router.breakers[Target.CLOUD].state is State.CLOSED


def test_a_success_between_keeps_it_closed(lab: Lab) -> None:
    router = lab.router(retries=Retries(1))
    lab.local.fail(Fault.SERVER_ERROR, Fault.SERVER_ERROR, Fault.NONE, Fault.SERVER_ERROR, Fault.SERVER_ERROR)
    ask_each(router, *["Count to 5."] * 5)
    assert router.breakers[Target.LOCAL].state is State.CLOSED
    assert lab.started == (5, 4)


def test_a_probe_that_answers_closes_it(lab: Lab) -> None:
    router = lab.router()
    breaker = router.breakers[Target.LOCAL]
    fail(breaker, 60)
    lab.clock.now += 60
    asked = ask(router)
    assert asked.tried == [(Target.LOCAL, End.FINISHED)]
    assert breaker.state is State.CLOSED
    assert [state for _, state in breaker.history] == [State.CLOSED, State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_a_probe_that_fails_is_the_only_one(lab: Lab) -> None:
    """There is no use in waiting for a second try, which the breaker would not let through."""
    router = lab.router()
    fail(router.breakers[Target.LOCAL], 60)
    lab.clock.now += 60
    lab.local.fail(Fault.SERVER_ERROR)
    asked = ask(router)
    assert asked.tried == [(Target.LOCAL, End.REFUSED), (Target.CLOUD, End.FINISHED)]
    assert router.breakers[Target.LOCAL].state is State.OPEN
    assert lab.started == (1, 1)
    assert lab.waits == []


def test_a_probe_that_is_refused_for_itself_does_not_stick(lab: Lab) -> None:
    """It says nothing about the endpoint, so the next question is the probe."""
    router = lab.router()
    breaker = router.breakers[Target.LOCAL]
    fail(breaker, 60)
    lab.clock.now += 60
    lab.local.fail(Fault.OVERFLOW)
    first, second = ask_each(router, "Count to 5.", "Count to 5.")
    assert first.tried == [(Target.LOCAL, End.REFUSED), (Target.CLOUD, End.FINISHED)]
    assert second.tried == [(Target.LOCAL, End.FINISHED)]
    assert breaker.state is State.CLOSED


def test_one_probe_at_a_time(lab: Lab) -> None:
    """Of some questions at once, one goes to the endpoint that may be well again."""
    lab.behave(STEADY)
    router = lab.router()
    fail(router.breakers[Target.LOCAL], 60)
    lab.clock.now += 60

    async def at_once() -> list[Routed]:
        answers = [router.stream("Count to 5.") for _ in range(4)]
        await asyncio.gather(*map(read, answers))
        await router.aclose()
        return answers

    answers = asyncio.run(at_once())
    assert lab.started == (1, 3)
    assert [answer.text for answer in answers] == ["1 2 3 4 5"] * 4
    assert router.breakers[Target.LOCAL].state is State.CLOSED


# Cascade.


def test_an_answer_that_passes(lab: Lab) -> None:
    """It is shown as it came, but only when it is whole."""
    asked = ask(lab.router(HARD, cascade=Doubts(0.49)))
    assert (asked.decision.target, asked.decision.reason, asked.decision.score) == (Target.LOCAL, Reason.EASY, None)
    assert asked.tried == [(Target.LOCAL, End.FINISHED)]
    assert [type(event) for event in asked.events] == [FirstToken, Text, Text, Text, Text, Usage, Finish]
    assert asked.shown == "1 2 3 4 5"
    assert lab.started == (1, 0)


def test_an_answer_in_doubt(lab: Lab) -> None:
    lab.cloud.fail(Fault.SERVER_ERROR)
    asked = ask(lab.router(EASY, cascade=Doubts(0.5)))
    assert (asked.decision.target, asked.decision.reason) == (Target.CLOUD, Reason.DOUBTED)
    assert asked.tried == [(Target.LOCAL, DOUBTED), (Target.CLOUD, End.REFUSED), (Target.CLOUD, End.FINISHED)]
    assert asked.decision.tried[0].why == "doubt 0.50"
    assert asked.shown == asked.answer.text == "1 2 3 4 5"
    assert lab.started == (1, 2)
    assert asked.decision.cost == pytest.approx(28e-6)


def test_a_doubt_while_the_cloud_is_down(lab: Lab) -> None:
    """A doubtful answer is better than none; it comes with the counts and the end that it had."""
    lab.cloud_url = lab.nobody
    asked = ask(lab.router(cascade=Doubts(1.0)), max_tokens=3)
    assert (asked.decision.target, asked.decision.reason) == (Target.LOCAL, Reason.CLOUD_FAILED)
    assert asked.tried == [(Target.LOCAL, DOUBTED)] + [(Target.CLOUD, End.REFUSED)] * 3
    assert [type(event) for event in asked.events] == [FirstToken, Text, Text, Usage, Finish]
    assert isinstance(asked.events[-1], Finish)
    assert asked.events[-1].reason == "length"
    assert asked.shown == asked.answer.text == "1 2 3"
    assert asked.answer.trace.ended is End.LENGTH
    assert asked.answer.trace.error is None
    assert asked.decision.cost == 0
    assert lab.started == (1, 0)


def test_a_doubt_while_the_breaker_of_the_cloud_is_open(lab: Lab) -> None:
    router = lab.router(cascade=Doubts(1.0))
    fail(router.breakers[Target.CLOUD], 60)
    asked = ask(router)
    assert asked.tried == [(Target.LOCAL, DOUBTED), (Target.CLOUD, PASSED_OVER)]
    assert asked.shown == "1 2 3 4 5"
    assert lab.started == (1, 0)


def test_a_cascade_whose_local_model_is_down(lab: Lab) -> None:
    lab.local_url = lab.nobody
    asked = ask(lab.router(cascade=Doubts(0.0)))
    assert (asked.decision.target, asked.decision.reason) == (Target.CLOUD, Reason.LOCAL_FAILED)
    assert asked.shown == "1 2 3 4 5"


def test_a_cascade_tries_again_what_nobody_saw(lab: Lab) -> None:
    """Held back text was shown to nobody, so an answer that breaks off can be asked for once more."""
    lab.local.fail(Fault.DROP)
    asked = ask(lab.router(cascade=Doubts(0.0)))
    assert asked.tried == [(Target.LOCAL, End.DROPPED), (Target.LOCAL, End.FINISHED)]
    assert asked.shown == asked.answer.text == "1 2 3 4 5"


def test_a_cascade_that_breaks_off_in_the_cloud(lab: Lab) -> None:
    """Part of the cloud's answer was shown: the local one that was kept does not follow it."""
    lab.cloud.fail(Fault.DROP)
    asked = ask(lab.router(cascade=Doubts(1.0)))
    assert isinstance(asked.error, StreamError)
    assert asked.shown == asked.answer.text == "1 2 3"
    assert lab.started == (1, 1)


def test_a_real_cascade(lab: Lab) -> None:
    json, plain = ask_each(lab.router(cascade=Cascade()), "Say hello as JSON.", "What is the capital of Sweden?")
    assert json.tried == [(Target.LOCAL, DOUBTED), (Target.CLOUD, End.FINISHED)]
    assert plain.tried == [(Target.LOCAL, End.FINISHED)]


def test_what_is_held_back_is_not_shown(lab: Lab) -> None:
    """Not in the events, and not in `text`, which a ChatView shows while it grows."""
    lab.behave(STEADY)
    seen: list[str] = []

    class Looks(Cascade):
        def doubt(self, messages: object, answer: str) -> float:  # noqa: ARG002
            seen.append(routed.text)
            return 1.0

    router = lab.router(cascade=Looks())
    routed = router.stream("Count to 5.")

    async def go() -> None:
        async for event in routed:
            seen.append(event.text)
            assert routed.text == "".join(seen)
        await router.aclose()

    asyncio.run(go())
    assert seen[0] == ""
    assert "".join(seen) == "1 2 3 4 5"


# Cost and time.


def test_cost(lab: Lab) -> None:
    """The prompt has 4 words and signs and 4 tokens around them, the answer 5 numbers."""
    asked = ask(lab.router(HARD))
    assert asked.decision.cost == pytest.approx((1.0 * 8 + 4.0 * 5) / 1_000_000)
    assert (asked.answer.trace.prompt_tokens, asked.answer.trace.tokens) == (8, 5)


def test_local_costs_nothing(lab: Lab) -> None:
    asked = ask(lab.router())
    assert asked.decision.cost == 0
    assert (asked.answer.trace.prompt_tokens, asked.answer.trace.tokens) == (8, 5)


def test_a_part_of_an_answer_has_its_price(lab: Lab) -> None:
    """No count came, so chunks are what is known."""
    lab.cloud.fail(Fault.DROP)
    assert ask(lab.router(HARD)).decision.cost == pytest.approx(3 * 4.0 / 1_000_000)


@pytest.mark.parametrize(("score", "cost"), [(HARD, None), (EASY, 0.0)])
def test_cost_without_a_price(lab: Lab, score: float, cost: float | None) -> None:
    """What came from the cloud then cost nobody knows what; what did not come cost nothing."""
    unpriced = replace(lab.cloud_of_it, price=None)
    router = Router(lab.connection, unpriced, Fixed(score), retries=Retries(1), patience=PATIENT)
    assert ask(router).decision.cost == cost


def test_a_refusal_has_no_cost(lab: Lab) -> None:
    lab.cloud.fail(Fault.OVERFLOW, Fault.OVERFLOW)
    assert ask(lab.router(HARD)).decision.cost == 0
    unpriced = Router(lab.connection, replace(lab.cloud_of_it, price=None), Fixed(HARD), patience=PATIENT)
    assert ask(unpriced).decision.cost == 0


def test_times_are_those_of_the_whole(lab: Lab) -> None:
    """They begin at the first request, and do not go back where another attempt begins."""
    lab.cloud.fail(*[Fault.HANG_FIRST] * 2)
    asked = ask(lab.router(HARD, patience=HASTY))
    times = [event.at for event in asked.events]
    assert times == sorted(times)
    assert times[0] >= 0.2  # the silence before the first try was given up
    trace = asked.answer.trace
    assert trace.first_text is not None
    assert trace.first_text - trace.request >= 0.2
    assert times[-1] <= asked.decision.seconds
    first, second = asked.decision.tried
    assert first.seconds >= 0.2
    assert 0 < second.seconds < asked.decision.seconds
    assert first.seconds + second.seconds <= asked.decision.seconds


def test_waits_count(lab: Lab) -> None:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0.1)

    lab.local.fail(Fault.SERVER_ERROR)
    asked = ask(lab.router(sleep=sleep))
    assert asked.events[0].at >= 0.1
    assert asked.decision.seconds >= sum(each.seconds for each in asked.decision.tried) + 0.1


def test_times_of_a_cascade_do_not_go_back(lab: Lab) -> None:
    """Events that were held back come when they are shown."""
    lab.cloud.fail(*[Fault.HANG_FIRST])
    asked = ask(lab.router(cascade=Doubts(1.0), patience=HASTY))
    times = [event.at for event in asked.events]
    assert times == sorted(times)
    assert times[0] >= 0.2


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
    begun = asyncio.Event()

    async def reading() -> None:
        async for _ in answer:
            begun.set()

    task = asyncio.create_task(reading())
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("probe", [False, True], ids=["closed", "half open"])
@pytest.mark.parametrize("leave", [leave_the_loop, close, leave_the_block, cancel])
def test_stop_closes_upstream(lab: Lab, leave: Callable[[Answer], Awaitable[None]], probe: bool) -> None:
    """And what was stopped says nothing about the endpoint: the next question may go there."""
    lab.behave(STEADY)
    router = lab.router(HARD)
    breaker = router.breakers[Target.CLOUD]
    if probe:
        fail(breaker, 60)
        lab.clock.now += 60

    async def go() -> Routed:
        answer = router.stream("Count to 500.")
        await leave(answer)
        assert await asyncio.to_thread(wait_until, lambda: lab.cloud.counters.running == 0)
        assert breaker.ready
        again = router.stream("Count to 3.")
        await read(again)
        assert again.text == "1 2 3"
        await router.aclose()
        return answer

    answer = asyncio.run(go())
    assert lab.cloud.counters.aborted == 1
    assert lab.started == (0, 2)
    assert breaker.state is State.CLOSED
    assert answer.trace.ended is End.STOPPED
    assert answer.trace.error is None
    asked = Asking(answer, [])
    assert asked.tried == [(Target.CLOUD, End.STOPPED)]
    assert 0 < asked.decision.tried[0].seconds <= asked.decision.seconds
    assert asked.decision.cost == pytest.approx(len(answer.trace.chunks) * 4e-6)
    assert answer.text


def test_leaving_at_the_end_is_a_success(lab: Lab) -> None:
    """A probe whose answer was whole closes the breaker, also where the loop was left at its last event."""
    router = lab.router(HARD)
    breaker = router.breakers[Target.CLOUD]
    fail(breaker, 60)
    lab.clock.now += 60

    async def go() -> Routed:
        answer = router.stream("Count to 5.")
        async with answer:
            async for event in answer:
                if isinstance(event, Finish):
                    break
        await router.aclose()
        return answer

    answer = asyncio.run(go())
    assert breaker.state is State.CLOSED
    assert answer.trace.ended is End.FINISHED
    assert Asking(answer, []).tried == [(Target.CLOUD, End.FINISHED)]


def test_a_scorer_that_waits_holds_nobody_up(lab: Lab) -> None:
    """Embeddings ask a model for each score."""

    @dataclass
    class Waiting:
        beats: int = 0

        def score(self, _: object) -> float:
            time.sleep(0.3)
            return EASY

    waiting = Waiting()

    async def go() -> None:
        router = lab.router(scorer=waiting)
        reading = asyncio.create_task(read(router.stream("Count to 3.")))
        while not reading.done():
            await asyncio.sleep(0.02)
            waiting.beats += 1
        await router.aclose()

    asyncio.run(go())
    assert waiting.beats > 5


@pytest.mark.parametrize("moment", ["no headers", "no text", "waiting for a slot"])
@pytest.mark.parametrize("probe", [False, True], ids=["closed", "half open"])
def test_stop_before_the_first_token(lab: Lab, moment: str, probe: bool) -> None:
    lab.behave(replace(STEADY, first_token=60, slots=1))
    if moment == "no headers":
        lab.local.fail(Fault.HANG)
    router = lab.router()
    breaker = router.breakers[Target.LOCAL]
    if probe:
        fail(breaker, 60)
        lab.clock.now += 60

    async def go() -> Routed:
        before = 0
        if moment == "waiting for a slot":
            busy = labkit.stream(lab.connection, "Hi")
            other = asyncio.create_task(read(busy))
            assert await asyncio.to_thread(wait_until, lambda: lab.local.counters.running == 1)
            before = 1
        answer = router.stream("Hi")
        task = asyncio.create_task(read(answer))
        assert await asyncio.to_thread(wait_until, lambda: lab.local.counters.started == before + 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(wait_until, lambda: lab.local.counters.running == before)
        assert await asyncio.to_thread(wait_until, lambda: lab.local.counters.waiting == 0)
        if before:
            other.cancel()
            with suppress(asyncio.CancelledError):
                await other
        await router.aclose()
        return answer

    answer = asyncio.run(go())
    assert lab.cloud.counters.started == 0
    assert breaker.ready
    assert answer.trace.ended is End.STOPPED
    assert Asking(answer, []).tried == [(Target.LOCAL, End.STOPPED)]


@pytest.mark.parametrize("private", [False, True])
def test_stop_while_it_waits_to_try_again(lab: Lab, private: bool) -> None:
    """Nothing is sent any more, and the error of the first try is not the answer's end."""
    lab.local.fail(Fault.SERVER_ERROR)

    async def go() -> Routed:
        waiting = asyncio.Event()

        async def sleep(_: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        router = lab.router(sleep=sleep)
        answer = router.stream(MAIL if private else "Count to 5.")
        task = asyncio.create_task(read(answer))
        await asyncio.wait_for(waiting.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert router.breakers[Target.LOCAL].ready
        await router.aclose()
        return answer

    answer = asyncio.run(go())
    assert lab.started == (1, 0)
    assert lab.local.counters.running == 0
    assert answer.trace.ended is End.STOPPED
    assert answer.trace.error is None
    assert Asking(answer, []).tried == [(Target.LOCAL, End.REFUSED)]


def test_stop_while_an_answer_is_held_back(lab: Lab) -> None:
    lab.behave(STEADY)

    async def go() -> Routed:
        router = lab.router(cascade=Doubts(1.0))
        answer = router.stream("Count to 500.")
        task = asyncio.create_task(read(answer))
        assert await asyncio.to_thread(wait_until, lambda: lab.local.counters.running == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(wait_until, lambda: lab.local.counters.running == 0)
        await router.aclose()
        return answer

    answer = asyncio.run(go())
    assert lab.started == (1, 0)
    assert answer.text == ""
    assert Asking(answer, []).tried == [(Target.LOCAL, End.STOPPED)]


# In the place of a connection.


def test_stream_takes_a_router(lab: Lab) -> None:
    async def go() -> Answer:
        router = lab.router(HARD)
        answer = labkit.stream(router, "Count to 5.", max_tokens=3)
        assert isinstance(answer, Routed)
        await read(answer)
        await router.aclose()
        return answer

    answer = asyncio.run(go())
    assert (answer.text, answer.trace.ended) == ("1 2 3", End.LENGTH)
    assert lab.started == (0, 1)


def test_an_answer_is_read_once(lab: Lab) -> None:
    async def go() -> None:
        router = lab.router()
        answer = router.stream("Count to 5.")
        await read(answer)
        with pytest.raises(RuntimeError, match="once"):
            aiter(answer)
        await router.aclose()

    asyncio.run(go())


def view(router: Router, **options: object) -> ChatView:
    return ChatView(router, **options)  # type: ignore[arg-type] # it says Connection, and takes what streams


def test_a_chat_view_takes_a_router(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole history goes through the gate each time: what was private once keeps the chat here."""

    async def go() -> tuple[ChatView, list[Decision | None]]:
        router = lab.router(HARD)
        chat = view(router, system="Be brief.", context=4096)
        decisions = []
        for question in ("What is the capital of Sweden?", f"My name is Astrid. {MAIL}", "What is my name?"):
            answer = await chat.ask(question)
            assert isinstance(answer, Routed)
            decisions.append(answer.decision)
        await router.aclose()
        return chat, decisions

    chat, decisions = asyncio.run(go())
    assert [decision and decision.target for decision in decisions] == [Target.CLOUD, Target.LOCAL, Target.LOCAL]
    assert [message["role"] for message in chat.messages] == ["system"] + ["user", "assistant"] * 3
    said = capsys.readouterr().out
    assert "Stockholm" in said
    assert "Your name is Astrid." in said
    assert lab.started == (2, 1)


def test_a_chat_view_says_why_nobody_answers(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.local_url = lab.nobody

    async def go() -> ChatView:
        router = lab.router()
        chat = view(router)
        await chat.ask(MAIL)
        await router.aclose()
        return chat

    chat = asyncio.run(go())
    said = capsys.readouterr().out
    assert "may not leave this machine" in said
    assert "python lab.py serve" in said
    assert chat.messages == []
    assert lab.cloud.counters.started == 0


def test_a_chat_view_shows_one_answer_of_a_cascade(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """It looks at `text` ten times a second: the local answer, which is not good enough, must not be there."""
    lab.local.state.behaviour = Behaviour(first_token=0.001, rate=40)
    lab.cloud.state.behaviour = Behaviour(first_token=0.15, rate=40)

    async def go() -> None:
        router = lab.router(cascade=Doubts(1.0))
        await view(router).ask("Count to 12.")
        await router.aclose()

    asyncio.run(go())
    assert capsys.readouterr().out.strip() == "1 2 3 4 5 6 7 8 9 10 11 12"


def test_stop_of_a_chat_view(lab: Lab) -> None:
    lab.behave(STEADY)

    async def go() -> Answer:
        router = lab.router(HARD)
        chat = view(router)
        asking = asyncio.create_task(chat.ask("Count to 500."))
        assert await asyncio.to_thread(wait_until, lambda: bool(chat.last and chat.last.text), 10)
        chat.stop()
        answer = await asyncio.wait_for(asking, 10)
        assert await asyncio.to_thread(wait_until, lambda: lab.cloud.counters.running == 0)
        await router.aclose()
        assert chat.messages[-1]["content"] == answer.text
        return answer

    assert asyncio.run(go()).trace.ended is End.STOPPED


def test_what_was_given_stays_open(lab: Lab) -> None:
    async def go() -> None:
        local, cloud = lab.connection, lab.cloud_of_it
        router = Router(local, cloud, WordCount(4), patience=PATIENT)
        mine = [local.async_client, cloud.connection.async_client]
        for question in ("Count to 3.", "Now please count to 3."):
            await read(router.stream(question))
        assert lab.started == (1, 1)
        own = [connection.async_client for connection in router._connections.values()]
        assert not any(client.is_closed() for client in own)
        await router.aclose()
        assert all(client.is_closed() for client in own)
        assert not any(client.is_closed() for client in mine)
        answer = labkit.stream(local, "Count to 3.")
        await read(answer)
        assert answer.text == "1 2 3"
        await local.aclose()
        await cloud.connection.aclose()

    asyncio.run(go())


def test_closing_does_not_end_the_runtime_of_the_connection(lab: Lab) -> None:
    """A connection in this process owns its runtime; a router that borrows it must not end it."""

    class Runtime:
        closed = False

        def close(self) -> None:
            self.closed = True

    runtime = Runtime()
    local = replace(lab.connection, _runtime=runtime)  # type: ignore[arg-type]
    ask(Router(local, lab.cloud_of_it, Fixed(EASY), patience=PATIENT))
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
    assert asked.tried == [(Target.CLOUD, End.REFUSED), (Target.LOCAL, End.FINISHED)]
    shown = [str(asked.decision), repr(asked.decision), repr(router), str(asked.events)]
    assert [each for each in shown if key in each] == []


def test_errors_of_a_request_are_not_the_routers(lab: Lab) -> None:
    """Where both refuse it, what each said is in the error."""
    lab.local.fail(Fault.OVERFLOW)
    lab.cloud.fail(Fault.OVERFLOW)
    asked = ask(lab.router())
    assert isinstance(asked.error, RoutingError)
    assert not isinstance(asked.error, RequestError)
    assert asked.error.message.count("do not fit into the context window") == 2


def test_what_goes_along_passes_the_gate_too(lab: Lab) -> None:
    """A user's name or a tool is sent as well."""
    router = lab.router(HARD)
    assert router.decide("Hi", {"user": "anna.berg@example.com"}).reason is Reason.PRIVATE
    assert router.decide("Hi", {"temperature": 0.5}).reason is Reason.HARD
    asked = ask(router, "Hi", user="anna.berg@example.com")
    assert asked.answer.decision is not None
    assert asked.answer.decision.private == (Kind.EMAIL,)
    assert lab.started == (1, 0)
