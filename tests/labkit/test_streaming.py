"""stream(): events, trace, every way in which an answer ends, and that the endpoint stops too."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from foundry_mock import Behaviour, Fault, MockEndpoint, Step
from foundry_mock.answers import ChatResponse
from labkit.connection import TIMEOUT, Connection, Source
from labkit.errors import EndpointError, LabError, ModelError, RequestError, StreamError
from labkit.events import End, Event, Failure, Finish, FirstToken, Text, Usage
from labkit.streaming import Answer, stream, stream_sync
from tests.conftest import Reply
from tests.support.doubles import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from tests.conftest import Asked, Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]

QUICK = Behaviour(first_token=0.01, rate=1000)


@pytest.fixture
def mock() -> Iterator[MockEndpoint]:
    with MockEndpoint(QUICK) as endpoint:
        yield endpoint


def connection(mock: MockEndpoint) -> Connection:
    return Connection(mock.base_url, mock.model, Source.BASE_URL)


async def events(answer: Answer) -> list[Event]:
    """All events; after a Failure, and only then, its error is raised."""
    seen: list[Event] = []
    raised = None
    try:
        async for event in answer:
            seen.append(event)  # noqa: PERF401 - what came before an error counts
    except LabError as error:
        raised = error
    assert raised is next((event.error for event in seen if isinstance(event, Failure)), None)
    return seen


def run(mock: MockEndpoint, question: str = "Count to 5.", **options: object) -> tuple[Answer, list[Event]]:
    """One answer in a loop of its own."""

    async def once() -> tuple[Answer, list[Event]]:
        lab = connection(mock)
        answer = stream(lab, question, **options)
        try:
            return answer, await events(answer)
        finally:
            await lab.aclose()

    return asyncio.run(once())


def test_events_come_in_order(mock: MockEndpoint) -> None:
    answer, seen = run(mock)
    assert [type(event) for event in seen] == [FirstToken, Text, Text, Text, Text, Usage, Finish]
    assert "".join(event.text for event in seen) == answer.text == "1 2 3 4 5"
    assert [event.at for event in seen] == sorted(event.at for event in seen)


def test_trace_has_its_stamps_in_order(mock: MockEndpoint) -> None:
    trace = run(mock)[0].trace
    assert trace.headers is not None
    assert trace.first_text is not None
    assert trace.request <= trace.headers <= trace.first_text <= trace.chunks[-1] <= trace.end
    assert (trace.tokens, trace.counted, len(trace.chunks), trace.ended) == (5, "tokens", 5, End.FINISHED)
    assert trace.error is None


def test_the_token_limit_is_distinguished_from_a_normal_end(mock: MockEndpoint) -> None:
    assert run(mock, max_tokens=3)[0].trace.ended is End.LENGTH
    assert run(mock, max_tokens=6)[0].trace.ended is End.FINISHED


@pytest.mark.parametrize(
    ("fault", "ended", "kind", "text"),
    [
        (Fault.DROP, End.DROPPED, StreamError, "1 2 3"),
        (Fault.TRUNCATE, End.DROPPED, StreamError, "1 2 3"),
        (Fault.HANG_FIRST, End.TIMED_OUT, StreamError, ""),
        (Fault.HANG_MIDDLE, End.TIMED_OUT, StreamError, "1 2 3"),
        (Fault.OVERFLOW, End.REFUSED, RequestError, ""),
    ],
)
def test_errors_keep_the_partial_text(
    mock: MockEndpoint, fault: Fault, ended: End, kind: type[LabError], text: str
) -> None:
    mock.fail(Step(fault))
    # Short only where the endpoint is silent: a busy machine may be slow to send.
    answer, seen = run(mock, timeout=0.3 if ended is End.TIMED_OUT else 20)
    last = seen[-1]
    assert isinstance(last, Failure)
    assert type(last.error) is kind
    assert answer.trace.error is last.error
    assert (answer.text, answer.trace.ended) == (text, ended)
    assert answer.trace.end >= answer.trace.request


def test_comments_do_not_extend_the_timeout() -> None:
    """They come four times a second while the endpoint thinks; the transport's own time-out never fires."""
    with MockEndpoint(Behaviour(first_token=3)) as slow:
        answer, seen = run(slow, timeout=0.6)
        with Connection(slow.base_url, slow.model, Source.MOCK, retries=0) as lab:
            plain = stream_sync(lab, "Hi", timeout=0.6)
            assert isinstance(next(plain), Failure)  # and not the answer, which comes after three seconds
    assert isinstance(seen[-1], Failure)
    assert answer.trace.ended is End.TIMED_OUT


