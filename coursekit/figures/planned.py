"""Figures of capacity: what a model foretells for more users, and what was measured."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

from labkit.latency import percentile
from labkit.notebook import Table
from labkit.plots.picture import BLUE, INK, ORANGE, Picture, footer, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coursekit.capacity import Capacity, Measured
    from labkit.connection import Connection


def capacity(measured: Sequence[Measured], model: Capacity, lab: Connection | str) -> Picture:
    """Throughput and response over the number of users: the model's line between its bounds, measured points on it."""
    picture = Picture(
        9,
        3.8,
        "Two panels over the number of users: left answers per second, which rise and then stay level, right the mean "
        "time from question to end of answer, which is level and then rises; a line of the model, dotted bounds, and "
        "points of what was measured.",
    )
    left, right = picture.subplots(1, 2)
    users = range(1, max(each.users for each in measured) + 1)
    loads = [model.at(number) for number in users]
    seen = [each.users for each in measured]
    n = sum(len(each.response_s) for each in measured)
    left.plot(users, [model.most_answers_per_s(number) for number in users], ":", color=INK, label="upper bound")
    left.plot(users, [load.answers_per_s for load in loads], color=BLUE, label="model")
    left.plot(seen, [each.answers_per_s for each in measured], "s", color=ORANGE, label=f"measured (n = {n})")
    left.set(ylabel="answers per second, all users", ylim=(0, None))
    left.legend(frameon=False, loc="lower right")
    right.plot(users, [model.least_response_s(number) for number in users], ":", color=INK, label="lower bound")
    right.plot(users, [load.response_s for load in loads], color=BLUE, label="model")
    right.plot(seen, [mean(each.response_s) for each in measured], "s", color=ORANGE, label=f"measured (n = {n})")
    right.set(ylabel="question to end of answer (s, mean)", ylim=(0, None))
    right.legend(frameon=False, loc="upper left")
    for axes in (left, right):
        axes.axvline(model.saturation_users, color=INK, linewidth=0.8)
        axes.set_xlabel(f"users (saturated from {model.saturation_users:.1f})")
        tidy(axes)
    picture.table = Table(
        ("users", "n", "tokens/s", "TTFT p50 (s)", "TTFT p95 (s)", "response (s)", "model (s)"),
        tuple(
            (
                str(each.users),
                str(len(each.response_s)),
                f"{each.tokens / each.seconds:.0f}",
                f"{percentile(each.ttft_s, 50):.2f}",
                f"{percentile(each.ttft_s, 95):.2f}",
                f"{mean(each.response_s):.2f}",
                f"{model.at(each.users).response_s:.2f}",
            )
            for each in measured
        ),
        measured=True,
    )
    footer(picture, lab)
    return picture
