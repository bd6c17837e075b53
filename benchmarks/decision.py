"""What one decision costs, gate and score together: `python benchmarks/decision.py`.

The way that Router.decide goes, on the prompts of the routing lesson, after a round that warms up: the gate looks at
the conversation, and the scorer at what passes. No request is made, but for the last row: embeddings ask the local
model for a vector, and are there for comparison.
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from coursekit.routing_data import local_outcomes, tasks
from labkit.connection import connect
from labkit.latency import percentile
from labkit.plots import machine
from labkit.routing.privacy import find
from labkit.routing.scorers import Embeddings, Keywords, Random, TaskTable, Tfidf, WordCount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.routing.scorers import Scorer

ROUNDS, ASKED, GOAL = 10, 40, 1.0


class Gate:
    """The gate alone, for what it takes of each row."""

    def score(self, _: object) -> float:
        """Always easy."""
        return 0.0


def decided(scorer: Scorer, prompts: Sequence[str], rounds: int) -> list[float]:
    """Milliseconds of each decision, in turn over all prompts, after one round that is not counted."""
    taken = []
    for number in range(rounds + 1):
        for prompt in prompts:
            start = time.perf_counter()
            conversation = [{"role": "user", "content": prompt}]
            if not find(conversation):
                scorer.score(conversation)
            if number:
                taken.append(1000 * (time.perf_counter() - start))
    return taken


def load() -> str:
    """How much else runs here, where the system says so."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def main() -> int:
    prompts = [task.prompt for task in tasks()]
    hard = [not outcome.correct for outcome in local_outcomes()]
    rungs: list[tuple[str, Scorer]] = [("gate alone", Gate()), ("chance", Random()), ("word count", WordCount())]
    rungs += [("task table", TaskTable()), ("keywords", Keywords()), ("TF-IDF", Tfidf().fit(prompts, hard))]
    before, slowest = load(), 0.0
    print(
        f"one decision, gate and score, {len(prompts)} prompts of {median(map(len, prompts)):.0f} characters (median)"
    )
    print(f"    {'':12}{'n':>6}{'p50 ms':>10}{'p99 ms':>10}   (goal: p99 under {GOAL:g} ms)")
    for name, scorer in rungs:
        taken = decided(scorer, prompts, ROUNDS)
        slowest = max(slowest, percentile(taken, 99))
        print(f"    {name:12}{len(taken):6}{percentile(taken, 50):10.3f}{percentile(taken, 99):10.3f}")
    with connect() as lab:
        embeddings = Embeddings(lab).fit(prompts[:ASKED], [number % 2 == 0 for number in range(ASKED)])
        embeddings.known = {}  # each question is asked for, as in a chat
        taken = decided(embeddings, prompts[:ASKED], 1)
    print(
        f"    {'embeddings':12}{len(taken):6}{percentile(taken, 50):10.3f}{percentile(taken, 99):10.3f}   (a request)"
    )
    print(f"{machine()}; load {before} before, {load()} after")
    return int(slowest >= GOAL)


if __name__ == "__main__":
    sys.exit(main())
