"""A user account for each run at a time, when started as root on Linux: what one student starts, no other can touch."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock, Timeout

from coursekit.errors import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Numbers that neither Debian nor systemd gives to anybody.
ACCOUNTS = range(60_900, 61_100)


def needed() -> bool:
    """Whether this process could do to the machine what a student's code should not."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextlib.contextmanager
def account() -> Iterator[int | None]:
    """The number of a user that nobody else has, with nothing left of it afterwards; None where it is not needed.

    Raises WorkbookError when all are taken.
    """
    if not needed():
        yield None
        return
    locks = _own_folder()
    busy = {process.info["uids"].real for process in psutil.process_iter(["uids"]) if process.info["uids"]}
    for number in ACCOUNTS:
        lock = FileLock(locks / str(number))
        if number in busy or _named(number):
            continue
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        try:
            yield number
        finally:
            end_all(number)
            _tidy(number)
            lock.release()
        return
    raise WorkbookError(f"all of the {len(ACCOUNTS)} accounts for runs are taken", fix="run fewer reports at once")


def end_all(number: int) -> None:
    """Kill whatever runs under an account of ours, all in one call, so that nothing can fork away from it."""
    if number not in ACCOUNTS:
        raise ValueError(f"{number} is no account for runs")
    # The shell is that user itself, so it can reach nobody else, and it says so before it kills.
    command = ["/bin/sh", "-c", 'test "$(id -u)" = "$0" && kill -9 -1', str(number)]
    subprocess.run(
        command, user=number, group=number, extra_groups=[], cwd="/", stderr=subprocess.DEVNULL, check=False, timeout=30
    )


def _own_folder() -> Path:
    """Where the locks lie: a folder of root's that nobody else can have made."""
    place = Path(tempfile.gettempdir()) / "labkit-accounts"
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise WorkbookError(f"{place} belongs to somebody else", fix="remove it and start again")
    return place


def _named(number: int) -> bool:
    """Whether this machine gives the number to somebody after all."""
    import pwd

    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def _tidy(number: int) -> None:
    """Remove what a run has left where everybody may write."""
    for folder in {"/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir()}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_uid == number:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        Path(entry.path).unlink(missing_ok=True)
