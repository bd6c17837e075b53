"""The packages of Open WebUI, in an environment of their own on a Python that they take."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from coursekit.copies import ROOT
from labkit.errors import FetchError, SettingsError
from labkit.notebook import bar

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "0.12.4"
PYTHONS = ((3, 11), (3, 12))
WANTED = ">=3.11,<3.13"
MANAGED = "--managed-python"
# A Python that uv downloads has about 30 MB.
FETCH_SECONDS = 300
FOLDER = ROOT / "apps" / "open_webui"
# MB that torch for NVIDIA cards takes besides.
NVIDIA = 3000


@dataclass(frozen=True)
class Kind:
    """A set of packages: its lock below apps/open_webui, and about how many MB come over the network and stay."""

    name: str
    lock: str
    fetched: int
    kept: int
    # A lock that leaves packages out on purpose is installed as it is.
    whole: bool
    variables: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"Open WebUI {VERSION} ({self.name})"


FULL = Kind("full", "requirements.txt", 736, 2685, whole=True)
SLIM = Kind("slim", "slim.txt", 212, 709, whole=False, variables=(("USE_SLIM_DOCKER", "true"),))


def install(cache: Path, kind: Kind = FULL, *, say: Callable[[str], None] = print) -> Path:
    """Set an environment up, if it is not; returns its Python. `say` is told the size first, or that it is there.

    Safe to kill and to call from several processes at once. Raises SettingsError where no Python fits or the
    disk is too full, FetchError where the packages cannot be had.
    """
    place, python = home(cache) / kind.name, _python_of(cache, kind)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if _stands(cache, kind):
            say(f"{kind} is set up already.")
            return python
        base = find_python(fetch=True)
        say(f"{kind} is set up, once: about {kind.fetched} MB from the Python package index, {kind.kept} MB on disk.")
        needed = kind.kept + kind.fetched
        if kind.whole and sys.platform == "linux":
            say("On Linux torch brings packages for NVIDIA cards: some 3 GB more, unless pip or uv is told otherwise.")
            needed += NVIDIA
        if (free := shutil.disk_usage(place.parent).free / 1e6) < needed:
            raise SettingsError(
                f"{place.parent} has {free:.0f} MB left, and {kind} takes {needed} MB for a while",
                fix="free some space, set LABKIT_CACHE to a folder on another disk, or add --slim",
            )
        start = time.perf_counter()
        _fill(place, python, base, kind)
        _stamp(cache, kind).write_text(_digest(kind, place), encoding="utf-8")
        say(f"Set up after {time.perf_counter() - start:.0f} s.")
    return python


def installed(cache: Path) -> Kind | None:
    """The set that is set up here, of two the full one."""
    return next((kind for kind in (FULL, SLIM) if _stands(cache, kind)), None)


def find_python(*, fetch: bool = False) -> str:
    """A Python that Open WebUI takes: this one, else one of pyenv or one that uv finds; with `fetch` uv downloads one.

    Raises SettingsError where there is none.
    """
    if (sys.version_info[0], sys.version_info[1]) in PYTHONS:
        return sys.executable
    # uv stops with an error at pyenv's shims of versions that are not switched on, so we look there ourselves.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for pattern in ("versions/3.1[12].*/bin/python", "pyenv-win/versions/3.1[12].*/python.exe"):
        for python in sorted(pyenv.glob(pattern), reverse=True):
            if _output([str(python), "--version"]):
                return str(python)
    if uv := _uv():
        # The second search sees only uv's own Pythons, and so no broken one in PATH.
        searches = [[*uv, "python", "find", "--no-python-downloads", how, WANTED] for how in ("--system", MANAGED)]
        for command in [*searches, *([[*uv, "python", "install", "3.12"], searches[1]] if fetch else [])]:
            if (found := _output(command)) and Path(found).is_file():
                return found
    raise SettingsError(
        f"Open WebUI {VERSION} needs Python 3.11 or 3.12. This is {sys.version_info[0]}.{sys.version_info[1]}, and no "
        "other one was found",
        fix="install Python 3.12 beside this one (python.org, `winget install Python.Python.3.12`, "
        "`brew install python@3.12` or `uv python install 3.12`) and start again",
    )


def home(cache: Path) -> Path:
    """The folder of everything of Open WebUI."""
    return cache / "openwebui"


def _python_of(cache: Path, kind: Kind) -> Path:
    return home(cache) / kind.name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _stamp(cache: Path, kind: Kind) -> Path:
    return home(cache) / kind.name / "installed.sha256"


def _stands(cache: Path, kind: Kind) -> bool:
    """Whether the whole of it is there, of the lock of today."""
    stamp = _stamp(cache, kind)
    same = stamp.is_file() and stamp.read_text(encoding="utf-8") == _digest(kind, stamp.parent)
    return same and _python_of(cache, kind).exists()


def _digest(kind: Kind, place: Path) -> str:
    """Says whether an environment is the one that is meant: an environment that was moved does not work."""
    return hashlib.sha256((FOLDER / kind.lock).read_bytes() + bytes(place)).hexdigest()


def _output(command: list[str]) -> str:
    """What a command prints; nothing where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=FETCH_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # As paths are read: UTF-8, which uv writes everywhere, and other bytes so that they stay what they are.
    return done.stdout.decode(errors="surrogateescape").strip() if done.returncode == 0 else ""


def _uv() -> list[str]:
    """The command that is uv: lab.py puts it beside the workbook, and a person may have it in PATH."""
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    return [found] if (found := shutil.which("uv")) else []


def _fill(place: Path, python: Path, base: str, kind: Kind) -> None:
    """Make the environment and install the lock, with uv if it is here and gets through, else with pip."""
    # In a terminal both show how far they are; a log would only get long.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    lock = [*([] if kind.whole else ["--no-deps"]), "-r", str(FOLDER / kind.lock)]
    copied = ["--link-mode=copy"] if os.name == "nt" else []  # as lab.py does, for OneDrive
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", *quiet, "install", *lock]
    ways = [([base, "-m", "venv", "--clear", str(place)], pip)]
    if uv := _uv():
        made = [*uv, "--quiet", "venv", "--clear", "--python", base, str(place)]
        ways.insert(0, (made, [*uv, *quiet, "pip", "install", "--python", str(python), *copied, *lock]))
    with bar(f"Setting {kind} up", total=1, unit="set") as advance:
        for way in ways:
            if all(subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0 for command in way):
                advance(1)
                return
    raise FetchError(
        f"The packages of {kind} could not be installed. The lines above say why",
        fix="check the network and start again; on Debian and Ubuntu `sudo apt install python3-venv` may be missing",
    )
