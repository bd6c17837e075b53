"""How good a scorer is: quality against cost, how much of the gap it recovers, and how sure that is.

Source of APGR and CPT: Ong and others, RouteLLM (2024), section 4. The functions take plain sequences, so that
you can judge any table of outcomes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import RoutingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labkit.routing.scorers import Scorer

    Floats = NDArray[np.float64]

RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A value and the 2.5 and 97.5 percentiles of its bootstrap."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, always within 0 and 1. Source: E. B. Wilson, JASA 22 (1927)."""
    z = 1.959964
    share, spread = successes / n, z * math.sqrt(successes * (n - successes) / n**3 + z * z / (4 * n * n))
    middle, scale = share + z * z / (2 * n), 1 + z * z / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@dataclass(frozen=True, eq=False)
class Curve:
    """From all local to all cloud: the share of calls to the cloud, the mean cost, and the mean quality.

    Questions with the same score go together: between the points a line is what choosing among them by chance gives.
    """

    share: Floats
    cost: Floats
    quality: Floats

    @property
    def recovered(self) -> Floats:
        """PGR, the part of the gap between local and cloud that is closed: 0 is all local, 1 all cloud."""
        gained: Floats = (self.quality - self.quality[0]) / (self.quality[-1] - self.quality[0])
        return gained

    @property
    def apgr(self) -> float:
        """The mean of PGR over all shares of calls, by trapezoids. Chance gives 0.5."""
        return float(np.trapezoid(self.recovered, self.share))

    def cpt(self, part: float) -> float:
        """CPT: the least share of calls to the cloud that recovers this part of the gap."""
        recovered = self.recovered
        if recovered[0] >= part:
            return 0.0
        last = int(np.argmax(recovered >= part))
        step = (part - recovered[last - 1]) / (recovered[last] - recovered[last - 1])
        return float(self.share[last - 1] + step * (self.share[last] - self.share[last - 1]))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One scorer on some prompts: its curve, and APGR, CPT(50 %) and CPT(80 %) with their intervals."""

    n: int
    scores: Floats
    curve: Curve
    apgr: Interval
    cpt50: Interval
    cpt80: Interval


def evaluate(
    scorer: Scorer,
    prompts: Sequence[str],
    local_correct: Sequence[bool | float],
    cloud_correct: Sequence[bool | float],
    cost: Sequence[float] | float = 1.0,
    *,
    local_cost: Sequence[float] | float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Judge a scorer by recorded outcomes: for each prompt one local and one cloud outcome, in the same order.

    `cost` is the cost of a cloud answer and `local_cost` that of a local one, in dollars or seconds. Intervals come
    from a bootstrap over the prompts. Raises RoutingError if lengths differ, if a score is not a number, or if the
    cloud is not better than the local model, so that there is no gap to recover.
    """
    scores = np.array([scorer.score([{"role": "user", "content": prompt}]) for prompt in prompts], dtype=float)
    local, cloud = np.array(local_correct, dtype=float), np.array(cloud_correct, dtype=float)
    if not len(prompts) == len(local) == len(cloud) > 0:
        raise RoutingError(
            f"{len(prompts)} prompts, {len(local)} local and {len(cloud)} cloud outcomes", fix="give one for each"
        )
    if not np.isfinite(scores).all():
        raise RoutingError("The scorer gave a score that is not a number", fix="return a number from 0 to 1")
    costs, local_costs = (_for_each(price, len(scores)) for price in (cost, local_cost))
    curve = trace_curve(scores, local, cloud, costs, local_costs)
    if curve.quality[-1] <= curve.quality[0]:
        raise RoutingError(
            "The cloud is not better than the local model here: there is no gap to recover",
            fix="keep everything local, or choose harder prompts",
        )
    random = np.random.default_rng(seed)
    drawn: list[tuple[float, float, float]] = []
    for _ in range(resamples):
        rows = random.integers(0, len(scores), len(scores))
        if cloud[rows].mean() > local[rows].mean():
            again = trace_curve(scores[rows], local[rows], cloud[rows], costs[rows], local_costs[rows])
            drawn.append((again.apgr, again.cpt(0.5), again.cpt(0.8)))
    values = (curve.apgr, curve.cpt(0.5), curve.cpt(0.8))
    spread = np.percentile(np.array(drawn or [values]), [2.5, 97.5], axis=0)
    apgr, half, most = (Interval(value, *map(float, spread[:, place])) for place, value in enumerate(values))
    return Evaluation(len(scores), scores, curve, apgr, half, most)


