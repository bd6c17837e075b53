"""What errors say about trying again, told by the errors themselves: each is made by a real endpoint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
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


@pytest.mark.parametrize(
    ("step", "advice"),
    [
        (Step(Fault.RATE_LIMIT, retry_after=2.5), RetryAdvice(again=True, counts=True, wait=2.5)),
        (Step(Fault.RATE_LIMIT, retry_after=0), AGAIN),
        (Step(Fault.SERVER_ERROR), AGAIN),
        (Step(Fault.DROP, after=0), AGAIN),
        (Step(Fault.DROP), AGAIN),
        (Step(Fault.TRUNCATE), AGAIN),
        (Step(Fault.HANG), GIVE_UP),
        (Step(Fault.HANG_FIRST), GIVE_UP),
        (Step(Fault.HANG_MIDDLE), GIVE_UP),
        (Step(Fault.OVERFLOW), OWN_FAULT),
    ],
    ids=str,
)
def test_faults(mock: MockEndpoint, step: Step, advice: RetryAdvice) -> None:
    mock.fail(step)
    assert judged(mock.base_url, mock.model, timeout=0.2) == advice


def test_a_wrong_model_stays_wrong_and_a_closed_port_may_open(mock: MockEndpoint, closed_port: int) -> None:
    assert judged(mock.base_url, "nope") == GIVE_UP
    assert judged(f"http://127.0.0.1:{closed_port}/v1") == AGAIN


def test_an_endpoint_that_sends_only_comments_is_too_slow() -> None:
    with MockEndpoint(Behaviour(first_token=30)) as slow:
        assert judged(slow.base_url, slow.model, timeout=0.4) == GIVE_UP


def refusal(status: int, **headers: str) -> Reply:
    return Reply(b'{"error": {"message": "no"}}', status, headers=headers)


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        *[(refusal(status), OWN_FAULT) for status in (400, 422)],
        *[(refusal(status), GIVE_UP) for status in (401, 403, 404)],
        *[(refusal(status), AGAIN) for status in (429, 500, 503)],
        (Reply(b'{"error": {"code": "insufficient_quota", "message": "no"}}', 429), GIVE_UP),
        # A status 200 was sent before these: an error that is not about the request itself may pass.
        (Reply(b'data: {"error": {"message": "out of memory"}}\n\n', kind="text/event-stream"), AGAIN),
        (Reply(b"data: <html>\n\n", kind="text/event-stream"), AGAIN),
    ],
)
def test_replies(loopback: Serve, reply: Reply, advice: RetryAdvice) -> None:
    assert judged(loopback(reply).base_url) == advice


def test_429_with_a_date(loopback: Serve) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    advice = judged(loopback(refusal(429, **{"Retry-After": date})).base_url)
    assert (advice.again, advice.counts) == (True, True)
    assert 3000 < advice.wait <= 3600


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
@example(seed=1, attempts=3, number=2, wait=5, base=0.25, longest=5, again=True)
@example(seed=1, attempts=2, number=2, wait=0, base=0.25, longest=5, again=True)
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


def test_no_attempt_at_all_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Retries(attempts=0)
