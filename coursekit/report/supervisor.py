"""The process between the report and a run: it sets limits, watches, and leaves no process behind.

`python -m coursekit.report.supervisor` reads a command from the first line of its standard input. When that input is
closed, the report is gone or has cancelled the run, so the run is ended. It writes one line of JSON at each new cell,
and a last one at the end.

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
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from coursekit.report import isolation
from coursekit.report.sandbox import Command, Exit
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
_COUNT = re.compile(rb"\d+/\d+")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38


def main() -> int:
    """Run one command to its end."""
    # Not sys.stdin: its lock, held by the thread that waits for its end, would block the exit.
    with open(0, "rb", buffering=0, closefd=False) as file:
        command = Command.from_line(file.readline())
    cancelled = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: cancelled.set())
    try:
        ended = supervise(command, cancelled)
    except (OSError, LabError, subprocess.SubprocessError) as error:
        ended = Exit("start", str(error))
    if cancelled.is_set():
        shutil.rmtree(command.folder, ignore_errors=True)
        ended = replace(ended, cancelled=True)
    with contextlib.suppress(BrokenPipeError):
        _write_message({"ended": asdict(ended)})
    return 0


def supervise(command: Command, cancelled: threading.Event) -> Exit:
    """Start the command, watch it until it ends or exceeds a limit, and end what it left."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if command.user is not None:
            isolation.make_reachable([*isolation.needed_folders(), Path(command.folder)], command.user)
    process = _start(command)
    if sys.platform == "linux" and command.restricted:
        with contextlib.suppress(OSError):  # it may have ended
            # When memory is short, Linux kills this process first.
            Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
    threading.Thread(target=_wait_for_closed_input, args=(cancelled,), daemon=True).start()
    watch = _Watch(command)
    try:
        while (ended := watch.exceeded()) is None and not cancelled.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CHECK_SECONDS)
                break
    finally:
        _kill_all(command)
    return replace(ended or Exit(), peak_memory=watch.peak)


class _Watch:
    """Checks again and again what a run uses, and passes on its progress."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.deadline = time.monotonic() + command.limits.seconds
        self.next_folder_check = 0.0
        self.peak = 0
        self.progress = b""

    def exceeded(self) -> Exit | None:
        """The limit that is exceeded now, if one is."""
        limits = self.command.limits
        self._pass_on_progress()
        if time.monotonic() > self.deadline:
            return Exit("time", f"more than {limits.seconds:g} s for the whole notebook")
        processes = _processes()
        memory = sum(map(_memory, processes))
        if memory > limits.memory:
            memory = sum(_memory(each, exact=True) for each in processes)
        self.peak = max(self.peak, memory)
        if not self.command.restricted:
            return None
        if len(processes) > limits.processes:
            return Exit("processes", f"more than {limits.processes} processes")
        if memory > limits.memory:
            return Exit("memory", f"more than {limits.memory / 2**20:.0f} MB of memory")
        if time.monotonic() > self.next_folder_check:
            self.next_folder_check = time.monotonic() + FOLDER_CHECK_SECONDS
            if _folder_size(Path(self.command.folder), limits.folder) > limits.folder:
                return Exit("files", f"more than {limits.folder / 2**20:.0f} MB of files")
        return None

    def _pass_on_progress(self) -> None:
        """Send the count of cells when it has changed.

        A student's code can write this file. It may be long or a pipe, and it is shown on the instructor's terminal:
        so only a count is passed on.
        """
        with contextlib.suppress(OSError):
            handle = os.open(self.command.progress, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            try:
                content = os.read(handle, 40)
            finally:
                os.close(handle)
            if _COUNT.fullmatch(content) and content != self.progress:
                self.progress = content
                _write_message({"progress": content.decode()})


def _start(command: Command) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own, with its limits set before its first instruction."""
    user = {} if command.user is None else {"user": command.user, "group": command.user, "extra_groups": []}
    with Path(command.log).open("wb") as log:
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            command.command,
            cwd=command.cwd,
            env=command.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=sys.platform != "win32",
            # This process has only one thread so far, so running code between fork and exec is safe.
            preexec_fn=_limit_function(command) if sys.platform != "win32" else None,
            umask=0o077 if sys.platform != "win32" else -1,
            **user,
        )


def _limit_function(command: Command) -> Callable[[], None]:
    """A function that the new process calls before it becomes the command."""
    assert sys.platform != "win32"
    import resource

    limits = command.limits
    bounds = {}
    if command.restricted:
        bounds = {resource.RLIMIT_FSIZE: limits.file_size, resource.RLIMIT_CORE: 0}
        if sys.platform == "linux":
            # RLIMIT_NPROC counts all threads of the user, not only this run's.
            others = 0 if command.user is not None else _threads_of(os.getuid())
            bounds[resource.RLIMIT_AS] = ADDRESS_SPACE_FACTOR * limits.memory
            bounds[resource.RLIMIT_NPROC] = others + limits.threads

    def limit() -> None:
        for kind, bound in bounds.items():
            _, hard = resource.getrlimit(kind)
            value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
            resource.setrlimit(kind, (value, value))
        if sys.platform == "linux":
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if command.restricted:
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


def _kill_all(command: Command) -> None:
    """Kill the run's processes until none is left. First all are suspended, so that none starts another meanwhile."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if command.user is not None:
            isolation.kill_processes_of(command.user)
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
        while os.read(0, 4096):
            pass
    cancelled.set()


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(f"prctl({option}) failed")


def _write_message(value: dict[str, object]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    sys.exit(main())
