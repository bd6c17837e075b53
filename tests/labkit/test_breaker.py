"""The circuit breaker against a model of it: what it lets through, what closes and opens it, and its history."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from labkit.routing.breaker import Breaker, State
from tests.support.doubles import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock, cooldown: float = 10.0) -> Breaker:
    """A breaker that has just been opened by three failures in a row."""
    breaker = Breaker(3, cooldown, clock)
    for _ in range(3):
        assert breaker.admit()
        breaker.failed()
    assert breaker.state is State.OPEN
    return breaker


def probing(clock: Clock) -> Breaker:
    """A breaker whose one probe is under way."""
    breaker = opened(clock)
    clock.now += 10
    assert breaker.admit()
    assert breaker.state is State.HALF_OPEN
    return breaker


def test_it_opens_at_the_third_failure_in_a_row(clock: Clock) -> None:
    breaker = Breaker(3, 10, clock)
    for report in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        assert breaker.admit()
        report()
        assert breaker.state is State.CLOSED
    assert breaker.admit()
    breaker.failed()
    assert breaker.state is State.OPEN
    assert not breaker.admit()


def test_it_lets_nothing_through_until_it_has_cooled(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 9.99
    assert not breaker.ready
    assert not breaker.admit()
    assert breaker.state is State.OPEN
    clock.now += 0.01
    assert breaker.ready
    assert breaker.state is State.OPEN  # asking changed nothing
    assert breaker.admit()


def test_half_open_lets_one_through(clock: Clock) -> None:
    breaker = probing(clock)
    assert not breaker.ready
    assert not breaker.admit()
    clock.now += 1000
    assert not breaker.admit()


def test_success_closes(clock: Clock) -> None:
    breaker = probing(clock)
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    breaker.failed()
    breaker.failed()
    assert breaker.state is State.CLOSED  # the failures before count no more


def test_failure_reopens_for_a_whole_cooldown(clock: Clock) -> None:
    breaker = probing(clock)
    breaker.failed()
    assert breaker.state is State.OPEN
    clock.now += 9.99
    assert not breaker.admit()
    clock.now += 0.01
    assert breaker.admit()


def test_released_lets_another_probe_through(clock: Clock) -> None:
    breaker = probing(clock)
    breaker.released()
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit()
    assert not breaker.admit()


def test_released_forgets_no_failure(clock: Clock) -> None:
    breaker = Breaker(2, 10, clock)
    breaker.failed()
    assert breaker.admit()
    breaker.released()
    breaker.failed()
    assert breaker.state is State.OPEN


def test_a_long_wait_opens_it_at_once(clock: Clock) -> None:
    breaker = Breaker(3, 10, clock)
    assert breaker.admit()
    breaker.failed(60)
    assert breaker.state is State.OPEN
    clock.now += 59.99
    assert not breaker.admit()
    clock.now += 0.01
    assert breaker.admit()


def test_a_short_wait_does_not(clock: Clock) -> None:
    breaker = Breaker(3, 10, clock)
    assert breaker.admit()
    breaker.failed(10)
    assert breaker.state is State.CLOSED
    assert breaker.admit()


def test_a_late_failure_shortens_no_wait(clock: Clock) -> None:
    """Two requests were under way: one was asked to wait for a minute, the other just fails."""
    breaker = Breaker(2, 10, clock)
    assert breaker.admit()
    assert breaker.admit()
    breaker.failed(60)
    breaker.failed()
    clock.now += 59
    assert not breaker.admit()
    clock.now += 1
    assert breaker.admit()


def test_a_late_success_does_not_close_an_open_one(clock: Clock) -> None:
    breaker = opened(clock)
    breaker.succeeded()
    assert breaker.state is State.OPEN
    assert not breaker.admit()


def test_history(clock: Clock) -> None:
    breaker = probing(clock)
    clock.now += 1
    breaker.succeeded()
    assert list(breaker.history) == [
        (100.0, State.CLOSED),
        (100.0, State.OPEN),
        (110.0, State.HALF_OPEN),
        (111.0, State.CLOSED),
    ]


@dataclass
class Model:
    """What a breaker must do, in the plainest words; `under_way` counts the requests that are not reported yet."""

    failures: int
    cooldown: float
    state: State = State.CLOSED
    in_a_row: int = 0
    until: float = 0.0
    probe: bool = False
    under_way: int = 0
    history: list[tuple[float, State]] = field(default_factory=list)

    def admits(self, now: float) -> bool:
        match self.state:
            case State.CLOSED:
                return True
            case State.OPEN:
                return now >= self.until
            case State.HALF_OPEN:
                return not self.probe

    def become(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state = state
            self.history.append((now, state))


class Machine(RuleBasedStateMachine):
    """Requests that begin and end in any order, and time that goes by."""

    @initialize(failures=st.integers(1, 4), cooldown=st.sampled_from([0.0, 1.0, 10.0]))
    def begin(self, failures: int, cooldown: float) -> None:
        self.clock = Clock()
        self.breaker = Breaker(failures, cooldown, self.clock)
        self.model = Model(failures, cooldown, history=[(self.clock.now, State.CLOSED)])

    @rule()
    def admit(self) -> None:
        model = self.model
        expected = model.admits(self.clock.now)
        assert self.breaker.admit() is expected
        if expected:
            model.under_way += 1
            if model.state is not State.CLOSED:
                model.become(State.HALF_OPEN, self.clock.now)
                model.probe = True

    @rule(seconds=st.sampled_from([0.25, 0.75, 1.0, 9.0, 10.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.model.under_way)
    @rule()
    def succeed(self) -> None:
        self.breaker.succeeded()
        self.reported()
        self.model.in_a_row = 0
        if self.model.state is State.HALF_OPEN:
            self.model.become(State.CLOSED, self.clock.now)

    @precondition(lambda self: self.model.under_way)
    @rule(wait=st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 10.0, 11.0, 60.0]))
    def fail(self, wait: float) -> None:
        model = self.model
        self.breaker.failed(wait)
        self.reported()
        model.in_a_row += 1
        if model.state is State.HALF_OPEN or model.in_a_row >= model.failures or wait > model.cooldown:
            model.until = max(model.until, self.clock.now + max(model.cooldown, wait))
            model.become(State.OPEN, self.clock.now)

    @precondition(lambda self: self.model.under_way)
    @rule()
    def release(self) -> None:
        self.breaker.released()
        self.reported()

    def reported(self) -> None:
        self.model.under_way -= 1
        self.model.probe = False

    @invariant()
    def agrees(self) -> None:
        assert self.breaker.state is self.model.state
        assert self.breaker.ready is self.model.admits(self.clock.now)
        assert list(self.breaker.history) == self.model.history

    @invariant()
    def is_not_stuck(self) -> None:
        """With nothing under way, time alone makes it let a request through."""
        if self.model.under_way == 0:
            now, self.clock.now = self.clock.now, self.clock.now + 1e6
            assert self.breaker.ready
            self.clock.now = now


def test_it_does_what_the_model_does() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None, derandomize=True)
    )


def test_a_real_clock_is_there_by_default() -> None:
    breaker = Breaker(1, cooldown=3600)
    assert breaker.admit()
    breaker.failed()
    assert not breaker.admit()
