"""Set up this workbook and run it: `python lab.py`, or `python lab.py --help` for the other commands.

Needs Python 3.11, 3.12 or 3.13 and nothing else. Makes `.venv` beside this file, installs the locked packages
into it, and hands its arguments to `python -m coursekit` there. A second start sees that nothing changed.
"""

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


def main() -> int:
    arguments = sys.argv[1:]
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return fail(
            f"this is Python {sys.version.split()[0]}, and the workbook needs 3.11, 3.12 or 3.13",
            "install one of them from python.org, then: py -3.13 lab.py (Windows) or python3.13 lab.py (elsewhere)",
        )
    lock = ROOT / ("requirements-dev.txt" if arguments[:1] == ["test"] else "requirements.txt")
    if not installed(lock):
        try:
            install(lock)
        except (OSError, subprocess.CalledProcessError, KeyboardInterrupt) as error:
            return fail(f"the set-up did not finish ({str(error) or 'interrupted'})", "see above, and run this again")
    command = [str(PYTHON), "-m", "coursekit", *arguments]
    if os.name != "nt":
        os.execv(PYTHON, command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child too, which ends in good order
    return subprocess.run(command, check=False).returncode


def stamp(lock: Path) -> Path:
    return VENV / f"{lock.stem}.sha256"


def digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + bytes(ROOT)).hexdigest()


def installed(lock: Path) -> bool:
    return stamp(lock).exists() and stamp(lock).read_text() == digest(lock) and starts()


def starts() -> bool:
    """Whether .venv has a Python and it runs: on Windows it stays when the one it was made from is gone."""
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-ISc", ""], check=False).returncode == 0


def install(lock: Path) -> None:
    print(f"Setting up {VENV} from {lock.name} (once; about a minute on a fast network) ...", flush=True)
    finished = any(VENV.glob("*.sha256")) and starts()
    if not finished and Path(sys.prefix).resolve() != VENV:  # who made it by hand and runs in it keeps it
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


def fail(what: str, fix: str) -> int:
    print(f"lab.py: {what}.\nFix: {fix}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
