"""Which browser this machine has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_COMMANDS = (
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chromium",
    "chromium-browser",
    "chrome",
    "msedge",
)
_MACOS = tuple(f"{name}.app/Contents/MacOS/{name}" for name in ("Google Chrome", "Microsoft Edge", "Chromium"))
_WINDOWS = tuple(
    f"{folder}/Application/{name}.exe"
    for folder, name in (("Google/Chrome", "chrome"), ("Microsoft/Edge", "msedge"), ("Chromium", "chrome"))
)


def find() -> Path | None:
    """The first Chrome, Edge or Chromium that is installed, or None."""
    for command in _COMMANDS:
        if found := shutil.which(command):
            return Path(found)
    folders = [Path("/Applications"), Path.home() / "Applications"]
    places = [folder / name for folder in folders for name in _MACOS]
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if folder := os.environ.get(variable):
            places += [Path(folder) / name for name in _WINDOWS]
    return next((place for place in places if place.is_file()), None)