def _for_each(price: Sequence[float] | float, n: int) -> Floats:
    prices: Floats = np.array(price, dtype=float)
    if prices.shape not in ((), (n,)):
        raise RoutingError(f"{n} prompts and {prices.size} costs", fix="give one for each, or one for all")
    return np.broadcast_to(prices, (n,))


def trace_curve(scores: Floats, local: Floats, cloud: Floats, cost: Floats, local_cost: Floats) -> Curve:
    """The curve of sending the highest scores to the cloud first; equal scores are one step."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])) + 1, len(scores))
    steps = np.concatenate(([0], ends))
    gained = np.concatenate(([0.0], np.cumsum((cloud - local)[order])))
    spent = np.concatenate(([0.0], np.cumsum((cost - local_cost)[order])))
    n = len(scores)
    return Curve(steps / n, local_cost.mean() + spent[steps] / n, local.mean() + gained[steps] / n)


def oracle(
    local_correct: Sequence[bool], cloud_correct: Sequence[bool], cost: Sequence[float] | None = None
) -> list[float]:
    """The scores of a scorer that knows the outcomes: 1 if only the cloud is right, 0 if only the local model is.

    With `cost`, the extra cost of the cloud, the cheapest gains come first.
    """
    gains = [cloud - local for local, cloud in zip(local_correct, cloud_correct, strict=True)]
    prices = [0.0] * len(gains) if cost is None else cost
    places = {price: place for place, price in enumerate(sorted(set(prices)))}
    return [0.5 + gain / 2 * (1 - 0.9 * places[price] / len(places)) for gain, price in zip(gains, prices, strict=True)]


def calibrate(scores: Sequence[float], share: float) -> float:
    """The threshold that sends at most this share of the scores to the cloud; for a share of 0 it is above them all."""
    if not scores:
        raise RoutingError("There are no scores to set a threshold by", fix="give the scores of some prompts")
    if not 0 <= share <= 1:
        raise RoutingError(f"The share is {share:g}", fix="give one from 0 (all local) to 1 (all to the cloud)")
    for threshold in sorted(set(scores)):
        if sum(score >= threshold for score in scores) <= share * len(scores):
            return threshold
    return math.nextafter(max(scores), math.inf)


@dataclass(frozen=True)
class Split:
    """The numbers of the prompts to learn from, to set the threshold with, and to test on, and the tested domains."""

    train: tuple[int, ...]
    calibrate: tuple[int, ...]
    test: tuple[int, ...]
    held_out: tuple[str, ...] = ()


def by_domain(domains: Sequence[str], held_out: int = 2) -> list[Split]:
    """One split for each domain: it and the next ones are held out for the test, the one after them sets the threshold.

    So the test has questions of a kind that the scorer has never seen, as in real use.
    """
    names = sorted(set(domains))
    if len(names) < held_out + 2:
        raise RoutingError(f"{len(names)} domains are too few to hold out {held_out}", fix="give more domains")
    splits = []
    for first in range(len(names)):
        turned = names[first:] + names[:first]
        test, setting, train = (
            tuple(index for index, name in enumerate(domains) if name in part)
            for part in (turned[:held_out], turned[held_out : held_out + 1], turned[held_out + 1 :])
        )
        splits.append(Split(train, setting, test, tuple(turned[:held_out])))
    return splits


def shuffled(n: int, seed: int = 0, *, train: float = 0.6, calibrate: float = 0.1) -> Split:
    """A random split: the test has the same domains as the training, so its results are too good."""
    order = [int(index) for index in np.random.default_rng(seed).permutation(n)]
    first, second = round(n * train), round(n * (train + calibrate))
    return Split(tuple(order[:first]), tuple(order[first:second]), tuple(order[second:]))
