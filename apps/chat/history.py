# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""What of a conversation goes to the model, and how its words are written for the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labkit.history import MARKERS, History

if TYPE_CHECKING:
    from collections.abc import Sequence

    import chainlit as cl

# The command that gives the conversation as a file.
EXPORT = "/export"
# Chainlit takes `word:letter` for a directive and swallows what follows; code is left as it is.
_CODE = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|``.+?``|`[^`\n]*`?)", re.DOTALL)
_COLON = re.compile(r"(?<=\w):(?=[^\W\d_])")


def shown(text: str) -> str:
    """A model's Markdown so that the page shows all of it."""
    parts = _CODE.split(text)
    parts[::2] = [_COLON.sub(r"\:", part) for part in parts[::2]]
    return "".join(parts)


def written(text: str) -> str:
    """The model's own words again: the reverse of `shown`, but a backslash of its own is lost."""
    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"(?<=\w)\\:(?=[^\W\d_])", ":", part) for part in parts[::2]]
    return "".join(parts)


def is_question(message: cl.Message) -> bool:
    """Whether a message is for the model: what the user wrote, except a command of the app."""
    return message.type == "user_message" and message.content.strip() != EXPORT


def is_answer(message: cl.Message) -> bool:
    """Whether a message is the model's: a welcome, an error and Chainlit's own notes carry no such mark."""
    return message.type == "assistant_message" and bool((message.metadata or {}).get("answer"))


def conversation(messages: Sequence[cl.Message], system: str) -> History:
    """The system prompt, then each question with its answer, and the last question.

    A question that got no answer would only confuse the next one, so it is left out; so is an answer that broke off
    and was asked for again.
    """
    history = History()
    if system:
        history.add("system", system)
    kept = [message for message in messages if is_question(message) or is_answer(message)]
    for message, after in zip(kept, [*kept[1:], None], strict=False):
        if is_answer(message) and after is not None and is_question(after):
            tokens = (message.metadata or {}).get("tokens")
            history.add("assistant", written(message.content), None if tokens is None else tokens + MARKERS)
        elif is_question(message) and (after is None or is_answer(after)):
            history.add("user", message.content)
    return history


def as_markdown(messages: Sequence[cl.Message], title: str = "Chat") -> str:
    """A conversation as a Markdown document."""
    names = {"user_message": "You", "assistant_message": "Model"}
    kept = [message for message in messages if is_question(message) or is_answer(message)]
    parts = [f"**{names[message.type]}**\n\n{written(message.content).strip()}" for message in kept]
    return "\n\n".join([f"# {title}", *parts]) + "\n"
