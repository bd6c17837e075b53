"""What errors say about trying again, told by the errors themselves: each is made by a real endpoint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundry_mock import Behaviour, Fault, MockEndpoint, Step
from labkit.connection import Connection, Source
from labkit.errors import LabError
from labkit.routing.resilience import Retries, RetryAdvice, advise, retry_after
from labkit.streaming import stream
from tests.conftest import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Asked, Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]

AGAIN = RetryAdvice(again=True, counts=True)
GIVE_UP = RetryAdvice(again=False, counts=True)
OWN_FAULT = RetryAdvice(again=False, counts=False)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockEndpoint]:
    with MockEndpoint(Behaviour(first_token=0.001, rate=2000)) as endpoint:
        yield endpoint


def judged(base_url: str, model: str = "a", **options: object) -> RetryAdvice:
    """What `advise` says of one request that must fail."""

    async def once() -> RetryAdvice:
        lab = Connection(base_url, model, Source.BASE_URL, retries=0)
        answer = stream(lab, "Count to 5.", **options)
        with suppress(LabError):
            async for _ in answer:
                pass
        await lab.aclose()
        assert answer.trace.error is not None
        return advise(answer.trace.error, answer.trace.ended)

    return asyncio.run(once())


@dataclass(frozen=True)
class Expected:
    """A fault of the mock and what it means."""

    step: Step
    failure: RetryAdvice


@pytest.mark.parametrize(
    "case",
    [
        Expected(Step(Fault.RATE_LIMIT, retry_after=2.5), RetryAdvice(again=True, counts=True, wait=2.5)),
        Expected(Step(Fault.RATE_LIMIT, retry_after=0), AGAIN),
        Expected(Step(Fault.SERVER_ERROR), AGAIN),
        Expected(Step(Fault.DROP, after=0), AGAIN),
        Expected(Step(Fault.DROP), AGAIN),
        Expected(Step(Fault.TRUNCATE), AGAIN),
        Expected(Step(Fault.HANG), GIVE_UP),
        Expected(Step(Fault.HANG_FIRST), GIVE_UP),
        Expected(Step(Fault.HANG_MIDDLE), GIVE_UP),
        Expected(Step(Fault.OVERFLOW), OWN_FAULT),
    ],
    ids=lambda case: str(case.step.fault),
)
def test_faults(mock: MockEndpoint, case: Expected) -> None:
    mock.fail(case.step)
    assert judged(mock.base_url, mock.model, timeout=0.2) == case.failure


def test_a_wrong_model_stays_wrong(mock: MockEndpoint) -> None:
    assert judged(mock.base_url, "nope") == GIVE_UP


def test_nobody_listens(closed_port: int) -> None:
    """It may be about to start."""
    assert judged(f"http://127.0.0.1:{closed_port}/v1") == AGAIN


def test_comments_without_news() -> None:
    """The endpoint lives, and is too slow."""
    with MockEndpoint(Behaviour(first_token=30)) as slow:
        assert judged(slow.base_url, slow.model, timeout=0.4) == GIVE_UP


def refusal(status: int, **headers: str) -> Reply:
    return Reply(b'{"error": {"message": "no"}}', status, headers=headers)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, OWN_FAULT),
        (401, GIVE_UP),
        (403, GIVE_UP),
        (404, GIVE_UP),
        (422, OWN_FAULT),
        (429, AGAIN),
        (500, AGAIN),
        (503, AGAIN),
    ],
)
def test_statuses(loopback: Serve, status: int, failure: RetryAdvice) -> None:
    assert judged(loopback(refusal(status)).base_url) == failure


def test_429_with_a_date(loopback: Serve) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    failure = judged(loopback(refusal(429, **{"Retry-After": date})).base_url)
    assert failure.again
    assert failure.counts
    assert 3000 < failure.wait <= 3600


def test_an_error_inside_a_stream(loopback: Serve) -> None:
    """A status 200 was sent by then: what is not about the request itself may pass."""
    body = b'data: {"error": {"message": "out of memory"}}\n\n'
    assert judged(loopback(Reply(body, kind="text/event-stream")).base_url) == AGAIN


def test_no_json_is_a_broken_stream(loopback: Serve) -> None:
    assert judged(loopback(Reply(b"data: <html>\n\n", kind="text/event-stream")).base_url) == AGAIN


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("120", 120),
        ("1.5", 1.5),
        ("-3", 0),
        ("soon", 0),
        ("nan", 0),
        ("inf", 0),  # not for ever
        ("1e999", 0),
        ("Sun, 01 Mar 2026 12:00:07 GMT", 7),
        ("Sunday, 01-Mar-26 12:00:07 GMT", 7),  # RFC 850
        ("Sun Mar  1 12:00:07 2026", 7),  # asctime
        ("Sun, 01 Mar 2026 12:00:07 -0000", 7),
        ("Sun, 01 Mar 2026 11:59:00 GMT", 0),
        ("Sun, 99 Mar 2026 11:59:00 GMT", 0),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    attempts=st.integers(1, 6),
    number=st.integers(1, 8),
    wait=st.floats(0, 10),
    base=st.floats(0, 2),
    longest=st.floats(0, 10),
    again=st.booleans(),
)
def test_delay(seed: int, attempts: int, number: int, wait: float, base: float, longest: float, again: bool) -> None:
    """None when there is no use; else what the endpoint asks for, and a part of a wait that doubles."""
    retries = Retries(attempts, base, longest, Random(seed))
    delay = retries.delay(number, RetryAdvice(again=again, counts=True, wait=wait))
    if not again or number >= attempts or wait > longest:
        assert delay is None
    else:
        assert delay is not None
        assert wait <= delay <= (wait + base * 2 ** (number - 1)) * (1 + 1e-9)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_jitter_is_full(number: int) -> None:
    """Drawn from all of the time between nothing and twice as much as before."""
    retries = Retries(attempts=9, base=0.5, random=Random(1))
    most = 0.5 * 2 ** (number - 1)
    drawn = [delay for _ in range(400) if (delay := retries.delay(number, AGAIN)) is not None]
    assert len(set(drawn)) == 400
    assert min(drawn) < 0.05 * most
    assert 0.95 * most < max(drawn) <= most
    assert sum(drawn) / 400 == pytest.approx(most / 2, rel=0.1)


def test_the_same_seed_waits_the_same() -> None:
    first, second = (Retries(random=Random(7)) for _ in range(2))
    assert [first.delay(1, AGAIN) for _ in range(5)] == [second.delay(1, AGAIN) for _ in range(5)]


def test_at_the_edge() -> None:
    retries = Retries(attempts=2, longest=5)
    assert retries.delay(1, RetryAdvice(again=True, counts=True, wait=5)) is not None
    assert retries.delay(1, RetryAdvice(again=True, counts=True, wait=5.01)) is None
    assert retries.delay(2, AGAIN) is None


def test_no_attempt_at_all_makes_no_sense() -> None:
    assert Retries(attempts=1).delay(1, AGAIN) is None
    with pytest.raises(ValueError, match="1 or more"):
        Retries(attempts=0)
