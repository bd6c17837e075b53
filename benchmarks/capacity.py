"""The capacity model against measurement: `python benchmarks/capacity.py`.

1 to 32 users who think, ask and wait, against the mock with two slots (0.05 s to the first token, then 200 tokens a
second), for 40 s each. The model is told two things only: how long an answer holds a slot, which one user alone
measures, and how long the users think. Lengths of answers and of thinking are spread as exponential ones are, dealt
from shuffled decks so that short runs meet their mean. Everything is on loopback and takes about six minutes;
`--users 2 8` asks for fewer, `--write FILE` keeps the measurement as JSON, `--picture FILE` draws it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from coursekit.capacity import Capacity, Measured
from coursekit.figures import capacity
from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.latency import e2e, percentile, ttft
from labkit.notebook import Table
from labkit.plots.picture import machine
from labkit.streaming import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.events import Trace

DEVICE = Behaviour(first_token=0.05, rate=200, slots=2)
TOKENS, THINK, DECK = 40, 1.0, 50
WARMUP = 5.0


def spread(middle: float, chance: random.Random) -> Iterator[float]:
    """Exponential values without end, from a deck that is shuffled again when it is used up."""
    parts = [-math.log(1 - (number + 0.5) / DECK) for number in range(DECK)]
    scale = middle / mean(parts)
    while True:
        chance.shuffle(parts)
        yield from (scale * part for part in parts)


@dataclass
class Crowd:
    """Users at one device, and the answers that have ended."""

    lab: Connection
    lengths: Iterator[float]
    pauses: Iterator[float]
    traces: list[Trace] = field(default_factory=list)

    async def user(self) -> None:
        """Think, ask, wait for the end; again and again."""
        while True:
            await asyncio.sleep(next(self.pauses))
            answer = stream(self.lab, f"Count to {max(1, round(next(self.lengths)))}.")
            async for _ in answer:
                pass
            self.traces.append(answer.trace)

    async def run(self, users: int, seconds: float) -> Measured:
        """What they see, after a while in which the line finds its length."""
        asking = [asyncio.create_task(self.user()) for _ in range(users)]
        await asyncio.sleep(WARMUP)
        self.traces.clear()
        start = time.perf_counter()
        await asyncio.sleep(seconds)
        span, seen = time.perf_counter() - start, list(self.traces)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        first = tuple(ttft(trace) or 0.0 for trace in seen)
        return Measured(
            users, span, sum(trace.tokens for trace in seen), first, tuple(e2e(trace) or 0.0 for trace in seen)
        )


def table(measured: list[Measured], model: Capacity, idle: Measured) -> Table:
    """A row for each number of users: what was seen, and by how much the model is off."""
    rows = []
    for each in measured:
        load = model.at(each.users)
        seen = mean(each.response_s)
        rows.append(
            (
                str(each.users),
                str(len(each.response_s)),
                f"{each.tokens / each.seconds:.0f}",
                f"{percentile(each.ttft_s, 50):.2f}",
                f"{percentile(each.ttft_s, 95):.2f}",
                f"{max(0.0, mean(each.ttft_s) - mean(idle.ttft_s)):.2f}",
                f"{load.wait_s:.2f}",
                f"{100 * (load.answers_per_s / each.answers_per_s - 1):+.0f} %",
                f"{100 * (load.response_s / seen - 1):+.0f} %",
            )
        )
    heads = ("users", "n", "tokens/s", "TTFT p50 (s)", "TTFT p95 (s)", "wait (s)", "wait, model (s)")
    return Table((*heads, "error of answers/s", "error of response"), tuple(rows))


def crowd(lab: Connection, think: float) -> Crowd:
    """The same decks for each number of users."""
    chance = random.Random(1)
    return Crowd(lab, spread(TOKENS, chance), spread(think, chance))


async def main(counts: list[int], seconds: float) -> tuple[list[Measured], Capacity, Connection]:
    with MockEndpoint(DEVICE) as mock:
        lab = Connection(mock.base_url, mock.model, Source.BASE_URL, retries=0)
        idle = await crowd(lab, 0.0).run(1, seconds)
        model = Capacity(mean(idle.response_s), DEVICE.slots, THINK)
        measured = [await crowd(lab, THINK).run(users, seconds) for users in counts]
        await lab.aclose()
    print(table(measured, model, idle))
    print(f"an answer holds a slot for {model.service_s:.3f} s (n = {len(idle.response_s)}), users think {THINK:g} s")
    served = f"at most {model.most_users(1.0)} wait for under 1 s on average"
    print(f"saturated from {model.saturation_users:.1f} users on; {served}")
    print(machine())
    return measured, model, lab


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, nargs="+", default=[1, 2, 4, 8, 12, 16, 32])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--picture", type=Path)
    told = parser.parse_args()
    measured, model, lab = asyncio.run(main(told.users, told.seconds))
    if told.write:
        each = f"the mock with {DEVICE.slots} slots, {told.seconds:g} s for each point"
        source = f"{each} · {machine()} · benchmarks/capacity.py"
        kept = {"source": source, "model": asdict(model), "measured": list(map(asdict, measured))}
        told.write.write_text(json.dumps(kept), encoding="utf-8")
    if told.picture:
        told.picture.write_bytes(capacity(measured, model, lab).png())
