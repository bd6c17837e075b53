"""stream(): one answer as typed events, closed upstream in every case, with a record of when what came.

The wire format is that of the OpenAI API: server-sent events (WHATWG HTML, section 9.2), each `data:` a chunk as
JSON, the last one `[DONE]`. Chunks are read as plain dictionaries, so that a dialect with more fields, or fewer,
is the same to us.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import weakref
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import httpx2
import openai

from labkit.connection import TIMEOUT
from labkit.errors import EndpointError, LabError, StreamError
from labkit.events import End, Failure, Finish, FirstToken, Text, Trace, Usage
from labkit.explain import explain, explain_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence

    from labkit.connection import Connection
    from labkit.events import Event

    Message = Mapping[str, Any]


# For observers: each answer that ends is a record at level INFO, with `connection` and `trace`, never with its text.
ANSWERS = logging.getLogger("labkit.answers")
# As long as the connection waits for bytes: a local model may need long for a long prompt.
SILENCE = 120.0
# As long as a body may take to end after [DONE] before its connection is given up.
REST = 0.1
_LINE_END = re.compile(rb"\r\n|\n|\r")


class _Lines:
    """Cuts bytes into lines at CR, LF and CRLF, and nowhere else: U+2028 may be a part of the JSON.

    Source: WHATWG HTML, section 9.2.5. A first byte-order mark is left out.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now, without their ends; `b""` says that nothing follows."""
        self._rest += data
        if not self._begun and len(self._rest) >= 3:
            self._begun, self._rest = True, self._rest.removeprefix(b"\xef\xbb\xbf")
        # A CR at the end may be the first half of a CRLF.
        held = b"\r" if data and self._rest.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(self._rest.removesuffix(held) if held else self._rest)
        self._rest = rest + held
        if not data:
            lines, self._rest = [*lines, rest, b""], b""
        return [line.decode("utf-8", "replace") for line in lines]


class _Reader:
    """Turns the bytes of one response into events, and keeps the trace and the text."""

    def __init__(self, connection: Connection, silence: float) -> None:
        self.connection = connection
        self.silence = silence
        self.heard = 0.0
        self.trace = Trace()
        self.lines = _Lines()
        self.data: list[str] = []
        self.parts: list[str] = []
        self.done = False
        self.finish = ""

    def start(self) -> None:
        """Note that the request goes out."""
        self.trace.request = self.heard = time.perf_counter()

    def headers(self) -> None:
        """Note that status and headers are here."""
        self.trace.headers = time.perf_counter()

    def now(self) -> float:
        """Seconds since the request."""
        return time.perf_counter() - self.trace.request

    def read(self, data: bytes) -> Iterator[Event]:
        """The events in a piece of the body, which may begin and end anywhere. `b""` says that nothing follows."""
        for line in self.lines.feed(data):
            if self.done:  # nothing counts after [DONE]
                return
            if line.startswith("data:"):
                self.data.append(line[5:].removeprefix(" "))
            elif line:  # a comment, or a field that this API does not use
                self._check_silence()
            # A blank line ends an event; some servers leave it out after the last one.
            if self.data and (not line or self.data == ["[DONE]"]):
                event, self.data = "\n".join(self.data), []
                yield from self._read_event(event)

    def _check_silence(self) -> None:
        """Raise TimeoutError where no event has come for too long.

        Foundry Local sends comments while it is silent, which keep the transport's own time-out from ever firing.
        """
        if time.perf_counter() - self.heard > self.silence:
            raise TimeoutError

    def _read_event(self, data: str) -> Iterator[Event]:
        if not data.strip():  # a keep-alive of some gateways
            return self._check_silence()
        self.heard = time.perf_counter()
        if data.strip() == "[DONE]":
            self.done = True
            return None
        chunk = json.loads(data)
        if error := chunk.get("error"):
            raise _in_stream(error)
        for choice in chunk.get("choices") or ():
            if text := (choice.get("delta") or {}).get("content"):
                kind = Text if self.parts else FirstToken
                self.parts.append(text)
                self.trace.chunks.append(time.perf_counter())
                yield kind(self.now(), text)
                self.heard = time.perf_counter()  # the time that the reader took is not the endpoint's silence
            if reason := choice.get("finish_reason"):
                self.finish = reason
        if usage := chunk.get("usage"):
            self.trace.prompt_tokens = usage.get("prompt_tokens")
            self.trace.completion_tokens = usage.get("completion_tokens")
            yield Usage(self.now(), "", usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
            self.heard = time.perf_counter()

    def last(self) -> Finish:
        """The last event of a stream that was read to its end. Raises StreamError where that came too early."""
        if not (self.done and self.finish):
            missing = "[DONE]" if self.finish else "a reason for its end"
            raise StreamError(f"The answer broke off: the stream ended without {missing}", fix="ask again")
        self.trace.ended = End.LENGTH if self.finish == "length" else End.FINISHED
        return Finish(self.now(), "", self.finish)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note how the stream ended; errors of the client come out as labkit's."""
        try:
            yield
        except (GeneratorExit, asyncio.CancelledError, KeyboardInterrupt):
            if not (self.done and self.finish):  # else it was whole, and `last` has said how it ended
                self.trace.ended = End.STOPPED
            raise
        except Exception as error:
            self.trace.error, self.trace.ended = self._judge(error)
            raise self.trace.error from error
        finally:
            self.trace.end = time.perf_counter()
            ANSWERS.info("an answer ended", extra={"connection": self.connection, "trace": self.trace})

    def _judge(self, error: Exception) -> tuple[LabError, End]:
        """An error in labkit's words, and what it means for the answer."""
        if isinstance(error.__cause__, httpx2.ConnectTimeout):
            fix = "see whether it still runs, and check its address"
            return EndpointError("The endpoint cannot be reached", fix=fix), End.TIMED_OUT
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
            return StreamError("The endpoint fell silent", fix="ask again, or give it more time"), End.TIMED_OUT
        if isinstance(error, httpx2.TransportError):
            return StreamError("The connection broke off in the middle of the answer", fix="ask again"), End.DROPPED
        if isinstance(error, StreamError):
            return error, End.DROPPED
        if isinstance(error, ValueError):
            return StreamError("The endpoint sent something that is not JSON", fix="check the address"), End.DROPPED
        return explain(error), End.REFUSED


