"""The judging of scorers, on tables small enough to be worked out by hand, and of a gate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from coursekit.routing_data.gate import judge_gate
from coursekit.routing_data.private_cases import Case
from labkit.errors import RoutingError
from labkit.routing.evaluation import (
    Evaluation,
    Interval,
    Split,
    by_domain,
    calibrate,
    evaluate,
    oracle,
    shuffled,
    trace_curve,
    wilson,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.routing.scorers import Conversation


@dataclass(frozen=True)
class Numbered:
    """The n-th score for the prompt `n`."""

    scores: Sequence[float]

    def score(self, messages: Conversation) -> float:
        return self.scores[int(messages[0]["content"])]


def judged(
    scores: Sequence[float], local: Sequence[float], cloud: Sequence[float], cost: Any = 1.0, **options: Any
) -> Evaluation:
    """Evaluate some scores."""
    prompts = [str(number) for number in range(len(scores))]
    return evaluate(Numbered(scores), prompts, local, cloud, cost, **({"resamples": 50} | options))


# Five prompts by hand. Local is right on 2 and 4, the cloud on all but 4. From the highest score down the cloud gains
# 1, 0, 1, -1, 1: quality goes 0.4 0.6 0.6 0.8 0.6 0.8, and the gap is 0.4, so PGR goes 0 0.5 0.5 1 0.5 1.
SCORES = [0.9, 0.3, 0.8, 0.6, 0.5]
LOCAL = [0, 0, 1, 0, 1]
CLOUD = [1, 1, 1, 1, 0]


def test_a_curve_by_hand() -> None:
    curve = judged(SCORES, LOCAL, CLOUD, 0.01).curve
    assert curve.share == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert curve.quality == pytest.approx([0.4, 0.6, 0.6, 0.8, 0.6, 0.8])
    assert curve.recovered == pytest.approx([0, 0.5, 0.5, 1, 0.5, 1])
    assert curve.cost == pytest.approx([0, 0.002, 0.004, 0.006, 0.008, 0.01])


def test_apgr_and_cpt_by_hand() -> None:
    done = judged(SCORES, LOCAL, CLOUD)
    assert done.n == 5
    assert done.scores == pytest.approx(SCORES)
    assert done.apgr.value == pytest.approx(0.2 * (0.25 + 0.5 + 0.75 + 0.75 + 0.75))
    assert done.cpt50.value == pytest.approx(0.2)
    assert done.cpt80.value == pytest.approx(0.4 + 0.2 * 0.3 / 0.5)
    assert done.curve.cpt(1.0) == pytest.approx(0.6)
    assert done.curve.cpt(0.25) == pytest.approx(0.1)
    assert done.curve.cpt(0.0) == done.curve.cpt(-0.5) == 0


def test_equal_scores_are_one_step() -> None:
    """The first and the last are equal: between, a line. PGR 0 at 0, 1/2 at 1/4, 1 at 3/4, 1 at 1."""
    done = judged([0.5, 0.9, 0.1, 0.5], [0, 0, 1, 1], [1, 1, 1, 1])
    assert done.curve.share == pytest.approx([0, 0.25, 0.75, 1])
    assert done.curve.recovered == pytest.approx([0, 0.5, 1, 1])
    assert done.apgr.value == pytest.approx(0.25 * 0.25 + 0.5 * 0.75 + 0.25)
    assert done.cpt80.value == pytest.approx(0.25 + 0.5 * 0.6)


@pytest.mark.parametrize(
    ("cloud_cost", "local_cost", "means"),
    [
        ([4, 8, 2, 6], 0.0, [0, 1, 1.5, 3, 5]),
        # A local answer costs as well: the mean may go down.
        ([4, 8, 2, 6], [1.0, 2.0, 3.0, 10.0], [4, 4.75, 4.5, 3.5, 5]),
        (3.0, 1.0, [1, 1.5, 2, 2.5, 3]),
    ],
)
def test_costs(cloud_cost: Any, local_cost: Any, means: list[float]) -> None:
    curve = judged([0.9, 0.1, 0.5, 0.3], [0, 0, 1, 1], [1, 1, 1, 1], cloud_cost, local_cost=local_cost).curve
    assert curve.cost == pytest.approx(means)


OUTCOMES = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 0.25, 0.5, 1])), min_size=1, max_size=12
).filter(lambda rows: sum(cloud - local for local, cloud, _ in rows) > 0)


@given(OUTCOMES, st.floats(0, 1))
def test_a_constant_scorer_is_chance(rows: list[tuple[bool, bool, float]], constant: float) -> None:
    done = judged([constant] * len(rows), [row[0] for row in rows], [row[1] for row in rows], resamples=3)
    assert done.apgr.value == 0.5
    assert done.cpt50.value == pytest.approx(0.5)
    assert done.cpt80.value == pytest.approx(0.8)


@given(OUTCOMES)
def test_nobody_beats_the_oracle_or_is_beaten_by_its_reverse(rows: list[tuple[bool, bool, float]]) -> None:
    local, cloud, scores = (list(column) for column in zip(*rows, strict=True))
    best = oracle(local, cloud)
    ways = [judged(way, local, cloud, resamples=2) for way in (best, scores, [-score for score in best])]
    most, some, least = (way.apgr.value for way in ways)
    assert least - 1e-9 <= some <= most + 1e-9
    assert least - 1e-9 <= 0.5 <= most + 1e-9
    assert ways[0].cpt80.value <= ways[1].cpt80.value + 1e-9
    assert all(way.curve.quality[[0, -1]] == pytest.approx([np.mean(local), np.mean(cloud)]) for way in ways)


def test_oracle() -> None:
    assert oracle([False, True, False, True], [True, False, False, True]) == [1, 0, 0.5, 0.5]
    assert judged(oracle(LOCAL, CLOUD), LOCAL, CLOUD).curve.recovered.max() == pytest.approx(1.5)  # type: ignore[arg-type]


def test_the_oracle_takes_the_cheapest_gain_first() -> None:
    local, cloud = [False, False, False, True, True, False], [True, True, True, False, True, False]
    scores = oracle(local, cloud, [3, 1, 2, 1, 1, 1])
    assert scores[1] > scores[2] > scores[0] > scores[4] == scores[5] == 0.5 > scores[3]
    assert all(0 <= score <= 1 for score in scores)
    dear, cheap = (judged(way, local, cloud, [3, 1, 2, 1, 1, 1]) for way in (oracle(local, cloud), scores))
    assert dear.apgr.value <= cheap.apgr.value + 1e-9
    assert cheap.curve.cost[1] == pytest.approx(1 / 6)


def test_the_interval_holds_the_value_and_is_the_same_again() -> None:
    scores, local = [number / 40 for number in range(40)], [number % 3 == 0 for number in range(40)]
    cloud = [number % 7 != 0 for number in range(40)]
    once, again, other = (judged(scores, local, cloud, resamples=200, seed=seed) for seed in (1, 1, 2))
    for name in ("apgr", "cpt50", "cpt80"):
        interval: Interval = getattr(once, name)
        assert interval.low < interval.value < interval.high
        assert interval == getattr(again, name)
    assert once.apgr.value == other.apgr.value
    assert once.apgr != other.apgr


def test_the_interval_is_numpys() -> None:
    """Drawn again with the same generator: percentiles 2.5 and 97.5 of the resamples that have a gap."""
    random, drawn = np.random.default_rng(5), []
    columns = [np.array(column, dtype=float) for column in (SCORES, LOCAL, CLOUD)]
    for _ in range(60):
        rows = random.integers(0, 5, 5)
        scores, local, cloud = (column[rows] for column in columns)
        if cloud.mean() > local.mean():
            drawn.append(trace_curve(scores, local, cloud, cloud, local).apgr)
    done = judged(SCORES, LOCAL, CLOUD, resamples=60, seed=5)
    assert 0 < len(drawn) < 60
    assert (done.apgr.low, done.apgr.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))


def test_no_resample_no_width() -> None:
    done = judged(SCORES, LOCAL, CLOUD, resamples=0)
    assert done.apgr.low == done.apgr.value == done.apgr.high
    assert str(Interval(0.5, 0.444, 1.0)) == "0.50 [0.44, 1.00]"


@pytest.mark.parametrize(
    ("scores", "local", "cloud", "cost", "message"),
    [
        ([0.1, 0.2], [0], [1, 1], 1.0, "2 prompts, 1 local and 2 cloud"),
        ([0.1, 0.2], [0, 0], [1, 1, 1], 1.0, "2 prompts, 2 local and 3 cloud"),
        ([], [], [], 1.0, "0 prompts"),
        ([0.1, math.nan], [0, 0], [1, 1], 1.0, "not a number"),
        ([0.1, math.inf], [0, 0], [1, 1], 1.0, "not a number"),
        ([0.1, 0.2], [0, 0], [1, 1], [1.0, 2.0, 3.0], "2 prompts and 3 costs"),
        ([0.1, 0.2], [0, 0], [1, 1], [1.0], "2 prompts and 1 costs"),
        ([0.1, 0.2], [1, 0], [1, 0], 1.0, "no gap to recover"),
        ([0.1, 0.2], [1, 1], [0, 1], 1.0, "no gap to recover"),
        ([0.1, 0.2], [1, 0], [0, 1], 1.0, "no gap to recover"),
    ],
)
def test_tables_that_make_no_sense(
    scores: list[float], local: list[float], cloud: list[float], cost: Any, message: str
) -> None:
    with pytest.raises(RoutingError, match=message):
        judged(scores, local, cloud, cost)
    if "costs" in message:
        with pytest.raises(RoutingError, match=message):
            judged(scores, local, cloud, local_cost=cost)


@pytest.mark.parametrize(("successes", "n"), [(10, 100), (0, 10), (10, 10), (1, 2), (81, 263), (15, 148), (1, 29)])
def test_wilson_is_what_scipy_gives(successes: int, n: int) -> None:
    """Scipy itself takes a second and a half to import: too long for a formula of three lines."""
    from scipy.stats import binomtest

    assert wilson(successes, n) == pytest.approx(tuple(binomtest(successes, n).proportion_ci(0.95, "wilson")), abs=1e-6)


# Thresholds.


@pytest.mark.parametrize(
    ("share", "threshold"),
    [(0, math.nextafter(0.5, 1)), (0.49, math.nextafter(0.5, 1)), (0.5, 0.5), (0.74, 0.5), (0.75, 0.2), (1, 0.1)],
)
def test_calibrate(share: float, threshold: float) -> None:
    assert calibrate([0.5, 0.1, 0.5, 0.2], share) == threshold


@given(st.lists(st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]) | st.floats(0, 1), min_size=1), st.floats(0, 1))
@example([0.5, 0.5, 0.5], 0.5)
@example([1.0], 0.0)
def test_no_more_than_the_share_and_not_needlessly_less(scores: list[float], share: float) -> None:
    threshold = calibrate(scores, share)
    sent = sum(score >= threshold for score in scores)
    assert sent <= share * len(scores)
    lower = [score for score in scores if score < threshold]
    if lower:
        assert sum(score >= max(lower) for score in scores) > share * len(scores)
    assert calibrate(scores, 1) == min(scores)
    assert not any(score >= calibrate(scores, 0) for score in scores)


@pytest.mark.parametrize(
    ("scores", "share", "said"),
    [
        ([], 0.5, "no scores"),
        ([0.1], -0.1, "share is -0.1"),
        ([0.1], 1.1, "share is 1.1"),
        ([0.1], math.nan, "share is nan"),
    ],
)
def test_a_threshold_that_cannot_be_says_what_is_wrong(scores: list[float], share: float, said: str) -> None:
    with pytest.raises(RoutingError, match=said):
        calibrate(scores, share)


# Splits.

DOMAINS = ["maths", "art", "law", "art", "tea", "maths", "law", "sea", "tea"]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=4), st.integers(1, 3))
@example(DOMAINS, 2)
def test_by_domain(domains: list[str], held_out: int) -> None:
    names = set(domains)
    assume(len(names) >= held_out + 2)
    splits = by_domain(domains, held_out)
    assert len(splits) == len(names)
    for split in splits:
        parts = [split.train, split.calibrate, split.test]
        assert sorted(sum(parts, ())) == list(range(len(domains)))
        train, setting, test = ({domains[index] for index in part} for part in parts)
        assert len(split.held_out) == held_out == len(test)
        assert test == set(split.held_out)
        assert len(setting) == 1
        assert train.isdisjoint(test | setting)
        assert setting.isdisjoint(test)
        assert train
    tested = [name for split in splits for name in split.held_out]
    assert all(tested.count(name) == held_out for name in names)


def test_by_domain_by_hand() -> None:
    with pytest.raises(RoutingError, match="3 domains are too few to hold out 2"):
        by_domain(["a", "b", "c", "a"])
    first = by_domain(DOMAINS)[0]
    assert first == Split(train=(4, 7, 8), calibrate=(0, 5), test=(1, 2, 3, 6), held_out=("art", "law"))


@given(st.integers(0, 60), st.integers(0, 5))
def test_shuffled(n: int, seed: int) -> None:
    split = shuffled(n, seed)
    assert sorted(split.train + split.calibrate + split.test) == list(range(n))
    assert split.held_out == ()
    assert split == shuffled(n, seed)


def test_shuffled_by_shares_and_seed() -> None:
    split = shuffled(100)
    assert [len(part) for part in (split.train, split.calibrate, split.test)] == [60, 10, 30]
    assert split.train != tuple(range(60))
    assert split != shuffled(100, 1)
    other = shuffled(10, train=0.2, calibrate=0.5)
    assert [len(part) for part in (other.train, other.calibrate, other.test)] == [2, 5, 3]


# Gates.


def case(number: int, text: str, kind: str | None) -> Case:
    return Case(number, ({"role": "user", "content": text},), kind, "by hand")


CASES = [
    case(1, "a@b.example", "email"),
    case(2, "a at b", "email"),
    case(3, "c@d.example", "email"),
    case(4, "4111", "card"),
    case(5, "Hi", None),
    case(6, "@home", None),
    case(7, "Hello", None),
]


def at_sign(messages: Sequence[Any]) -> list[str]:
    """A gate that knows one sign."""
    return [message["content"] for message in messages if "@" in message["content"]]


def test_judge_gate() -> None:
    report = judge_gate(CASES, at_sign)
    assert report.found == {"card": (0, 1), "email": (2, 3)}
    assert [missed.number for missed in report.missed] == [2, 4]
    assert [stopped.number for stopped in report.stopped] == [6]
    assert report.harmless == 3
    assert report.recall == 0.5
    assert report.precision == pytest.approx(2 / 3)


def test_gates_at_the_ends() -> None:
    shut = judge_gate(CASES, lambda _: ["stop"])
    assert shut.missed == ()
    assert (shut.recall, shut.precision) == pytest.approx((1, 4 / 7))
    opened = judge_gate(CASES, lambda _: [])
    assert (opened.recall, len(opened.missed), opened.stopped) == (0, 4, ())
    assert opened.precision == 1
