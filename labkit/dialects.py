"""The dialects of OpenAI-compatible endpoints: what a chunk says in each, and what each refuses in a request.

Sources: the references of OpenAI, Azure OpenAI, Mistral, DeepSeek, OpenRouter, vLLM, llama.cpp, Ollama and Foundry
Local, and what their servers were seen to send.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.events import End

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("labkit")

# What ended an answer, by the word in `finish_reason`. Any other word means that the model itself has finished.
_ENDS = {
    "length": End.LENGTH,
    "max_tokens": End.LENGTH,
    "max_output_tokens": End.LENGTH,
    "model_length": End.LENGTH,
    "model_context_window_exceeded": End.LENGTH,
    "content_filter": End.FILTERED,
    "content_filtered": End.FILTERED,
    "guardrail_intervened": End.FILTERED,
    "safety": End.FILTERED,
    "recitation": End.FILTERED,
    "blocklist": End.FILTERED,
    "prohibited_content": End.FILTERED,
    "spii": End.FILTERED,
    "sensitive": End.FILTERED,
    "refusal": End.DECLINED,
}


def end_of(reason: str) -> End:
    """How an answer with this `finish_reason` ended."""
    return _ENDS.get(reason.lower(), End.FINISHED)


@dataclass(frozen=True)
class Piece:
    """Something that a chunk brought: a text of the answer, or of the reasoning before it."""

    text: str
    reasoning: bool = False


def pieces(delta: dict[str, Any]) -> Iterator[Piece]:
    """The texts of one delta, or of a whole message, in the order in which a person reads them."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        if text := _joined(delta.get(name)):
            yield Piece(text, reasoning=True)
            break  # some gateways send the same text under two names
    content = delta.get("content")
    for part in content if isinstance(content, list) else [content]:
        thinking = isinstance(part, dict) and re.search("think|reason", str(part.get("type"))) is not None
        if text := _joined(part):
            yield Piece(text, thinking)


def _joined(value: Any) -> str:
    """The text of a string, of a part `{"type": ..., "text": ...}`, or of a list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_joined, value))
    if isinstance(value, dict):
        return next(
            (text for name in ("text", "thinking", "reasoning", "content") if (text := _joined(value.get(name)))), ""
        )
    return ""


_OPEN, _CLOSE = "<think>", "</think>"


@dataclass
class ThinkTags:
    """Tells `<think>...</think>` at the beginning of a text from the answer after it, however the text is cut.

    A tag later in the answer is text: somebody may have asked about it.
    """

    _held: str = ""
    _inside: bool = False
    _thought: bool = False
    _over: bool = False

    def feed(self, text: str) -> Iterator[Piece]:
        """The pieces that are certain now; an end that may be the beginning of a tag is held back."""
        self._held += text
        while self._held and not self._over:
            if self._inside:
                before, tag, rest = self._held.partition(_CLOSE)
                kept = 0 if tag else _overlap(before, _CLOSE)
                if thought := before[: len(before) - kept]:
                    yield Piece(thought, reasoning=True)
                self._held = rest if tag else before[len(before) - kept :]
                self._inside, self._thought = not tag, True
                if not tag:
                    return
            else:
                begun = self._held.lstrip()
                if self._thought:  # the white space after the tag is not the answer's
                    self._held = begun
                if begun.startswith(_OPEN):
                    self._inside, self._held = True, begun.removeprefix(_OPEN)
                elif _OPEN.startswith(begun):  # nothing but white space so far, or a part of the tag
                    return
                else:
                    self._over = True
        yield from self.end()

    def end(self) -> Iterator[Piece]:
        """What was held back; nothing more comes."""
        held, self._held = self._held, ""
        if held:
            yield Piece(held, self._inside)


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of the text are the beginning of the tag."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:size])), 0)


# What an answer does not need, and what some endpoints want to be called something else.
_OTHER_NAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_OPTIONAL = ("stream_options", "seed", "temperature", "top_p", "frequency_penalty", "presence_penalty", "logprobs")
_UNKNOWN = re.compile(
    r"unsupported|not support|n't support|unrecogni[sz]ed|unknown|unexpected|extra|not permitted|not allowed"
    r"|not available|not implemented|deprecated|no such|incompatible",
    re.IGNORECASE,
)
_OUT_OF_RANGE = re.compile(
    r"greater|less|larger|smaller|at most|at least|between|maximum|minimum|too |range", re.IGNORECASE
)


@dataclass
class Dialect:
    """What one endpoint has refused in a request: each name with the one to send instead, or "" to leave it out."""

    refused: dict[str, str] = field(default_factory=dict)

    def translate(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request as this endpoint takes it."""
        translated = {}
        for given, value in request.items():
            name = given
            while name in self.refused:
                name = self.refused[name]
            if name:
                translated[name] = value
        return translated

    def learn(self, sent: dict[str, Any], status: int, body: object) -> bool:
        """Whether an error is about a name that can be left out or renamed; then the request may be sent again.

        A value that is out of range is not: it would be ignored in silence.
        """
        text = body if isinstance(body, str) else json.dumps(body, default=str)
        if status not in (400, 422) or not _UNKNOWN.search(text) or _OUT_OF_RANGE.search(text):
            return False
        for name in (*_OTHER_NAMES, *_OPTIONAL):
            if name not in sent or name in self.refused or not re.search(rf"\b{name}\b", text):
                continue
            other = _OTHER_NAMES.get(name, "")
            if other in self.refused:  # it takes neither
                other = ""
            self.refused[name] = other
            log.warning("The endpoint refuses %s: %s", name, f"it is sent as {other}" if other else "it is left out")
            return True
        return False
