"""An endpoint's own words in the body of an error: found in every shape, short, without a key, and what they mean."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

# Characters of an endpoint's own words in a message.
WORDS = 200
_SECRET = re.compile(
    r"""(?i)\b(?:bearer|basic)\s+(?=\S*\d|\S{20})[^\s"',}]{4,}"""
    r"""|\b(?:(?:sk|xai|nvapi|pplx|csk|glpat)-|(?:gsk|hf|r8|gh[pousr]|github_pat|tgp_v1)_)[^\s"',}]{4,}"""
    r"""|\b(?:AIza[\w-]{20,}|AKIA[A-Z\d]{12,}|eyJ[\w-]+\.[\w-]+\.[\w-]*)"""
    r"""|\b(?:api[-_ ]?key|(?:access|auth)[-_ ]?token|password|secret)["']?\s*[=:]\s*["']?[^\s"',}&]{4,}"""
)
# Words of a quota that is used up, of a limit that soon passes, of one that lasts, and words that only hint at a quota.
_USED_UP = re.compile(
    r"insufficient[_ ]?(user[_ ]?)?(quota|balance|funds|credit)|credit balance|(out of|not enough|available) credit"
    r"|budget[_ ](has been )?exceeded|exceeded[_ ]?budget|over budget|spending limit|billing[_ ](hard|not)",
    re.IGNORECASE,
)
_SOON = re.compile(r"per[-_ ]?(min|sec)|\b[rt]p[ms]\b", re.IGNORECASE)
_LATE = re.compile(r"per[-_ ]?(day|week|month)|daily|weekly|monthly|/ ?(day|week|month)", re.IGNORECASE)
_AGAIN = re.compile(r"(retry|try again) (in|after) [\d.]+ ?m?s(ec\w*)?\b", re.IGNORECASE)
_HINT = re.compile(
    r"exceeded[_ ](your[_ ])?current[_ ]quota|billing|credit limit|usage[_ ]limit|call volume quota"
    r"|free (allocated|tier) quota|free ?tier ?only|top[- ]?up|recharge|payment required",
    re.IGNORECASE,
)
_LOADING = re.compile(r"\bloading|warming up|is starting|not ready", re.IGNORECASE)


def words(body: object, *keys: str) -> str:
    """An endpoint's own words in an error's body, short and without the keys."""
    return shorten(next(_messages(body), ""), *keys)


# What the words of an error are called, the most telling first.
_NAMES = (
    *("message", "msg", "detail", "error_message", "error_msg", "errormessage", "error_description", "faultstring"),
    *("error", "errors", "fault", "description", "exception", "title", "reason", "code", "type"),
)


def _messages(body: object, depth: int = 0) -> Iterator[str]:
    """The texts in an error's body, the most telling first; bodies come in many shapes."""
    if depth > 20:
        return
    if isinstance(body, str):
        text = body.strip("\ufeff \t\r\n")
        if re.match(r"(data|event|id):", text):  # an error as a stream of one event
            text = "\n".join(line[5:].strip() for line in text.splitlines() if line.startswith("data:"))
        if text.startswith(("{", "[")):
            try:
                yield from _messages(json.loads(text), depth + 1)
            except (ValueError, RecursionError):
                yield text
        elif re.match(r"<[!?]", text) or (text.startswith("<") and "</" in text):  # a page, or XML
            if found := re.search(r"(?i)<(?:title|message|h1|body|pre|p)\b[^<>]{0,200}>\s*([^<\s][^<]*)", text[:5000]):
                yield html.unescape(found[1])
        elif text:
            yield text
    elif isinstance(body, list):
        for item in body:
            yield from _messages(item, depth + 1)
    elif isinstance(body, dict):
        values = {str(name).lower(): value for name, value in body.items()}
        metadata = values.get("metadata")
        if isinstance(metadata, dict) and metadata.get("raw"):  # OpenRouter: what the provider behind it said
            raw = next(_messages(metadata["raw"], depth + 1), "")
            yield ": ".join(filter(None, (str(body.get("message") or ""), raw)))
        for name in dict.fromkeys((*_NAMES, *values)):
            yield from _messages(values.get(name), depth + 1)


def shorten(text: str, *keys: str) -> str:
    """As one line, without keys and without the source position that Foundry Local 2.2.1 puts in front."""
    line = " ".join(text.strip()[: 10 * WORDS].split())
    line = re.sub(r"\x1b\[[\d;]*[A-Za-z]|[\x00-\x1f\x7f]", "", line)
    line = re.sub(r"\S{1,200}\.cc:\d+ [^)]*\) ", "", line)
    for key in keys:
        if len(key) > 3 and key != "not-needed":
            for form in (key, quote(key), quote(key, safe=""), base64.b64encode(key.encode()).decode()):
                line = re.sub(re.escape(form), "[key]", line, flags=re.IGNORECASE)
    line = _SECRET.sub("[key]", line).strip().rstrip(".")
    return line if len(line) <= WORDS else line[: WORDS - 3] + "..."


def is_quota(text: str) -> bool:
    """Whether a body with status 429 says that a quota is used up, which no short wait will change.

    Some speak of plan and billing where a limit of requests per minute is meant.
    """
    if _USED_UP.search(text) or _SOON.search(text):
        return bool(_USED_UP.search(text))
    return bool(_LATE.search(text) or (_HINT.search(text) and not _AGAIN.search(text)))


def is_loading(text: str) -> bool:
    """Whether a body with status 503 says that a model is still being loaded."""
    return bool(_LOADING.search(text))
