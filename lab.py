"""Set up this workbook and run it: `python lab.py`, or `python lab.py --help` for the other commands.

Needs Python 3.11, 3.12 or 3.13 and nothing else. Makes `.venv` beside this file, installs the locked packages
into it, and hands its arguments to `python -m labkit` there. A second start sees that nothing changed.
"""

import hashlib
import os
import shutil
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
        except (OSError, subprocess.CalledProcessError) as error:
            return fail(f"the set-up did not finish: {error}", "read the lines above, mend it and run this again")
    command = [str(PYTHON), "-m", "labkit", *arguments]
    if os.name != "nt":
        os.execv(PYTHON, command)
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # Ctrl-C reached the child too: it ends by itself, in good order


def stamp(lock: Path) -> Path:
    return VENV / f"{lock.stem}.sha256"


def digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + bytes(ROOT)).hexdigest()


def installed(lock: Path) -> bool:
    return PYTHON.exists() and stamp(lock).exists() and stamp(lock).read_text() == digest(lock)


def install(lock: Path) -> None:
    print(f"Setting up {VENV} from {lock.name} (once; about a minute on a fast network) ...", flush=True)
    if not any(VENV.glob("*.sha256")) or subprocess.run([PYTHON, "-c", ""], check=False).returncode:
        shutil.rmtree(VENV, ignore_errors=True)  # none yet, one that was never finished, or one that was moved
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    has_uv = subprocess.run([*pip, "install", "uv"], check=False).returncode == 0
    installer = [str(PYTHON), "-m", "uv", "--quiet", "pip"] if has_uv else pip
    environment = os.environ | {"VIRTUAL_ENV": str(VENV)}
    subprocess.run([*installer, "install", "-r", str(lock)], cwd=ROOT, check=True, env=environment)
    stamp(lock).write_text(digest(lock))


def fail(what: str, cure: str) -> int:
    print(f"lab.py: {what}.\nTo mend it: {cure}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
