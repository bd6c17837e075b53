"""How fast an answer feels, as numbers: TTFT, TPOT, gaps, tokens a second, goodput.

Names and formulas are those of vLLM's `bench serve` and NVIDIA's AIPerf; the docstrings say where the two differ. All
times are in seconds. For a trace without text the functions return None or an empty list.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.events import COMPLETE
from labkit.streaming import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labkit.connection import Connection
    from labkit.events import Trace
    from labkit.streaming import Message


def ttft(trace: Trace) -> float | None:
    """Time to first token: first non-empty text minus request. Source: vLLM, AIPerf."""
    return None if trace.first_text is None else trace.first_text - trace.request


def time_to_reasoning(trace: Trace) -> float | None:
    """First piece of reasoning minus request; None for an answer without reasoning. TTFT is then the later one."""
    return None if trace.first_reasoning is None else trace.first_reasoning - trace.request


def e2e(trace: Trace) -> float | None:
    """End-to-end latency: last text minus request. Source: vLLM (E2EL), AIPerf (request latency)."""
    return trace.chunks[-1] - trace.request if trace.chunks else None


def tpot(trace: Trace) -> float | None:
    """Time per output token after the first: (E2E - TTFT) / (tokens - 1). Source: vLLM.

    AIPerf calls this number inter-token latency. If the endpoint counts no tokens, we count chunks instead
    (see `trace.counted`). None with fewer than two tokens.
    """
    if len(trace.chunks) < 2 or trace.tokens < 2:
        return None
    return (trace.chunks[-1] - trace.chunks[0]) / (trace.tokens - 1)


def gaps(trace: Trace) -> list[float]:
    """The times between one chunk and the next. Source: AIPerf (inter-chunk latency)."""
    return [after - before for before, after in zip(trace.chunks, trace.chunks[1:], strict=False)]


def itl(trace: Trace) -> list[float]:
    """Inter-token latencies: the gaps, where each chunk brought one token. Source: vLLM.

    Empty otherwise: a chunk of several tokens says nothing about the time between them. One token without text of
    its own, for example the end marker, is allowed.
    """
    return gaps(trace) if abs(trace.tokens - len(trace.chunks)) <= 1 else []


def rate(trace: Trace) -> float | None:
    """Tokens a second of one answer, its wait included: tokens / E2E."""
    total = e2e(trace)
    return trace.tokens / total if total else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the values are, linear between neighbours (numpy's default, R's type 7).

    Raises ValueError for no values, or a percent outside 0 to 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError("a percentile needs at least one value, and a percent from 0 to 100")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True)
class SLO:
    """A service level objective for one answer: first token within `ttft`, and 99 % of the gaps within `itl`."""

    ttft: float = 0.2
    itl: float = 0.05

    def met(self, trace: Trace) -> bool:
        """Whether the answer is complete and met both limits."""
        first, between = ttft(trace), gaps(trace)
        if trace.ended not in COMPLETE or first is None:
            return False
        return first <= self.ttft and (not between or percentile(between, 99) <= self.itl)


@dataclass(frozen=True)
class Run:
    """The result of `measure`: a trace for each answer, also the failed and stopped ones; the warm-up is apart."""

    traces: list[Trace]
    warmup: list[Trace]
    concurrency: int
    seconds: float

    @property
    def done(self) -> list[Trace]:
        """The complete answers."""
        return [trace for trace in self.traces if trace.ended in COMPLETE]

    @property
    def tokens_per_second(self) -> float:
        """All tokens of all answers over the time of the whole run."""
        return sum(trace.tokens for trace in self.traces) / self.seconds

    def values(self, metric: Callable[[Trace], float | None]) -> list[float]:
        """The metric of each complete answer that has it."""
        return [value for trace in self.done if (value := metric(trace)) is not None]


def goodput(run: Run, slo: SLO) -> float:
    """Answers a second that met the objective: those / seconds of the run. Source: DistServe (OSDI 2024), vLLM."""
    return sum(slo.met(trace) for trace in run.traces) / run.seconds


@dataclass
class _Work:
    """The shared state of one measurement's workers."""

    jobs: list[tuple[int, str | Sequence[Message]]]
    traces: dict[int, Trace] = field(default_factory=dict)


async def measure(
    connection: Connection,
    prompts: Sequence[str | Sequence[Message]],
    *,
    n: int = 20,
    concurrency: int = 1,
    warmup: int = 1,
    say: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Run:
    """Ask `n` times, `concurrency` at once, taking the prompts in turn; `options` go to the endpoint.

    `warmup` requests are sent first and kept apart. An answer that fails is a trace like the others, with its
    `ended` and `error`; where all `n` fail, the first one's LabError is raised. `say(done, n)` reports progress.
    Raises ValueError for counts that make no sense.
    """
    if n < 1 or concurrency < 1 or warmup < 0 or not prompts:
        raise ValueError("measure needs at least one prompt, n and concurrency of at least 1, and warmup of at least 0")
    warm = [await _one(connection, prompts[index % len(prompts)], options) for index in range(warmup)]
    work = _Work([(index, prompts[index % len(prompts)]) for index in range(n)][::-1])

    async def worker() -> None:
        while work.jobs:
            index, prompt = work.jobs.pop()
            work.traces[index] = await _one(connection, prompt, options)
            if say:
                say(len(work.traces), n)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, n)):
            group.create_task(worker())
    seconds = time.perf_counter() - start
    run = Run([work.traces[index] for index in range(n)], warm, concurrency, seconds)
    if all(trace.error for trace in run.traces) and (error := run.traces[0].error):
        raise error
    return run


async def _one(connection: Connection, prompt: str | Sequence[Message], options: dict[str, Any]) -> Trace:
    answer = stream(connection, prompt, **options)
    try:
        async for _ in answer:
            pass
    except LabError:
        return answer.trace  # the trace says how it failed
    return answer.trace
