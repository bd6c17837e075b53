"""The index of a report: a row a run, and for a class a table student by exercise."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from coursekit.report import frame
from coursekit.report.job import Result, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

GLOSSARY = (
    "Cells: the notebook's own code cells that ran. Exercises: how many of its checks passed. First token: the wait "
    "for the first text of an answer, the median and the value that 95 % of the answers kept. Tokens/s: the median of "
    "the answers, each with its wait. Both count the answers that labkit streamed from the model in this row; answers "
    "of scripted endpoints are left out. A dash: nothing to measure."
)


def index(results: Sequence[Result], made: str, machine: str, compared: Sequence[tuple[str, str]] = ()) -> str:
    """The page that links all others; `compared` are pages that put models side by side, as (title, address)."""
    good = sum(result.passed for result in results)
    students = len({result.student for result in results if result.student})
    pairs = [("Runs", str(len(results))), ("Ran to the end", str(good)), ("Did not", str(len(results) - good))]
    pairs += [("Students", str(students))] if students else []
    models = sorted({result.model for result in results})
    pairs += [("Made", made), ("Models" if len(models) > 1 else "Model", ", ".join(models) or "none")]
    parts = [frame.facts(pairs)]
    if students:
        parts += ["<h2>Exercises</h2>", _exercises(results)]
    if compared:
        links = "".join(f'<li><a href="{html.escape(to)}">{html.escape(title)}</a></li>' for title, to in compared)
        parts.append(f"<h2>Models side by side</h2><ul>{links}</ul>")
    parts += ["<h2>Runs</h2>", _runs(results)]
    parts.append(f'<p class="aside">{html.escape(GLOSSARY)}</p>')
    parts.append('<p>For programs: <a href="results.json">results.json</a></p>')
    return frame.page("Report of the workbook", "\n".join(parts), foot=machine)


def _runs(results: Sequence[Result]) -> str:
    students = any(result.student for result in results)
    head = ["Notebook", *(["Student"] if students else []), "Status", "Seconds", "Cells", "Exercises"]
    head += ["Model", "Source", "First token p50", "p95", "Tokens/s"]
    remarks = [_remarks(result) for result in results]
    head += ["Remarks"] if any(remarks) else []
    rows = []
    for result, remark in zip(results, remarks, strict=True):
        latency = result.latency
        row = [_link(result, result.notebook), *([html.escape(result.student)] if students else [])]
        row += [status(result), frame.number(result.seconds, "", 1)]
        row.append(f'<td class="number">{result.cells_run} of {result.cells}</td>')
        row.append(f'<td class="number">{_checks(result)}</td>')
        row += [f'<td class="name">{html.escape(each)}</td>' for each in (result.model, result.source)]
        row += [frame.number(latency.ttft_p50, " s"), frame.number(latency.ttft_p95, " s")]
        row.append(frame.number(latency.tokens_per_second, "", 0))
        row += [f'<td class="why">{html.escape(remark)}</td>'] if any(remarks) else []
        rows.append(row)
    return frame.table("A row for each notebook that was run", head, rows)


def status(result: Result) -> str:
    """A cell with the status in words; the colour only repeats it."""
    kind = "good" if result.passed else "bad"
    return f'<td class="status {kind}">{html.escape(result.status)}</td>'


def _link(result: Result, text: str) -> str:
    words = html.escape(text)
    if not result.page:
        return words
    notebook = f' (<a href="{html.escape(result.executed)}">ipynb</a>)' if result.executed else ""
    return f'<a href="{html.escape(result.page)}">{words}</a>{notebook}'


def _checks(result: Result) -> str:
    if result.checks:
        return f"{result.checks_passed} of {len(result.checks)}"
    return '<span aria-label="none">–</span>'


def _remarks(result: Result) -> str:
    said = [] if result.passed else [result.detail]
    if result.first_try:
        said.append(f"second try; first: {result.first_try}")
    return "; ".join(filter(None, said))


def _exercises(results: Sequence[Result]) -> str:
    """Student by exercise, with the first thing that is wrong with each student's work."""
    names = sorted({check.exercise for result in results for check in result.checks})
    of: dict[str, list[Result]] = {}
    for result in results:
        if result.student:
            of.setdefault(result.student, []).append(result)
    rows = []
    for student, mine in of.items():
        state = {check.exercise: check.passed for result in mine for check in result.checks}
        done = sum(state.values())
        cells = [_state(state.get(name)) for name in names]
        links = ", ".join(_page(result) for result in mine)
        rows.append(
            [html.escape(student), f'<td class="number">{done} of {len(names)}</td>', *cells, _first(mine), links]
        )
    head = ["Student", "Passed", *map(html.escape, names), "First error", "Pages"]
    return frame.table("Who has passed which exercise; a dash: its check did not run", head, rows)


def _state(passed: bool | None) -> str:
    if passed is None:
        return '<td class="open"><span aria-label="did not run">–</span></td>'
    return '<td class="status good">yes</td>' if passed else '<td class="status bad">not yet</td>'


def _first(results: Sequence[Result]) -> str:
    """What went wrong first: a run that did not pass, else a check."""
    for result in results:
        if result.status is not Status.PASSED:
            return f'<td class="why">{html.escape(f"{result.notebook}: {result.status}, {result.detail}")}</td>'
    missing = [check for result in results for check in result.checks if not check.passed]
    said = f"{missing[0].exercise}: {missing[0].missing}" if missing else ""
    return f'<td class="why">{html.escape(said)}</td>'


def _page(result: Result) -> str:
    number = result.notebook.partition("_")[0]
    if not result.page:
        return html.escape(number)
    label = html.escape(f"{result.notebook} of {result.student}")
    return f'<a href="{html.escape(result.page)}" aria-label="{label}">{html.escape(number)}</a>'
