"""The process between a run and whoever asked for it: sets limits, watches, and leaves nothing behind.

`python -m coursekit.report.supervisor` reads an order from the first line of its standard input. When that
input ends, whoever asked is gone, and so the run ends too. It writes a line of JSON when the run gets to another
cell, and a last one when it has ended.

On Linux nothing gets out of its sight: what loses its parent becomes a child of its own. On macOS such a process can
get away; there and on Windows memory and processes are not bounded by the system, only looked at.
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

from coursekit.report import accounts, reach
from coursekit.report.sandbox import Ended, Order
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coursekit.report.job import Limits

LOOK = 0.25
# A folder is walked less often than processes are looked at: that costs more.
FOLDER_LOOK = 2.0
# An address space holds much that is never used: this many times the memory.
SPACE = 4
# Who watches and ends runs has to get at a processor while a run holds them all.
NICE = 10
_COUNT = re.compile(rb"\d+/\d+")
_PARENT_DEATH, _SUBREAPER, _NO_NEW_PRIVILEGES = 1, 36, 38  # PR_SET_PDEATHSIG and so on


def main() -> int:
    """Run one order to its end."""
    order = Order.read(_first_line())
    gone = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: gone.set())
    try:
        ended = supervise(order, gone)
    except (OSError, LabError, subprocess.SubprocessError) as error:
        ended = Ended("start", str(error))
    if gone.is_set():
        shutil.rmtree(order.place, ignore_errors=True)
        ended = replace(ended, told=True)
    with contextlib.suppress(BrokenPipeError):
        _say({"ended": asdict(ended)})
    return 0


def supervise(order: Order, gone: threading.Event) -> Ended:
    """Start the command, watch it until it ends or has to be ended, and end what it left."""
    start = time.monotonic()
    if sys.platform == "linux":
        _prctl(_SUBREAPER, 1)
        if order.account is not None:
            reach.open_way([*reach.needed(), Path(order.place)], order.account)
    process = _start(order)
    if sys.platform == "linux" and order.guarded:
        with contextlib.suppress(OSError):  # it may have ended
            Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")  # short of memory, the system ends this first
    threading.Thread(target=_until_alone, args=(gone,), daemon=True).start()
    watch = _Watch(order)
    try:
        while (limit := watch.met()) is None:
            if gone.is_set():
                limit = Ended()
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
                limit = Ended(code=process.returncode)
                break
    finally:
        _end_all(order)
    return replace(limit, seconds=time.monotonic() - start, peak_memory=watch.peak)


class _Watch:
    """Looks at a run again and again: what it uses, and how far it is."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.until = time.monotonic() + order.limits.seconds
        self.next_folder = 0.0
        self.peak = 0
        self.progress = b""

    def met(self) -> Ended | None:
        """The limit that is met now, if one is."""
        limits = self.order.limits
        self._tell()
        if time.monotonic() > self.until:
            return Ended("time", f"more than {limits.seconds:g} s for the whole notebook")
        tree = _tree()
        memory = sum(map(_memory, tree))
        if memory > limits.memory:  # counted for each, though forks share it: look again, which takes longer
            memory = sum(map(_own_memory, tree))
        self.peak = max(self.peak, memory)
        if not self.order.guarded:
            return None
        if len(tree) > limits.processes:
            return Ended("processes", f"more than {limits.processes} processes")
        if memory > limits.memory:
            return Ended("memory", f"more than {limits.memory / 2**20:.0f} MB of memory")
        if time.monotonic() > self.next_folder:
            self.next_folder = time.monotonic() + FOLDER_LOOK
            if _size(Path(self.order.place), limits.folder) > limits.folder:
                return Ended("files", f"more than {limits.folder / 2**20:.0f} MB of files")
        return None

    def _tell(self) -> None:
        """Pass on how far the run is, when that has changed.

        The file is not trusted to be short, or a file; and it is shown on a terminal, so only a count passes.
        """
        with contextlib.suppress(OSError):
            handle = os.open(self.order.progress, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            try:
                said = os.read(handle, 40)
            finally:
                os.close(handle)
            if _COUNT.fullmatch(said) and said != self.progress:
                self.progress = said
                _say({"progress": said.decode()})


def _start(order: Order) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own, with its limits set before its first instruction."""
    user = {} if order.account is None else {"user": order.account, "group": order.account, "extra_groups": []}
    with Path(order.log).open("wb") as log:
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            order.command,
            cwd=order.cwd,
            env=order.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=sys.platform != "win32",
            # Only one thread runs in this process as yet, so that code between fork and exec is safe.
            preexec_fn=_limiting(order) if sys.platform != "win32" else None,
            umask=0o077 if sys.platform != "win32" else -1,
            **user,
        )


def _limiting(order: Order) -> Callable[[], None]:
    """What the new process does with itself before it becomes the command."""
    assert sys.platform != "win32"  # which has neither fork nor limits: nobody asks there
    import resource

    limits, here = order.limits, sys.platform == "linux"
    bounds = _bounds(limits, own_account=order.account is not None) if order.guarded else {}

    def limit() -> None:
        for kind, bound in bounds.items():
            _, hard = resource.getrlimit(kind)
            most = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
            resource.setrlimit(kind, (most, most))
        if here:
            _prctl(_PARENT_DEATH, signal.SIGKILL)
            if order.guarded:
                _prctl(_NO_NEW_PRIVILEGES, 1)
                os.nice(NICE)

    return limit


def _bounds(limits: Limits, *, own_account: bool) -> dict[int, int]:
    """The limits that the system itself keeps; processes are counted for a user, so others of that user count too."""
    if sys.platform == "win32":
        return {}
    import resource

    bounds = {resource.RLIMIT_FSIZE: limits.file_size, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        others = 0 if own_account else _threads_of(os.getuid())
        bounds |= {resource.RLIMIT_AS: SPACE * limits.memory, resource.RLIMIT_NPROC: others + limits.threads}
    return bounds


def _threads_of(user: int) -> int:
    found = psutil.process_iter(["uids", "num_threads"])
    return sum(each.info["num_threads"] or 0 for each in found if each.info["uids"] and each.info["uids"].real == user)


def _tree() -> list[psutil.Process]:
    """Every process that came of the run."""
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _memory(process: psutil.Process) -> int:
    """What a process holds for itself: what it shares with files does not count."""
    try:
        used = process.memory_info()
    except psutil.Error:
        return 0
    return int(used.rss - getattr(used, "shared", 0))


def _own_memory(process: psutil.Process) -> int:
    """The same with a share of what several processes hold together."""
    try:
        used = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(used, "pss", used.uss))


def _size(folder: Path, enough: int) -> int:
    """The bytes of the files below a folder; stops counting soon after `enough`."""
    total = 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found = Path(place, name).lstat()
                # A file with holes in it takes less than its length.
                total += getattr(found, "st_blocks", found.st_size / 512) * 512
        if total > enough:
            break
    return int(total)


def _end_all(order: Order) -> None:
    """Kill the run's processes until none is left: first all are stopped, so that none starts another meanwhile."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        if order.account is not None:
            accounts.end_all(order.account)
        left = _tree()
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.suspend()
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
        _reap()
        if not _tree():
            return
        time.sleep(0.02)


def _reap() -> None:
    """Take note of children that have ended, so that they vanish; the orphans among them are ours too."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _until_alone(gone: threading.Event) -> None:
    """Wait until the standard input ends: nobody waits for this run any more."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    gone.set()


def _first_line() -> bytes:
    """The order; not through sys.stdin, which a thread that waits for the end of the input would hold at exit."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)  # nothing follows the line, so nothing of it is lost
        if not piece:
            raise SystemExit("no order came")
        line += piece
    return line


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(f"prctl({option}) failed")


def _say(value: dict[str, object]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    sys.exit(main())
