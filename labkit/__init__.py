"""What the lessons and the apps of the workbook share. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.connection import Connection, Health, Source, connect
    from labkit.errors import (
        EndpointError,
        FetchError,
        FoundryError,
        LabError,
        ModelError,
        SettingsError,
        WorkbookError,
    )

__version__ = "0.1.0"
__all__ = [
    "Connection",
    "EndpointError",
    "FetchError",
    "FoundryError",
    "Health",
    "LabError",
    "ModelError",
    "SettingsError",
    "Source",
    "WorkbookError",
    "connect",
]
_CONNECTION = {"Connection", "Health", "Source", "connect"}


def __getattr__(name: str) -> Any:
    """Load a public name's module: `import labkit` alone must not pay for openai and the runtime."""
    if name not in __all__:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    module = "labkit.connection" if name in _CONNECTION else "labkit.errors"
    return getattr(importlib.import_module(module), name)
