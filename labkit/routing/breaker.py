"""A circuit breaker: after some failures in a row an endpoint is left alone for a while, then tried with one request.

Source of the pattern and its three states: M. Nygard, Release It (2007), chapter 5.
"""

from __future__ import annotations

import time
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class State(StrEnum):
    """Closed lets requests through, open lets none, half open lets one through to see."""

    CLOSED = "closed"
    HALF_OPEN = "half open"
    OPEN = "open"


class Breaker:
    """The breaker of one endpoint. Ask `admit` before a request, and report after it how it went.

    It opens after `failures` in a row, for `cooldown` seconds or as long as the endpoint asked for. A probe that fails
    opens it again, one that succeeds closes it. `history` has the last changes as (time of `clock`, state).
    """

    def __init__(self, failures: int = 3, cooldown: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = failures
        self.cooldown = cooldown
        self.clock = clock
        self.state = State.CLOSED
        self.history: deque[tuple[float, State]] = deque([(clock(), State.CLOSED)], maxlen=1000)
        self._failed = 0
        self._until = 0.0
        self._probing = False

    @property
    def ready(self) -> bool:
        """Whether `admit` would let a request through now; asking changes nothing."""
        if self.state is State.OPEN:
            return self.clock() >= self._until
        return not (self.state is State.HALF_OPEN and self._probing)

    def admit(self) -> bool:
        """Let a request through or not. Each one that is let through must be reported afterwards, once."""
        if not self.ready:
            return False
        if self.state is State.OPEN:
            self._become(State.HALF_OPEN)
        self._probing = self.state is State.HALF_OPEN
        return True

    def succeeded(self) -> None:
        """The endpoint answered."""
        self._failed, self._probing = 0, False
        if self.state is State.HALF_OPEN:
            self._become(State.CLOSED)

    def failed(self, wait: float = 0.0) -> None:
        """The endpoint failed; `wait` is how long it asked to be left alone, in seconds."""
        self._failed += 1
        if self.state is State.HALF_OPEN or self._failed >= self.failures or wait > self.cooldown:
            self._until = max(self._until, self.clock() + max(self.cooldown, wait))
            if self.state is not State.OPEN:
                self._become(State.OPEN)
        self._probing = False

    def released(self) -> None:
        """The request said nothing about the endpoint: it was stopped, or was wrong itself."""
        self._probing = False

    def _become(self, state: State) -> None:
        self.state = state
        self.history.append((self.clock(), state))
