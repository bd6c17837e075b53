"""The checklist of `python lab.py doctor --production`: whether the chat application may serve others from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING

from coursekit import doctor
from coursekit.doctor import Check, Report
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coursekit.doctor import Show

DAY, YEAR = 86_400.0, 365 * 86_400.0
CHECKLIST = "apps.chat_prod.checklist"  # run as a program: it imports Chainlit
LIMIT = 120  # seconds for a process that imports the app's modules


def examine(host: str, show: Show = doctor.show_nothing) -> Report:
    """Check all that is the app's, then its files, and ask the endpoint for a first token; `show` gets each check."""
    folder = Settings.from_environment({"LABKIT_CACHE": os.environ.get("LABKIT_CACHE", "")}).cache / "chat"
    groups: list[Callable[[], list[Check]]] = [
        lambda: application(host),
        lambda: permissions(folder),
        lambda: [backup(folder), certificates()],
        lambda: doctor.room(folder),
    ]
    return doctor.complete(groups, show)


def application(host: str) -> list[Check]:
    """What the app says of its settings and its database, in a process that has its modules."""
    command = [sys.executable, "-m", CHECKLIST, "--host", host]
    fix = "python lab.py doctor"
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return [Check("Settings", False, f"no answer from {CHECKLIST} within {LIMIT} s", fix)]
    if done.returncode:
        # The kind alone: the text of an error may hold a password.
        kind = (done.stderr.strip().splitlines() or ["it said nothing"])[-1].partition(":")[0]
        fix = f"python -m {CHECKLIST}, with the Python of .venv, shows all of it"
        return [Check("Settings", False, f"{CHECKLIST} failed ({kind})", fix)]
    return [Check(**line) for line in json.loads(done.stdout)]


def permissions(folder: Path) -> list[Check]:
    """Conversations, and the key that signs logins, are for their owner alone."""
    files = [path for name in ("threads.db*", "session-secret", "backups/*") for path in folder.glob(name)]
    if os.name == "nt" or not files:
        return [Check("Files", None, "none here yet" if not files else "Windows keeps a user's files from others")]
    open_ones = [path for path in files if path.stat().st_mode & 0o077]
    if open_ones:
        names = ", ".join(path.name for path in open_ones)
        return [Check("Files", False, f"others may read {names}", f"chmod -R go= '{folder}'")]
    return [Check("Files", True, f"{len(files)} that only their owner may read")]


def backup(folder: Path) -> Check:
    """The newest backup is younger than a day."""
    fix = "python lab.py backup, each day"
    ages = [
        time.time() - path.stat().st_mtime
        for kind in ("db", "dump")
        for path in folder.glob(f"backups/threads-*.{kind}")
    ]
    if not ages:
        return Check("Backup", False, "there is none", fix)
    return Check("Backup", min(ages) < DAY, f"{min(ages) / 3600:.0f} hours old", "" if min(ages) < DAY else fix)


def certificates() -> Check:
    """Old root certificates, or a clock that is wrong by years, let every https address fail."""
    year, month, day = (int(part) for part in metadata.version("certifi").split(".")[:3])
    age = time.time() - time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))
    good = -DAY < age < YEAR
    fix = "" if good else "set the clock of this machine, or delete the folder .venv and start again"
    return Check("Certificates", True if good else None, f"certifi is {age / DAY:.0f} days old", fix)
