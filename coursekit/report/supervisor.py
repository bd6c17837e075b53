"""The process between the report and a run: it sets limits, watches, and leaves no process behind.

`python -m coursekit.report.supervisor FOLDER` runs `coursekit.report.child` on the `job.json` of a folder, as the
folder's owner. When its standard input is closed, the report is gone or has cancelled the run, so the run is ended. It
writes one line of JSON at each new cell, and a last one at the end.

On Linux no process escapes: one that loses its parent becomes a child of the supervisor. On macOS such a process can
escape; there and on Windows the system does not limit memory and processes, they are only checked.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from coursekit.report import isolation
from coursekit.report.job import MB, Job, Status
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK_SECONDS = 0.25
# Walking through a folder costs more than a look at the processes.
FOLDER_CHECK_SECONDS = 2.0
# A process reserves much more address space than it uses.
ADDRESS_SPACE_FACTOR = 4
# The supervisor must get a processor even while the run uses all of them.
NICE = 10
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38


@dataclass(frozen=True)
class Exit:
    """How a run ended. `status` is empty where it ended by itself."""

    status: str = ""
    detail: str = ""
    peak_memory: int = 0


def main() -> int:
    """Run one job to its end."""
    folder = Path(sys.argv[1])
    cancelled = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: cancelled.set())
    try:
        ended = supervise(Job.read(folder / "job.json"), folder, cancelled)
    except (OSError, LabError, subprocess.SubprocessError) as error:
        ended = Exit(Status.LOST, str(error))
    if cancelled.is_set():
        shutil.rmtree(folder, ignore_errors=True)
        ended = Exit(Status.LOST, "the report was cancelled")
    with contextlib.suppress(BrokenPipeError):
        _write_message({"ended": asdict(ended)})
    return 0


def supervise(job: Job, folder: Path, cancelled: threading.Event) -> Exit:
    """Start the child, watch it until it ends or exceeds a limit, and end what it left."""
    owner = folder.stat().st_uid  # the user that `isolation` has reserved for this run, or our own
    user = None if sys.platform == "win32" or owner == os.geteuid() else owner
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if user is not None:
            isolation.make_reachable([*isolation.needed_folders(), folder], user)
    process = _start(job, folder, user)
    if sys.platform == "linux" and not job.trusted:
        with contextlib.suppress(OSError):  # it may have ended
            # When memory is short, Linux kills this process first.
            Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
    threading.Thread(target=_wait_for_closed_input, args=(cancelled,), daemon=True).start()
    watch = _Watch(job, folder)
    try:
        while not (excess := watch.find_excess()) and not cancelled.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CHECK_SECONDS)
                break
    finally:
        _kill_all(user)
    return Exit(Status.STOPPED if excess else "", excess, watch.peak)


class _Watch:
    """Checks again and again what a run uses, and sends its progress."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.deadline = time.monotonic() + job.limits.seconds
        self.next_folder_check = 0.0
        self.peak = 0
        self.progress = ""

    def find_excess(self) -> str:
        """The limit that is exceeded now, in words; empty where none is. Only that of time applies to trusted code."""
        limits = self.job.limits
        self._send_progress()
        if time.monotonic() > self.deadline:
            return f"more than {limits.seconds:g} s for the whole notebook"
        processes = _processes()
        memory = sum(map(_memory, processes))
        if memory > limits.memory:
            memory = sum(_memory(each, exact=True) for each in processes)
        self.peak = max(self.peak, memory)
        if self.job.trusted:
            return ""
        if len(processes) > limits.processes:
            return f"more than {limits.processes} processes"
        if memory > limits.memory:
            return f"more than {limits.memory / MB:.0f} MB of memory"
        if time.monotonic() > self.next_folder_check:
            self.next_folder_check = time.monotonic() + FOLDER_CHECK_SECONDS
            if _folder_size(self.folder, limits.folder) > limits.folder:
                return f"more than {limits.folder / MB:.0f} MB of files"
        return ""

    def _send_progress(self) -> None:
        """Send the count of cells when it has changed."""
        found = read_progress(self.folder / "out" / "progress")
        if found and found != self.progress:
            self.progress = found
            _write_message({"progress": found})


