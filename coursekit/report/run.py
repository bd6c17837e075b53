"""run(): one notebook from its file to its result, in a process of its own; the same function here and on a cluster."""

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

from coursekit.report import accounts, sandbox
from coursekit.report.collect import collect, nothing
from coursekit.report.job import Job, Result, Status
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coursekit.report.sandbox import Crew

# What a student's code finds of this environment: enough to run, no key and no token.
PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT")
# Another try may go better after these; after the others it would not.
WORTH_ANOTHER = {Status.FAILED, Status.TIMED_OUT, Status.DIED, Status.LOST}
MOST_FILES = 5000


def run(job: Job, say: Callable[[str], None] = lambda _: None, crew: Crew | None = None) -> Result:
    """Run a job, a second time where that may help, and give its result. Raises nothing for what the notebook does."""
    result = _attempt(job, say, crew)
    for _ in range(job.retries):
        if result.status not in WORTH_ANOTHER:
            break
        first = result.first_try or f"{result.status}: {result.detail}"
        result = replace(_attempt(job, say, crew), first_try=first)
    return result


def _attempt(job: Job, say: Callable[[str], None], crew: Crew | None) -> Result:
    if not job.there():
        return nothing(job, Status.MISSING, f"there is no {Path(job.notebook).name} in the folder")
    start = time.perf_counter()
    try:
        with contextlib.nullcontext() if job.trusted else accounts.account() as account, _place() as place:
            order = _prepare(job, place, account)
            ended = sandbox.run(order, say, crew)
            result = collect(job, place, ended, account)
    except (OSError, LabError) as error:
        result = nothing(job, Status.LOST, str(error))
    return replace(result, seconds=time.perf_counter() - start)


@contextlib.contextmanager
def _place() -> Iterator[Path]:
    """A folder that is this run's own."""
    place = Path(tempfile.mkdtemp(prefix="labkit-run-")).resolve()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _prepare(job: Job, place: Path, account: int | None) -> sandbox.Order:
    """Lay out the folder of a run, and say what is to be done in it."""
    for name in ("work", "out", "home", "tmp"):
        (place / name).mkdir()
    notebook = Path(job.notebook)
    if job.folder:
        _copy(Path(job.folder), place / "work", job.limits.folder)
    shutil.copyfile(notebook, place / "work" / notebook.name)
    task = {"notebook": notebook.name, "parameters": job.parameters} | asdict(job.limits)
    (place / "task.json").write_text(json.dumps(task), encoding="utf-8")
    if account is not None:
        for folder, _, names in os.walk(place):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                os.chown(path, account, account, follow_symlinks=False)
    return sandbox.Order(
        command=(sys.executable, "-P", "-m", "coursekit.report.child"),
        cwd=str(place / "work"),
        environ=_environment(job, place),
        place=str(place),
        log=str(place / "out" / "log.txt"),
        progress=str(place / "out" / "progress"),
        limits=job.limits,
        guarded=not job.trusted,
        account=account,
    )


def _environment(job: Job, place: Path) -> dict[str, str]:
    """The variables of a run: the endpoint, folders of its own, and of ours only what it needs."""
    if job.trusted:
        environ = dict(os.environ)
    else:
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        home = str(place / "home")
        environ |= {"HOME": home, "USERPROFILE": home, "LABKIT_CACHE": str(place / "home" / "cache")}
        environ |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(place / "tmp"))
    own = {name: str(place / "home" / name.lower()) for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR")}
    own |= {name: str(place / "home" / name.lower()) for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    endpoint = {"BASE_URL": job.base_url, "MODEL": job.model}
    return environ | own | endpoint | {"LABKIT_SIDECAR": str(place / "out" / "sidecar.jsonl")}


def _copy(source: Path, target: Path, most: int) -> None:
    """Copy a student's plain files; links are left out, as they may lead anywhere. Raises OSError for too much."""
    size = count = 0
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name not in {"__pycache__", ".ipynb_checkpoints"}]
        inside = target / Path(folder).relative_to(source)
        inside.mkdir(exist_ok=True)
        for name in names:
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            size, count = size + path.stat().st_size, count + 1
            if size > most or count > MOST_FILES:
                raise OSError(f"the student's folder holds more than {most / 2**20:.0f} MB or {MOST_FILES} files")
            shutil.copyfile(path, inside / name)
