"""The bodies of Foundry Local 2.2.1's API, as it was recorded: chat, models, errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

CREATED = 1_767_225_600


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """The part of a chat request that the runtime heeds; the rest it ignores, as `n` and `logprobs`."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    stop: tuple[str, ...]


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of this program
    """A request that is answered with an error body."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The error as JSON; a fault of the server has another type than a bad request."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"code": None, "message": self.message, "param": None, "type": kind}}


def parse(body: bytes) -> ChatRequest:
    """Read a chat request as strictly as the runtime does. Raises Refusal with status 400."""
    if not body:
        raise Refusal(400, "Empty request body")
    try:
        data = json.loads(body)
    except ValueError as error:
        raise Refusal(400, f"Invalid JSON: {error}") from error
    for key in ("model", "messages"):
        if key not in data:
            raise Refusal(400, f"Invalid request: key '{key}' not found")
    if not isinstance(data["messages"], list):
        raise Refusal(400, "Invalid request: messages must be an array")
    if not data["messages"]:
        raise Refusal(400, "Missing required field: messages")
    _check_ranges(data)
    messages = tuple(Message(item.get("role", ""), _text(item.get("content"))) for item in data["messages"])
    if not any(message.content for message in messages):
        raise Refusal(400, "Invalid request: the request has nothing to generate from")
    stop = data.get("stop") or ()
    limit = data.get("max_completion_tokens", data.get("max_tokens"))
    return ChatRequest(
        model=data["model"],
        messages=messages,
        stream=bool(data.get("stream")),
        include_usage=bool((data.get("stream_options") or {}).get("include_usage")),
        max_tokens=limit,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
    )


def _check_ranges(data: dict[str, Any]) -> None:
    if not 0 <= (data.get("temperature") or 0) <= 2:
        raise Refusal(400, "Invalid request: temperature must be in the range [0.0, 2.0]")
    if not 0 <= (data.get("top_p") or 0) <= 1:
        raise Refusal(400, "Invalid request: top_p must be finite and in the range [0.0, 1.0]")
    for name in ("max_tokens", "max_completion_tokens"):
        if data.get(name) is not None and data[name] < 1:
            raise Refusal(400, "Invalid request: max_output_tokens must be >= 1")
    if data.get("tools"):
        raise Refusal(500, "Inference failed: structured tool calling requires tool markers")


def _text(content: Any) -> str:
    """A message's text: plain, or the text parts of a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def model(name: str) -> dict[str, Any]:
    """One entry of `/v1/models`."""
    return {"created": CREATED, "id": name, "object": "model", "owned_by": "local"}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """Counted tokens."""
    return {
        "completion_tokens": completion,
        "completion_tokens_details": {"reasoning_tokens": 0},
        "prompt_tokens": prompt,
        "prompt_tokens_details": {"cached_tokens": 0},
        "total_tokens": prompt + completion,
    }


def completion(answer_id: str, name: str, text: str, finish: str, counted: dict[str, Any]) -> dict[str, Any]:
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
    return {
        "choices": choices,
        "created": CREATED,
        "id": answer_id,
        "model": name,
        "object": kind,
        "system_fingerprint": None,
    }


def event(body: dict[str, Any] | str) -> bytes:
    """A server-sent event: `data: ` and an empty line after it."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
