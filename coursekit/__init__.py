"""The tools of the course: exercises, copies, exports, checks, reports. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coursekit.exercises import check, hint
    from coursekit.guesses import guess
    from coursekit.simulated_cloud import cloud

__all__ = ["check", "cloud", "guess", "hint"]
_HOMES = {"check": "exercises", "hint": "exercises", "guess": "guesses", "cloud": "simulated_cloud"}


def __getattr__(name: str) -> Any:
    """Load a public name's module when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'coursekit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"coursekit.{_HOMES[name]}"), name)