def test_an_unknown_model_and_a_closed_port_are_refusals(mock: MockEndpoint, closed_port: int) -> None:
    wrong = Connection(mock.base_url, "nope", Source.BASE_URL)
    nobody = Connection(f"http://127.0.0.1:{closed_port}/v1", "nope", Source.BASE_URL)

    async def failure(lab: Connection) -> Answer:
        answer = stream(lab, "Hi")
        await events(answer)
        await lab.aclose()
        return answer

    first, second = asyncio.run(failure(wrong)), asyncio.run(failure(nobody))
    assert isinstance(first.trace.error, ModelError)
    assert isinstance(second.trace.error, EndpointError)
    assert first.trace.ended is second.trace.ended is End.REFUSED


async def _leave_the_loop(answer: Answer) -> None:
    async for _ in answer:
        break


async def _cancel(answer: Answer) -> None:
    task = asyncio.create_task(events(answer))
    assert await asyncio.to_thread(wait_until, lambda: bool(answer.text))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _leave_the_block(answer: Answer) -> None:
    async with answer:
        async for _ in answer:
            break
    # Not "a moment later": at the end of the block the record is complete.
    assert answer.trace.end > answer.trace.request
    assert answer.trace.ended is End.STOPPED


async def _raise(answer: Answer) -> None:
    with suppress(ZeroDivisionError):
        async for _ in answer:
            raise ZeroDivisionError


@pytest.mark.parametrize("leave", [_leave_the_loop, _cancel, _leave_the_block, _raise])
def test_leaving_closes_the_stream_upstream(leave: Callable[[Answer], object]) -> None:
    with MockEndpoint(Behaviour(first_token=0.01, rate=50)) as mock:

        async def begin_and_leave() -> Answer:
            lab = connection(mock)
            answer = stream(lab, "Count to 500.")
            await leave(answer)  # type: ignore[misc]
            gone = await asyncio.to_thread(wait_until, lambda: mock.counters.running == 0)
            assert gone
            await lab.aclose()
            return answer

        answer = asyncio.run(begin_and_leave())
        assert answer.trace.ended is End.STOPPED
        assert mock.counters.aborted == 1


