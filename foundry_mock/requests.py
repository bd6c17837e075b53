"""Parses requests as strictly as Foundry Local 2.2.1, and refuses them in the same order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from foundry_mock.wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    T = TypeVar("T")

_STOPS = 4


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """The fields of a chat request that the runtime uses; it ignores others, for example `n` and `logprobs`.

    `problem` is the error that it reports when it begins to generate.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    stop: tuple[str, ...]
    problem: Refusal | None


def chat(body: bytes) -> ChatRequest:
    """Parse a chat request. Raises Refusal for errors that the runtime reports before it looks for the model."""
    wrong = "Invalid request"
    data = _read(body)
    model = _take(data, "model", str, wrong)
    messages = tuple(
        Message(_take(item, "role", str, wrong), _text(item.get("content")))
        for item in _take(data, "messages", list, wrong)
    )
    options = data.get("stream_options")
    include_usage = (
        isinstance(options, dict) and "include_usage" in options and _take(options, "include_usage", bool, wrong)
    )
    if any(_number(data, name) for name in ("frequency_penalty", "presence_penalty")):
        raise Refusal(400, "Unsupported parameter: nonzero frequency_penalty and presence_penalty are not supported")
    for name, value in (("model", model), ("messages", messages)):
        if not value:
            raise Refusal(400, f"Missing required field: {name}")
    stop = data.get("stop") or []
    return ChatRequest(
        model=model,
        messages=messages,
        stream=data.get("stream") is True,
        include_usage=include_usage,
        max_tokens=_limit(data),
        stop=(stop,) if isinstance(stop, str) else tuple(stop) if isinstance(stop, list) else (),
        problem=next(_problems(data, messages), None),
    )


def embeddings(body: bytes) -> tuple[str, list[str]]:
    """The model and the texts of a request for embeddings. Raises Refusal."""
    wrong = "Invalid JSON"
    data = _read(body)
    model = _take(data, "model", str, wrong)
    texts = data["input"] if isinstance(data.get("input"), str) else _take(data, "input", list, wrong)
    texts = [texts] if isinstance(texts, str) else texts
    if not all(isinstance(text, str) for text in texts):
        raise Refusal(400, f"{wrong}: type must be string")
    if not texts:
        raise Refusal(400, '"input" must not be empty')
    return model, texts


def _read(body: bytes) -> Any:
    """The JSON in a body: no key twice, no NaN, no half of a surrogate pair."""
    if not body:
        raise Refusal(400, "Empty request body")
    try:
        data = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant)
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"Invalid JSON: {error}") from error
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("Duplicate JSON object member")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"invalid literal {name}")


def _take(data: Any, key: str, kind: type[T], wrong: str) -> T:
    """The value of a key that must be there, with the type that it must have."""
    if not isinstance(data, dict):
        raise Refusal(400, f"{wrong}: not an object")
    if key not in data:
        raise Refusal(400, f"{wrong}: key '{key}' not found")
    value = data[key]
    if not isinstance(value, kind):
        raise Refusal(400, f"{wrong}: type of '{key}' must be {kind.__name__}, but is {type(value).__name__}")
    return value


def _text(content: Any) -> str:
    """A message's text: plain, or the text parts of a list of parts; anything else has none."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text" and "text" in part]
    return "".join(_take(part, "text", str, "Invalid request") for part in parts)


def _number(data: dict[str, Any], name: str) -> float | None:
    """A number, or None: a value of another type is ignored, as the runtime does."""
    value = data.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _limit(data: dict[str, Any]) -> int | None:
    given = (data.get(name) for name in ("max_completion_tokens", "max_tokens"))
    return next((value for value in given if isinstance(value, int) and not isinstance(value, bool)), None)


def _problems(data: dict[str, Any], messages: tuple[Message, ...]) -> Iterator[Refusal]:
    if not any(message.content for message in messages):
        yield Refusal(400, "the request has nothing to generate from: `messages` carried no content", late=True)
    tools = data.get("tools")
    if isinstance(tools, list) and tools and data.get("tool_choice") != "none":
        yield Refusal(500, "structured tool calling requires model-published tool markers", late=True)
    if reason := _stop_problem(data.get("stop")):
        yield Refusal(400, reason, late=True)
    temperature, top_p, limit = _number(data, "temperature"), _number(data, "top_p"), _limit(data)
    if temperature is not None and not 0 <= temperature <= 2:
        yield Refusal(400, "temperature must be in the range [0.0, 2.0]", late=True)
    if top_p is not None and not 0 <= top_p <= 1:
        yield Refusal(400, "top_p must be finite and in the range [0.0, 1.0]", late=True)
    if limit is not None and limit < 1:
        yield Refusal(400, "max_output_tokens must be >= 1", late=True)


def _stop_problem(stop: Any) -> str:
    if stop is None:
        return ""
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(item, str) for item in stops):
        return "stop must be a string or array of strings"
    if not all(stops):
        return "stop must not be empty"
    return f"stop supports at most {_STOPS} strings" if len(stops) > _STOPS else ""
