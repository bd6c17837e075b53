"""What this machine has, what `connect()` would choose, and the fix for each thing that is wrong."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import threading
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING

import psutil

from coursekit import ports
from coursekit.copies import ROOT
from coursekit.webgpu import browsers
from labkit import foundry
from labkit._smollm import layout
from labkit.errors import LabError, StreamError
from labkit.explain import explain
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from labkit.connection import Connection

    Show = Callable[["Check"], None]

SCHEMA = "foundry-local-workbook/doctor/1"
PORTS = {
    foundry.PORT: "the endpoint",
    8888: "JupyterLab",
    8080: "the chat app",
    5173: "the WebGPU page",
    3000: "Open WebUI",
}
DISK_GB, MEMORY_GB = 0.5, 2.0  # beside what is set up already
FIRST_TOKEN_SECONDS = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `ok` is None where nothing is wrong and something is worth knowing."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Report:
    """All checks, and the endpoint that `connect()` chose with the time of its first token in seconds.

    As JSON: `schema`, `ok`, `source`, `base_url`, `model`, `first_token_s` (null where there is none) and
    `checks`, each with `name`, `ok` (true, false, or null for a remark), `detail` and `fix`.
    """

    checks: list[Check] = field(default_factory=list)
    source: str | None = None
    base_url: str | None = None
    model: str | None = None
    first_token_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.ok is not False for check in self.checks)

    def as_json(self) -> str:
        """The report for programs."""
        return json.dumps({"schema": SCHEMA, "ok": self.ok} | asdict(self), indent=1)

    @property
    def conclusion(self) -> str:
        """The last line for people."""
        return "All is well." if self.ok else "Something is wrong; see above."


def as_text(check: Check) -> str:
    """A check for people: one line, and a second one with the fix of what is wrong."""
    word = {True: "ok   ", False: "WRONG", None: "note "}[check.ok]
    fix = f"\n       Fix: {check.fix}" if check.fix else ""
    return f"{word}  {check.name}: {check.detail}{fix}"


def show_nothing(_: Check) -> None:
    """For a report that is read when it is complete."""


def examine(show: Show = show_nothing) -> Report:
    """Check everything; `show` is called with each check as soon as it is done.

    Starts Foundry Local if nothing serves yet, and stops it; downloads nothing from the catalog.
    """
    settings = Settings.from_environment()
    groups: list[Callable[[], list[Check]]] = [
        _python,
        _packages,
        lambda: _models(settings.cache),
        _ports,
        _browser,
        _kernel,
        lambda: room(settings.cache),
    ]
    return complete(groups, show)


def complete(groups: Iterable[Callable[[], list[Check]]], show: Show) -> Report:
    """Run groups of checks, one after the other, and then those of the endpoint."""
    checks = []
    for group in groups:
        for check in group():
            show(check)
            checks.append(check)
    return _endpoint(checks, show)


def _python() -> list[Check]:
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    system = f"{platform.system()} {platform.machine()}"
    return [Check("Python", good, f"{version} on {system}", "" if good else "install Python 3.11, 3.12 or 3.13")]


def _packages() -> list[Check]:
    """Every line of the lock that is meant for this machine, against what is installed."""
    from packaging.requirements import Requirement

    wrong = []
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if "==" in line]
    meant = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    for pin in meant:
        try:
            installed = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{pin.name} is missing")
            continue
        if installed not in pin.specifier:
            wrong.append(f"{pin.name} is {installed}, the lock says {pin.specifier}")
    detail = "; ".join(wrong[:5]) if wrong else f"{len(meant)} as in requirements.txt"
    return [Check("Packages", not wrong, detail, "delete the folder .venv and start again" if wrong else "")]


def _models(cache: Path) -> list[Check]:
    try:
        foundry.require_sdk()
    except LabError as error:
        needed = Settings.from_environment().base_url is None
        return [Check("Foundry Local", False if needed else None, error.message, error.fix if needed else "")]
    version = metadata.version("foundry-local-sdk")
    chosen = foundry.choose(cache, Settings.from_environment().model)
    here = "here" if chosen.cached else "not here yet, the first start fetches it"
    return [
        Check("Foundry Local", True, f"SDK {version}, inside this Python"),
        Check("Model", True if chosen.cached else None, f"{chosen.alias}: {here}"),
        Check("Embedded model", True if layout.is_installed(cache) else None, str(layout.folder(cache).name)),
    ]


def _ports() -> list[Check]:
    found = []
    for port, use in PORTS.items():
        if ports.is_free(port):
            found.append(Check(f"Port {port}", True, f"free, for {use}"))
        else:
            who = ports.holder(port)
            other = "" if who.endswith(ports.OWN) else f"; {use} would take another one"
            found.append(Check(f"Port {port}", None if other else True, f"held by {who}{other}"))
    return found


def _browser() -> list[Check]:
    found = browsers.find()
    detail = found.name if found else "no Chrome, Edge or Chromium was found; another browser shows the workbook too"
    return [Check("Browser", True if found else None, detail)]


def _kernel() -> list[Check]:
    from jupyter_client.kernelspec import KernelSpecManager

    names = sorted(KernelSpecManager().find_kernel_specs())
    if "python3" not in names:
        return [Check("Kernel", False, "this environment has no kernel", "delete the folder .venv and start again")]
    registered = "foundry-local" in names
    hint = "" if registered else "; VS Code finds it after python lab.py kernel"
    return [Check("Kernel", True, f"python3{', foundry-local' if registered else ''}{hint}")]


def _at_least(name: str, free: float, wanted: float, fix: str) -> Check:
    enough = free >= wanted
    return Check(name, enough, f"{free:.1f} GB free", "" if enough else f"{fix}: {wanted:g} GB should be free")


def room(cache: Path) -> list[Check]:
    """What is free on the disk and in memory."""
    place = next(path for path in (cache, *cache.parents) if path.exists())
    disk = shutil.disk_usage(place).free / 1e9
    memory = psutil.virtual_memory().available / 1e9
    return [
        _at_least("Disk", disk, DISK_GB, "make room"),
        _at_least("Memory", memory, MEMORY_GB, "close programs"),
    ]


def _endpoint(before: list[Check], show: Show) -> Report:
    """The checks before, and the last ones: connecting, and a first token."""
    from labkit.connection import connect

    checks = list(before)

    def add(name: str, ok: bool | None, detail: str, fix: str = "") -> None:
        check = Check(name, ok, detail, fix)
        show(check)
        checks.append(check)

    name, doubts = "Endpoint", list[str]()
    try:
        with connect(fetch=False, say=doubts.append) as lab:
            steps = "; ".join([*lab.passed, f"so {lab.source}" if lab.passed else str(lab.source)])
            add(name, True, steps)
            for doubt in doubts:
                if "Warning: " in doubt:
                    add("Model list", None, doubt.partition("Warning: ")[2])
            name = "First token"
            seconds, kind = first_token(lab)
            said = f"first {kind} after {seconds} s" if kind else "the answer was empty"
            add(name, bool(kind), f"{lab.model}: {said}", "" if kind else "ask it a longer question in a notebook")
            return Report(checks, str(lab.source), lab.base_url, lab.model, seconds if kind else None)
    except Exception as error:
        told = explain(error)
        if os.environ.get("BASE_URL", "").strip():
            add(name, False, f"{told.message} (from BASE_URL)", f"{told.fix}; or unset BASE_URL")
        else:
            add(name, False, told.message, told.fix)
        return Report(checks)


def first_token(lab: Connection) -> tuple[float, str]:
    """The seconds until an answer brings something, and what that is; "" for an empty answer.

    A reasoning model may reason for longer than a short answer has tokens. Raises LabError, after about
    FIRST_TOKEN_SECONDS at the latest, also where something comes all the time and no token is in it.
    """
    found: Future[tuple[float, str]] = Future()
    with replace(lab, retries=0, _runtime=None) as once:

        def ask() -> None:
            try:
                found.set_result(_first(once))
            except Exception as error:
                found.set_exception(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            return found.result(FIRST_TOKEN_SECONDS + 1)
        except TimeoutError:
            raise StreamError(
                f"The endpoint sent no token within {FIRST_TOKEN_SECONDS} s",
                fix="see whether it is busy, and ask again",
            ) from None


def _first(lab: Connection) -> tuple[float, str]:
    from labkit.events import Reasoning
    from labkit.streaming import stream_sync

    for event in stream_sync(lab, "Say one word.", max_tokens=16, timeout=FIRST_TOKEN_SECONDS):
        if isinstance(event, Reasoning):
            return round(event.at, 3), "reasoning"
        if event.text:
            return round(event.at, 3), "token"
    return 0.0, ""
