"""What lab.py does on a Python that is new enough, with the standard library only.

Makes `.venv` beside this file, installs the locked packages into it, and hands its arguments to
`python -m coursekit` there. A second start sees that nothing changed.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def main(arguments: list[str]) -> int:
    """Set up what is missing, and run one command; returns its exit status."""
    lock = ROOT / ("requirements-dev.txt" if arguments[:1] == ["test"] else "requirements.txt")
    if not installed(lock):
        try:
            install(lock)
        except (OSError, subprocess.CalledProcessError, KeyboardInterrupt) as error:
            reason = str(error) or "interrupted"
            print(
                f"lab.py: The set-up did not finish ({reason}).\nFix: see above, and run this again.", file=sys.stderr
            )
            return 1
    command = [str(PYTHON), "-m", "coursekit", *arguments]
    if os.name != "nt":
        os.execv(PYTHON, command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child too, which ends in good order
    return subprocess.run(command, check=False).returncode


def stamp(lock: Path) -> Path:
    """The file that says from which lock the environment was made."""
    return VENV / f"{lock.stem}.sha256"


def digest(lock: Path) -> str:
    """What the environment depends on: the lock, the project, and the folder, whose name its scripts hold."""
    return hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + bytes(ROOT)).hexdigest()


def installed(lock: Path) -> bool:
    """Whether the environment is there, as the lock wants it."""
    return stamp(lock).exists() and stamp(lock).read_text() == digest(lock) and starts()


def starts() -> bool:
    """Whether .venv has a Python and it runs: on Windows it stays when the one it was made from is gone."""
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-ISc", ""], check=False).returncode == 0


def install(lock: Path) -> None:
    """Make the environment, or bring it up to date. Raises OSError and subprocess.CalledProcessError."""
    print(f"Setting up {VENV} from {lock.name} (once; about a minute on a fast network) ...", flush=True)
    finished = any(VENV.glob("*.sha256")) and starts()
    if not finished and Path(sys.prefix).resolve() != VENV:  # one made by hand, in which this runs, is kept
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    # OneDrive, which holds many a student's folders, refuses uv's hard links on Windows.
    uv = [str(PYTHON), "-m", "uv", "--quiet", "pip", "install", *(["--link-mode=copy"] if os.name == "nt" else [])]
    for command in ([*pip, "uv"], [*uv, "-r", str(lock)]):
        if subprocess.run(command, cwd=ROOT, env=os.environ | {"VIRTUAL_ENV": str(VENV)}, check=False).returncode:
            print("uv does not get through here; plain pip takes some minutes ...", flush=True)
            subprocess.run([*pip, "-r", str(lock)], cwd=ROOT, check=True)
            break
    stamp(lock).write_text(digest(lock))
