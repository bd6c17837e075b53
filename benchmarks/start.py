"""How long a student waits: `python benchmarks/start.py` clones the last commit and starts it twice, from nothing.

Prints where the time goes, up to the first streamed token and to JupyterLab; then what `import labkit` takes and how
much memory the serving process holds. Needs nothing but Python and git, takes a few minutes, and ends what it started.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
GIVE_UP_SECONDS = 600
# Where lab.py looks for an endpoint that somebody else runs here.
USUAL_PORT = 51211
FLAGS, STOP = 0, signal.SIGINT
if sys.platform == "win32":
    FLAGS, STOP = subprocess.CREATE_NEW_PROCESS_GROUP, signal.CTRL_BREAK_EVENT
# An answer streams after the question, which ends its line.
FIRST_TOKEN = re.compile(rb"\?\r?\n  (?=\S)")
OPEN = re.compile(rb"http://127\.0\.0\.1:\d+/lab/")
CONNECTED = re.compile(rb"(?m)^(\S+) at (http://\S+) \((.+)\)")
IN_PROCESS = b"Foundry Local in this process"
QUESTIONS = ["Why is the sky blue?", "What is an API?", "Name three uses of Python.", "Write a haiku about the sea."]


@dataclass
class Start:
    """One `python lab.py --no-browser`: what it has printed so far, and when each thing was first seen."""

    process: subprocess.Popen[bytes]
    began: float
    printed: bytes = b""
    seen: dict[str, float] = field(default_factory=dict)

    def read(self) -> None:
        """Keep what is printed, as it comes; runs in a thread."""
        assert self.process.stdout
        while piece := os.read(self.process.stdout.fileno(), 65536):
            self.printed += piece

    def watch(self, things: dict[str, Callable[[], object]]) -> None:
        """Note the time at which each thing is first there. Exits when it ends or takes too long."""
        while len(self.seen) < len(things):
            for name, there in things.items():
                if name not in self.seen and there():
                    self.seen[name] = time.perf_counter()
            if self.process.poll() is not None or time.perf_counter() - self.began > GIVE_UP_SECONDS:
                sys.exit("the start did not get through:\n" + self.printed.decode(errors="replace"))
            time.sleep(0.01)

    def split(self) -> Iterator[tuple[str, float]]:
        """How long after the thing before it each thing came, in the order in which they came."""
        before = self.began
        for name, moment in sorted(self.seen.items(), key=lambda item: item[1]):
            yield name, moment - before
            before = moment

    def end(self) -> None:
        """Press Ctrl-C, wait, and be firm if that does not help."""
        if self.process.poll() is None:
            self.process.send_signal(STOP)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            print("(it had to be killed)")


def main() -> int:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", USUAL_PORT)) == 0:
            sys.exit(f"something answers on port {USUAL_PORT}, and lab.py would use it: end it first")
    with tempfile.TemporaryDirectory(prefix="labkit-start-", ignore_cleanup_errors=True) as folder:
        return measure(Path(folder))


def measure(place: Path) -> int:
    clone, home, cache = place / "clone", place / "home", place / "cache"
    home.mkdir()
    strangers = ("XDG_", "JUPYTER_", "LABKIT_", "UV_CACHE", "PIP_CACHE")
    others = {"BASE_URL", "MODEL", "API_KEY", "VIRTUAL_ENV", "PYTHONPATH", "IPYTHONDIR"}
    env = {name: text for name, text in os.environ.items() if name not in others and not name.startswith(strangers)}
    # A student's Python keeps what it has compiled; a second start is quick for that reason.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env |= {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home), "LABKIT_CACHE": str(cache)}
    # So that what is printed is seen when it is printed.
    env["PYTHONUNBUFFERED"] = "1"

    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    began = time.perf_counter()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=60)
    cloned = time.perf_counter() - began
    bin_, exe = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    python = clone / ".venv" / bin_ / f"python{exe}"
    good = True

    first = start(clone, env, began + cloned)
    try:
        first.watch(
            {
                "venv and packages": (clone / ".venv" / "requirements.sha256").exists,
                "model fetched": lambda: any(cache.glob("download/*.gguf")),
                "model built": lambda: any(cache.glob("embedded-*/Local/*/inference_model.json")),
            }
            | printed(first)
        )
        print("From clone to JupyterLab, empty home and cache")
        line("clone", cloned)
        for name, seconds in first.split():
            line(name, seconds)
        good &= line("clone to first streamed token", first.seen["first token"] - began, 60)
        line("clone to JupyterLab", first.seen["JupyterLab answers"] - began)
    finally:
        first.end()

    again = start(clone, env, time.perf_counter())
    try:
        again.watch(printed(again))
        print("\nSecond start")
        for name, seconds in again.split():
            line(name, seconds)
        good &= line("to the first streamed token", again.seen["first token"] - again.began, 6)
        line("to JupyterLab", again.seen["JupyterLab answers"] - again.began)
        good &= memory(python, cache, env)
    finally:
        again.end()

    print("\nA process on its own (median of 7)")
    good &= imports(python, clone, env)
    footer(load)
    return 0 if good else 1


def start(clone: Path, env: dict[str, str], began: float) -> Start:
    """Run lab.py in the clone, with a port of its own for JupyterLab."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "lab.py", "--no-browser", "--port", str(port)],
        cwd=clone,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        creationflags=FLAGS,
    )
    running = Start(process, began)
    threading.Thread(target=running.read, daemon=True).start()
    return running


