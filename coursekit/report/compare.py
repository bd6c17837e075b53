"""One notebook with several models: what was felt of each, side by side."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from coursekit.report import frame, index
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coursekit.report.job import Result
    from labkit.plots import Picture


def groups(results: Iterable[Result]) -> list[list[Result]]:
    """The runs that can be compared: one notebook of one student, or of the course, with more than one model."""
    found: dict[tuple[str, str], dict[tuple[str, str], Result]] = {}
    for result in results:
        found.setdefault((result.student, result.notebook), {})[result.model, result.base_url] = result
    return [list(each.values()) for each in found.values() if len(each) > 1]


def compare(results: Sequence[Result], machine: str) -> str:
    """A page with a column a model: first-token times and rates on the same axes, and what the run said."""
    names = _names(results)
    longest = max((answer.ttft or 0 for result in results for answer in result.answers), default=0)
    fastest = max((answer.rate or 0 for result in results for answer in result.answers), default=0)
    columns = "".join(
        _column(name, result, longest, fastest, machine) for name, result in zip(names, results, strict=True)
    )
    rows = [_row(name, result) for name, result in zip(names, results, strict=True)]
    head = ["Model", "Status", "Seconds", "Answers", "First token p50", "p95", "Tokens/s"]
    body = frame.table("The same notebook with each model", head, rows) + f'<div class="columns">{columns}</div>'
    who = f"{results[0].student}: " if results[0].student else ""
    return frame.page(f"{who}{results[0].notebook}, models side by side", body, back="index.html", foot=machine)


def _names(results: Sequence[Result]) -> list[str]:
    """The models, with their endpoint where one model comes from two."""
    models = [result.model for result in results]
    return [
        result.model if models.count(result.model) == 1 else f"{result.model} at {shown(result.base_url)}"
        for result in results
    ]


def _row(name: str, result: Result) -> list[str]:
    latency = result.latency
    words = html.escape(name)
    link = f'<a href="{html.escape(result.page)}">{words}</a>' if result.page else words
    numbers = [frame.number(latency.ttft_p50, " s"), frame.number(latency.ttft_p95, " s")]
    answers = f'<td class="number">{latency.answers}</td>'
    return [
        link,
        index.status(result),
        frame.number(result.seconds, "", 1),
        answers,
        *numbers,
        frame.number(latency.tokens_per_second, "", 0),
    ]


def _column(name: str, result: Result, longest: float, fastest: float, machine: str) -> str:
    first = [answer.ttft for answer in result.answers if answer.ttft is not None]
    rates = [answer.rate for answer in result.answers if answer.rate is not None]
    title = f"<h2>{html.escape(name)}</h2>"
    if not first:
        return f'<section>{title}<p class="aside">No answer of this model was streamed.</p></section>'
    source = f"{result.model} · {result.source} · {machine}"
    pictures = [_dots(first, longest, "first token (s)", f"First-token times of {name}", source)]
    if rates:  # an answer of one token has none
        pictures.append(_dots(rates, fastest, "tokens per second", f"Tokens per second of {name}", source))
    return f"<section>{title}{''.join(map(_image, pictures))}</section>"


def _dots(values: Sequence[float], most: float, label: str, what: str, source: str) -> Picture:
    """Each answer a dot in the order of the run, the median a line; the axis is the same for all models."""
    from statistics import median

    from matplotlib.ticker import MaxNLocator

    from labkit.plots.picture import BLUE, ORANGE, Picture, footer, tidy

    middle = median(values)
    picture = Picture(5.6, 2.8, f"{what}: {len(values)} dots in the order of the answers, median {middle:.3g}.")
    axes = picture.add_subplot()
    axes.plot(range(1, len(values) + 1), values, "o", color=BLUE, alpha=0.6)
    axes.axhline(middle, color=ORANGE, linestyle="--", label=f"median {middle:.3g}")
    axes.set(xlabel=f"answer (n = {len(values)})", ylabel=label, ylim=(0, most * 1.1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    tidy(axes)
    footer(picture, source)
    return picture


def _image(picture: Picture) -> str:
    data = base64.b64encode(picture.png()).decode()
    return f'<p><img src="data:image/png;base64,{data}" alt="{html.escape(picture.alt)}"></p>'
