"""Figures of an application in operation: a histogram out of its metrics, and its line over time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from labkit.notebook import Table
from labkit.plots.picture import BLUE, ORANGE, Picture, footer, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.connection import Connection


def buckets(counts: Sequence[tuple[float, float]], unit: str, what: str, source: Connection | str) -> Picture:
    """A cumulative histogram as Prometheus keeps it, pairs of upper bound and count, drawn as one bar a bucket."""
    shares = [count - before for (_, count), before in zip(counts, [0, *(count for _, count in counts)], strict=False)]
    bounds = ["0", *(f"{bound:g}".replace("inf", "∞") for bound, _ in counts)]
    picture = Picture(8, 2.9, f"One bar for each bucket of {what}, {sum(shares):.0f} observations in all.")
    axes = picture.add_subplot()
    bars = axes.bar(range(len(shares)), shares, color=BLUE, width=0.85)
    axes.bar_label(bars, [f"{share:.0f}" if share else "" for share in shares])
    # A bar is between its two bounds; the last one has no upper bound.
    axes.set_xticks([edge - 0.5 for edge in range(len(bounds))], bounds)
    axes.set(xlabel=f"{what} ({unit}), n = {sum(shares):.0f}", ylabel="observations")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.15)
    tidy(axes)
    names = [f"{low} to {high}" for low, high in itertools.pairwise(bounds)]
    rows = tuple((name, f"{share:.0f}") for name, share in zip(names, shares, strict=True))
    picture.table = Table((f"bucket ({unit})", "n"), rows, measured=True)
    footer(picture, source)
    return picture


def line(looks: Sequence[tuple[float, float, float]], source: Connection | str) -> Picture:
    """What a queue said of itself over time: seconds, answers under way, questions in line."""
    picture = Picture(
        8, 2.7, "Two step lines over seconds: answers under way, level at the queue's width, and questions in line."
    )
    axes = picture.add_subplot()
    seconds = [look[0] for look in looks]
    axes.step(seconds, [look[1] for look in looks], where="post", color=BLUE, label="answers under way")
    axes.step(seconds, [look[2] for look in looks], "--", where="post", color=ORANGE, label="questions in line")
    axes.set(xlabel=f"seconds (n = {len(looks)} looks at /metrics)", ylabel="how many", ylim=(0, None))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    tidy(axes)
    most = tuple(f"{max(look[part] for look in looks):.0f}" for part in (1, 2))
    picture.table = Table(("", "at most"), (("under way", most[0]), ("in line", most[1])), measured=True)
    footer(picture, source)
    return picture
