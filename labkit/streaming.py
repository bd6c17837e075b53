"""stream(): one answer as typed events, closed at the endpoint in every case, with a record of the times.

The wire format is that of the OpenAI API: server-sent events (WHATWG HTML, section 9.2), each a chunk as JSON, the
last one `[DONE]`. Chunks are read as plain dictionaries, so that a dialect with more fields, or fewer, is read in the
same way.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
import re
import time
import weakref
from contextlib import AsyncExitStack, ExitStack, aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast, runtime_checkable

import httpx2
import openai
from openai._streaming import SSEDecoder  # public only as a part of openai's own loop, which hides [DONE]

from labkit.connection import TIMEOUT
from labkit.dialects import ThinkTags, end_of, pieces, refused
from labkit.errors import EndpointError, LabError, StreamError, UsageError
from labkit.events import End, Failure, Finish, FirstToken, Reasoning, Text, Trace, Usage
from labkit.explain import explain, explain_body
from labkit.words import words

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from openai._response import AsyncAPIResponse
    from openai._streaming import ServerSentEvent

    from labkit.connection import Connection
    from labkit.dialects import Piece
    from labkit.events import Event

    Message = Mapping[str, Any]

T = TypeVar("T")

# For observers: each answer that ends is a log record at level INFO with the attributes `connection` and `trace`. It
# never contains the text of a message. Example: logging.getLogger("labkit.answers").addHandler(handler).
ANSWERS = logging.getLogger("labkit.answers")
# Seconds without an event before an answer counts as timed out. A local model needs long for a long prompt.
SILENCE = 120.0
# Seconds that a body may take to end after [DONE]; after that its connection is not used again.
REST = 0.1
# Seconds that a count of tokens may take after the end of the answer, where [DONE] does not come.
GRACE = 5.0
# Bytes at the end of a body that are kept, in case that they say why it ended.
TAIL = 4000
_DONE_LINE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\][ \r\n]*$")
_STRAY = re.compile(r"^(?:error: *(.+)|(\[?\{.+))$", re.MULTILINE)


class _Body:
    """The bytes of one response, made ready for the decoder of server-sent events.

    The text is UTF-8 in any case, whatever the header says, without a byte-order mark. Raises TimeoutError where
    bytes come but no event: Foundry Local sends comments while it is silent, which keep the transport's own time-out
    from ever firing.
    """

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self.last_event = 0.0
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._begun = False
        self._whole: bytearray | None = None
        self._tail = b""
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """The same bytes as clean UTF-8."""
        if time.perf_counter() - self.last_event > (GRACE if self.complete else self.silence):
            raise TimeoutError
        clean = self._utf8.decode(data).encode()
        if not self._begun and (start := clean.lstrip()):
            self._begun = True
            if start.startswith(b"<"):
                raise StreamError(
                    "The endpoint sent a web page instead of an answer",
                    fix="check the address, and whether a proxy or a gateway answers in its place",
                )
            if start.startswith((b"{", b"[")):  # no stream, although one was asked for
                self._whole = bytearray()
        if self._whole is not None:
            self._whole += clean
            return b""
        self._tail = (self._tail + clean)[-TAIL:]
        # Some servers leave out the blank line that ends the last event, and keep the connection open.
        return clean + b"\n\n" if _DONE_LINE.search(self._tail[-32:]) else clean

    def end(self) -> bytes:
        """What ends an event that the server left open; an answer in one piece as a stream of one event."""
        if self._whole is not None:
            line = self._whole.translate(bytes.maketrans(b"\r\n", b"  "))
            return b"data: " + line + b"\n\ndata: [DONE]\n\n"
        return self._utf8.decode(b"", final=True).encode() + b"\n\n"

    @property
    def in_one_piece(self) -> bool:
        """Whether the answer is a JSON document instead of a stream."""
        return self._whole is not None

    def stray(self) -> object:
        """An error outside of the events, as some servers send it; else None."""
        lines = self._tail.decode(errors="replace").replace("\r", "\n")
        if len(self._tail) == TAIL:  # the first line may have lost its beginning
            lines = lines.partition("\n")[2]
        found = _STRAY.findall(lines)
        return {"error": found[-1][0] or found[-1][1]} if found else None

    def read(self, body: Iterator[bytes]) -> Iterator[bytes]:
        with self._lenient():
            for data in body:
                yield self.feed(data)
        yield self.end()

    async def aread(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        with self._lenient():
            while True:
                async with asyncio.timeout(GRACE if self.complete else None):
                    data = await anext(body, None)
                if data is None:
                    break
                yield self.feed(data)
        yield self.end()

    @contextmanager
    def _lenient(self) -> Iterator[None]:
        """After the end of the answer it does not matter how the body ends."""
        try:
            yield
        except (httpx2.TransportError, TimeoutError):
            if not self.complete:
                raise


class _Reader:
    """Turns the chunks of one response into events, and keeps the trace and the text."""

    def __init__(self, connection: Connection, silence: float) -> None:
        self.connection = connection
        self.body = _Body(silence)
        self.trace = Trace()
        self.tags = ThinkTags()
        self.parts: list[str] = []
        self.thoughts: list[str] = []
        self.declined = False
        self.done = False
        self.finish = ""

    def start(self) -> None:
        """Note the time of the request."""
        self.trace.request = self.body.last_event = time.perf_counter()

    def headers(self) -> None:
        """Note the time of the status and headers."""
        self.trace.headers = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds since the request."""
        return time.perf_counter() - self.trace.request

    def read(self, event: ServerSentEvent) -> Iterator[Event]:
        """The events in one event of the server."""
        data = event.data.strip()
        if not data:  # a keep-alive of some gateways
            return
        self.body.last_event = time.perf_counter()
        if data == "[DONE]":
            self.done = True
            yield from self._show(self.tags.end())
            return
        try:
            chunk = json.loads(data)
        except ValueError:
            if event.event == "error":
                raise explain_body({"error": data}, self.connection) from None
            said = words(data, self.connection.api_key)
            raise StreamError(
                f"The endpoint sent something that is not JSON ({said})", fix="check the address"
            ) from None
        yield from self._read_chunk(chunk, failed=event.event == "error")
        self.body.last_event = time.perf_counter()  # the consumer's time is not the endpoint's silence

    def _read_chunk(self, chunk: Any, *, failed: bool) -> Iterator[Event]:
        if isinstance(chunk, list) and len(chunk) == 1:  # Gemini's errors
            chunk = chunk[0]
        odd = not isinstance(chunk, dict)
        if not odd and (failed or chunk.get("error") or chunk.get("object") == "error" or _is_error(chunk)):
            raise explain_body(chunk, self.connection)
        if odd or (self.body.in_one_piece and not chunk.get("choices")):
            raise StreamError("The endpoint sent JSON that is not a part of an answer", fix="check the address")
        for choice in chunk.get("choices") or ():
            if choice.get("index"):  # a second answer beside the first, which was asked for with `n`
                continue
            delta = choice.get("delta") or choice.get("message") or {}
            for piece in pieces(delta):
                yield from self._show([piece] if piece.reasoning else self.tags.feed(piece.text))
            if refusal := delta.get("refusal") or refused(delta.get("content")):
                self.declined = True
                yield self._text(refusal)
            if choice.get("error"):
                raise explain_body(choice, self.connection)
            reason = str(choice.get("finish_reason") or "")
            if reason.lower() not in ("", "null", "none"):
                self.finish, self.body.complete = reason, True
                yield from self._show(self.tags.end())
            chunk.setdefault("usage", choice.get("usage"))  # Moonshot
        if usage := chunk.get("usage"):
            details = usage.get("completion_tokens_details") or {}
            asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
            reasoned = details.get("reasoning_tokens") or usage.get("reasoning_tokens")
            if reasoned and answered is not None:
                # xAI and Gemini leave the reasoning out of the tokens of the answer, but not out of the sum.
                apart = usage.get("total_tokens") == (asked or 0) + answered + reasoned
                answered += reasoned if apart or reasoned > answered else 0
            self.trace.prompt_tokens, self.trace.completion_tokens = asked, answered
            self.trace.reasoning_tokens = reasoned
            yield Usage(self.elapsed(), "", asked or 0, answered or 0)

    def _show(self, found: Iterable[Piece]) -> Iterator[Event]:
        for piece in found:
            if piece.reasoning:
                self.thoughts.append(piece.text)
                self.trace.reasoning.append(time.perf_counter())
                yield Reasoning(self.elapsed(), "", piece.text)
            else:
                yield self._text(piece.text)

    def _text(self, text: str) -> Text:
        kind = Text if self.parts else FirstToken
        self.parts.append(text)
        self.trace.chunks.append(time.perf_counter())
        return kind(self.elapsed(), text)

    def finished(self) -> Finish:
        """The last event of a stream that was read to its end. Raises StreamError if it ended too early."""
        if not self.complete:
            if stray := self.body.stray():
                raise explain_body(stray, self.connection)
            raise StreamError(
                "The answer broke off: the stream ended without saying that it is complete", fix="ask again"
            )
        ended = end_of(self.finish)
        if ended is End.DROPPED:
            raise StreamError(f"The endpoint failed in the middle of the answer ({self.finish})", fix="ask again")
        self.trace.ended = End.DECLINED if self.declined else ended
        return Finish(self.elapsed(), "", self.finish or "stop")

    @property
    def complete(self) -> bool:
        """Whether the endpoint said that the answer is complete; some servers say it in one way, some in the other."""
        return self.done or bool(self.finish)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note how the stream ended; translate errors of the client into labkit's."""
        try:
            yield
        except Exception as error:
            self.trace.error, self.trace.ended = self._translate(error)
            if self.trace.error is error:
                raise
            raise self.trace.error from error
        finally:
            self.trace.end = time.perf_counter()
            ANSWERS.info("an answer ended", extra={"connection": self.connection, "trace": self.trace})

    def _translate(self, error: Exception) -> tuple[LabError, End]:
        """The same error as a LabError, and how the answer ended."""
        if isinstance(error, StreamError):
            return error, End.DROPPED
        if isinstance(error, openai.APIStatusError | LabError):
            return explain(error, self.connection), End.REFUSED
        if isinstance(error.__cause__, httpx2.ConnectTimeout):
            fix = "see whether it still runs, and check its address"
            return EndpointError("The endpoint cannot be reached", fix=fix), End.TIMED_OUT
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
            return StreamError("The endpoint fell silent", fix="ask again, or give it more time"), End.TIMED_OUT
        if isinstance(error, httpx2.DecodingError):
            return explain(error, self.connection), End.DROPPED
        if isinstance(error, httpx2.TransportError):
            return StreamError("The connection broke off in the middle of the answer", fix="ask again"), End.DROPPED
        if isinstance(error, ValueError):
            return StreamError("The endpoint sent something that is not JSON", fix="check the address"), End.DROPPED
        if isinstance(error, TypeError | AttributeError):
            return StreamError("The endpoint sent JSON of another form", fix="check the address"), End.DROPPED
        return explain(error, self.connection), End.REFUSED


