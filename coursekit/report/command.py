"""`python lab.py report`: plan the jobs, run them, write the pages, and print how it went."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit.doctor import first_token
from coursekit.errors import WorkbookError
from coursekit.report import plan
from coursekit.report.job import Job, Result, RunLimits, Status
from coursekit.report.pages import Renderer, comparable, compare_page, index_page
from coursekit.report.run import run
from labkit.files import append_line, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coursekit.report.plan import Connect
    from labkit.connection import Connection

    Submit = Callable[[Job], Future[Result]]

DASK_SECONDS = 30


def report(
    notebooks: Sequence[str],
    connect: Connect,
    limits: RunLimits,
    *,
    parameters: Sequence[str],
    models: Sequence[str],
    out: Path,
    code: bool,
    matrix: Path | None,
    fresh: bool,
    workers: int,
    scheduler: str | None,
    per_endpoint: int,
) -> int:
    """Run everything and write everything; returns the exit status, 1 when something did not pass.

    The options are those of the command. Raises LabError before anything runs.
    """
    if workers < 1 or per_endpoint < 1:
        raise WorkbookError("A report needs at least one worker and one run per endpoint", fix="give 1 or more")
    found, given = plan.find_notebooks(notebooks), plan.parse_parameters(parameters)
    rows = plan.read_class(matrix) if matrix else [plan.Row(model=model or None) for model in models or [""]]
    with contextlib.ExitStack() as connections:

        @functools.cache  # one connection for each endpoint and model, however many rows name it
        def find(model: str | None, endpoint: str | None) -> Connection:
            lab = connect(model, endpoint)
            connections.callback(lab.close)
            if not lab.listed:
                first_token(lab)  # better one question now than a class of runs that fail
            return lab

        folder = _Folder(out.resolve(), plan.plan_jobs(rows, found, given, find, limits))
        left = folder.start(keep=bool(matrix) and not fresh)  # only a class continues where it was
        pool = dask_workers(scheduler) if scheduler else local_workers(workers, _show_progress)
        try:
            with pool as (submit, at_once), Renderer(code=code) as renderer:
                for job, result in run_all(left, submit, at_once=at_once, per_endpoint=per_endpoint):
                    folder.add(job, result, renderer)
        finally:  # also when that is interrupted
            index = folder.write_index()
    passed = sum(result.passed for result in folder.results.values())
    print(f"{passed} of {len(folder.jobs)} passed. The report: {index}")
    return 0 if passed == len(folder.jobs) else 1


def run_all(jobs: Sequence[Job], submit: Submit, *, at_once: int, per_endpoint: int) -> Iterator[tuple[Job, Result]]:
    """Run jobs, never more than `at_once` together and `per_endpoint` on one endpoint; gives each when it finishes."""
    waiting, running = list(jobs), dict[Future[Result], Job]()
    while waiting or running:
        busy = Counter(job.base_url for job in running.values())
        for job in list(waiting):
            if len(running) < at_once and busy[job.base_url] < per_endpoint:
                waiting.remove(job)
                busy[job.base_url] += 1
                running[submit(job)] = job
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            job = running.pop(future)
            try:
                result = future.result()
            except Exception as error:  # for example a cluster's worker that died; the other jobs go on
                result = job.result(Status.LOST, f"{type(error).__name__}: {error}")
            yield job, result


@contextlib.contextmanager
def local_workers(count: int, on_progress: Callable[[Job, str], None]) -> Iterator[tuple[Submit, int]]:
    """Threads of this process; gives a function that submits a job, and how many run at once.

    Leaving the block early cancels the jobs that run.
    """
    lifeline, held = os.pipe()  # each run ends when `held` is closed, also by the end of this process
    pool = ThreadPoolExecutor(count, thread_name_prefix="report")
    try:
        yield lambda job: pool.submit(run, job, functools.partial(on_progress, job), lifeline), count
    finally:
        os.close(held)
        pool.shutdown(cancel_futures=True)
        os.close(lifeline)


@contextlib.contextmanager
def dask_workers(address: str) -> Iterator[tuple[Submit, int]]:
    """The workers of a running Dask cluster; gives the same as `local_workers`.

    They need this package, and the same folders under the same names. Raises WorkbookError.
    """
    try:
        from distributed import Client
    except ImportError as error:
        fix = 'pip install -e ".[dask]" in the environment of the workbook'
        raise WorkbookError("--scheduler needs the package distributed (Dask)", fix=fix) from error
    try:
        client = Client(address, timeout=DASK_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkbookError(f"No Dask scheduler answers at {address}", fix="check the address") from error
    with client:
        at_once = sum(client.nthreads().values())
        if not at_once:
            raise WorkbookError(f"The Dask cluster at {address} has no workers", fix="start one: dask worker ADDRESS")
        pool: Executor = client.get_executor(pure=False)
        yield (lambda job: pool.submit(run, job)), at_once


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


class _Folder:
    """The folder of a report, its jobs, and the results so far by the keys of the jobs."""

    def __init__(self, out: Path, jobs: Sequence[Job]) -> None:
        self.out, self.journal = out, out / "journal.jsonl"
        self.jobs: dict[str, Job] = {}
        self.results: dict[str, Result] = {}
        for number, (key, job) in enumerate({job.find_key(): job for job in jobs}.items(), 1):
            target = out / "notebooks" / f"{plan.file_name(job, number)}.ipynb"
            self.jobs[key] = replace(job, key=key, target=str(target))

    def start(self, *, keep: bool) -> list[Job]:
        """Make the folder; returns the jobs that are not finished yet, all of them unless `keep` is set."""
        self.out.mkdir(parents=True, exist_ok=True)
        if not keep:
            self.journal.unlink(missing_ok=True)
        self.results = {key: result for key, result in finished(self.journal).items() if key in self.jobs}
        left = [job for key, job in self.jobs.items() if key not in self.results]
        if self.results:
            count = f"{len(self.results)} of {len(self.jobs)}"
            print(f"{count} runs are finished already; {len(left)} are left.", flush=True)
        return left

    def add(self, job: Job, result: Result, renderer: Renderer) -> None:
        """Keep a result: write its page and its line in the journal, and print it."""
        page = self.out / "pages" / f"{Path(job.target).stem}.html"
        result = renderer.write_page(result, page, "../index.html")
        result = replace(result, executed=self._link(result.executed), page=self._link(result.page))
        append_line(self.journal, result.as_json())
        self.results[job.key] = result
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        again = " at the second try" if result.first_try else ""
        reason = "" if result.passed else f" ({result.detail})"
        count = f"[{len(self.results)}/{len(self.jobs)}]"
        print(f"{clear}{count} {job.label}: {result.status}{again}, {result.seconds:.1f} s{reason}", flush=True)

    def _link(self, path: str) -> str:
        """The path of a file as a link in the index."""
        return Path(path).relative_to(self.out).as_posix() if path else ""

    def write_index(self) -> Path:
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
        values = [result.as_json() for result in results]
        document = {"schema": "labkit-report/1", "made": made, "machine": machine(), "results": values}
        write_atomically(self.out / "results.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return index


def _show_progress(job: Job, cells: str) -> None:
    """Show the running cell on a line that is overwritten; only on a terminal, not in a log."""
    if sys.stdout.isatty():
        print(f"\r\033[K{job.label}: cell {cells.replace('/', ' of ')}", end="", flush=True)
