"""run(): one notebook from its file to its result, in a process of its own; used here and by Dask workers.

A student's code can write the files that its run leaves, so nothing in them is trusted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit import sidecar
from coursekit.report import isolation
from coursekit.report.job import MB, AnswerTimes, ExerciseResult, Job, Result, Status, one_line
from coursekit.report.supervisor import Exit
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., bytes]

# The variables that a student's code gets: enough to run, no key and no token.
PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT")
# A second try may succeed after these; after the others it would not.
WORTH_RETRYING = {Status.FAILED, Status.TIMED_OUT, Status.DIED, Status.LOST}
MOST_FILES = 5000
MOST_NOTES = 10_000


def run(job: Job, on_progress: Callable[[str], None] = lambda _: None, lifeline: int = subprocess.PIPE) -> Result:
    """Run a job, a second time where that may help. Raises nothing for what the notebook does.

    `on_progress` gets each new count of cells ("2/5"). When the other end of the pipe `lifeline` is closed, the run is
    cancelled.
    """
    result = _run_once(job, on_progress, lifeline)
    if job.retry and result.status in WORTH_RETRYING:
        first = f"{result.status}: {result.detail}"
        result = replace(_run_once(job, on_progress, lifeline), first_try=first)
    return result


def _run_once(job: Job, on_progress: Callable[[str], None], lifeline: int) -> Result:
    if not job.exists():
        return job.result(Status.MISSING, f"there is no {Path(job.notebook).name} in the folder")
    start = time.perf_counter()
    try:
        with contextlib.ExitStack() as stack:
            user = None if job.trusted else stack.enter_context(isolation.reserve_account())
            folder = Path(tempfile.mkdtemp(prefix="labkit-run-")).resolve()
            # Not tempfile.TemporaryDirectory: older versions follow links when they remove files.
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            _prepare(job, folder, user)
            result = collect(job, folder, _supervise(job, folder, on_progress, lifeline), user)
    except (OSError, LabError) as error:
        result = job.result(Status.LOST, str(error))
    return replace(result, seconds=time.perf_counter() - start)


def _prepare(job: Job, folder: Path, user: int | None) -> None:
    """Fill the folder of a run."""
    for name in ("work", "out", "home", "tmp"):
        (folder / name).mkdir()
    notebook = Path(job.notebook)
    if job.folder:
        _copy_files(Path(job.folder), folder / "work", job.limits.folder)
    shutil.copyfile(notebook, folder / "work" / notebook.name)
    job.write(folder / "job.json")
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)


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
                most = f"{most_bytes / 2**20:.0f} MB or {MOST_FILES} files"
                raise OSError(f"the student's folder has more than {most} in it")
            shutil.copyfile(path, inside / path.name)


def _supervise(job: Job, folder: Path, on_progress: Callable[[str], None], lifeline: int) -> Exit:
    """Run the child under its supervisor to its end. Raises nothing for what the notebook does."""
    ended = Exit(Status.LOST, "the supervisor process ended by itself")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "coursekit.report.supervisor", str(folder)],
        env=_environment(job, folder),
        stdin=lifeline,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        for line in process.stdout:
            message = json.loads(line)
            if "ended" in message:
                ended = Exit(**message["ended"])
            else:
                on_progress(message["progress"])
    return ended


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


def collect(job: Job, folder: Path, ended: Exit, user: int | None) -> Result:
    """Read and check what a run left in its folder; the executed notebook is copied to the job's target."""

    def read(name: str, most: int = MB) -> bytes:
        return read_plain_file(folder / "out" / name, most, user) or b""

    notebook = read("executed.ipynb", job.limits.output + 64 * MB)
    cells = _code_cells(notebook)
    executed = ""
    if cells is not None and job.target:
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        Path(job.target).write_bytes(notebook)
        executed = job.target
    checks, answers = _read_sidecar(read("sidecar.jsonl", 8 * MB), job)
    return replace(
        job.result(*_judge(read, ended)),
        cells=len(cells or ()),
        cells_run=sum(cell.get("execution_count") is not None for cell in cells or ()),
        cell_seconds=tuple(map(_duration, cells or ())),
        peak_memory=ended.peak_memory,
        checks=checks,
        answers=answers,
        executed=executed,
    )


def read_plain_file(path: Path, most: int, user: int | None = None) -> bytes | None:
    """The bytes of a plain file; None where it is missing, too long, a link, a pipe or another user's.

    A student's code could put a link in the place of a result, and root would read any file for it.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        own = user is None or found.st_uid == user
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_size > most or not own:
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None


def _judge(read: Read, ended: Exit) -> tuple[Status, str]:
    """How the run ended: what the supervisor saw counts more than what the run says about itself."""
    progress = read("progress").decode(errors="replace")
    where = f"cell {progress}" if progress.replace("/", "").isdigit() else "before the first cell"
    if ended.status == Status.STOPPED:
        return Status.STOPPED, f"{where}: {ended.detail}"
    if ended.status:
        return Status.LOST, ended.detail
    with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):
        outcome = json.loads(read("outcome.json"))
        status, detail = Status(outcome["status"]), str(outcome["detail"])
        return status, detail if status in {Status.PASSED, Status.LOST} else f"cell {int(outcome['cell'])}: {detail}"
    last = read("log.txt").decode(errors="replace").strip().splitlines()[-1:] or ["it printed nothing"]
    return Status.LOST, f"{where}: the process that executes cells ended ({last[0]})"


def _code_cells(content: bytes) -> list[dict[str, Any]] | None:
    """The notebook's own code cells; None where the file is not a notebook."""
    try:
        return [
            cell
            for cell in json.loads(content)["cells"]
            if cell["cell_type"] == "code"
            and "".join(cell["source"]).strip()
            and "injected-parameters" not in cell["metadata"].get("tags", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _duration(cell: dict[str, Any]) -> float:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return _number(cell["metadata"]["papermill"]["duration"]) or 0.0
    return 0.0


def _read_sidecar(content: bytes, job: Job) -> tuple[tuple[ExerciseResult, ...], tuple[AnswerTimes, ...]]:
    """The last check of each exercise, and the answers from the job's own endpoint and model.

    A lesson also asks scripted endpoints, slow or broken on purpose: their times say nothing about the model.
    """
    checks: dict[str, ExerciseResult] = {}
    answers = []
    # Lines of bytes: str.splitlines would also split at U+2028.
    for line in content.split(b"\n")[:MOST_NOTES]:
        with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):
            note = json.loads(line)
            if note["kind"] == "check":
                name = one_line(str(note["exercise"]))[:20]
                checks[name] = ExerciseResult(name, note["passed"] is True, one_line(str(note["missing"] or "")))
            elif note["kind"] == "answer" and (note["base_url"], note["model"]) == (job.base_url, job.model):
                times = _number(note["ttft"]), _number(note["e2e"])
                answers.append(AnswerTimes(*times, int(_number(note["tokens"]) or 0), str(note["ended"])[:20]))
    return tuple(checks[name] for name in sorted(checks)[:100]), tuple(answers)


def _number(value: object) -> float | None:
    """A time in seconds or a count, or None. Raises ValueError for anything else."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise ValueError(f"{value!r} is not a number of this kind")
    return float(value)
