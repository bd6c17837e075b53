"""Run many jobs at once, on this machine or on a Dask cluster; results are given as they finish."""

from __future__ import annotations

import contextlib
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

from coursekit.errors import WorkbookError
from coursekit.report.collect import empty_result
from coursekit.report.job import Job, Result, Status
from coursekit.report.run import run
from coursekit.report.sandbox import Supervisors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DASK_SECONDS = 30


def run_all(
    jobs: Sequence[Job], submit: Callable[[Job], Future[Result]], *, at_once: int, per_endpoint: int
) -> Iterator[tuple[Job, Result]]:
    """Run jobs, never more than `at_once` together and `per_endpoint` on one endpoint; gives each when it finishes."""
    waiting, running = list(jobs), dict[Future[Result], Job]()
    while waiting or running:
        busy = Counter(job.base_url for job in running.values())
        for job in list(waiting):
            if len(running) >= at_once:
                break
            if busy[job.base_url] < per_endpoint:
                waiting.remove(job)
                busy[job.base_url] += 1
                running[submit(job)] = job
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            job = running.pop(future)
            try:
                result = future.result()
            except Exception as error:  # for example a cluster's worker that died; the other jobs go on
                result = empty_result(job, Status.LOST, f"{type(error).__name__}: {error}")
            yield job, result


@contextlib.contextmanager
def local_workers(
    count: int, on_progress: Callable[[Job, str], None]
) -> Iterator[tuple[Callable[[Job], Future[Result]], int]]:
    """Threads of this process; gives a function that submits a job, and how many run at once.

    Leaving the block early cancels the jobs that run.
    """
    supervisors = Supervisors()
    pool = ThreadPoolExecutor(count, thread_name_prefix="report")
    try:
        yield lambda job: pool.submit(run, job, partial(on_progress, job), supervisors), count
    finally:
        supervisors.cancel()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def dask_workers(address: str) -> Iterator[tuple[Callable[[Job], Future[Result]], int]]:
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
