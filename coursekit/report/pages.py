"""The pages of a report: the index, the comparison of models, and one page for each notebook.

The templates escape everything; a page contains no script and loads nothing.
"""

from __future__ import annotations

import base64
import multiprocessing
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from labkit.files import write_atomically
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coursekit.report.job import Result
    from labkit.plots import Picture

PAGE_SECONDS = 60.0
# nbconvert keeps some memory of each page, so its process is replaced now and then.
PAGES_PER_PROCESS = 50
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["b64"] = lambda data: base64.b64encode(data).decode()


def index_page(results: Sequence[Result], made: str, machine: str, comparisons: Sequence[tuple[str, str]] = ()) -> str:
    """The page that links all others: for a class a table student by exercise, then a row for each run.

    `comparisons` are the titles and addresses of the pages that compare models.
    """
    return TEMPLATES.get_template("index.html").render(
        title="Report of the workbook",
        back="",
        machine=machine,
        made=made,
        results=results,
        students=_students(results),
        exercises=sorted({check.exercise for result in results for check in result.checks}),
        comparisons=comparisons,
    )


def _students(results: Sequence[Result]) -> list[dict[str, object]]:
    """A row of the class table for each student."""
    by_student: dict[str, list[Result]] = {}
    for result in results:
        if result.student:
            by_student.setdefault(result.student, []).append(result)
    return [
        {
            "name": name,
            "results": own,
            "done": {check.exercise: check.passed for result in own for check in result.checks},
            "first_error": _first_error(own),
        }
        for name, own in by_student.items()
    ]


def _first_error(results: Sequence[Result]) -> str:
    """The first run that did not pass, else the first exercise that did not."""
    for result in results:
        if not result.passed:
            return f"{result.notebook}: {result.status}, {result.detail}"
    missing = [check for result in results for check in result.checks if not check.passed]
    return f"{missing[0].exercise}: {missing[0].missing}" if missing else ""


def comparable(results: Iterable[Result]) -> list[list[Result]]:
    """The runs of the same notebook, of one student or of the course, with more than one model."""
    found: dict[tuple[str, str], dict[tuple[str, str], Result]] = {}
    for result in results:
        found.setdefault((result.student, result.notebook), {})[result.model, result.base_url] = result
    return [list(each.values()) for each in found.values() if len(each) > 1]


def compare_page(results: Sequence[Result], machine: str) -> str:
    """A page with a column for each model: first-token times and rates, on the same axes for all models."""
    models = [result.model for result in results]
    names = [
        result.model if models.count(result.model) == 1 else f"{result.model} at {shown(result.base_url)}"
        for result in results
    ]
    longest = max((time for result in results for time in result.first_tokens), default=0)
    fastest = max((rate for result in results for rate in result.rates), default=0)
    pictures = [[*_pictures(name, each, longest, fastest, machine)] for name, each in zip(names, results, strict=True)]
    student = f"{results[0].student}: " if results[0].student else ""
    return TEMPLATES.get_template("compare.html").render(
        title=f"{student}{results[0].notebook}, models side by side",
        back="index.html",
        machine=machine,
        columns=list(zip(names, results, pictures, strict=True)),
    )


def _pictures(name: str, result: Result, longest: float, fastest: float, machine: str) -> Iterator[Picture]:
    source = f"{result.model} · {result.source} · {machine}"
    if result.first_tokens:
        yield _scatter(result.first_tokens, longest, "first token (s)", f"First-token times of {name}", source)
    if result.first_tokens and result.rates:  # an answer of one token has no rate
        yield _scatter(result.rates, fastest, "tokens per second", f"Tokens per second of {name}", source)


def _scatter(values: Sequence[float], most: float, label: str, title: str, source: str) -> Picture:
    """A dot for each answer in the order of the run, and a line at the median; `most` is the end of the axis."""
    from statistics import median

    from matplotlib.ticker import MaxNLocator

    from labkit.plots.picture import BLUE, ORANGE, Picture, footer, tidy

    middle = median(values)
    picture = Picture(5.6, 2.8, f"{title}: {len(values)} dots in the order of the answers, median {middle:.3g}.")
    axes = picture.add_subplot()
    axes.plot(range(1, len(values) + 1), values, "o", color=BLUE, alpha=0.6)
    axes.axhline(middle, color=ORANGE, linestyle="--", label=f"median {middle:.3g}")
    axes.set(xlabel=f"answer (n = {len(values)})", ylabel=label, ylim=(0, most * 1.1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    tidy(axes)
    footer(picture, source)
    return picture


class Renderer:
    """Makes the pages of notebooks in a process of its own, so that one that takes too long can be ended.

    Use it in a `with` block.
    """

    def __init__(self, *, code: bool, seconds: float = PAGE_SECONDS) -> None:
        self.code, self.seconds = code, seconds
        self._start()

    def write_page(self, result: Result, target: Path, back: str) -> Result:
        """Write the page of a result; returns it with the page's path, or with the reason why there is none."""
        if not result.executed:
            return result
        try:
            problem = self._pool.apply_async(_write_page, (result, target, self.code, back)).get(self.seconds)
        except multiprocessing.TimeoutError:
            problem = f"it took more than {self.seconds:g} s, or its process died"
            self._pool.terminate()
            self._start()
        if problem:
            return replace(result, detail=f"{result.detail} (no page: {problem})".strip())
        return replace(result, page=str(target))

    def _start(self) -> None:
        # Ctrl-C reaches all processes of a terminal; only the report itself shall handle it.
        ignore = (signal.SIGINT, signal.SIG_IGN)
        context = multiprocessing.get_context("spawn")
        self._pool = context.Pool(1, signal.signal, ignore, maxtasksperchild=PAGES_PER_PROCESS)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.terminate()
        self._pool.join()


def _write_page(result: Result, target: Path, code: bool, back: str) -> str:
    """Make one page; returns what went wrong."""
    from coursekit.report.notebook_page import notebook_page

    try:
        write_atomically(target, notebook_page(Path(result.executed), result, code=code, back=back))
    except Exception as error:  # a notebook may contain anything
        return f"{type(error).__name__}: {error}"[:200]
    return ""
