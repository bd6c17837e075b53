"""What the app does not take: more questions of one user than the rate, a longer line than the limit."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.chat.device import Refusal, Refused
from labkit import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Rate:
    """So many questions in so many seconds."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, told: str) -> Rate:
        """Read `10/min`. Raises SettingsError."""
        match = re.fullmatch(r"([1-9][0-9]{0,5})/(s|min|h)", told)
        if match is None:
            raise SettingsError(f"CHAT_RATE is {told!r}", fix="write it as 20/min; the units are s, min and h")
        return cls(int(match[1]), _SECONDS[match[2]])

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.count}/{unit}"


class Buckets:
    """A token bucket for each user: a whole rate's worth at once, and then as fast as the bucket fills again.

    A user who is refused loses nothing by it: asking again too early does not make the wait longer.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.clock = clock
        self._full: dict[str, float] = {}  # when each bucket is full again

    def take(self, user: str) -> None:
        """Count a question of this user. Raises Refusal with the seconds to wait."""
        now, each = self.clock(), self.rate.seconds / self.rate.count
        # A bucket that is full again is like one that was never used.
        self._full = {name: full for name, full in self._full.items() if full > now}
        full = self._full.get(user, now) + each
        if (early := full - now - self.rate.seconds) > 1e-6:  # the rest is rounding
            raise Refusal(Refused.RATE, early)
        self._full[user] = full
