"""Resilience: whether to try a failed request again and when, and a breaker that leaves a failing endpoint alone.

Source of the breaker and its three states: M. Nygard, Release It (2007), chapter 5.
"""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import openai

from labkit.errors import EndpointError
from labkit.events import End
from labkit.explain import retry_after as retry_after
from labkit.words import is_quota

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.errors import LabError


@dataclass(frozen=True)
class RetryAdvice:
    """Whether the same request may soon succeed there, whether it counts against the endpoint, and seconds to wait."""

    again: bool
    counts: bool
    wait: float = 0.0


def advise(error: LabError, ended: End) -> RetryAdvice:
    """What one failed attempt means.

    Too many requests (429), an error of the server (5xx) and a broken connection may pass. A timeout has already
    cost enough time. A wrong key or model stays wrong, and a used-up quota stays used up. A request that is refused
    for its own content does not count against the endpoint.
    """
    cause = error.__cause__
    if ended is End.TIMED_OUT:
        return RetryAdvice(again=False, counts=True)
    if ended is End.DROPPED:
        return RetryAdvice(again=True, counts=True)
    if isinstance(cause, openai.RateLimitError) and is_quota(cause.response.text):
        return RetryAdvice(again=False, counts=True)
    if isinstance(cause, openai.RateLimitError):
        return RetryAdvice(again=True, counts=True, wait=retry_after(cause.response.headers.get("Retry-After")))
    if isinstance(cause, openai.APITimeoutError | openai.AuthenticationError | openai.PermissionDeniedError):
        return RetryAdvice(again=False, counts=True)
    if isinstance(cause, openai.InternalServerError):
        return RetryAdvice(again=True, counts=True, wait=retry_after(cause.response.headers.get("Retry-After")))
    if isinstance(cause, openai.APIConnectionError):
        return RetryAdvice(again=True, counts=True)
    if isinstance(cause, openai.NotFoundError):
        return RetryAdvice(again=False, counts=True)
    return RetryAdvice(again=isinstance(error, EndpointError), counts=isinstance(error, EndpointError))


@dataclass(frozen=True)
class Retries:
    """At most `attempts` for one endpoint. Waits grow from `base` seconds and are random (full jitter), so that
    many clients do not come back at the same moment. A wait of more than `longest` seconds is not waited for.

    Source of full jitter: M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog (2015).
    """

    attempts: int = 3
    base: float = 0.25
    longest: float = 5.0
    random: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be 1 or more (1: ask once), not {self.attempts}")

    def delay(self, number: int, failure: RetryAdvice) -> float | None:
        """Seconds to wait after the attempt of this number (from 1), or None to give this endpoint up."""
        if not failure.again or number >= self.attempts or failure.wait > self.longest:
            return None
        return failure.wait + self.random.uniform(0, self.base * 2 ** (number - 1))


class State(StrEnum):
    """Closed lets requests through, open lets none, half open lets one through to see."""

    CLOSED = "closed"
    HALF_OPEN = "half open"
    OPEN = "open"


class Breaker:
    """The breaker of one endpoint: ask `admit` for a permit before a request, and report on the permit afterwards.

    It opens after `failures` in a row, for `cooldown` seconds or as long as the endpoint asked for. Then one request,
    the probe, goes through: it closes the breaker when it succeeds and opens it again when it fails. `history` has the
    last changes as pairs of a time of `clock`, in seconds, and a state.

        if permit := breaker.admit():
            try: ...ask...; permit.succeeded()
            except EndpointError: permit.failed()
    """

    def __init__(self, failures: int = 3, cooldown: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = failures
        self.cooldown = cooldown
        self.clock = clock
        self.state = State.CLOSED
        self.history: deque[tuple[float, State]] = deque([(clock(), State.CLOSED)], maxlen=1000)
        self._failed = 0
        self._until = 0.0
        self._changes = 0
        self._probe: Permit | None = None

    @property
    def ready(self) -> bool:
        """Whether `admit` would let a request through now. Reading this changes nothing."""
        if self.state is State.OPEN:
            return self.clock() >= self._until
        return not (self.state is State.HALF_OPEN and self._probe)

    def admit(self) -> Permit | None:
        """A permit for one request, on which its result is reported once; None where it may not be sent."""
        if not self.ready:
            return None
        if self.state is State.OPEN:
            self._become(State.HALF_OPEN)
        permit = Permit(self, self._changes)
        if self.state is State.HALF_OPEN:
            self._probe = permit
        return permit

    def _report(self, permit: Permit, *, failed: bool | None, wait: float) -> None:
        """Take a result: True for a failure, None for one that says nothing about the endpoint."""
        if permit is self._probe:
            self._probe = None
        if permit.changes != self._changes:
            # The request began before the last change: its result is too old. A wait that was asked for counts.
            if self.state is State.OPEN and wait:
                self._until = max(self._until, self.clock() + wait)
            return
        if failed is None:
            return
        self._failed = self._failed + 1 if failed else 0
        if not failed:
            if self.state is State.HALF_OPEN:
                self._become(State.CLOSED)
        elif self.state is State.HALF_OPEN or self._failed >= self.failures or wait > self.cooldown:
            self._until = self.clock() + max(self.cooldown, wait)
            self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self.state = state
        self._changes += 1
        self.history.append((self.clock(), state))


@dataclass(eq=False)
class Permit:
    """One request that a breaker has let through; report once how it went."""

    breaker: Breaker = field(repr=False)
    changes: int  # how often the breaker had changed when the request began
    reported: bool = False

    def succeeded(self) -> None:
        """The endpoint answered."""
        self._once(failed=False)

    def failed(self, wait: float = 0.0) -> None:
        """The endpoint failed; `wait` is how many seconds it asked to be left alone."""
        self._once(failed=True, wait=wait)

    def released(self) -> None:
        """The request said nothing about the endpoint: it was stopped, or was wrong itself."""
        self._once(failed=None)

    def _once(self, *, failed: bool | None, wait: float = 0.0) -> None:
        if not self.reported:
            self.reported = True
            self.breaker._report(self, failed=failed, wait=wait)
