"""Everything that labkit raises on purpose.

LabError
├── SettingsError      a variable of the environment, or a parameter, that makes no sense
├── EndpointError      nothing listens, or what listens does not answer as an OpenAI-compatible API
├── ModelError         a model that is not listed, not loaded, not downloaded
├── RequestError       a request that the endpoint refuses: too long, out of range, too many at once
├── StreamError        an answer that broke off or fell silent; what had come is kept
├── RoutingError       no model may or can answer; what was tried is said
├── FoundryError       the Foundry Local runtime is missing on this machine, or failed
└── FetchError         a file that could not be fetched, or is not the file it should be
"""

from __future__ import annotations


class LabError(Exception):
    """What happened and where (`message`), and the command or step that mends it (`fix`)."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Let it pass whole from one process to another, `fix` being a keyword."""
        return _again, (type(self), self.message, self.fix)

    def __str__(self) -> str:
        return f"{self.message}. Fix: {self.fix}" if self.fix else self.message


def _again(kind: type[LabError], message: str, fix: str) -> LabError:
    return kind(message, fix=fix)


class SettingsError(LabError):
    """A variable of the environment, or a parameter, makes no sense."""


class EndpointError(LabError):
    """Nothing listens there, or what listens does not answer as an OpenAI-compatible API does."""


class ModelError(LabError):
    """A model is not listed, not loaded or not downloaded."""


class RequestError(LabError):
    """The endpoint is there and refuses this request: too long, out of range, too many at once."""


class StreamError(LabError):
    """An answer broke off or fell silent; what had come is kept by whoever read it."""


class RoutingError(LabError):
    """No model may or can answer: privacy forbids the cloud, or both have failed; or a router makes no sense."""


class FoundryError(LabError):
    """The Foundry Local runtime is missing on this machine, or failed."""


class FetchError(LabError):
    """A file could not be fetched, or is not the file it should be."""