def printed(running: Start) -> dict[str, Callable[[], object]]:
    """What shows on the terminal once the model is there."""

    def connected() -> bool:
        found = CONNECTED.search(running.printed)
        if found and found[3] != IN_PROCESS:
            sys.exit(f"another endpoint runs here ({found[2].decode()}), so this start was none: end that one first")
        return bool(found)

    return {
        "runtime loaded": connected,
        "first token": lambda: FIRST_TOKEN.search(running.printed),
        "JupyterLab answers": lambda: OPEN.search(running.printed),
    }


def memory(python: Path, cache: Path, env: dict[str, str]) -> bool:
    """Ask a few questions, then how much memory the process that serves the model holds."""
    endpoint = json.loads(next(cache.glob("endpoints/*.json")).read_text(encoding="utf-8"))
    for question in QUESTIONS:
        body = {"model": endpoint["model"], "messages": [{"role": "user", "content": question}], "max_tokens": 100}
        request = urllib.request.Request(
            f"{endpoint['base_url']}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()
    code = f"import psutil; print(psutil.Process({endpoint['pid']}).memory_info().rss)"
    told = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=30).stdout
    return line(f"memory after {1 + len(QUESTIONS)} answers", int(told) / 1e6, 500, "MB")


def imports(python: Path, clone: Path, env: dict[str, str]) -> bool:
    """What the package costs to import, and lab.py's own part of a later start."""
    timed = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"

    def median(code: str) -> float:
        command: list[str | Path] = [python, "-c", timed.format(code)]
        runs = [
            subprocess.run(command, cwd=clone, env=env, capture_output=True, check=True, timeout=60) for _ in range(7)
        ]
        return statistics.median(float(run.stdout) for run in runs)

    def wall(*command: str | Path) -> float:
        began = time.perf_counter()
        subprocess.run([*command, "--help"], cwd=clone, env=env, capture_output=True, check=True, timeout=60)
        return time.perf_counter() - began

    good = line("import labkit", median("import labkit"), 0.25)
    line("from labkit import connect", median("from labkit import connect"))
    pairs = [(wall(sys.executable, "lab.py"), wall(python, "-m", "coursekit")) for _ in range(7)]
    return line("lab.py before labkit", statistics.median(whole - part for whole, part in pairs), 0.3) and good


def line(what: str, value: float, goal: float | None = None, unit: str = "s") -> bool:
    """Print one figure with its goal; returns whether the goal is met."""
    good = goal is None or value <= goal
    aim = "" if goal is None else f"   goal {goal:g} {unit}: {'met' if good else 'MISSED'}"
    print(f"  {what:32}{value:8.{0 if unit == 'MB' else 2}f} {unit:2}{aim}", flush=True)
    return good


def footer(load: str) -> None:
    """Say what was measured, and on what."""
    git = shutil.which("git") or "git"
    commit = subprocess.run([git, "-C", str(ROOT), "log", "-1", "--format=%h %cs"], capture_output=True, text=True)
    print(f"\nCommit {commit.stdout.strip()}; {os.cpu_count()} cores, {processor()}{load};")
    print(f"Python {platform.python_version()}, {platform.platform()}")


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    return next((row.partition(":")[2].strip() for row in told.splitlines() if row.startswith("model name")), "unnamed")


if __name__ == "__main__":
    sys.exit(main())
