"""Let another user reach Python and the workbook where they lie in a closed folder, such as root's home.

Root can see through a closed folder, the accounts for runs cannot, and to open it would open all that is in it. So
this process, and what it starts, gets a view of its own: the closed folder is empty there but for what is needed.
Linux only, and it needs CAP_SYS_ADMIN, which root has unless a container took it away.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from coursekit.copies import ROOT
from coursekit.errors import WorkbookError

_NEW_MOUNTS = 0x20000  # CLONE_NEWNS
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000  # MS_BIND, MS_REC, MS_PRIVATE


def needed() -> list[Path]:
    """What runs a notebook: this Python, its environment, and the workbook."""
    python = Path(sys.executable).resolve().parents[1]
    further = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    places = {Path(sys.base_prefix).resolve(), Path(sys.prefix), python, ROOT, *further}
    return sorted(place for place in places if place.is_dir())


def closed(place: Path) -> Path | None:
    """The outermost folder on the way to a place that other users may not pass through."""
    return next((folder for folder in reversed(place.absolute().parents) if not folder.stat().st_mode & 0o001), None)


def open_way(places: list[Path], user: int) -> None:
    """Change this process's view so that a user gets to these places. Raises WorkbookError where it cannot."""
    hidden: dict[Path, list[Path]] = {}
    for place in places:
        found = place.stat()
        if found.st_uid != user and found.st_mode & 0o005 != 0o005:
            raise _unreachable(str(place), "other users may not read it")
        if folder := closed(place):
            hidden.setdefault(folder, []).append(place)
    if not hidden:
        return
    try:
        _call("unshare", _NEW_MOUNTS)
        _mount(b"none", Path("/"), None, _RECURSIVE | _PRIVATE)
        for folder, inside in hidden.items():
            _hide(folder, inside)
    except OSError as error:
        raise _unreachable(" and ".join(map(str, hidden)), error.strerror or "") from error


def _unreachable(names: str, why: str) -> WorkbookError:
    return WorkbookError(
        f"runs get a user of their own, who may not pass through {names} ({why})",
        fix="put the workbook and its Python where others may read, for example below /srv, "
        "or start the report as an ordinary user",
    )


def _hide(folder: Path, inside: list[Path]) -> None:
    """Cover a folder with an empty one, and lay into it what is needed."""
    handles = {place: os.open(place, os.O_PATH) for place in inside}
    _mount(b"tmpfs", folder, b"tmpfs", 0, b"mode=755,size=1m")
    for place, handle in handles.items():
        place.mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{handle}".encode(), place, None, _BIND | _RECURSIVE)
        os.close(handle)


def _mount(source: bytes, target: Path, kind: bytes | None, flags: int, options: bytes | None = None) -> None:
    _call("mount", source, os.fsencode(target), kind, ctypes.c_ulong(flags), options)


def _call(name: str, *arguments: object) -> None:
    """A call of the C library; raises OSError when it fails."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
