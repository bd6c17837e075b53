"""From an exception of the openai client to a LabError with a fix, and a way to show errors on purpose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labkit.errors import EndpointError, LabError, ModelError, RequestError

if TYPE_CHECKING:
    from types import TracebackType


def explain(error: BaseException) -> LabError:
    """The same failure as a LabError: what happened, and its fix. A LabError is returned unchanged.

    It knows how Foundry Local 2.2.1, llama.cpp and vLLM report a full context window and a model that is not loaded.
    Any other error keeps its own first line.
    """
    import openai

    if isinstance(error, LabError):
        return error
    text = _message(error)
    if isinstance(error, openai.APITimeoutError):
        return EndpointError("The endpoint did not answer in time", fix="ask again, or give it a longer time-out")
    if isinstance(error, openai.APIConnectionError):
        return EndpointError("The connection failed or broke off", fix="python lab.py serve, then connect() again")
    if isinstance(error, openai.AuthenticationError):
        return EndpointError("The endpoint refuses the key", fix="set API_KEY to the endpoint's key")
    if known := _known(text):
        return known
    if isinstance(error, openai.NotFoundError):
        return ModelError("The endpoint has no model of this name", fix="chat takes the full id: use lab.model")
    if isinstance(error, openai.RateLimitError):
        wait = error.response.headers.get("Retry-After")
        fix = f"wait {wait} s and ask again" if wait else "wait a little and ask again"
        return RequestError("The endpoint takes no more requests just now", fix=fix)
    if isinstance(error, openai.BadRequestError):
        return RequestError(f"The endpoint refuses the request ({text[:200]})", fix="change the value that it names")
    if isinstance(error, openai.InternalServerError):
        return EndpointError(
            "The endpoint failed inside", fix="ask again; if it happens again, restart python lab.py serve"
        )
    return LabError(f"{type(error).__name__}: {text[:200]}")


def explain_text(text: str) -> LabError:
    """The LabError for an error event inside a stream, which has a text but no status."""
    line = _first_line(text)
    return _known(line) or EndpointError(f"The endpoint failed ({line[:200]})", fix="ask again")


def _known(text: str) -> LabError | None:
    if "context length" in text or "context size" in text:
        return RequestError(
            "The messages and the answer do not fit into the context window", fix="send fewer or shorter messages"
        )
    if "not loaded" in text:
        return ModelError(
            "The model is listed but not loaded", fix="python lab.py serve loads it, and so does model.load()"
        )
    return None


def _message(error: BaseException) -> str:
    """The endpoint's own message, or else the client's."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return _first_line(str(message or error))


def _first_line(text: str) -> str:
    """The first line, without the source position that 2.2.1 puts in front."""
    line = (text.strip().splitlines() or [""])[0]
    return re.sub(r"\S+\.cc:\d+ [^)]*\) ", "", line)


class expect:  # noqa: N801 - reads as a word in `with expect(...)`
    """A `with` block that must fail in a stated way: shows the error in one line, and fails if there is none.

    `with expect(openai.NotFoundError): ...` prints the kind, what happened and the fix. Any other exception
    goes through; no exception is an AssertionError.
    """

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """Swallow the expected kind only."""
        if error is None:
            raise AssertionError(f"expected {self.kind.__name__}, but nothing went wrong")
        if not isinstance(error, self.kind):
            return False
        print(f"{type(error).__name__}: {explain(error)}")
        return True
