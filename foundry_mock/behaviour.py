"""The mock's speed, slots, queued faults and counters."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fault(StrEnum):
    """What goes wrong with one chat request."""

    NONE = "none"
    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # 500
    DROP = "drop"  # the connection breaks in the middle of the answer
    TRUNCATE = "truncate"  # the answer ends in good order, but too early and without finish_reason and [DONE]
    HANG = "hang"  # accepted, and then nothing, not even headers
    HANG_FIRST = "hang_first"  # the headers of a stream, and then nothing
    HANG_MIDDLE = "hang_middle"  # some text, and then nothing
    OVERFLOW = "overflow"  # the context window is exceeded: 400, or an error event in a 200 stream
    SLOW_LORIS = "slow_loris"  # bytes trickle in, so that no line is whole for long


@dataclass(frozen=True)
class Step:
    """A fault for one request; `after` is the number of tokens before it, `retry_after` in seconds."""

    fault: Fault
    after: int = 3
    retry_after: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fault", Fault(self.fault))
        _at_least(0, after=self.after, retry_after=self.retry_after)


@dataclass(frozen=True)
class Behaviour:
    """`first_token` in seconds from a slot to the first text, then `rate` tokens a second; `slots` at once.

    More requests than slots wait in the order in which they came. `context` counts tokens.
    Raises ValueError for an impossible value.
    """

    first_token: float = 0.05
    rate: float = 200.0
    slots: int = 4
    context: int = 8192
    model: str = "mock-model-generic-cpu:1"

    def __post_init__(self) -> None:
        _at_least(0, first_token=self.first_token)
        _at_least(0.001, rate=self.rate)
        _at_least(1, slots=self.slots, context=self.context)
        if not isinstance(self.model, str) or not self.model:
            raise ValueError(f"model must be a name, not {self.model!r}")

    @property
    def alias(self) -> str:
        """The short name, which `/models/load` takes."""
        return self.model.split("-generic-")[0]

    @property
    def most_tokens(self) -> int:
        """The limit of tokens for a request that sets none."""
        return min(2048, self.context // 4)

    def due(self, number: int) -> float:
        """Seconds from a slot to the token of this number. They do not count from each other: delays do not add up."""
        return self.first_token + number / self.rate


def _at_least(least: float, **values: float) -> None:
    for name, value in values.items():
        whole = name in ("slots", "context", "after")
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or not math.isfinite(value) or value < least:
            raise ValueError(f"{name} must be a {'whole ' if whole else ''}number from {least} up, not {value!r}")


@dataclass(frozen=True)
class Counters:
    """Chat requests since the start: `waiting` for a slot, `running` now, the `most` at once, and how others ended.

    `ended` ones reached the end of their text, `aborted` ones were broken off by the client or by a fault,
    `refused` ones got an error instead.
    """

    started: int = 0
    waiting: int = 0
    running: int = 0
    most: int = 0
    ended: int = 0
    aborted: int = 0
    refused: int = 0


@dataclass
class State:
    """What one mock holds; its lock lets the threads of a test read it while the server runs."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    counters: Counters = field(default_factory=Counters)
    loaded: bool = True
    _steps: deque[Step] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, **changes: int) -> None:
        """Add to counters by name."""
        with self._lock:
            now = self.counters
            values = {name: getattr(now, name) + change for name, change in changes.items()}
            running = values.get("running", now.running)
            self.counters = replace(now, **values, most=max(now.most, running))

    def queue(self, steps: Iterable[Step | Fault]) -> None:
        """Give the next chat requests these faults, one each."""
        with self._lock:
            self._steps.extend(step if isinstance(step, Step) else Step(step) for step in steps)

    def next_step(self) -> Step:
        """The fault of this request; none when nothing is queued."""
        with self._lock:
            return self._steps.popleft() if self._steps else Step(Fault.NONE)

    def change(self, settings: Any) -> None:
        """Take what `PUT /mock` was sent: fields of Behaviour, and `faults` as a list of steps or names.

        Raises ValueError or TypeError for what makes no sense, and then has changed nothing.
        """
        if not isinstance(settings, dict):
            raise TypeError("Settings must be a JSON object")
        faults = settings.get("faults", [])
        steps = [Step(**item) if isinstance(item, dict) else Step(item) for item in faults]
        behaviour = replace(self.behaviour, **{name: value for name, value in settings.items() if name != "faults"})
        self.behaviour = behaviour
        self.queue(steps)

    def as_json(self) -> dict[str, Any]:
        """What `GET /mock` answers."""
        return {"behaviour": asdict(self.behaviour), "counters": asdict(self.counters), "faults": len(self._steps)}
