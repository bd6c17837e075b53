"""Each run gets its own user account when the report is started as root on Linux: no student can touch another's run.

Root can pass through closed folders, such as its own home, but these accounts cannot. To open such a folder would open
all that is in it. So a process can get its own view of the file system: there the closed folder is empty except for
what a run needs. That needs CAP_SYS_ADMIN, which root has unless a container took it away.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
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

from coursekit.copies import ROOT
from coursekit.errors import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Iterator

# User ids that neither Debian nor systemd assigns.
USER_IDS = range(60_900, 61_100)
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


@contextlib.contextmanager
def reserve_account() -> Iterator[int | None]:
    """A user id that nobody else has; its processes and files are removed afterwards. None when not root on Linux.

    Raises WorkbookError when all are taken.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        yield None
        return
    import pwd

    locks = _lock_folder()
    busy = {process.info["uids"].real for process in psutil.process_iter(["uids"]) if process.info["uids"]}
    for user in USER_IDS:
        with contextlib.suppress(KeyError):
            busy.add(pwd.getpwuid(user).pw_uid)  # this machine assigned it to somebody after all
        if user in busy:
            continue
        with contextlib.suppress(Timeout), FileLock(locks / str(user), blocking=False):
            try:
                yield user
            finally:
                kill_processes_of(user)
                _remove_files_of(user)
            return
    raise WorkbookError(f"All of the {len(USER_IDS)} accounts for runs are taken", fix="run fewer reports at once")


def kill_processes_of(user: int) -> None:
    """Kill all processes of one of our accounts, in one system call, so that none can fork meanwhile."""
    if user not in USER_IDS:
        raise ValueError(f"{user} is not an account for runs")
    # The shell runs as that user, so `kill -1` reaches nobody else; it checks its user before it kills.
    command = ["/bin/sh", "-c", 'test "$(id -u)" = "$0" && kill -9 -1', str(user)]
    subprocess.run(
        command, user=user, group=user, extra_groups=[], cwd="/", stderr=subprocess.DEVNULL, check=False, timeout=30
    )


def _lock_folder() -> Path:
    """The folder of the locks; it must be root's own, since everybody may write to its parent."""
    folder = Path(tempfile.gettempdir()) / "labkit-accounts"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise WorkbookError(f"{folder} belongs to somebody else", fix="remove it and start again")
    return folder


def _remove_files_of(user: int) -> None:
    """Remove what a run left in the folders where everybody may write."""
    for folder in {"/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir()}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_uid == user:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        Path(entry.path).unlink(missing_ok=True)


def needed_folders() -> list[Path]:
    """The folders that a run reads: this Python, its environment, and the workbook."""
    python = Path(sys.executable).resolve().parents[1]
    further = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    folders = {Path(sys.base_prefix).resolve(), Path(sys.prefix), python, ROOT, *further}
    return sorted(folder for folder in folders if folder.is_dir())


def closed_parent(folder: Path) -> Path | None:
    """The outermost parent of a folder that other users may not pass through."""
    return next((parent for parent in reversed(folder.absolute().parents) if not parent.stat().st_mode & 0o001), None)


def make_reachable(folders: list[Path], user: int) -> None:
    """Change this process's view so that a user can reach these folders. Raises WorkbookError where it cannot."""
    hidden: dict[Path, list[Path]] = {}
    try:
        for folder in folders:
            found = folder.stat()
            if found.st_uid != user and found.st_mode & 0o005 != 0o005:
                raise PermissionError(errno.EACCES, "other users may not read it", str(folder))
            if parent := closed_parent(folder):
                hidden.setdefault(parent, []).append(folder)
        if hidden:
            _call_c("unshare", _CLONE_NEWNS)
            _mount(b"none", Path("/"), None, _MS_REC | _MS_PRIVATE)
        for parent, inside in hidden.items():
            _hide(parent, inside)
    except OSError as error:
        names = error.filename or " and ".join(map(str, hidden))
        raise WorkbookError(
            f"Runs get their own user account, which may not pass through {names} ({error.strerror})",
            fix="move the workbook and its Python to where others may read, for example below /srv, "
            "or start the report as an ordinary user",
        ) from error


def _hide(parent: Path, inside: list[Path]) -> None:
    """Cover a folder with an empty one, and mount into it the folders that are needed."""
    handles = {folder: os.open(folder, os.O_PATH) for folder in inside}
    _mount(b"tmpfs", parent, b"tmpfs", 0, b"mode=755,size=1m")
    for folder, handle in handles.items():
        folder.mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{handle}".encode(), folder, None, _MS_BIND | _MS_REC)
        os.close(handle)


def _mount(source: bytes, target: Path, kind: bytes | None, flags: int, options: bytes | None = None) -> None:
    _call_c("mount", source, os.fsencode(target), kind, ctypes.c_ulong(flags), options)


def _call_c(name: str, *arguments: object) -> None:
    """Call a function of the C library; raises OSError when it fails."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
