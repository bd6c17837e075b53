"""`python lab.py report`: plan, run, write the pages, and say how it went."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit.errors import WorkbookError
from coursekit.report import classroom, plan
from coursekit.report.job import Job, Limits, Result, document
from coursekit.report.journal import Journal
from coursekit.report.renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from labkit.connection import Connection

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    notebooks: Sequence[str]
    parameters: Sequence[str]
    models: Sequence[str]
    out: Path
    matrix: Path | None
    code: bool
    workers: int
    per_endpoint: int
    scheduler: str | None
    limits: Limits
    fresh: bool


def report(options: Options, connect: Callable[[str | None, str | None], Connection]) -> int:
    """Run everything, write everything; 1 when something has not passed. Raises LabError before anything ran."""
    if options.workers < 1 or options.per_endpoint < 1:
        raise WorkbookError("a report needs at least one worker and one run for each endpoint", fix="give 1 or more")
    notebooks = plan.choose(options.notebooks)
    texts = plan.parse(options.parameters)
    endpoints = plan.Endpoints(connect)
    try:
        if options.matrix:
            from coursekit.report import matrix

            jobs = plan.of_class(matrix.read(options.matrix), notebooks, texts, endpoints, options.limits)
        else:
            jobs = plan.own(notebooks, texts, options.models, endpoints, options.limits)
        return _Report(options, jobs).run()
    finally:
        endpoints.close()


class _Report:
    """One report: its folder, its jobs, and the results so far."""

    def __init__(self, options: Options, jobs: Sequence[Job]) -> None:
        self.options = options
        self.out = options.out.resolve()
        jobs = list({job.key(): job for job in jobs}.values())
        self.slugs = {job.key(): plan.slug(job, number) for number, job in enumerate(jobs, 1)}
        self.jobs = [
            replace(job, target=str(self.out / "notebooks" / f"{self.slugs[job.key()]}.ipynb")) for job in jobs
        ]
        self.journal = Journal(self.out / JOURNAL)
        self.results: dict[str, Result] = {}

    def run(self) -> int:
        """Run what is not finished yet; the pages are written also when the rest is given up."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self.options.fresh or not self.options.matrix:  # a class goes on where it was
            self.journal.path.unlink(missing_ok=True)
        keys = {job.key() for job in self.jobs}
        self.results = {key: result for key, result in self.journal.finished().items() if key in keys}
        left = [job for job in self.jobs if job.key() not in self.results]
        if self.results:
            print(f"{len(self.results)} of {len(keys)} runs are finished already; {len(left)} are left.", flush=True)
        try:
            with self._submit() as (submit, width), Renderer(code=self.options.code) as renderer:
                for job, result in classroom.finish(left, submit, width=width, per_endpoint=self.options.per_endpoint):
                    self._take(job, result, renderer)
        finally:
            place = self._write()
        passed = sum(result.passed for result in self.results.values())
        print(f"{passed} of {len(keys)} passed. The report: {place}")
        return 0 if passed == len(keys) else 1

    @contextlib.contextmanager
    def _submit(self) -> Iterator[tuple[Callable[[Job], Future[Result]], int]]:
        if self.options.scheduler:
            with classroom.cluster(self.options.scheduler) as found:
                yield found
        else:
            with classroom.here(self.options.workers, self._progress) as submit:
                yield submit, self.options.workers

    def _progress(self, job: Job, where: str) -> None:
        """Which cell runs, on one line that is written over; a log has only a line for each end."""
        if sys.stdout.isatty():
            print(f"\r\033[K{_name(job)}: cell {where.replace('/', ' of ')}", end="", flush=True)

    def _take(self, job: Job, result: Result, renderer: Renderer) -> None:
        """Keep a result: its page, its line in the journal, its line here."""
        target = self.out / "pages" / f"{self.slugs[job.key()]}.html"
        result = renderer.page(result, target, "../index.html")
        result = replace(result, executed=self._relative(result.executed), page=self._relative(result.page))
        self.journal.add(result)
        self.results[job.key()] = result
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        again = " at the second try" if result.first_try else ""
        why = "" if result.passed else f" ({result.detail})"
        count = f"[{len(self.results)}/{len(self.jobs)}]"
        print(f"{clear}{count} {_name(job)}: {result.status}{again}, {result.seconds:.1f} s{why}", flush=True)

    def _relative(self, path: str) -> str:
        """A file of the report as its index links it."""
        return Path(path).relative_to(self.out).as_posix() if path else ""

    def _write(self) -> Path:
        """Write the index, the comparisons and results.json; returns where the index is."""
        from coursekit.report import compare, index
        from labkit.plots import machine

        results = [self.results[job.key()] for job in self.jobs if job.key() in self.results]
        made = datetime.now().astimezone().isoformat(timespec="minutes", sep=" ")
        links = []
        for number, group in enumerate(compare.groups(results), 1):
            name = f"compare-{number:02d}.html"
            (self.out / name).write_text(compare.compare(group, machine()), encoding="utf-8")
            links.append((" ".join(filter(None, [group[0].student, group[0].notebook])), name))
        (self.out / "index.html").write_text(index.index(results, made, machine(), links), encoding="utf-8")
        text = json.dumps(document(results, made, machine()), indent=1, ensure_ascii=False)
        (self.out / "results.json").write_text(text + "\n", encoding="utf-8")
        return self.out / "index.html"


def _name(job: Job) -> str:
    return " ".join(filter(None, [job.student, job.name]))
