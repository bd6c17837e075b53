"""`python lab.py report`: plan the jobs, run them, write the pages, and print how it went."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit.errors import WorkbookError
from coursekit.report import class_list, plan, workers
from coursekit.report.job import Job, Result, RunLimits, results_document
from coursekit.report.pages import Renderer, comparable, compare_page, index_page
from labkit.files import append_line, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coursekit.report.plan import Connect
    from labkit.connection import Connection

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    notebooks: Sequence[str]
    parameters: Sequence[str]
    models: Sequence[str]
    out: Path
    matrix: Path | None
    code: bool
    workers: int
    per_endpoint: int
    scheduler: str | None
    limits: RunLimits
    fresh: bool


def report(options: Options, connect: Connect) -> int:
    """Run everything and write everything; returns the exit status, 1 when something did not pass.

    Raises LabError before anything runs.
    """
    if options.workers < 1 or options.per_endpoint < 1:
        raise WorkbookError("A report needs at least one worker and one run per endpoint", fix="give 1 or more")
    notebooks = plan.find_notebooks(options.notebooks)
    given = plan.parse_parameters(options.parameters)
    models: Sequence[str | None] = options.models or [None]
    rows = class_list.read(options.matrix) if options.matrix else [class_list.Row(model=model) for model in models]
    with contextlib.ExitStack() as connections:

        @functools.cache  # one connection for each endpoint and model, however many rows name it
        def find(model: str | None, endpoint: str | None) -> Connection:
            lab = connect(model, endpoint)
            connections.callback(lab.close)
            return lab

        jobs = plan.plan_jobs(rows, notebooks, given, find, options.limits)
        return _Report(options, jobs).run()


def finished(journal: Path) -> dict[str, Result]:
    """The results in a journal by the keys of their jobs; a last line that a kill cut short is skipped."""
    from pydantic import TypeAdapter

    adapter, results = TypeAdapter(Result), dict[str, Result]()
    with contextlib.suppress(FileNotFoundError):
        for line in journal.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                result = adapter.validate_json(line)
                results[result.key] = result
    return results


class _Report:
    """One report: its folder, its jobs, and the results so far by the keys of the jobs."""

    def __init__(self, options: Options, jobs: Sequence[Job]) -> None:
        self.options = options
        self.out = options.out.resolve()
        self.journal = self.out / JOURNAL
        self.jobs: dict[str, Job] = {}
        self.keys: dict[str, str] = {}  # by target: the key of a notebook that changes while it runs would change
        self.results: dict[str, Result] = {}
        for number, (key, job) in enumerate({job.key(): job for job in jobs}.items(), 1):
            target = str(self.out / "notebooks" / f"{plan.file_name(job, number)}.ipynb")
            self.jobs[key], self.keys[target] = replace(job, target=target), key

    def run(self) -> int:
        """Run the jobs that are not finished yet. The pages are written also when that is interrupted."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self.options.fresh or not self.options.matrix:  # only a class continues where it was
            self.journal.unlink(missing_ok=True)
        self.results = {key: result for key, result in finished(self.journal).items() if key in self.jobs}
        left = [job for key, job in self.jobs.items() if key not in self.results]
        if self.results:
            count = f"{len(self.results)} of {len(self.jobs)}"
            print(f"{count} runs are finished already; {len(left)} are left.", flush=True)
        if self.options.scheduler:
            start_workers = workers.dask_workers(self.options.scheduler)
        else:
            start_workers = workers.local_workers(self.options.workers, _show_progress)
        try:
            with start_workers as (submit, at_once), Renderer(code=self.options.code) as renderer:
                per_endpoint = self.options.per_endpoint
                for job, result in workers.run_all(left, submit, at_once=at_once, per_endpoint=per_endpoint):
                    self._add(job, result, renderer)
        finally:
            index = self._write()
        passed = sum(result.passed for result in self.results.values())
        print(f"{passed} of {len(self.jobs)} passed. The report: {index}")
        return 0 if passed == len(self.jobs) else 1

    def _add(self, job: Job, result: Result, renderer: Renderer) -> None:
        """Keep a result: write its page and its line in the journal, and print it."""
        key = self.keys[job.target]
        page = self.out / "pages" / f"{Path(job.target).stem}.html"
        result = renderer.write_page(result, page, "../index.html")
        result = replace(result, key=key, executed=self._link(result.executed), page=self._link(result.page))
        append_line(self.journal, result.as_json())
        self.results[key] = result
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        again = " at the second try" if result.first_try else ""
        reason = "" if result.passed else f" ({result.detail})"
        count = f"[{len(self.results)}/{len(self.jobs)}]"
        print(f"{clear}{count} {job.label}: {result.status}{again}, {result.seconds:.1f} s{reason}", flush=True)

    def _link(self, path: str) -> str:
        """The path of a file as a link in the index."""
        return Path(path).relative_to(self.out).as_posix() if path else ""

    def _write(self) -> Path:
        """Write the index, the comparisons and results.json; returns the path of the index."""
        from labkit.plots import machine

        results = [self.results[key] for key in self.jobs if key in self.results]
        made = datetime.now().astimezone().isoformat(timespec="minutes", sep=" ")
        links = []
        for number, group in enumerate(comparable(results), 1):
            name = f"compare-{number:02d}.html"
            write_atomically(self.out / name, compare_page(group, machine()))
            links.append((" ".join(filter(None, [group[0].student, group[0].notebook])), name))
        index = self.out / "index.html"
        write_atomically(index, index_page(results, made, machine(), links))
        document = results_document(results, made, machine())
        write_atomically(self.out / "results.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return index


def _show_progress(job: Job, cells: str) -> None:
    """Show the running cell on a line that is overwritten; only on a terminal, not in a log."""
    if sys.stdout.isatty():
        print(f"\r\033[K{job.label}: cell {cells.replace('/', ' of ')}", end="", flush=True)
