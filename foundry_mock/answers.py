"""How the mock answers a chat request: it waits for a slot, keeps to the schedule, and plays a queued fault."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from foundry_mock import requests, scripts, wire
from foundry_mock.behaviour import Fault
from foundry_mock.wire import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from foundry_mock.behaviour import State

_TEMPLATE_TOKENS = 4
_TRICKLE_BYTES, _TRICKLE_SECONDS = 16, 0.02


class Slots:
    """Limits the answers at once to `Behaviour.slots`; the other requests wait in order of arrival."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._queue: deque[asyncio.Future[None]] = deque()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it. The cleanup awaits nothing, so a cancelled request frees its slot too."""
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self.state.count(waiting=1)
        try:
            self.give()
            await turn
            yield
        finally:
            if turn in self._queue:
                self._queue.remove(turn)
                self.state.count(waiting=-1)
            else:
                self.state.count(running=-1)
            self.give()

    def give(self) -> None:
        """Give the free slots to the first requests in the queue."""
        while self._queue and self.state.counters.running < self.state.behaviour.slots:
            turn = self._queue.popleft()
            self.state.count(waiting=-1, running=1)
            if not turn.done():
                turn.set_result(None)


async def on_time(
    tokens: int,
    due: Callable[[int], float],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[int]:
    """The number of each token when it is due, in seconds from now."""
    start = clock()
    for number in range(tokens):
        await sleep(max(0.0, start + due(number) - clock()))
        yield number


class ChatResponse:
    """The response to one chat request, as an ASGI application."""

    def __init__(self, state: State, slots: Slots, body: bytes) -> None:
        self.state = state
        self.slots = slots
        self.body = body
        self.step = state.next_step()
        self._counted = False
        self._ends_with_client = True
        self._silent = False
        self._last_sent = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and count how the answer ended."""
        self.state.count(started=1)
        work = asyncio.create_task(self._answer(scope, receive, send))
        watch = asyncio.create_task(self._watch(receive, work))
        try:
            await asyncio.wait({work})
            if not work.cancelled():
                work.result()
        finally:
            work.cancel()
            watch.cancel()
            self._count("aborted")

    async def _watch(self, receive: Receive, work: asyncio.Task[None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if self._ends_with_client:
            work.cancel()

    def _count(self, end: str) -> None:
        if not self._counted:
            self._counted = True
            self.state.count(**{end: 1})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        behaviour, step = self.state.behaviour, self.step
        try:
            await self._fail_early()
            request = requests.chat(self.body)
            if request.model != behaviour.model:
                raise wire.unknown_model(request.model)
            if not self.state.loaded:
                raise Refusal(400, f"Model not loaded: Model '{request.model}' must be loaded before inference")
            prompt = sum(len(scripts.pieces(message.content)) + _TEMPLATE_TOKENS for message in request.messages)
            limit = request.max_tokens or behaviour.most_tokens
            problem = request.problem or self._overflow(prompt, limit)
            if problem and not request.stream:
                raise problem
        except Refusal as refusal:
            self._count("refused")
            await JSONResponse(refusal.body(), refusal.status, refusal.headers)(scope, receive, send)
            return
        # A client that leaves ends its stream; a whole answer is generated to its end all the same, as in 2.2.1.
        self._ends_with_client = request.stream or step.fault in (Fault.HANG_FIRST, Fault.HANG_MIDDLE)
        if request.stream:
            await self._stream(send, request, prompt, problem or self._script(request, limit))
        else:
            await self._whole(send, request, prompt, self._script(request, limit))

    def _script(self, request: requests.ChatRequest, limit: int) -> scripts.Script:
        """The pieces to send, fewer if the fault is DROP or TRUNCATE; only for a request without a problem."""
        script = scripts.script(request.messages, limit, request.stop)
        if self.step.fault not in (Fault.DROP, Fault.TRUNCATE):
            return script
        tokens = min(self.step.after, script.tokens - 1)
        return replace(script, pieces=script.pieces[:tokens], tokens=tokens, finish=None)

    async def _fail_early(self) -> None:
        if self.step.fault is Fault.RATE_LIMIT:
            raise Refusal(429, "Too many requests", headers={"Retry-After": f"{self.step.retry_after:g}"})
        if self.step.fault is Fault.SERVER_ERROR:
            raise Refusal(500, "a fault that was asked for", late=True)
        if self.step.fault is Fault.HANG:
            async with self.slots.one():
                await self._hang()

    async def _hang(self) -> None:
        """Stay silent until the client gives up."""
        self._silent = True
        await asyncio.Event().wait()

    def _overflow(self, prompt: int, limit: int) -> Refusal | None:
        total, context = prompt + limit, self.state.behaviour.context
        if total <= context and self.step.fault is not Fault.OVERFLOW:
            return None
        text = f"request requires {total} total tokens ({prompt} input + {limit} output), which exceeds the model's"
        return Refusal(400, f"{text} maximum context length of {context} tokens", late=True)

    async def _whole(self, send: Send, request: requests.ChatRequest, prompt: int, script: scripts.Script) -> None:
        text = "".join([piece async for piece in self._play(script)])
        counted = wire.usage(prompt, script.tokens)
        body = wire.encode(wire.completion(_answer_id(request), request.model, text, script.finish, counted))
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*wire.JSON_HEADERS, length]})
        if self.step.fault is Fault.DROP:
            body = body[: len(body) // 2]
        await self._write(send, body)
        await self._close(send)

    async def _stream(
        self, send: Send, request: requests.ChatRequest, prompt: int, found: scripts.Script | Refusal
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": wire.STREAM_HEADERS})
        if isinstance(found, Refusal):
            self._count("refused")
            await self._write(send, wire.event(found.body(stream=True)))
        else:
            self._last_sent = time.monotonic()
            alive = asyncio.create_task(self._keep_alive(send))
            try:
                await self._events(send, request, prompt, found)
            finally:
                alive.cancel()
        await self._close(send)

    async def _events(self, send: Send, request: requests.ChatRequest, prompt: int, script: scripts.Script) -> None:
        answer_id, model = _answer_id(request), request.model
        deltas = [{"content": "", "role": "assistant"}]  # sent with the first token, not before
        async for piece in self._play(script):
            deltas += [{"content": piece}] if piece else []
            for delta in deltas:
                await self._write(send, wire.event(wire.chunk(answer_id, model, delta)))
            deltas.clear()
        if not script.finish:
            return
        await self._write(send, wire.event(wire.chunk(answer_id, model, {}, script.finish)))
        if request.include_usage:
            counted = wire.usage(prompt, script.tokens)
            await self._write(send, wire.event(wire.usage_chunk(answer_id, model, counted)))
        await self._write(send, wire.event("[DONE]"))

    async def _play(self, script: scripts.Script) -> AsyncIterator[str]:
        """The text of each token when it is due, empty if a stop string removed it; then count the end."""
        hangs = {Fault.HANG_FIRST: 0, Fault.HANG_MIDDLE: min(self.step.after, script.tokens - 1)}.get(self.step.fault)
        async with self.slots.one():
            if hangs == 0:
                await self._hang()
            async for number in on_time(script.tokens, self.state.behaviour.due):
                yield script.pieces[number] if number < len(script.pieces) else ""
                if number + 1 == hangs:
                    await self._hang()
            if self.step.fault is Fault.DROP:
                # Some clients throw away what they have not read when a connection breaks. A real one breaks
                # between two tokens too, so the reader gets the time of one token.
                await asyncio.sleep(self.state.behaviour.due(1) - self.state.behaviour.due(0))
        self._count("ended" if script.finish else "aborted")

    async def _keep_alive(self, send: Send) -> None:
        """Send a comment after each silence, as the runtime does while a token is not ready."""
        while not self._silent:
            silence = time.monotonic() - self._last_sent
            if silence >= wire.SILENCE:
                await self._write(send, wire.KEEP_ALIVE)
            else:
                await asyncio.sleep(wire.SILENCE - silence)

    async def _write(self, send: Send, data: bytes) -> None:
        """Send bytes, a few at a time if the fault is SLOW_LORIS."""
        slow = self.step.fault is Fault.SLOW_LORIS
        size = _TRICKLE_BYTES if slow else len(data)
        for start in range(0, len(data), size):
            if slow:
                await asyncio.sleep(_TRICKLE_SECONDS)
            self._last_sent = time.monotonic()
            await send({"type": "http.response.body", "body": data[start : start + size], "more_body": True})

    async def _close(self, send: Send) -> None:
        """End the body; without this the server breaks the connection."""
        if self.step.fault is not Fault.DROP:
            await send({"type": "http.response.body"})


def _answer_id(request: requests.ChatRequest) -> str:
    """An id of the runtime's form, the same for the same conversation."""
    return "chatcmpl-" + hashlib.sha256(repr(request.messages).encode()).hexdigest()[:16]
