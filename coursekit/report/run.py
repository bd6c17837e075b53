"""run(): one notebook from its file to its result, in a process of its own; used here and by Dask workers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit import sidecar
from coursekit.report import isolation, sandbox
from coursekit.report.collect import collect, empty_result
from coursekit.report.job import Job, Result, Status
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The variables that a student's code gets: enough to run, no key and no token.
PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT")
# A second try may succeed after these; after the others it would not.
WORTH_RETRYING = {Status.FAILED, Status.TIMED_OUT, Status.DIED, Status.LOST}
MOST_FILES = 5000


def run(
    job: Job,
    on_progress: Callable[[str], None] = lambda _: None,
    supervisors: sandbox.Supervisors | None = None,
) -> Result:
    """Run a job, a second time where that may help. Raises nothing for what the notebook does."""
    result = _run_once(job, on_progress, supervisors)
    for _ in range(job.retries):
        if result.status not in WORTH_RETRYING:
            break
        first = result.first_try or f"{result.status}: {result.detail}"
        result = replace(_run_once(job, on_progress, supervisors), first_try=first)
    return result


def _run_once(job: Job, on_progress: Callable[[str], None], supervisors: sandbox.Supervisors | None) -> Result:
    if not job.exists():
        return empty_result(job, Status.MISSING, f"there is no {Path(job.notebook).name} in the folder")
    start = time.perf_counter()
    try:
        with (
            contextlib.nullcontext() if job.trusted else isolation.reserve_account() as user,
            _new_folder() as folder,
        ):
            ended = sandbox.run_command(_prepare(job, folder, user), on_progress, supervisors)
            result = collect(job, folder, ended, user)
    except (OSError, LabError) as error:
        result = empty_result(job, Status.LOST, str(error))
    return replace(result, seconds=time.perf_counter() - start)


@contextlib.contextmanager
def _new_folder() -> Iterator[Path]:
    """A folder for one run. Not tempfile.TemporaryDirectory: older versions follow links when they remove files."""
    folder = Path(tempfile.mkdtemp(prefix="labkit-run-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(job: Job, folder: Path, user: int | None) -> sandbox.Command:
    """Fill the folder of a run; returns the command that executes its notebook."""
    for name in ("work", "out", "home", "tmp"):
        (folder / name).mkdir()
    notebook = Path(job.notebook)
    if job.folder:
        _copy_files(Path(job.folder), folder / "work", job.limits.folder)
    shutil.copyfile(notebook, folder / "work" / notebook.name)
    task = {"notebook": notebook.name, "parameters": job.parameters} | asdict(job.limits)
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    if user is not None:
        for parent, _, names in os.walk(folder):
            for path in (Path(parent), *(Path(parent, name) for name in names)):
                os.chown(path, user, user, follow_symlinks=False)
    return sandbox.Command(
        command=(sys.executable, "-P", "-m", "coursekit.report.child"),
        cwd=str(folder / "work"),
        environ=_environment(job, folder),
        folder=str(folder),
        log=str(folder / "out" / "log.txt"),
        progress=str(folder / "out" / "progress"),
        limits=job.limits,
        restricted=not job.trusted,
        user=user,
    )


def _environment(job: Job, folder: Path) -> dict[str, str]:
    """The variables of a run: the endpoint, its own folders, and for students' code only a few of ours."""
    home = folder / "home"
    if job.trusted:
        environ = dict(os.environ)
    else:
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environ |= {"HOME": str(home), "USERPROFILE": str(home), "LABKIT_CACHE": str(home / "cache")}
        environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "tmp"))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        environ[name] = str(home / name.lower())
    endpoint = {"BASE_URL": job.base_url, "MODEL": job.model}
    return environ | endpoint | {sidecar.VARIABLE: str(folder / "out" / "sidecar.jsonl")}


def _copy_files(source: Path, target: Path, most_bytes: int) -> None:
    """Copy a student's plain files, without links, which could lead anywhere. Raises OSError for too many."""
    size = count = 0
    for parent, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name not in {"__pycache__", ".ipynb_checkpoints"}]
        inside = target / Path(parent).relative_to(source)
        inside.mkdir(exist_ok=True)
        for path in (Path(parent, name) for name in names):
            if path.is_symlink() or not path.is_file():
                continue
            size, count = size + path.stat().st_size, count + 1
            if size > most_bytes or count > MOST_FILES:
                raise OSError(
                    f"the student's folder has more than {most_bytes / 2**20:.0f} MB or {MOST_FILES} files in it"
                )
            shutil.copyfile(path, inside / path.name)
