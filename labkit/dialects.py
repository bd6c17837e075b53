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

# What ended an answer, by the words in `finish_reason`; the first that fits counts. Gemini, for example, sends
# "content_filter: PROHIBITED_CONTENT". Any other word means that the model itself has finished.
_ENDS = (
    (re.compile(r"length|token_limit|error_limit|max_(?:\w+_)?tokens|truncat|context_window"), End.LENGTH),
    (
        re.compile("filter|safety|recitation|blocklist|blocked|prohibited|spii|sensitive|guardrail|moderat|toxic"),
        End.FILTERED,
    ),
    (re.compile("refus"), End.DECLINED),
    # DeepSeek: insufficient_system_resource; vLLM: abort; Zhipu: network_error; Gemini: MALFORMED_FUNCTION_CALL.
    (re.compile("error|fail|abort|cancel|insufficient|malformed|interrupt|time_?out|overload"), End.DROPPED),
)


def end_of(reason: str) -> End:
    """How an answer with this `finish_reason` ended; DROPPED where the endpoint itself failed."""
    return next((ended for words, ended in _ENDS if words.search(reason.lower())), End.FINISHED)


@dataclass(frozen=True)
class Piece:
    """Something that a chunk brought: a text of the answer, or of the reasoning before it."""

    text: str
    reasoning: bool = False


def pieces(delta: dict[str, Any]) -> Iterator[Piece]:
    """The texts of one delta, or of a whole message, in the order in which a person reads them."""
    for name in ("reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details"):
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
        names = ("text", "thinking", "reasoning", "content", "summary")
        return next((text for name in names if (text := _joined(value.get(name)))), "")
    return ""


def refused(content: Any) -> str:
    """The text of the parts of type refusal."""
    parts = content if isinstance(content, list) else ()
    return "".join(str(part.get("refusal") or "") for part in parts if isinstance(part, dict))


# How models mark their reasoning, where the server does not take it out: DeepSeek and Qwen, Claude, Gemini, Granite,
# Seed-OSS, Magistral, Kimi-VL, Gemma 4, gpt-oss.
_TAGS = {f"<{name}>": f"</{name}>" for name in ("think", "thinking", "thought", "reasoning", "seed:think")} | {
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}


@dataclass
class ThinkTags:
    """Tells the reasoning at the beginning of a text, between tags, from the answer after it, however it is cut.

    A tag later in the answer is text: somebody may have asked about it.
    """

    _held: str = ""
    _inside: bool = False
    _close: str = ""
    _thought: bool = False
    _over: bool = False

    def feed(self, text: str) -> Iterator[Piece]:
        """The pieces that are certain now; an end that may be the beginning of a tag is held back."""
        self._held += text
        while self._held and not self._over:
            if self._inside:
                before, tag, rest = self._held.partition(self._close)
                kept = 0 if tag else _overlap(before, self._close)
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
                if tag := next((each for each in _TAGS if begun.startswith(each)), ""):
                    self._inside, self._held, self._close = True, begun.removeprefix(tag), _TAGS[tag]
                elif any(each.startswith(begun) for each in _TAGS):  # white space so far, or a part of a tag
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
_OPTIONAL = (
    *("stream_options", "seed", "temperature", "top_p", "frequency_penalty", "presence_penalty"),
    *("logprobs", "top_logprobs", "reasoning_effort"),
)
_UNKNOWN = re.compile(
    r"unsupported|not support|n't support|recogni[sz]ed|unknown|unexpected|\bextra|not (?:be )?(?:permitted|allowed)"
    r"|not (?:available|implemented|enabled|accept)|n't accept"
    r"|must be (?:null|none|omitted|removed|unset)|deprecated|no such|incompatible|forbidden|disallowed"
    r"|(?:cannot|can't|can not|may not|must not) (?:both )?be (?:used|set|specified|provided|sent)"
    r"|not (?:a )?valid (?:field|param|argument|option|property|key)"
    r"|invalid (?:field|param|argument|option|property|key)|only \S+ is allowed|only be set|mutually exclusive"
    r"|\buse \W{0,2}max_(?:completion_)?tokens",
    re.IGNORECASE,
)
_OUT_OF_RANGE = re.compile(
    r"\b(?:greater|less|larger|smaller|at most|at least|between|maximum|minimum|exceeds|too|range|should be"
    r"|must be (?!used|omitted|removed|unset|null|none))\b",
    re.IGNORECASE,
)
# After these words an error names what the endpoint does take.
_TAKES = re.compile(
    r"expected one of|(?<!t )\b(?:supported|allowed|accepted|valid)(?: \w+)?(?: are| include)?:", re.IGNORECASE
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

        A value that is out of range is not: it would be ignored without a message.
        """
        text = body if isinstance(body, str) else json.dumps(body, default=str)
        text = re.sub(r"\\+[nrt]", " ", text)  # a line end inside JSON would belong to the name after it
        if status not in (400, 422, 500, 501) or not _UNKNOWN.search(text) or _OUT_OF_RANGE.search(text):
            return False
        said = _TAKES.split(text, maxsplit=1)[0]
        places = {name: text.find(name) for name in (*_OTHER_NAMES, *_OPTIONAL) if re.search(rf"\b{name}\b", said)}
        found = [name for name in sorted(places, key=lambda name: places[name]) if name in sent]
        named = re.search(r'"param": ?"(\w+)', text)
        if named and named[1] in sent:
            found = [name for name in (*_OTHER_NAMES, *_OPTIONAL) if name == named[1]]
        for name in found:
            if name not in self.refused:  # another request, sent at the same time, may have learnt it already
                other = _OTHER_NAMES.get(name, "")
                self.refused[name] = "" if other in self.refused else other
                log.warning(
                    "The endpoint refuses %s: %s",
                    name,
                    f"it is sent as {self.refused[name]}" if self.refused[name] else "it is left out",
                )
            return True
        return False
