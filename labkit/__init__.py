"""What the lessons and the apps of the workbook share: find an endpoint, stream answers, measure, route.

Names are loaded when first used.

    import labkit

    with labkit.connect() as lab:
        for event in labkit.stream_sync(lab, "Why is the sky blue?"):
            print(event.text, end="")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.chat_view import ChatView
    from labkit.connection import Connection, Health, Source, connect
    from labkit.errors import (
        EndpointError,
        FetchError,
        FoundryError,
        LabError,
        ModelError,
        RequestError,
        RoutingError,
        SettingsError,
        StreamError,
    )
    from labkit.explain import expect, explain
    from labkit.routing.cloud import cloud
    from labkit.routing.router import Router
    from labkit.streaming import Answer, stream, stream_sync

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "ChatView",
    "Connection",
    "EndpointError",
    "FetchError",
    "FoundryError",
    "Health",
    "LabError",
    "ModelError",
    "RequestError",
    "Router",
    "RoutingError",
    "SettingsError",
    "Source",
    "StreamError",
    "cloud",
    "connect",
    "expect",
    "explain",
    "stream",
    "stream_sync",
]
_HOMES = {
    "labkit.connection": {"Connection", "Health", "Source", "connect"},
    "labkit.explain": {"expect", "explain"},
    "labkit.routing.cloud": {"cloud"},
    "labkit.routing.router": {"Router"},
    "labkit.streaming": {"Answer", "stream", "stream_sync"},
    "labkit.chat_view": {"ChatView"},
}
# The extra that installs the packages of a module.
_EXTRAS = {"labkit.routing.cloud": "routing", "labkit.routing.router": "routing"}


def __getattr__(name: str) -> Any:
    """Load a public name's module: `import labkit` alone must not pay for openai and the runtime.

    Raises ImportError that names the extra to install where a package is missing.
    """
    if name not in __all__:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), "labkit.errors")
    try:
        return getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        if home not in _EXTRAS:
            raise
        raise ImportError(f'labkit.{name} needs {error.name}. Fix: pip install "labkit[{_EXTRAS[home]}]"') from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
