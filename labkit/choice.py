"""Which model is meant, and where it lies: read off the disk, without the runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit._smollm import embedded
from labkit.settings import PREFERRED


@dataclass(frozen=True)
class Choice:
    """Which model to load, from which folder, and whether it is here already."""

    alias: str
    folder: Path
    cached: bool
    # The very build, where an id was asked for and not an alias.
    variant: str | None = None


def choose(cache: Path, model: str | None) -> Choice:
    """The model that is meant: `model`, or with none phi-4-mini if it is here, else the embedded one."""
    for folder in _catalog_folders(cache):
        if found := _cached(folder, model or PREFERRED):
            alias, variant = found
            return Choice(alias, folder, cached=True, variant=variant)
    if model is None or model.lower() in (embedded.ALIAS, embedded.NAME, embedded.MODEL_ID):
        return Choice(embedded.ALIAS, embedded.folder(cache), embedded.is_installed(cache))
    return Choice(model, _catalog_folders(cache)[0], cached=False)


def _catalog_folders(cache: Path) -> tuple[Path, Path]:
    """Where catalog models may lie: our own cache, then the one of Foundry Local's command line."""
    return cache / "catalog", Path.home() / ".foundry" / "cache" / "models"


def _cached(folder: Path, wanted: str) -> tuple[str, str | None] | None:
    """The alias of a model that this folder both names in its catalog snapshot and holds whole; case is ignored.

    Beside it the full id, where `wanted` is one or lacks only the version.
    """
    names = ("alias", "name", "id")
    entries = [entry for entry in _list_in(folder / "foundry.modelinfo.json", "models") if isinstance(entry, dict)]
    named = [
        {name: str(entry.get(name)) for name in names}
        for entry in entries
        if wanted.lower() in {str(entry.get(name)).lower() for name in names}
    ]
    if not named:
        return None
    present = {name for path in folder.rglob("inference_model.json") for name in _list_in(path, "Name")}
    here = next((entry for entry in named if entry["id"] in present), None)
    if here is None:
        return None
    return here["alias"], None if here["alias"].lower() == wanted.lower() else here["id"]


def _list_in(path: Path, field: str) -> list[Any]:
    """A field of a JSON file as a list; nothing where the file is missing, broken or of another form."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))[field]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return value if isinstance(value, list) else [value]
