"""What a failed request says about trying again: by kind of error, with jitter, and as the endpoint asks."""

from __future__ import annotations

import contextlib
import email.utils
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import openai

from labkit.errors import EndpointError
from labkit.events import End

if TYPE_CHECKING:
    from labkit.errors import LabError


@dataclass(frozen=True)
class Failure:
    """Whether the same request may succeed there soon, whether it counts against the endpoint, and the wait it asks."""

    again: bool
    counts: bool
    wait: float = 0.0


def judge(error: LabError, ended: End) -> Failure:
    """What one failed attempt means.

    Too many requests (429), a fault inside (5xx) and a broken connection may pass; a time-out has cost long enough
    already; a wrong key or model stays wrong; a request that is refused for itself does not count.
    """
    cause = error.__cause__
    if ended is End.TIMED_OUT:
        return Failure(again=False, counts=True)
    if ended is End.DROPPED:
        return Failure(again=True, counts=True)
    if isinstance(cause, openai.RateLimitError):
        return Failure(again=True, counts=True, wait=retry_after(cause.response.headers.get("Retry-After")))
    if isinstance(cause, openai.APITimeoutError | openai.AuthenticationError | openai.PermissionDeniedError):
        return Failure(again=False, counts=True)
    if isinstance(cause, openai.APIConnectionError | openai.InternalServerError):
        return Failure(again=True, counts=True)
    if isinstance(cause, openai.NotFoundError):
        return Failure(again=False, counts=True)
    return Failure(again=isinstance(error, EndpointError), counts=isinstance(error, EndpointError))


def retry_after(value: str | None, now: datetime | None = None) -> float:
    """Seconds in a Retry-After header: a number or an HTTP date (RFC 9110, section 10.2.3); 0 where it is neither."""
    with contextlib.suppress(ValueError):  # then it may be a date
        seconds = float(value or 0)
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0
    try:
        until = email.utils.parsedate_to_datetime(value or "")
    except ValueError:
        return 0.0
    # The oldest form of an HTTP date names no zone: it is always UTC.
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


@dataclass(frozen=True)
class Retries:
    """At most `attempts` for one endpoint. Waits grow from `base` seconds and are drawn (full jitter), so that many
    clients do not come back at the same moment; who asks for more than `longest` seconds is not waited for.

    Source of full jitter: M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog (2015).
    """

    attempts: int = 3
    base: float = 0.25
    longest: float = 5.0
    random: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be 1 or more (1: ask once), not {self.attempts}")

    def delay(self, number: int, failure: Failure) -> float | None:
        """Seconds to wait after the attempt of this number (from 1), or None to give this endpoint up."""
        if not failure.again or number >= self.attempts or failure.wait > self.longest:
            return None
        return failure.wait + self.random.uniform(0, self.base * 2 ** (number - 1))
