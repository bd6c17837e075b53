"""The bodies of Foundry Local 2.2.1's API, as they were recorded: chat, models, embeddings, errors, events."""

from __future__ import annotations

import json
from typing import Any

_CREATED = 1_767_225_600
# The runtime sends this comment after each quarter of a second without a token.
KEEP_ALIVE = b": keep-alive\n\n"
SILENCE = 0.25
# 2.2.1 sends these headers of a stream twice.
STREAM_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")] * 2
JSON_HEADERS = [(b"content-type", b"application/json")]
_LATE_PREFIX = {400: "Invalid request: ", 500: "Inference failed: "}


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of this program
    """A request that is answered with an error.

    A `late` one is found only when the answer begins: with an answer in one piece its message has a prefix, and
    of a stream, whose status 200 is sent by then, it is the only event.
    """

    def __init__(self, status: int, message: str, *, late: bool = False, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.late = late
        self.headers = headers or {}

    def body(self, *, stream: bool = False) -> dict[str, Any]:
        """The error as an answer of its own, or as an event of a stream."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        prefix = _LATE_PREFIX[self.status] if self.late and not stream else ""
        return {"error": {"code": None, "message": prefix + self.message, "param": None, "type": kind}}


def unknown_model(name: str) -> Refusal:
    """The error for a model that is not in the catalog; chat takes the full id, load the alias."""
    return Refusal(404, f"Model not found: No model matching '{name}'")


def no_route(method: str, path: str) -> str:
    """The text of the 404 for an unknown address or method."""
    why = f"No mapping for HTTP-method: '{method}', URL: '{path}'"
    return f"server=mock\ncode=404\ndescription=Not Found\nmessage={why}\n"


def model(name: str) -> dict[str, Any]:
    """One entry of `/v1/models`."""
    return {"created": _CREATED, "id": name, "object": "model", "owned_by": "local"}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """Counted tokens."""
    return {
        "completion_tokens": completion,
        "completion_tokens_details": {"reasoning_tokens": 0},
        "prompt_tokens": prompt,
        "prompt_tokens_details": {"cached_tokens": 0},
        "total_tokens": prompt + completion,
    }


def completion(answer_id: str, name: str, text: str, finish: str | None, counted: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    message = {"content": text, "refusal": None, "role": "assistant"}
    choice = {"finish_reason": finish, "index": 0, "logprobs": None, "message": message}
    return _envelope(answer_id, name, "chat.completion", [choice]) | {"usage": counted}


def chunk(answer_id: str, name: str, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    """One event of a streamed answer."""
    choice = {"delta": delta, "finish_reason": finish, "index": 0, "logprobs": None}
    return _envelope(answer_id, name, "chat.completion.chunk", [choice])


def usage_chunk(answer_id: str, name: str, counted: dict[str, Any]) -> dict[str, Any]:
    """The event with the counts, which comes last and only when asked for."""
    return _envelope(answer_id, name, "chat.completion.chunk", []) | {"usage": counted}


def _envelope(answer_id: str, name: str, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    named = {"choices": choices, "created": _CREATED, "id": answer_id, "model": name, "object": kind}
    return named | {"system_fingerprint": None}


def embeddings(name: str, vectors: list[list[float]]) -> dict[str, Any]:
    """The vectors of some texts; the runtime counts no tokens here."""
    rows = [{"embedding": vector, "index": index, "object": "embedding"} for index, vector in enumerate(vectors)]
    return {"data": rows, "model": name, "object": "list", "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def encode(body: dict[str, Any]) -> bytes:
    """JSON as the runtime writes it: no spaces, and letters as they are."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def event(body: dict[str, Any] | str) -> bytes:
    """A server-sent event: `data: ` and an empty line after it."""
    return b"data: " + (body.encode() if isinstance(body, str) else encode(body)) + b"\n\n"
