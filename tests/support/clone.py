"""A fresh clone of this project with a home of its own, in which a walk types what the README says."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit.processes import end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
# What belongs to the outer test run, and every variable that the README names.
OURS = ("CI", "VIRTUAL_ENV", "PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER")
README = ("MODEL", "BASE_URL", "API_KEY", "LABKIT_CACHE", "DATABASE_URL", "MAX_CONCURRENCY", "NPM_CONFIG_REGISTRY")


@dataclass
class Running:
    """A command that goes on: its process, and the lines that it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        """Collect the lines; runs in a thread until the process ends."""
        assert self.process.stdout
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_for(self, wanted: Callable[[str], bool], seconds: float = 240) -> str:
        """The first line that is wanted; fails with all lines where none comes."""
        until = time.monotonic() + seconds
        with self._news:
            while not (found := [line for line in self.lines if wanted(line)]):
                ended = self.process.poll() is not None and not self._news.wait(1)
                if ended or time.monotonic() > until:
                    raise AssertionError("the line did not come:\n" + "".join(self.lines))
                self._news.wait(1)
        return found[0].strip()


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of this machine with an empty home, without the outer test run and the README's variables."""
    home.mkdir(exist_ok=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in (*OURS, *README) and not name.startswith(("XDG_", "CHAT_", "CLOUD_", "JUPYTER"))
    }
    return kept | {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)} | more


@dataclass(frozen=True)
class Clone:
    """A copy of what git has, an empty home, and an environment without any variable that the README names."""

    root: Path
    env: dict[str, str]

    @classmethod
    def make(cls, place: Path, **variables: str) -> Clone:
        """Copy the project as it is in the work tree, without anything that git ignores."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True, timeout=60,
        )  # fmt: skip
        root = place / "workbook"
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)
        return cls(root, environment(place / "home", **variables))

    @property
    def python(self) -> Path:
        """The Python of the environment that lab.py makes."""
        return self.root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def lab(self, *arguments: str, seconds: float = 300, **variables: str) -> tuple[int, str]:
        """Run `python3 lab.py ...` to its end: its exit status, and what it printed on both streams."""
        done = subprocess.run(
            [sys.executable, "lab.py", *arguments],
            cwd=self.root, env=self.env | variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    @contextlib.contextmanager
    def start(self, *arguments: str, **variables: str) -> Iterator[Running]:
        """Run `python3 lab.py ...` in the background; it is asked to end at the end of the block."""
        process = subprocess.Popen(
            [sys.executable, "lab.py", *arguments],
            cwd=self.root, env=self.env | {"PYTHONUNBUFFERED": "1"} | variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )  # fmt: skip
        with process:
            running = Running(process)
            reader = threading.Thread(target=running.read, daemon=True)
            reader.start()
            try:
                yield running
            finally:
                end(process, 30)
                reader.join(10)
