"""Figures of what was measured: single values, distributions, one answer, many answers."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from labkit.latency import e2e, percentile, tpot, ttft
from labkit.notebook import Table, short
from labkit.plots.picture import BLUE, GREEN, GRID, INK, ORANGE, Picture, footer, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labkit.connection import Connection
    from labkit.events import Trace
    from labkit.latency import Run

# Colour is never alone: each series has a line style and a marker of its own too.
STYLES = [(BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), (INK, ":", "D")]
# Values that are further apart than this, as a ratio, are told apart only on a logarithmic axis.
WIDE = 4


def samples(series: Mapping[str, Sequence[float]], unit: str, title: str, lab: Connection) -> Picture:
    """Every single measurement of each series as a dot, its median as a line; a wide range gets a logarithmic axis."""
    picture = Picture(7.5, 1.6 + 0.8 * len(series), f"{title}: one row of dots for each of {', '.join(series)}.")
    axes = picture.add_subplot()
    colours = [BLUE, ORANGE, GREEN]
    for row, values in enumerate(series.values()):
        colour = colours[row % len(colours)]
        axes.plot(values, [row] * len(values), "o", color=colour, alpha=0.7, markersize=7)
        axes.plot([median(values)] * 2, [row - 0.28, row + 0.28], color=colour, linewidth=2.5)
        axes.annotate(f"median {short(median(values))} {unit}", (median(values), row + 0.36), ha="center", fontsize=9)
    axes.set_yticks(range(len(series)), [f"{name}\n(n = {len(values)})" for name, values in series.items()])
    every = [value for values in series.values() for value in values]
    wide = max(every) > WIDE * min(every)
    axes.set(ylim=(-0.6, len(series) - 0.2), xlabel=f"{title} ({unit}{', logarithmic axis' if wide else ''})")
    if wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", which="major", color=GRID)
    axes.spines[["top", "right", "left"]].set_visible(False)
    picture.table = Table(
        ("", "n", f"median ({unit})", f"least ({unit})", f"most ({unit})"),
        tuple(
            (name, str(len(values)), short(median(values)), short(min(values)), short(max(values)))
            for name, values in series.items()
        ),
        measured=True,
    )
    footer(picture, lab)
    return picture


def timeline(spans: Mapping[str, Sequence[tuple[float, float]]], source: Connection | str) -> Picture:
    """One row for each name, with a bar for each span (begin, end) in seconds and a tick for a span without length."""
    names, count = list(spans), sum(map(len, spans.values()))
    picture = Picture(
        7.5, 1.1 + 0.45 * len(spans), f"Bars or ticks along the time, a row for each of {', '.join(names)}."
    )
    axes = picture.add_subplot()
    for row, each in enumerate(spans.values()):
        axes.barh(row, [end - begin for begin, end in each], left=[begin for begin, _ in each], color=BLUE, height=0.5)
        moments = [begin for begin, end in each if begin == end]
        axes.plot(moments, [row] * len(moments), "|", color=BLUE, markersize=12)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=f"seconds (n = {count})", xlim=(0, None))
    tidy(axes)
    picture.table = Table(
        ("", "n", "begins (s)", "ends (s)", "longest gap (ms)"),
        tuple(
            (name, str(len(each)), f"{each[0][0]:.2f}", f"{each[-1][1]:.2f}", _gap(each))
            for name, each in spans.items()
        ),
        measured=True,
    )
    footer(picture, source)
    return picture


def _gap(spans: Sequence[tuple[float, float]]) -> str:
    gaps = [after - before for (_, before), (after, _) in pairwise(spans)]
    return f"{1000 * max(gaps):.0f}" if gaps else ""


def waterfall(trace: Trace, lab: Connection) -> Picture:
    """One answer from left to right: until the headers, until the first text, until the last text."""
    marks = [trace.request, trace.headers or trace.request, trace.first_text or trace.end, trace.end]
    names = ["request to headers", "headers to first text", "first text to end"]
    picture = Picture(
        8,
        2.4,
        f"Three bars one after the other along the time of one answer: {', '.join(names)}; a tick for each chunk.",
    )
    axes = picture.add_subplot()
    for row, (begin, end, colour) in enumerate(zip(marks, marks[1:], (INK, ORANGE, BLUE), strict=False)):
        axes.barh(row, end - begin, left=begin - trace.request, color=colour, height=0.6)
        axes.annotate(
            f"{(end - begin) * 1000:.0f} ms",
            (end - trace.request, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.plot(
        [stamp - trace.request for stamp in trace.chunks], [2.5] * len(trace.chunks), "|", color=INK, markersize=7
    )
    axes.set_yticks(range(3), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(f"seconds since the request (n = {len(trace.chunks)} chunks, one tick each)")
    tidy(axes)
    spans = [f"{(end - begin) * 1000:.0f}" for begin, end in pairwise(marks)]
    picture.table = Table(("part", "ms"), tuple(zip(names, spans, strict=True)), measured=True)
    footer(picture, lab)
    return picture


def ecdf(series: Mapping[str, Sequence[float]], unit: str, what: str, lab: Connection) -> Picture:
    """The share of values at or below each value, with p50, p90 and p99 marked."""
    picture = Picture(
        7.5, 3.8, f"Curves that rise from 0 to 100 percent over {what}, one for each of {', '.join(series)}."
    )
    axes = picture.add_subplot()
    for (name, values), (colour, line, marker) in zip(series.items(), STYLES, strict=False):
        axes.ecdf(values, color=colour, linestyle=line, label=f"{name} (n = {len(values)})")
        marks = [percentile(values, percent) for percent in (50, 90, 99)]
        axes.plot(marks, [0.5, 0.9, 0.99], marker, color=colour, markersize=6)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 0.99], ["0", "25", "50", "75", "90", "99"])
    axes.set(xlabel=f"{what} ({unit})", ylabel="percent of values (p50, p90, p99 marked)")
    axes.legend(frameon=False)
    tidy(axes)
    picture.table = Table(
        (what, "n", f"p50 ({unit})", f"p90 ({unit})", f"p99 ({unit})"),
        tuple(
            (name, str(len(values)), *(short(percentile(values, percent)) for percent in (50, 90, 99)))
            for name, values in series.items()
        ),
        measured=True,
    )
    footer(picture, lab)
    return picture


def first_token_by_prompt(traces: Sequence[Trace], lab: Connection) -> Picture:
    """TTFT against the length of the prompt, each answer a dot, the medians joined."""
    points: dict[int, list[float]] = {}
    for trace in traces:
        if trace.prompt_tokens and (value := ttft(trace)) is not None:
            points.setdefault(trace.prompt_tokens, []).append(value)
    picture = Picture(7.5, 3.8, "Dots of first-token times over prompt lengths, with a line through the medians.")
    axes = picture.add_subplot()
    for tokens, values in points.items():
        axes.plot([tokens] * len(values), values, "o", color=BLUE, alpha=0.7)
    lengths = sorted(points)
    axes.plot(lengths, [median(points[tokens]) for tokens in lengths], "-", color=ORANGE, label="median")
    axes.set(
        xlabel=f"tokens in the prompt (n = {sum(map(len, points.values()))} answers)",
        ylabel="first token (s)",
        ylim=(0, None),
    )
    axes.legend(frameon=False)
    tidy(axes)
    picture.table = Table(
        ("tokens in the prompt", "n", "median (ms)"),
        tuple((str(tokens), str(len(points[tokens])), f"{1000 * median(points[tokens]):.0f}") for tokens in lengths),
        measured=True,
    )
    footer(picture, lab)
    return picture


def concurrency(runs: Sequence[Run], lab: Connection) -> Picture:
    """For each number of answers at once: the median time for each token, and the tokens a second of all together."""
    picture = Picture(
        9,
        3.6,
        "Two panels over the number of answers at once: left the median time per output token and its 10 to 90 "
        "percent range, right the tokens per second of all answers together.",
    )
    left, right = picture.subplots(1, 2)
    widths = [run.concurrency for run in runs]
    values = [[value * 1000 for value in run.values(tpot)] for run in runs]
    middles = [median(each) for each in values]
    spread = [
        [middle - percentile(each, 10) for middle, each in zip(middles, values, strict=True)],
        [percentile(each, 90) - middle for middle, each in zip(middles, values, strict=True)],
    ]
    left.errorbar(widths, middles, spread, color=BLUE, marker="o", capsize=4)
    left.set(ylabel="ms per output token (median, 10 to 90 %)", ylim=(0, None))
    right.plot(widths, [run.tokens_per_second for run in runs], color=ORANGE, marker="s", linestyle="--")
    right.set(ylabel="tokens per second, all", ylim=(0, 1.15 * max(run.tokens_per_second for run in runs)))
    for axes in (left, right):
        axes.set_xlabel(f"answers at once (n = {len(runs[0].traces)} each)")
        axes.set_xticks(widths)
        tidy(axes)
    picture.table = Table(
        ("answers at once", "n", "median ms per token", "tokens per second, all"),
        tuple(
            (str(run.concurrency), str(len(run.traces)), f"{middle:.1f}", f"{run.tokens_per_second:.0f}")
            for run, middle in zip(runs, middles, strict=True)
        ),
        measured=True,
    )
    footer(picture, lab)
    return picture


def streamed_or_whole(trace: Trace, whole: float, lab: Connection) -> Picture:
    """What is on the screen at each moment: a streamed answer, and the same one that comes whole."""
    picture = Picture(
        7.5,
        3.4,
        "Two lines over time: the streamed text grows early on, the whole text jumps to 100 percent at the end.",
    )
    axes = picture.add_subplot()
    times = [stamp - trace.request for stamp in trace.chunks]
    shares = [100 * (index + 1) / len(times) for index in range(len(times))]
    end = max(whole, e2e(trace) or 0) * 1.05
    axes.step(
        [0, *times, end],
        [0, *shares, 100],
        where="post",
        color=BLUE,
        label=f"streamed: first text after {times[0]:.2f} s",
    )
    axes.step(
        [0, whole, end],
        [0, 100, 100],
        where="post",
        color=ORANGE,
        linestyle="--",
        label=f"whole: first text after {whole:.2f} s",
    )
    axes.set(xlabel="seconds since the request (n = 1 answer each)", ylabel="percent of the answer on the screen")
    axes.legend(frameon=False, loc="upper left")
    tidy(axes)
    picture.table = Table(
        ("answer", "first text (s)", "all of it (s)"),
        (("streamed", f"{times[0]:.2f}", f"{times[-1]:.2f}"), ("whole", f"{whole:.2f}", f"{whole:.2f}")),
        measured=True,
    )
    footer(picture, lab)
    return picture


def running(counts: Sequence[tuple[float, int]], stopped: float, lab: Connection) -> Picture:
    """The endpoint's own count of answers under way, over time, and the moment of Stop."""
    picture = Picture(
        7.5, 2.6, "A line that is at one while an answer runs and falls to zero right after a vertical mark named Stop."
    )
    axes = picture.add_subplot()
    axes.step([time for time, _ in counts], [count for _, count in counts], where="post", color=BLUE)
    axes.axvline(stopped, color=ORANGE, linestyle="--", label="Stop")
    axes.set(xlabel=f"seconds (n = {len(counts)} looks)", ylabel="answers under way", ylim=(-0.1, None))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="center left")
    tidy(axes)
    left = next((time for time, count in counts if time >= stopped and count == 0), None)
    picture.table = Table(
        ("what", "seconds"),
        (("Stop", f"{stopped:.1f}"), ("the endpoint runs nothing", "not seen" if left is None else f"{left:.2f}")),
        measured=True,
    )
    footer(picture, lab)
    return picture
