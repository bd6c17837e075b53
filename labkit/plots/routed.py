"""Figures of routing: what a scorer recovers at what price, shares with their intervals, breakers over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.colors import to_rgb

from labkit.notebook import Table
from labkit.plots.measured import STYLES
from labkit.plots.picture import BLUE, GREEN, INK, ORANGE, Picture, footer, tidy
from labkit.routing.evaluation import wilson
from labkit.routing.resilience import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labkit.routing.evaluation import Evaluation, Interval
    from labkit.routing.resilience import Breaker


def tradeoff(
    evaluations: Mapping[str, Evaluation],
    best: Evaluation,
    cost: str,
    source: str,
    *,
    threshold: tuple[str, float] | None = None,
) -> Picture:
    """Quality against cost, from all local to all cloud, between the line of chance and the oracle `best`.

    `cost` names the horizontal axis and its unit. `threshold` marks one setting: a scorer's name and a threshold.
    """
    picture = Picture(
        7.5,
        4.2,
        f"Curves of correct answers over {cost}, one for each of {', '.join(evaluations)}, between a straight line "
        "of chance and the curve of an oracle." + (" A dot marks the chosen threshold." if threshold else ""),
    )
    axes = picture.add_subplot()
    ends = best.curve.cost[[0, -1]], 100 * best.curve.quality[[0, -1]]
    axes.plot(best.curve.cost, 100 * best.curve.quality, color=INK, linewidth=1.2, label="oracle")
    axes.plot(*ends, color=INK, linestyle=":", linewidth=1.2, label="chance")
    for (name, each), (colour, line, _) in zip(evaluations.items(), STYLES, strict=False):
        axes.plot(each.curve.cost, 100 * each.curve.quality, color=colour, linestyle=line, label=name)
        if threshold and threshold[0] == name:
            sent = each.scores >= threshold[1]
            place = int((each.curve.share <= sent.mean() + 1e-9).nonzero()[0][-1])
            point = each.curve.cost[place], 100 * each.curve.quality[place]
            axes.plot(*point, "o", color=INK, markersize=9, label=f"{name} with this threshold")
    axes.set(xlabel=cost, ylabel=f"correct answers (percent, n = {best.n})")
    axes.legend(frameon=False, loc="lower right")
    tidy(axes)
    picture.table = Table(
        ("scorer", "APGR [95 %]", "CPT(50 %)", "CPT(80 %)"),
        tuple((name, str(each.apgr), str(each.cpt50), str(each.cpt80)) for name, each in evaluations.items()),
    )
    footer(picture, source)
    return picture


def recovered(groups: Mapping[str, Mapping[str, Interval]], source: str) -> Picture:
    """APGR of each scorer with its interval, one row a group, against the line of chance at 0.5."""
    names = list(dict.fromkeys(name for scorers in groups.values() for name in scorers))
    picture = Picture(
        8,
        1.2 + 0.55 * len(groups),
        f"Dots with bars around a vertical line of chance at 0.5, one row for each of {', '.join(groups)}.",
    )
    axes = picture.add_subplot()
    for name, (colour, _, marker) in zip(names, STYLES, strict=False):
        values = [(row, scorers[name]) for row, scorers in enumerate(groups.values()) if name in scorers]
        places = [row + 0.18 * (names.index(name) - (len(names) - 1) / 2) for row, _ in values]
        points = [value.value for _, value in values]
        spread = [
            [max(0.0, value.value - value.low) for _, value in values],
            [max(0.0, value.high - value.value) for _, value in values],
        ]
        axes.errorbar(points, places, xerr=spread, fmt=marker, color=colour, markersize=5, capsize=2, label=name)
    axes.axvline(0.5, color=INK, linestyle=":")
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, 1.0 + 0.7 / (0.5 + len(groups))), ncols=4)
    axes.set_xlabel("APGR, the mean part of the gap recovered (95 % bootstrap; 0.5 is chance)")
    tidy(axes)
    picture.table = Table(
        ("tested on", *names),
        tuple(
            (group, *(str(scorers[name]) if name in scorers else "" for name in names))
            for group, scorers in groups.items()
        ),
    )
    footer(picture, source)
    return picture


def shares(rows: Mapping[str, tuple[int, int]], what: str, source: str) -> Picture:
    """The share of successes in each row, with its 95 % Wilson interval; a row is (successes, all)."""
    picture = Picture(
        7.5, 1.1 + 0.36 * len(rows), f"One bar of {what} with its interval for each of {', '.join(rows)}."
    )
    axes = picture.add_subplot()
    values = [100 * found / n for found, n in rows.values()]
    limits = [wilson(found, n) for found, n in rows.values()]
    spread = [
        [max(0.0, value - 100 * low) for value, (low, _) in zip(values, limits, strict=True)],
        [max(0.0, 100 * high - value) for value, (_, high) in zip(values, limits, strict=True)],
    ]
    pale = (*to_rgb(BLUE), 0.25)  # so that the interval can be seen on the bar
    axes.barh(range(len(rows)), values, 0.6, xerr=spread, color=pale, edgecolor=BLUE, ecolor=INK, capsize=3)
    axes.set_yticks(range(len(rows)), [f"{name} (n = {n})" for name, (_, n) in rows.items()])
    axes.invert_yaxis()
    axes.set(xlabel=f"{what} (percent, with 95 % Wilson interval)", xlim=(0, 105))
    tidy(axes)
    picture.table = Table(
        ("", what, "n", "95 %"),
        tuple(
            (name, f"{value:.0f} %", str(n), f"{100 * low:.0f} to {100 * high:.0f} %")
            for (name, (_, n)), value, (low, high) in zip(rows.items(), values, limits, strict=True)
        ),
    )
    footer(picture, source)
    return picture


_HEIGHT = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


def breaker(watched: Breaker, requests: Sequence[tuple[float, str]], end: float, what: str, source: str) -> Picture:
    """The states of one breaker over time, and below it the requests: (time, where it was answered)."""
    picture = Picture(
        8,
        3.4,
        f"Steps of the breaker of {what} between closed, half open and open over time, with a mark for each request.",
    )
    axes = picture.add_subplot()
    start = watched.history[0][0]
    times = [at - start for at, _ in watched.history]
    heights = [_HEIGHT[state] for _, state in watched.history]
    axes.step([*times, end - start], [*heights, heights[-1]], where="post", color=BLUE)
    for target, colour, marker in (("local", GREEN, "o"), ("cloud", ORANGE, "s")):
        marks = [at - start for at, place in requests if place == target]
        axes.plot(marks, [-0.8] * len(marks), marker, color=colour, markersize=5, label=f"answered by {target}")
    axes.set_yticks([-0.8, 0, 1, 2], [f"requests (n = {len(requests)})", "closed", "half open", "open"])
    axes.set(xlabel="seconds", ylim=(-1.2, 2.3), title=f"the breaker of {what}")
    axes.legend(frameon=False, loc="upper right", fontsize=8)
    tidy(axes)
    picture.table = Table(
        ("second", "the breaker becomes"),
        tuple((f"{at:.1f}", str(state)) for at, (_, state) in zip(times, watched.history, strict=True)),
        measured=True,
    )
    footer(picture, source)
    return picture