def _is_error(chunk: dict[str, Any]) -> bool:
    """Whether a chunk without choices tells of an error, under one of the names that servers have for it."""
    return "choices" not in chunk and any(
        chunk.get(name) for name in ("message", "detail", "errors", "error_code", "error_msg")
    )


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
    def reasoning(self) -> str:
        """What a reasoning model wrote before its answer, so far; it belongs neither into a history nor an export."""
        return "".join(self._reader.thoughts)

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
        reader.start()
        try:
            with reader.watch():
                async with AsyncExitStack() as stack:
                    response = await self._response(stack)
                    reader.headers()
                    body = await stack.enter_async_context(_closing(response.iter_bytes()))
                    clean = await stack.enter_async_context(_closing(reader.body.aread(body)))
                    events = await stack.enter_async_context(_closing(SSEDecoder().aiter_bytes(clean)))
                    async for event in events:
                        for each in reader.read(event):
                            yield each
                        if reader.done:
                            break
                    yield reader.finished()
                    await _drain(body)
        except LabError as error:
            yield Failure(reader.elapsed(), "", error)
            raise

    async def _response(self, stack: AsyncExitStack) -> AsyncAPIResponse[Any]:
        """The response to the request, in the endpoint's dialect; it is closed with the stack."""
        connection, request = self._connection, _with_timeout(self._request)
        create = connection.async_client.chat.completions.with_streaming_response.create
        while True:
            sent = connection.dialect.translate(request)
            try:
                return await stack.enter_async_context(create(**sent))
            except openai.APIStatusError as error:
                if not connection.dialect.learn(sent, error.status_code, error.response.text):
                    raise

    async def aclose(self) -> None:
        """Close the stream at the endpoint; does nothing if it has ended or was never started."""
        events = self._events() if self._events else None
        if events is not None:
            await events.aclose()

    def __iter__(self) -> NoReturn:
        raise UsageError(
            "An answer comes over time, so a plain `for` cannot read it", fix="write `async for event in answer:`"
        )

    def __await__(self) -> NoReturn:
        raise UsageError("stream() is not awaited", fix="write `async for event in stream(...):`")

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
        with reader.watch(), ExitStack() as stack:
            while True:
                sent = connection.dialect.translate(_with_timeout(request))
                try:
                    response = stack.enter_context(create(**sent))
                    break
                except openai.APIStatusError as error:
                    if not connection.dialect.learn(sent, error.status_code, error.response.text):
                        raise
            reader.headers()
            for event in SSEDecoder().iter_bytes(reader.body.read(response.iter_bytes())):
                yield from reader.read(event)
                if reader.done:
                    break
            yield reader.finished()
    except LabError as error:
        yield Failure(reader.elapsed(), "", error)
        raise


def _closing(generator: AsyncIterator[T]) -> aclosing[AsyncGenerator[T]]:
    """Close an async generator of openai's at the end of a block; there it is typed as an iterator."""
    return aclosing(cast("AsyncGenerator[T]", generator))


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
