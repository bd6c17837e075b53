"""The metrics on traces made by hand, percentiles against numpy, and measure() against the mock."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from foundry_mock import Behaviour, Fault, MockEndpoint
from labkit.connection import Connection, Source
from labkit.errors import EndpointError
from labkit.events import End, Trace
from labkit.latency import SLO, Run, e2e, gaps, goodput, itl, measure, percentile, rate, tpot, ttft


def made(*chunks: float, tokens: int | None = None, ended: End = End.FINISHED) -> Trace:
    """A trace of a request at 10 s whose text came at the given times after it."""
    stamps = [10 + chunk for chunk in chunks]
    end = stamps[-1] + 0.01 if stamps else 11
    return Trace(request=10, headers=10.05, chunks=stamps, end=end, completion_tokens=tokens, ended=ended)


def test_metrics_follow_their_formulas() -> None:
    trace = made(0.5, 0.6, 0.8, 1.1, tokens=4)
    assert ttft(trace) == pytest.approx(0.5)
    assert e2e(trace) == pytest.approx(1.1)
    assert tpot(trace) == pytest.approx((1.1 - 0.5) / 3)
    assert gaps(trace) == pytest.approx([0.1, 0.2, 0.3])
    assert itl(trace) == gaps(trace)
    assert rate(trace) == pytest.approx(4 / 1.1)


def test_chunks_of_several_tokens_have_no_itl() -> None:
    trace = made(0.5, 0.6, 0.8, tokens=9)
    assert itl(trace) == []
    assert tpot(trace) == pytest.approx(0.3 / 8)


def test_without_usage_chunks_are_counted() -> None:
    assert tpot(made(0.5, 0.6, 0.8)) == pytest.approx(0.15)


def test_no_text_has_no_numbers() -> None:
    for trace in (made(), made(ended=End.REFUSED)):
        assert (ttft(trace), e2e(trace), tpot(trace), rate(trace), gaps(trace)) == (None, None, None, None, [])
    assert tpot(made(0.5, tokens=1)) is None


def test_percentiles_equal_numpys() -> None:
    rng = np.random.default_rng(7)
    for size in (1, 2, 5, 99, 100):
        values = list(rng.exponential(size=size))
        for percent in (0, 1, 37.5, 50, 90, 99, 100):
            assert percentile(values, percent) == pytest.approx(np.percentile(values, percent))


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_an_impossible_percentile_is_an_error(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, percent)


def test_goodput_counts_answers_that_met_the_objective() -> None:
    slo = SLO(ttft=0.2, itl=0.05)
    good, late, slow = made(0.1, 0.14), made(0.3, 0.34), made(0.1, 0.2)
    stopped = made(0.1, 0.14, ended=End.STOPPED)
    assert [slo.met(trace) for trace in (good, late, slow, stopped)] == [True, False, False, False]
    assert goodput(Run([good, late, slow, stopped], [], 1, 2.0), slo) == 0.5


def test_measure_keeps_warmup_and_failures_apart_and_the_order() -> None:
    told: list[tuple[int, int]] = []
    with MockEndpoint(Behaviour(first_token=0.01, rate=2000, slots=8)) as mock:

        async def go() -> Run:
            lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
            try:
                await measure(lab, ["Count to 3."], n=1, warmup=0)
                mock.fail(Fault.NONE, Fault.NONE, Fault.NONE, Fault.DROP)
                return await measure(
                    lab, ["Count to 3.", "Count to 4."], n=6, concurrency=1, warmup=2, say=lambda *n: told.append(n)
                )
            finally:
                await lab.aclose()

        run = asyncio.run(go())
    assert [trace.tokens for trace in run.warmup] == [3, 4]
    assert [trace.ended for trace in run.traces].count(End.DROPPED) == 1
    assert len(run.done) == 5
    assert [trace.tokens for trace in run.done] == [3, 3, 4, 3, 4]
    assert told[-1] == (6, 6)
    assert run.tokens_per_second > 0


def test_measure_runs_as_many_at_once_as_asked() -> None:
    with MockEndpoint(Behaviour(first_token=0.1, rate=2000, slots=8)) as mock:

        async def go(width: int) -> None:
            lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
            await measure(lab, ["Count to 3."], n=6, concurrency=width, warmup=0)
            await lab.aclose()

        asyncio.run(go(1))
        assert mock.counters.most == 1
        asyncio.run(go(3))
        assert mock.counters.most == 3


@pytest.mark.parametrize("options", [{"n": 0}, {"concurrency": 0}, {"warmup": -1}])
def test_impossible_counts_are_errors(options: dict[str, int]) -> None:
    lab = Connection("http://127.0.0.1:9/v1", "a", Source.BASE_URL)
    with pytest.raises(ValueError, match="measure needs"):
        asyncio.run(measure(lab, ["Hi"], **options))  # type: ignore[arg-type]


def test_an_endpoint_that_never_answers_is_an_error_and_no_empty_measurement(closed_port: int) -> None:
    lab = Connection(f"http://127.0.0.1:{closed_port}/v1", "a", Source.BASE_URL, retries=0)
    with pytest.raises(EndpointError):
        asyncio.run(measure(lab, ["Hi"], n=2))