@runtime_checkable
class Streams(Protocol):
    """What chooses a connection by itself, as a Router does."""

    def stream(self, messages: str | Sequence[Message], **options: Any) -> Answer:
        """One answer to a question or a conversation."""


class Answer:
    """One answer under way: loop over it with `async for`, once. `text` and `trace` grow as it comes.

    Leaving the loop, cancelling the task or interrupting the cell closes the stream upstream; `async with` does it
    at the end of a block. After an error the partial text is still in `text`.
    """

    def __init__(self, connection: Connection, request: dict[str, Any]) -> None:
        self._connection = connection
        self._request = request
        self._reader = _Reader(connection, _silence(request))
        self._events: weakref.ref[AsyncGenerator[Event]] | None = None
        self._in_block = False
        self._open: AsyncGenerator[Event] | None = None

    @property
    def text(self) -> str:
        """What has come so far."""
        return "".join(self._reader.parts)

    @property
    def trace(self) -> Trace:
        """When what came."""
        return self._reader.trace

    def __aiter__(self) -> AsyncIterator[Event]:
        if self._events is not None:
            raise RuntimeError("An answer can be read once; ask again for another")
        events = self._read()
        # Weak, so that leaving the loop drops the last reference, which closes the stream a moment later. In an
        # `async with` block it is kept, and closed at the end of the block.
        self._events = weakref.ref(events)
        self._open = events if self._in_block else None
        return events

    async def _read(self) -> AsyncGenerator[Event]:
        reader = self._reader
        create = self._connection.async_client.chat.completions.with_streaming_response.create
        reader.start()
        try:
            with reader.watch():
                async with create(**_sent(self._request)) as response:
                    reader.headers()
                    async with aclosing(response.iter_bytes()) as body:
                        async for data in body:
                            for event in reader.read(data):
                                yield event
                            if reader.done:
                                break
                        for event in reader.read(b""):
                            yield event
                        yield reader.last()
                        await _drain(body)
        except LabError as error:
            yield Failure(reader.now(), "", error)
            raise

    async def aclose(self) -> None:
        """Close the stream upstream; does nothing when it has ended or was never begun."""
        events = self._events() if self._events else None
        if events is not None:
            await events.aclose()

    async def __aenter__(self) -> Answer:
        self._in_block = True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
        self._open = None


def stream(connection: Connection | Streams, messages: str | Sequence[Message], **options: Any) -> Answer:
    """Ask, and get the answer as events: FirstToken, Text, Usage, Finish, or Failure and then its error raised.

    `connection` may be a router, which asks the connection that it chooses. `messages` is a question or a whole
    conversation; `options` go to the endpoint (`max_tokens`, `temperature`, `timeout` in seconds of silence ...).
    Nothing is sent before the first event is asked for.
    Raises StreamError (dropped, silent), RequestError, ModelError, EndpointError while it is read.
    """
    if isinstance(connection, Streams):
        return connection.stream(messages, **options)
    return Answer(connection, _request(connection, messages, options))


def stream_sync(connection: Connection, messages: str | Sequence[Message], **options: Any) -> Iterator[Event]:
    """The same for plain scripts: a generator of the same events, which closes the stream when it is left."""
    request = _request(connection, messages, options)
    reader = _Reader(connection, _silence(request))
    create = connection.client.chat.completions.with_streaming_response.create
    reader.start()
    try:
        with reader.watch(), create(**_sent(request)) as response:
            reader.headers()
            for data in response.iter_bytes():
                yield from reader.read(data)
                if reader.done:
                    break
            yield from reader.read(b"")
            yield reader.last()
    except LabError as error:
        yield Failure(reader.now(), "", error)
        raise


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read what follows [DONE], the empty end of the body, so that the next answer can use the same connection."""
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(REST):
            async for _ in body:
                pass


def _request(connection: Connection, messages: str | Sequence[Message], options: dict[str, Any]) -> dict[str, Any]:
    conversation = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    always = {"model": connection.model, "messages": conversation, "stream": True}
    return {"stream_options": {"include_usage": True}} | options | always


def _silence(request: dict[str, Any]) -> float:
    """How many seconds without news are too many: the request's own `timeout`, else the connection's."""
    asked = request.get("timeout")
    return float(asked) if isinstance(asked, int | float) else SILENCE


def _sent(request: dict[str, Any]) -> dict[str, Any]:
    """The request with a `timeout` in seconds that is for silence alone: connecting may not take longer for it."""
    asked = request.get("timeout")
    if not isinstance(asked, int | float):
        return request
    return request | {"timeout": openai.Timeout(asked, connect=min(asked, TIMEOUT.connect or asked))}


def _in_stream(error: Any) -> LabError:
    """An error event inside a stream that began with status 200, as Foundry Local sends it for overflow."""
    said = error.get("message") if isinstance(error, dict) else None
    return explain_text(str(said or error))
