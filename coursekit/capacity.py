"""How many users one device can serve: throughput and waiting from two measured times.

A chat is a closed system: each of `users` persons reads and types for a think time, asks, and waits for the whole
answer; as many answers as there are slots are made at once, the others wait in the queue. An answer is described by the
time for which it holds a slot: see `service_s`. All times are means, in seconds.

`Capacity.at` takes both times to vary as exponential ones do, which is near what people and their questions do. The
bounds hold however they vary. Sources: E. Lazowska, J. Zahorjan, G. Graham, K. Sevcik, "Quantitative System
Performance" (1984), chapter 3 for Little's law and the response time law, chapter 5 for the bounds and the saturation
point; L. Kleinrock, "Queueing Systems", volume 1 (1975), chapter 3, for the queue with finitely many customers and
several servers (M/M/c with a finite source).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass


def service_s(ttft_s: float, tpot_s: float, tokens: float) -> float:
    """How long an answer holds its slot: until its first token, and then each further one at its pace."""
    return ttft_s + (tokens - 1) * tpot_s


@dataclass(frozen=True)
class Load:
    """What is to be expected with so many users. Little's law holds: users = answers_per_s * (response_s + think)."""

    users: int
    answers_per_s: float
    response_s: float  # from the question to the end of its answer
    wait_s: float  # the part of it that is spent in line


@dataclass(frozen=True)
class Measured:
    """What so many users saw within a span of time; the lists have a value for each answer that ended within it."""

    users: int
    seconds: float
    tokens: int
    ttft_s: tuple[float, ...]
    response_s: tuple[float, ...]

    @property
    def answers_per_s(self) -> float:
        """Throughput."""
        return len(self.response_s) / self.seconds


@dataclass(frozen=True)
class Capacity:
    """A device that is asked by users who think between their questions. Raises ValueError for what makes no sense."""

    service_s: float
    slots: int = 1
    think_s: float = 0.0

    def __post_init__(self) -> None:
        times = (self.service_s, self.think_s)
        if not all(map(math.isfinite, times)) or self.service_s <= 0 or self.think_s < 0 or self.slots < 1:
            raise ValueError("capacity needs a service time above 0, a think time from 0, and at least one slot")

    @property
    def saturation_users(self) -> float:
        """From so many users on there is always somebody in line, however evenly they come (Lazowska, N*)."""
        return self.slots * (self.service_s + self.think_s) / self.service_s

    def most_answers_per_s(self, users: int) -> float:
        """Throughput is never higher: all slots busy, or nobody ever in line."""
        return min(self.slots / self.service_s, users / (self.service_s + self.think_s))

    def least_response_s(self, users: int) -> float:
        """Response is never shorter on average: R >= max(S, U S / c - Z)."""
        return max(self.service_s, users * self.service_s / self.slots - self.think_s)

    def at(self, users: int) -> Load:
        """The steady state with so many users. Raises ValueError for fewer than one."""
        if users < 1:
            raise ValueError("at least one user is needed")
        weights = self._weights(users)
        total = math.fsum(weights)
        busy = math.fsum(weight * min(asked, self.slots) for asked, weight in enumerate(weights)) / total
        line = math.fsum(weight * max(0, asked - self.slots) for asked, weight in enumerate(weights)) / total
        answers_per_s = busy / self.service_s
        wait_s = line / answers_per_s  # Little's law, of the line alone
        return Load(users, answers_per_s, self.service_s + wait_s, wait_s)

    def _weights(self, users: int) -> list[float]:
        """How likely it is that 0, 1, 2 ... users wait for an answer, each in proportion to the likeliest."""
        if self.think_s == 0:
            return [0.0] * users + [1.0]
        offered = math.log(self.service_s) - math.log(self.think_s)
        logs = [0.0]  # logarithms, since the weights of a thousand users are beyond a float
        for asked in range(1, users + 1):
            logs.append(logs[-1] + offered + math.log(users - asked + 1) - math.log(min(asked, self.slots)))
        most = max(logs)
        return [math.exp(each - most) for each in logs]

    def most_users(self, wait_s: float) -> int:
        """How many users there may be before one waits longer than this in line on average."""
        if not wait_s >= 0 or math.isinf(wait_s):
            raise ValueError("a wait is a number of seconds from 0")
        # There the bound alone is past it; below, the wait only grows with the users.
        end = math.ceil(self.slots * (self.service_s + self.think_s + wait_s) / self.service_s) + 2
        return bisect_right(range(1, end), wait_s, key=lambda users: self.at(users).wait_s)
