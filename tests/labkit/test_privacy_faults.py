"""A thousand made-up chats through a router whose endpoints fail at random: what the cloud was sent, counted there.

No secret of a kind that the gate claims may reach it, in whatever place and disguise, whatever fails. And a question
has one answer: what was shown is a whole answer or the beginning of one, and every request is in the decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.routing_data.private_cases import cases, disguise, secret
from foundry_mock import Behaviour, Fault, MockEndpoint, Step, requests, scripts
from foundry_mock.answers import ChatResponse
from labkit.connection import Connection, Source
from labkit.errors import LabError, RoutingError, StreamError
from labkit.events import End, Failure, Finish, FirstToken, Usage
from labkit.routing.cloud import Cloud, Price
from labkit.routing.privacy import CLAIMED
from labkit.routing.resilience import Breaker, Retries
from labkit.routing.router import DOUBTED, PASSED_OVER, Reason, Routed, Router, Target
from tests.support.doubles import Clock, Doubts, Fixed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from foundry_mock.answers import Slots
    from foundry_mock.behaviour import State
    from labkit.events import Event

Message = dict[str, Any]

pytestmark = pytest.mark.e2e  # half a minute

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
        local = Connection(self.local.base_url, self.local.model, Source.BASE_URL)
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


def plans(*, hangs: bool = False) -> st.SearchStrategy[Plan]:
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


def wait_until(done: Callable[[], bool], seconds: float = 2.0) -> bool:
    """Whether something comes true in time: a request that was given up may be counted a moment later."""
    give_up = time.monotonic() + seconds
    while not done() and time.monotonic() < give_up:
        time.sleep(0.002)
    return done()


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


def test_no_secret_leaves_and_no_answer_comes_twice(world: World) -> None:
    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(plan=plans())
    def property_(plan: Plan) -> None:
        check(world, plan)

    property_()
    # All this would hold where nothing happens: so it must have happened.
    assert len(world.chats) > 1000
    seen = world.seen
    assert seen["secrets"] > 400
    assert seen["secrets that the local model was sent"] > 0.5 * seen["secrets"]
    assert seen["sent to the cloud"] > 300
    assert seen["answered"] > 500
    assert seen["broken off"] > 20
    assert seen["nobody"] > 20
    assert min(seen[reason] for reason in Reason) > 0
    assert min(seen[end] for end in (End.LENGTH, End.DROPPED, End.REFUSED, DOUBTED, PASSED_OVER)) > 20


def test_the_same_with_endpoints_that_fall_silent(world: World) -> None:
    @settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(plan=plans(hangs=True))
    def property_(plan: Plan) -> None:
        check(world, plan)

    property_()
    assert world.seen[End.TIMED_OUT] > 5


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
