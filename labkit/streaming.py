"""stream(): one answer as typed events, closed at the endpoint in every case, with a record of the times.

The wire format is that of the OpenAI API: server-sent events (WHATWG HTML, section 9.2), each `data:` a chunk as
JSON, the last one `[DONE]`. Chunks are read as plain dictionaries, so that a dialect with more fields, or fewer,
is read in the same way.
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


# For observers: each answer that ends is a log record at level INFO with the attributes `connection` and `trace`. It
# never contains the text of a message. Example: logging.getLogger("labkit.answers").addHandler(handler).
ANSWERS = logging.getLogger("labkit.answers")
# Seconds without an event before an answer counts as timed out. A local model needs long for a long prompt.
SILENCE = 120.0
# Seconds that a body may take to end after [DONE]; after that its connection is not used again.
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
        """The lines that are complete now, without their ends; `b""` means the end of the body."""
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
        self.last_event = 0.0
        self.trace = Trace()
        self.lines = _Lines()
        self.data: list[str] = []
        self.parts: list[str] = []
        self.done = False
        self.finish = ""

    def start(self) -> None:
        """Note the time of the request."""
        self.trace.request = self.last_event = time.perf_counter()

    def headers(self) -> None:
        """Note the time of the status and headers."""
        self.trace.headers = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds since the request."""
        return time.perf_counter() - self.trace.request

    def read(self, data: bytes) -> Iterator[Event]:
        """The events in a piece of the body, which may begin and end anywhere. `b""` means the end of the body."""
        for line in self.lines.feed(data):
            if self.done:  # ignore everything after [DONE]
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
        if time.perf_counter() - self.last_event > self.silence:
            raise TimeoutError

    def _read_event(self, data: str) -> Iterator[Event]:
        if not data.strip():  # a keep-alive of some gateways
            return self._check_silence()
        self.last_event = time.perf_counter()
        if data.strip() == "[DONE]":
            self.done = True
            return None
        chunk = json.loads(data)
        if error := chunk.get("error"):
            raise _error_event(error)
        for choice in chunk.get("choices") or ():
            if text := (choice.get("delta") or {}).get("content"):
                kind = Text if self.parts else FirstToken
                self.parts.append(text)
                self.trace.chunks.append(time.perf_counter())
                yield kind(self.elapsed(), text)
                self.last_event = time.perf_counter()  # the consumer's time is not the endpoint's silence
            if reason := choice.get("finish_reason"):
                self.finish = reason
        if usage := chunk.get("usage"):
            self.trace.prompt_tokens = usage.get("prompt_tokens")
            self.trace.completion_tokens = usage.get("completion_tokens")
            yield Usage(self.elapsed(), "", usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
            self.last_event = time.perf_counter()

    def finished(self) -> Finish:
        """The last event of a stream that was read to its end. Raises StreamError if it ended too early."""
        if not (self.done and self.finish):
            missing = "[DONE]" if self.finish else "a reason for its end"
            raise StreamError(f"The answer broke off: the stream ended without {missing}", fix="ask again")
        self.trace.ended = End.LENGTH if self.finish == "length" else End.FINISHED
        return Finish(self.elapsed(), "", self.finish)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note how the stream ended; translate errors of the client into labkit's."""
        try:
            yield
        except (GeneratorExit, asyncio.CancelledError, KeyboardInterrupt):
            if not (self.done and self.finish):  # otherwise it was complete, and `finished` has noted how it ended
                self.trace.ended = End.STOPPED
            raise
        except Exception as error:
            self.trace.error, self.trace.ended = self._translate(error)
            raise self.trace.error from error
        finally:
            self.trace.end = time.perf_counter()
            ANSWERS.info("an answer ended", extra={"connection": self.connection, "trace": self.trace})

    def _translate(self, error: Exception) -> tuple[LabError, End]:
        """The same error as a LabError, and how the answer ended."""
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
    """An object that chooses a connection itself, for example a Router."""

    def stream(self, messages: str | Sequence[Message], **options: Any) -> Answer:
        """One answer to a question or a conversation."""


class Answer:
    """One answer that is being read: loop over it with `async for`, once. `text` and `trace` grow meanwhile.

    Leaving the loop, cancelling the task or interrupting the cell closes the stream at the endpoint soon after;
    `async with` has closed it when its block ends. After an error the partial text is still in `text`.

        async with labkit.stream(lab, "Count to 500.") as answer:
            async for event in answer:
                break
        print(answer.trace.ended)  # stopped
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
        """The text so far."""
        return "".join(self._reader.parts)

    @property
    def trace(self) -> Trace:
        """The times of the request, the headers and each chunk."""
        return self._reader.trace

    def __aiter__(self) -> AsyncIterator[Event]:
        if self._events is not None:
            raise RuntimeError("An answer can be read once; ask again for another")
        events = self._read()
        # A weak reference: leaving the loop drops the last strong one, which closes the stream a moment later. In an
        # `async with` block we keep a strong one, and close the stream at the end of the block.
        self._events = weakref.ref(events)
        self._open = events if self._in_block else None
        return events

    async def _read(self) -> AsyncGenerator[Event]:
        reader = self._reader
        create = self._connection.async_client.chat.completions.with_streaming_response.create
        reader.start()
        try:
            with reader.watch():
                async with create(**_with_timeout(self._request)) as response:
                    reader.headers()
                    async with aclosing(response.iter_bytes()) as body:
                        async for data in body:
                            for event in reader.read(data):
                                yield event
                            if reader.done:
                                break
                        for event in reader.read(b""):
                            yield event
                        yield reader.finished()
                        await _drain(body)
        except LabError as error:
            yield Failure(reader.elapsed(), "", error)
            raise

    async def aclose(self) -> None:
        """Close the stream at the endpoint; does nothing if it has ended or was never started."""
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
    """`stream` for plain scripts: a generator of the same events, which closes the stream when you leave the loop."""
    request = _request(connection, messages, options)
    reader = _Reader(connection, _silence(request))
    create = connection.client.chat.completions.with_streaming_response.create
    reader.start()
    try:
        with reader.watch(), create(**_with_timeout(request)) as response:
            reader.headers()
            for data in response.iter_bytes():
                yield from reader.read(data)
                if reader.done:
                    break
            yield from reader.read(b"")
            yield reader.finished()
    except LabError as error:
        yield Failure(reader.elapsed(), "", error)
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
    """Seconds without an event before the answer times out: the request's own `timeout`, else SILENCE."""
    timeout = request.get("timeout")
    return float(timeout) if isinstance(timeout, int | float) else SILENCE


def _with_timeout(request: dict[str, Any]) -> dict[str, Any]:
    """The request with a `timeout` for silence only: a longer one does not make connecting wait longer."""
    timeout = request.get("timeout")
    if not isinstance(timeout, int | float):
        return request
    return request | {"timeout": openai.Timeout(timeout, connect=min(timeout, TIMEOUT.connect or timeout))}


def _error_event(error: Any) -> LabError:
    """An error event inside a stream that began with status 200, as Foundry Local sends it for overflow."""
    message = error.get("message") if isinstance(error, dict) else None
    return explain_text(str(message or error))