def chunk(text: str, reason: str | None = None) -> str:
    """One chunk of the wire format, as JSON without escapes."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}, ensure_ascii=False)


ODD = "a\u2028b\u2029c\x85d\x0be"
BODIES = {
    "line feeds": f"data: {chunk(ODD)}\n\ndata: {chunk('', 'stop')}\n\ndata: [DONE]\n\n",
    "both": f"data: {chunk(ODD)}\r\n\r\ndata: {chunk('', 'stop')}\r\n\r\ndata: [DONE]\r\n\r\n",
    "carriage returns": f"data: {chunk(ODD)}\r\rdata: {chunk('', 'stop')}\r\rdata: [DONE]\r\r",
    "a byte-order mark": f"\ufeffdata: {chunk(ODD)}\n\ndata: {chunk('', 'stop')}\n\ndata: [DONE]\n\n",
    "one event in two lines": 'data: {"choices": [{"delta": {"content":\ndata: '
    f"{json.dumps(ODD, ensure_ascii=False)}}}, " + '"finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
    "an empty keep-alive": f"data:\n\ndata: {chunk(ODD)}\n\ndata: {chunk('', 'stop')}\n\ndata: [DONE]\n\n",
    "text after the end": f"data: {chunk(ODD)}\n\ndata: {chunk('', 'stop')}\n\ndata: [DONE]\n\ndata: {chunk('x')}\n\n",
    "no blank line at the end": f"data: {chunk(ODD)}\n\ndata: {chunk('', 'stop')}\n\ndata: [DONE]",
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", BODIES)
def test_lines_end_where_the_standard_says(name: str, size: int, loopback: Serve) -> None:
    """U+2028 and others are text, not line ends; the body may come in pieces of any size."""
    body = BODIES[name].encode()
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    server = loopback(lambda _: Reply(iter(pieces), kind="text/event-stream"))
    lab = Connection(server.base_url, "m", Source.BASE_URL)
    text = "".join(event.text for event in stream_sync(lab, "Hi"))
    lab.close()
    assert text == ODD


def test_each_ended_answer_is_logged_without_its_text(mock: MockEndpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "labkit.answers")
    answer, _ = run(mock, "Count to 5, please.")
    [record] = caplog.records
    assert vars(record)["trace"] is answer.trace
    assert vars(record)["connection"].model == mock.model
    assert "please" not in str(vars(record)["connection"]) + str(vars(record)["trace"]) + record.getMessage()
    assert answer.text not in record.getMessage()


def test_leaving_at_finish_keeps_the_end_finished(mock: MockEndpoint) -> None:
    """After Finish the answer is complete, so it was not stopped."""

    async def until_finish() -> Answer:
        lab = connection(mock)
        async with stream(lab, "Count to 5.") as answer:
            async for event in answer:
                if isinstance(event, Finish):
                    break
        await lab.aclose()
        return answer

    assert asyncio.run(until_finish()).trace.ended is End.FINISHED


def test_a_slow_consumer_does_not_time_out(mock: MockEndpoint) -> None:
    async def slowly() -> Answer:
        lab = connection(mock)
        answer = stream(lab, "Count to 3.", timeout=0.3)
        async for _ in answer:
            time.sleep(0.4)  # noqa: ASYNC251 - work that holds the loop, as a plot does
        await lab.aclose()
        return answer

    assert asyncio.run(slowly()).text == "1 2 3"


@pytest.mark.parametrize("moment", ["connecting", "waiting for a slot", "before the first token"])
def test_cancelling_before_the_first_token_frees_the_endpoint(moment: str) -> None:
    with MockEndpoint(Behaviour(first_token=60, slots=1)) as mock:
        if moment == "connecting":
            mock.fail(Fault.HANG)

        async def go() -> Answer:
            lab = connection(mock)
            first = asyncio.create_task(events(stream(lab, "Hi"))) if moment == "waiting for a slot" else None
            if first:
                assert await asyncio.to_thread(wait_until, lambda: mock.counters.running == 1)
            answer = stream(lab, "Hi")
            task = asyncio.create_task(events(answer))
            wanted = 1 + bool(first)
            assert await asyncio.to_thread(wait_until, lambda: mock.counters.started == wanted)
            for each in filter(None, (task, first)):
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each
            assert await asyncio.to_thread(wait_until, lambda: mock.counters.running == mock.counters.waiting == 0)
            await lab.aclose()
            return answer

        assert asyncio.run(go()).trace.ended is End.STOPPED


def test_an_answer_can_be_read_once(mock: MockEndpoint) -> None:
    async def twice() -> None:
        lab = connection(mock)
        answer = stream(lab, "Count to 5.")
        await events(answer)
        with pytest.raises(RuntimeError, match="once"):
            answer.__aiter__()
        await lab.aclose()

    asyncio.run(twice())


def test_closing_an_unread_answer_sends_nothing(mock: MockEndpoint) -> None:
    asyncio.run(stream(connection(mock), "Hi").aclose())
    assert mock.counters.started == 0


def test_stream_sync_gives_the_same_events_and_closes(mock: MockEndpoint) -> None:
    with connection(mock) as lab:
        seen = list(stream_sync(lab, "Count to 3."))
        assert [type(event) for event in seen] == [FirstToken, Text, Text, Usage, Finish]
        for _ in stream_sync(lab, "Count to 500."):
            break
        assert wait_until(lambda: mock.counters.running == 0)
        mock.fail(Fault.TRUNCATE)
        with pytest.raises(StreamError):
            list(stream_sync(lab, "Count to 20."))


@dataclass
class Unreachable:
    """A transport whose packets are dropped; `waits` is how long each request would have waited, for what."""

    waits: list[dict[str, float]] = field(default_factory=list)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Give up at once."""
        self.waits.append(request.extensions["timeout"])
        raise httpx2.ConnectTimeout("", request=request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The same for the other client."""
        return self.handle_request(request)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> Unreachable:
    transport = Unreachable()
    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", lambda _, request: transport.handle_request(request))
    monkeypatch.setattr(
        httpx2.AsyncHTTPTransport, "handle_async_request", lambda _, request: transport.handle_async_request(request)
    )
    return transport


@pytest.mark.parametrize(
    ("timeout", "silence", "connect"),
    [
        ({}, TIMEOUT.read, TIMEOUT.connect),
        ({"timeout": 20}, 20, TIMEOUT.connect),
        ({"timeout": 0.5}, 0.5, 0.5),
        ({"timeout": openai.Timeout(20, connect=9)}, 20, 9),
        ({"timeout": None}, None, None),
    ],
)
def test_a_longer_timeout_does_not_make_connecting_wait_longer(
    unreachable: Unreachable, timeout: dict[str, object], silence: float | None, connect: float | None
) -> None:
    """An openai.Timeout is used unchanged."""

    async def ask() -> Answer:
        lab = Connection("http://h/v1", "a", Source.BASE_URL, retries=0)
        answer = stream(lab, "Hi", **timeout)
        await events(answer)
        await lab.aclose()
        return answer

    trace = asyncio.run(ask()).trace
    with Connection("http://h/v1", "a", Source.BASE_URL, retries=0) as lab, suppress(LabError):
        list(stream_sync(lab, "Hi", **timeout))
    assert [(wait["read"], wait["connect"]) for wait in unreachable.waits] == [(silence, connect)] * 2
    assert trace.ended is End.TIMED_OUT
    assert isinstance(trace.error, EndpointError)
    assert "cannot be reached" in str(trace.error)


SSE = "text/event-stream"
OLD = (
    b'data: {"choices":[{"delta":{"role":"assistant","content":"A"},"message":{"content":"A"}}],"usage":null}\r\n\r\n'
    b': a comment\n\nevent: message\ndata:{"choices":[{"delta":{"content":"B"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("body", [OLD, OLD.replace(b'{"choices"', b'{"error": null, "choices"')])
def test_the_old_service_can_be_read(loopback: Serve, body: bytes) -> None:
    """The 1.x service puts a message beside the delta; comments, other fields and no space are in the standard."""
    lab = Connection(loopback(Reply(body, kind=SSE)).base_url, "a", Source.BASE_URL)

    async def once() -> tuple[Answer, list[Event]]:
        async with stream(lab, "Hi") as answer:
            seen = await events(answer)
        await lab.aclose()
        return answer, seen

    answer, seen = asyncio.run(once())
    assert answer.text == "AB"
    assert isinstance(seen[-1], Finish)
    # Without usage, the chunks are counted.
    assert (answer.trace.tokens, answer.trace.counted) == (2, "chunks")


@pytest.mark.parametrize(
    "body",
    [OLD.partition(b'data: {"choices":[{"delta":{},')[0], b"", b"data: <html>\n\n", b"data: 5\n\n", b"<html></html>"],
    ids=["no end", "nothing", "no JSON", "no object", "a page"],
)
def test_an_incomplete_stream_is_an_error(loopback: Serve, body: bytes) -> None:
    lab = Connection(loopback(Reply(body, kind=SSE)).base_url, "a", Source.BASE_URL)
    with pytest.raises(StreamError):
        list(stream_sync(lab, "Hi"))
    lab.close()


@pytest.mark.live
def test_the_live_runtime_streams_and_refuses_overflow(served: tuple[str, str]) -> None:
    async def once() -> list[Event]:
        lab = Connection(*served, Source.SHARED)
        seen = await events(stream(lab, "What is an API?", max_tokens=8, temperature=0))
        long = stream(lab, "word " * 9000)
        assert isinstance((await events(long))[-1], Failure)
        assert isinstance(long.trace.error, RequestError)
        await lab.aclose()
        return seen

    seen = asyncio.run(once())
    assert isinstance(seen[0], FirstToken)
    assert isinstance(seen[-1], Finish)
    assert (seen[-1].reason, seen[-2].completion_tokens) == ("length", 8)  # type: ignore[attr-defined]


def test_answers_share_one_connection(mock: MockEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection costs a handshake, which the next answer need not pay again."""
    peers = set()
    call = ChatResponse.__call__

    async def noting(self: ChatResponse, scope: Scope, receive: Receive, send: Send) -> None:
        peers.add(scope["client"])
        await call(self, scope, receive, send)

    monkeypatch.setattr(ChatResponse, "__call__", noting)

    async def three() -> None:
        lab = connection(mock)
        for _ in range(3):
            await events(stream(lab, "Count to 5."))
        await lab.aclose()

    asyncio.run(three())
    assert len(peers) == 1
