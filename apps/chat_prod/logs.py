"""A log that a program can read, and that holds nothing of what anybody wrote: numbers, kinds and places only."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import uuid
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

# The lines of others whose text is known. All other text of theirs may hold a question, a name or a password.
KNOWN = ("Your app is available at ",)
FRAMES = 8
# What Chainlit says at each visit: that no readme is in the visitor's language, and that its own logo is shown.
NOISE = {("markdown", "get_markdown_str"), ("server", "get_logo")}


class Style(StrEnum):
    """How a line looks: for people, or one JSON object."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class About:
    """Which question a line belongs to. A thread's id is a random number, which opens nothing without a login."""

    request: str
    thread: str


about: ContextVar[About | None] = ContextVar("about", default=None)


def begin(thread: str) -> None:
    """A new question: the lines of this task, and of those that it makes, carry its ids from now on."""
    about.set(About(uuid.uuid4().hex, thread))


def entry(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says. Only the app's own logger says its event and fields in full."""
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    line: dict[str, Any] = {"time": time.replace("+00:00", "Z"), "level": record.levelname, "logger": record.name}
    line |= {"event": event(record)}
    if asked := about.get():
        line |= asdict(asked)
    if record.name == "chat":
        line |= getattr(record, "fields", {})
    if record.exc_info and record.exc_info[1]:
        line |= failure(record.exc_info[1])
    return line


def event(record: logging.LogRecord) -> str:
    """What happened: our own word; of others the text before its values, or else the place in the code."""
    if record.name == "chat" or (isinstance(record.msg, str) and record.args):
        return str(record.msg)
    said = str(record.msg)
    if said.startswith(KNOWN):
        return said
    return f"{record.module}.{record.funcName}:{record.lineno}"


def failure(error: BaseException) -> dict[str, Any]:
    """The kind of an exception, of its cause, and where it was raised: its text may hold a question."""
    cause = error.__cause__ or error.__context__
    fields: dict[str, Any] = {"kind": type(error).__name__}
    if cause is not None:
        fields["cause"] = type(cause).__name__
        if isinstance(status := getattr(cause, "status_code", None), int):
            fields["status"] = status
    return fields | {"where": where(error.__traceback__)}


def where(stack: TracebackType | None) -> list[str]:
    """The innermost places of a traceback."""
    frames = traceback.extract_tb(stack)[-FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


class Lines(logging.Formatter):
    """Each record as one line."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.style_of_lines = style

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = entry(record)
        if self.style_of_lines is Style.JSON:
            return json.dumps(line, default=str)
        fixed = [line.pop(name) for name in ("time", "level", "logger", "event")]
        return " ".join([*map(str, fixed), *(f"{name}={value}" for name, value in line.items())])


def set_up(style: Style) -> None:
    """One handler for all: it takes the place of Chainlit's, and it also gets the warnings of Python itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: (record.module, record.funcName) not in NOISE)
    handler.setFormatter(Lines(style))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # else each request to the model is a line of the log
    sys.unraisablehook = unraisable
    sys.excepthook = uncaught
    threading.excepthook = unraisable


def adopt() -> None:
    """Take uvicorn's own handlers away, which it sets when it starts: its lines go to ours."""
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def unraisable(told: Any) -> None:
    """What went wrong where nobody could be told: in the clearing away of a stream that broke off, or in a thread."""
    logging.getLogger("chat").warning("unraisable", exc_info=told.exc_value)


def uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """What ends the process."""
    logging.getLogger("chat").critical("ended by an exception", exc_info=error)
