"""Many jobs on this machine or on a Dask cluster: so many at once, so many on an endpoint, results as they finish."""

from __future__ import annotations

import contextlib
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

from coursekit.errors import WorkbookError
from coursekit.report.collect import nothing
from coursekit.report.job import Job, Result, Status
from coursekit.report.run import run
from coursekit.report.sandbox import Crew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DASK_SECONDS = 30


def finish(
    jobs: Sequence[Job], submit: Callable[[Job], Future[Result]], *, width: int, per_endpoint: int
) -> Iterator[tuple[Job, Result]]:
    """Run jobs, never more than `width` at once and `per_endpoint` on one endpoint, and give each as it finishes."""
    waiting, running = list(jobs), dict[Future[Result], Job]()
    while waiting or running:
        busy = Counter(job.base_url for job in running.values())
        for job in list(waiting):
            if len(running) >= width:
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
            except Exception as error:  # a worker of a cluster that died, for example; the others go on
                result = nothing(job, Status.LOST, f"{type(error).__name__}: {error}")
            yield job, result


@contextlib.contextmanager
def here(workers: int, say: Callable[[Job, str], None]) -> Iterator[Callable[[Job], Future[Result]]]:
    """Work on this machine. When the block is left early, what runs is ended, and nothing stays behind."""
    crew = Crew()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="report")
    try:
        yield lambda job: pool.submit(run, job, partial(say, job), crew)
    finally:
        crew.end()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def cluster(address: str) -> Iterator[tuple[Callable[[Job], Future[Result]], int]]:
    """Work on a Dask cluster that is there; gives also how many runs it takes at once.

    Its workers need this package, and the folders under the same names as here. Raises WorkbookError.
    """
    try:
        from distributed import Client
    except ImportError as error:
        fix = 'pip install -e ".[dask]" in the environment of the workbook'
        raise WorkbookError(
            "--scheduler needs Dask (the package distributed), which is not installed", fix=fix
        ) from error
    try:
        client = Client(address, timeout=DASK_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkbookError(f"no Dask scheduler answers at {address}", fix="check the address") from error
    with client:
        width = sum(client.nthreads().values())
        if not width:
            raise WorkbookError(f"the Dask cluster at {address} has no workers", fix="dask worker ADDRESS starts one")
        pool: Executor = client.get_executor(pure=False)
        yield (lambda job: pool.submit(run, job)), width
