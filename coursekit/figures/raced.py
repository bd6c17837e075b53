"""Figures of the digit network: how long a run takes, and what becomes of a drawing on its way into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import NullFormatter

from labkit.latency import percentile
from labkit.notebook import Table, short
from labkit.plots.measured import STYLES
from labkit.plots.picture import Picture, footer, machine, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coursekit.webgpu.digits import Images, Race, Timing


def race(races: Sequence[Race]) -> Picture:
    """Latency by batch size, one line for each backend: medians, with a bar from quartile to quartile."""
    timings = [timing for race in races for timing in race.timings]
    series: dict[str, list[Timing]] = {}
    for timing in timings:
        series.setdefault(timing.backend, []).append(timing)
    picture = Picture(
        7.5,
        4,
        f"Time of a run over the batch size, both on logarithmic axes: a line for each of {', '.join(series)}, "
        "with a bar from quartile to quartile at each size. The values are in the table below.",
    )
    axes = picture.add_subplot()
    for (name, points), (colour, line, marker) in zip(series.items(), STYLES, strict=False):
        middle = np.array([timing.median for timing in points])
        ends = np.array([[percentile(timing.runs, part) for part in (25, 75)] for timing in points]).T
        axes.errorbar(
            [timing.batch for timing in points],
            middle,
            yerr=abs(ends - middle),
            color=colour,
            linestyle=line,
            marker=marker,
            capsize=4,
            label=name,
        )
    axes.set(xscale="log", yscale="log", xlabel="images in one run", ylabel="ms for a run (logarithmic axis)")
    batches = sorted({timing.batch for timing in timings})
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(frameon=False)
    tidy(axes)
    picture.table = table(races)
    footer(picture, f"digits.onnx · {'; '.join(race.where for race in races)} · {machine()}")
    return picture


def table(races: Sequence[Race], *, measured: bool = True) -> Table:
    """The same in figures; `measured` as in Table."""
    return Table(
        ("backend", "images", "first run (ms)", "median (ms)", "quartiles (ms)", "n"),
        tuple(
            (
                timing.backend,
                str(timing.batch),
                short(timing.first),
                short(timing.median),
                f"{short(percentile(timing.runs, 25))} to {short(percentile(timing.runs, 75))}",
                str(len(timing.runs)),
            )
            for race in races
            for timing in race.timings
        ),
        measured=measured,
    )


def digits(images: Mapping[str, Images]) -> Picture:
    """Small grey pictures in a row, each under its name: ink dark on light paper."""
    picture = Picture(1.6 * len(images), 1.9, f"Small pictures of a digit: {'; '.join(images)}.")
    for place, (name, image) in enumerate(images.items(), 1):
        axes = picture.add_subplot(1, len(images), place)
        side = round(np.sqrt(image.size))
        axes.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(name, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    return picture
