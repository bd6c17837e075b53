"""The errors that labkit raises on purpose. Each says what happened, where, and how to fix it.

LabError
├── SettingsError      a wrong environment variable or parameter
├── EndpointError      no server at this address, or one that is not an OpenAI-compatible API
│   └── ListError      a server that gives no list of models; it may answer questions all the same
│       └── LoadingError   it is still loading its model
├── ModelError         a model that is not listed, not loaded or not downloaded
├── RequestError       a request that the endpoint refuses: too long, out of range, too many at once
├── StreamError        an answer that broke off or fell silent; the text so far is kept
├── UsageError         a call that Python allows and that cannot work: a plain `for` over a stream
├── RoutingError       no model may or can answer; the message says what was tried
├── FoundryError       the Foundry Local runtime is missing or failed
└── FetchError         a download that failed, or gave another file than expected
"""

from __future__ import annotations


class LabError(Exception):
    """What happened and where (`message`), and the command or step that fixes it (`fix`)."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Let a process pool pickle the error although `fix` is a keyword."""
        return _again, (type(self), self.message, self.fix)

    def __str__(self) -> str:
        return f"{self.message}. Fix: {self.fix}" if self.fix else self.message

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback, which `traceback.print_last()` still has."""
        return [f"{type(self).__name__}: {self}"]


def _again(kind: type[LabError], message: str, fix: str) -> LabError:
    return kind(message, fix=fix)


class SettingsError(LabError):
    """An environment variable or a parameter is wrong."""


class EndpointError(LabError):
    """No server listens there, or it does not answer as an OpenAI-compatible API does."""


class ListError(EndpointError):
    """A server answers, or is there, and gives no list of models; it may answer questions all the same."""


class LoadingError(ListError):
    """The server is still loading its model."""


class ModelError(LabError):
    """A model is not listed, not loaded or not downloaded."""


class RequestError(LabError):
    """The endpoint answers and refuses this request: too long, out of range, too many at once."""


class StreamError(LabError):
    """An answer broke off or fell silent; the reader keeps the text that came before."""


class UsageError(LabError, TypeError):
    """A call that cannot work as it is written; the fix is the line to write instead."""


class RoutingError(LabError):
    """No model may or can answer: privacy forbids the cloud, or both have failed; or a router's settings are wrong."""


class FoundryError(LabError):
    """The Foundry Local runtime is missing on this machine, or failed."""


class FetchError(LabError):
    """A download failed, or gave another file than expected."""
