"""The circuit breaker: what it lets through, what opens and closes it, and properties that hold in any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from labkit.routing.resilience import Breaker, Permit, State
from tests.support.doubles import Clock, fail


@pytest.fixture
def clock() -> Clock:
    return Clock()


def permit_of(breaker: Breaker) -> Permit:
    """A permit, which must be given."""
    permit = breaker.admit()
    assert permit
    return permit


# Each row: what the requests report one after the other ("ok", or the wait in seconds), and the state afterwards.
@pytest.mark.parametrize(
    ("reports", "state"),
    [
        (["ok"], State.CLOSED),
        ([0, 0], State.CLOSED),
        ([0, 0, 0], State.OPEN),
        ([0, 0, "ok", 0, 0], State.CLOSED),
        ([0, 0, "nothing", 0], State.OPEN),
        ([60], State.OPEN),  # longer than the cooldown: it is left alone at once
        ([10], State.CLOSED),
    ],
)
def test_failures_in_a_row_open_it(reports: list[str | float], state: State, clock: Clock) -> None:
    breaker = Breaker(3, 10, clock)
    for report in reports:
        permit = permit_of(breaker)
        if isinstance(report, str):
            permit.succeeded() if report == "ok" else permit.released()
        else:
            permit.failed(report)
    assert breaker.state is state
    assert bool(breaker.admit()) is (state is State.CLOSED)


@pytest.mark.parametrize(("wait", "seconds"), [(0, 10.0), (60, 60.0)])
def test_it_lets_nothing_through_until_it_has_cooled(wait: float, seconds: float, clock: Clock) -> None:
    breaker = Breaker(1, 10, clock)
    fail(breaker, wait)
    clock.now += seconds - 0.01
    assert not breaker.ready
    assert breaker.admit() is None
    clock.now += 0.01
    assert breaker.ready
    assert breaker.state is State.OPEN  # asking changed nothing
    assert breaker.admit()
    assert breaker.state is State.HALF_OPEN


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_probe_closes_it_or_opens_it_for_a_whole_cooldown(succeeds: bool, clock: Clock) -> None:
    breaker = Breaker(3, 10, clock)
    for _ in range(3):
        fail(breaker)
    clock.now += 10
    probe = permit_of(breaker)
    clock.now += 1
    if succeeds:
        probe.succeeded()
        fail(breaker)
        fail(breaker)  # the failures from before the opening count no more
    else:
        probe.failed()
        clock.now += 9.99
        assert breaker.admit() is None
        clock.now += 0.01
        assert breaker.ready
    end = State.CLOSED if succeeds else State.OPEN
    assert list(breaker.history) == [
        (100.0, State.CLOSED),
        (100.0, State.OPEN),
        (110.0, State.HALF_OPEN),
        (111.0, end),
    ]


def test_a_late_failure_can_only_make_the_wait_longer(clock: Clock) -> None:
    breaker = Breaker(1, 10, clock)
    early, late = permit_of(breaker), permit_of(breaker)
    fail(breaker)
    early.failed()
    late.failed(60)
    clock.now += 59
    assert breaker.admit() is None
    clock.now += 1
    assert breaker.admit()


def test_a_permit_counts_once(clock: Clock) -> None:
    breaker = Breaker(2, 10, clock)
    permit = permit_of(breaker)
    permit.failed()
    permit.failed()
    assert breaker.state is State.CLOSED


def test_a_real_clock_is_the_default() -> None:
    breaker = Breaker(1, cooldown=3600)
    fail(breaker)
    assert breaker.admit() is None


class Requests(RuleBasedStateMachine):
    """Requests that begin and end in any order while time goes by. It states what must hold, not how it is done."""

    permits: Bundle[Permit | None] = Bundle("permits")

    @initialize(failures=st.integers(1, 4), cooldown=st.sampled_from([0.5, 1.0, 10.0]))
    def begin(self, failures: int, cooldown: float) -> None:
        self.clock = Clock()
        self.breaker = Breaker(failures, cooldown, self.clock)
        self.since_opening: set[Permit] = set()  # permits that were given after the last change to open
        self.probes: set[Permit] = set()

    @rule(target=permits)
    def ask(self) -> Permit | None:
        ready, before = self.breaker.ready, self.breaker.state
        permit = self.breaker.admit()
        assert (permit is not None) is ready
        if permit:
            self.since_opening.add(permit)
            if before is not State.CLOSED:
                assert not self.probes, "two probes at once"
                self.probes.add(permit)
        return permit

    @rule(permit=consumes(permits), report=st.sampled_from(["succeeded", "failed", "released"]))
    def report(self, permit: Permit | None, report: str) -> None:
        if permit is None:
            return
        before, changes = self.breaker.state, len(self.breaker.history)
        getattr(permit, report)()
        after = self.breaker.state
        if permit not in self.since_opening:
            assert len(self.breaker.history) == changes, "a request from before the opening changed the state"
        if before is State.HALF_OPEN and after is State.CLOSED:
            assert (permit in self.probes, report) == (True, "succeeded")
        if before is State.OPEN:
            assert after is State.OPEN
        if after is State.OPEN and before is not State.OPEN:
            assert report == "failed"
            self.since_opening.clear()
        self.probes.discard(permit)

    @rule(seconds=st.sampled_from([0.25, 1.0, 9.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def time_alone_lets_one_through_when_no_probe_is_under_way(self) -> None:
        if not self.probes:
            now, self.clock.now = self.clock.now, self.clock.now + 1e6
            assert self.breaker.ready
            self.clock.now = now


def test_its_properties_hold_in_any_order_of_requests() -> None:
    run_machine(Requests, settings=settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True))