def read_progress(path: Path) -> str:
    """The count of cells ("2/5") in a file; empty for anything else.

    A student's code can write this file. It may be long or a pipe, and it is shown on the instructor's terminal.
    """
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 - a handle, not a path
            content = file.read(40) or b""
        if re.fullmatch(rb"\d+/\d+", content):
            return content.decode()
    return ""


def _start(job: Job, folder: Path, user: int | None) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, with its limits set before its first instruction."""
    command = [sys.executable, "-P", "-m", "coursekit.report.child"]
    options: dict[str, Any] = {"cwd": folder / "work", "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    if sys.platform != "win32":
        # This process has only one thread so far, so running code between fork and exec is safe.
        options |= {"start_new_session": True, "umask": 0o077, "preexec_fn": _limit_function(job, user)}
    if user is not None:
        options |= {"user": user, "group": user, "extra_groups": []}
    with (folder / "out" / "log.txt").open("wb") as log:
        return subprocess.Popen(command, stdout=log, **options)


def _limit_function(job: Job, user: int | None) -> Callable[[], None]:
    """A function that the new process calls before it becomes the child."""
    assert sys.platform != "win32"
    import resource

    limits, bounds = job.limits, {}
    if not job.trusted:
        bounds = {resource.RLIMIT_FSIZE: limits.file_size, resource.RLIMIT_CORE: 0}
        if sys.platform == "linux":
            # RLIMIT_NPROC counts all threads of the user, not only this run's.
            others = 0 if user is not None else _threads_of(os.getuid())
            bounds[resource.RLIMIT_AS] = ADDRESS_SPACE_FACTOR * limits.memory
            bounds[resource.RLIMIT_NPROC] = others + limits.threads

    def limit() -> None:
        for kind, bound in bounds.items():
            _, hard = resource.getrlimit(kind)
            value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
            resource.setrlimit(kind, (value, value))
        if sys.platform == "linux":
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if not job.trusted:
                _prctl(_PR_SET_NO_NEW_PRIVS, 1)
                os.nice(NICE)

    return limit


def _threads_of(user: int) -> int:
    found = psutil.process_iter(["uids", "num_threads"])
    return sum(each.info["num_threads"] or 0 for each in found if each.info["uids"] and each.info["uids"].real == user)


def _processes() -> list[psutil.Process]:
    """Every process of the run."""
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _memory(process: psutil.Process, *, exact: bool = False) -> int:
    """The memory of a process in bytes, without the pages that it shares with files.

    Pages shared with its forks count fully, unless `exact` counts its share of them, which takes longer.
    """
    try:
        if exact:
            used = process.memory_full_info()
            return int(getattr(used, "pss", used.uss))
        used = process.memory_info()
    except psutil.Error:
        return 0
    return int(used.rss - getattr(used, "shared", 0))


def _folder_size(folder: Path, enough: int) -> int:
    """The bytes on disk of the files below a folder; stops counting soon after `enough`."""
    total = 0.0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found = Path(parent, name).lstat()
                # A sparse file takes less than its length.
                total += getattr(found, "st_blocks", found.st_size / 512) * 512
        if total > enough:
            break
    return int(total)


def _kill_all(user: int | None) -> None:
    """Kill the run's processes until none is left. First all are suspended, so that none starts another meanwhile."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if user is not None:
            isolation.kill_processes_of(user)
        left = _processes()
        for action in (psutil.Process.suspend, psutil.Process.kill):
            for each in left:
                with contextlib.suppress(psutil.Error):
                    action(each)
        if sys.platform != "win32":  # collect the exit status of children, orphans included, so that they disappear
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        if not _processes():
            return
        time.sleep(0.02)


def _wait_for_closed_input(cancelled: threading.Event) -> None:
    """Wait until the standard input is closed: nobody waits for this run any more."""
    with contextlib.suppress(OSError):
        os.read(0, 1)  # not sys.stdin: its lock, held by this thread, would block the exit
    cancelled.set()


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(f"prctl({option}) failed")


def _write_message(value: dict[str, object]) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")  # not print: nothing is left to be written at the exit


if __name__ == "__main__":
    sys.exit(main())
