"""The mock as a server: a Starlette application, and uvicorn in a thread or in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import math
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from labkit.errors import EndpointError
from labkit.mock import scripts, wire
from labkit.mock.behaviour import Behaviour, Counters, Fault, State, Step
from labkit.mock.wire import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.requests import Request

DIMENSIONS = 576
_TEMPLATE_TOKENS = 4


class MockEndpoint:
    """A mock on 127.0.0.1 in a thread of its own: use it in a `with` block, or call `start` and `stop`."""

    def __init__(self, behaviour: Behaviour | None = None, *, port: int = 0) -> None:
        self.state = State(behaviour or Behaviour())
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.base_url = ""

    @property
    def model(self) -> str:
        """The full id of the model that it plays."""
        return self.state.behaviour.model

    @property
    def counters(self) -> Counters:
        """What it has counted so far."""
        return self.state.counters

    def fail(self, *steps: Step | Fault) -> None:
        """Give the next chat requests these faults, one each."""
        self.state.queue(steps)

    def start(self) -> MockEndpoint:
        """Listen, and return when requests are taken. Raises EndpointError when the port is taken."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port))
        except OSError as error:
            listener.close()
            raise EndpointError(f"port {self._port} on 127.0.0.1 is taken", cure="choose another port") from error
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config = uvicorn.Config(application(self.state), log_level="critical", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listener, ready), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        server = self._server
        assert server is not None

        async def serve() -> None:
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            ready.set()
            await serving

        with listener:
            asyncio.run(serve())

    def wait(self) -> None:
        """Block until the server ends; Ctrl-C gets through."""
        while self._thread and self._thread.is_alive():
            self._thread.join(0.2)

    def stop(self) -> None:
        """Stop; answers under way are cut off."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join()

    def __enter__(self) -> MockEndpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def application(state: State) -> Starlette:
    """The routes of 2.2.1 that the lessons use, and `/mock` to look at the mock and to change it."""
    # One slot a request that generates; a semaphore gives them out in the order of asking.
    slots = _Slots(state)

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [wire.model(state.behaviour.model)], "object": "list"})

    async def one_model(request: Request) -> Response:
        name = request.path_params["name"]
        if name != state.behaviour.model:
            return _refuse(_not_found(name))
        return JSONResponse(wire.model(name))

    async def status(request: Request) -> Response:
        address = f"http://{request.url.netloc}"
        return JSONResponse({"endpoints": [address], "modelCachePath": "", "pid": os.getpid()})

    async def loaded(_: Request) -> Response:
        return JSONResponse([state.behaviour.model] if state.loaded else [])

    async def load(request: Request) -> Response:
        if request.path_params["alias"] != _alias(state):
            return _refuse(_not_found(request.path_params["alias"]))
        before, state.loaded = state.loaded, True
        return JSONResponse({"status": "already_loaded" if before else "loaded"})

    async def unload(request: Request) -> Response:
        if request.path_params["alias"] != _alias(state):
            return _refuse(_not_found(request.path_params["alias"]))
        state.loaded = False
        return JSONResponse({"status": "unloaded"})

    async def chat(request: Request) -> Response:
        step = state.next_step()
        state.count(started=1)
        try:
            return await _Answer(state, slots, step, request).respond(await request.body())
        except Refusal as refusal:
            state.count(refused=1)
            return _refuse(refusal)

    async def embeddings(request: Request) -> Response:
        try:
            data = json.loads(await request.body())
            texts = [data["input"]] if isinstance(data["input"], str) else data["input"]
        except (ValueError, KeyError) as error:
            return _refuse(Refusal(400, f"Invalid JSON: {error}"))
        if data.get("model") != state.behaviour.model:
            return _refuse(Refusal(404, f"Model not found: {data.get('model')}"))
        rows = [
            {"embedding": _embedding(text), "index": index, "object": "embedding"} for index, text in enumerate(texts)
        ]
        counted = {"prompt_tokens": 0, "total_tokens": 0}
        return JSONResponse({"data": rows, "model": data["model"], "object": "list", "usage": counted})

    async def look(_: Request) -> Response:
        return JSONResponse(state.as_json())

    async def change(request: Request) -> Response:
        try:
            state.change(await request.json())
        except (ValueError, TypeError, KeyError) as error:
            return _refuse(Refusal(400, str(error)))
        return JSONResponse(state.as_json())

    async def nothing(request: Request, _: Exception) -> Response:
        text = f"code=404\ndescription=Not Found\nmessage=No mapping for HTTP-method: '{request.method}'"
        return PlainTextResponse(f"{text}, URL: '{request.url.path}'\n", 404)

    routes = [
        Route("/v1/models", models),
        Route("/v1/models/{name}", one_model),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/status", status),
        Route("/models/loaded", loaded),
        Route("/models/load/{alias}", load),
        Route("/models/unload/{alias}", unload),
        Route("/mock", look),
        Route("/mock", change, methods=["PUT"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: nothing, 405: nothing})


class _Slots:
    """As many answers at once as the behaviour says, the others in the order in which they came."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        state = self.state
        state.count(waiting=1)
        taken = False
        try:
            async with self.changed:
                await self.changed.wait_for(lambda: state.counters.running < state.behaviour.slots)
                state.count(waiting=-1, running=1)
                taken = True
            yield
        finally:
            if taken:
                state.count(running=-1)
            else:
                state.count(waiting=-1)
            async with self.changed:
                self.changed.notify_all()


class _Answer:
    """One chat request, from its body to its last byte."""

    def __init__(self, state: State, slots: _Slots, step: Step, request: Request) -> None:
        self.state = state
        self.slots = slots
        self.step = step
        self.request = request

    async def respond(self, body: bytes) -> Response:
        """Answer, or raise Refusal."""
        behaviour, step = self.state.behaviour, self.step
        if step.fault is Fault.RATE_LIMIT:
            raise Refusal(429, "Too many requests", {"Retry-After": f"{step.retry_after:g}"})
        if step.fault is Fault.SERVER_ERROR:
            raise Refusal(500, "Inference failed: a fault that was asked for")
        if step.fault is Fault.HANG:
            await self._hang()
        asked = wire.parse(body)
        if asked.model != behaviour.model:
            raise _not_found(asked.model)
        if not self.state.loaded:
            raise Refusal(400, f"Model not loaded: Model '{asked.model}' must be loaded before inference")
        prompt = sum(len(scripts.pieces(message.content)) + _TEMPLATE_TOKENS for message in asked.messages)
        too_long = self._overflow(prompt, asked.max_tokens)
        if too_long and not asked.stream:
            raise too_long
        if asked.stream:
            events = self._error_event(too_long) if too_long else self._events(asked, prompt)
            return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        return await self._whole(asked, prompt)

    async def _hang(self) -> None:
        try:
            async with self.slots.one():
                await self._until_left()
        finally:
            self.state.count(aborted=1)

    def _overflow(self, prompt: int, limit: int | None) -> Refusal | None:
        behaviour = self.state.behaviour
        total = prompt + (limit or min(2048, behaviour.context // 4))
        if total <= behaviour.context and self.step.fault is not Fault.OVERFLOW:
            return None
        return Refusal(
            400,
            f"Invalid request: request requires {total} total tokens, which exceeds the model's maximum context "
            f"length of {behaviour.context} tokens",
        )

    async def _error_event(self, refusal: Refusal) -> AsyncIterator[bytes]:
        """What 2.2.1 does when a streamed request is too long: 200, one error event, and no [DONE]."""
        self.state.count(refused=1)
        yield wire.event(refusal.body)

    async def _whole(self, asked: wire.ChatRequest, prompt: int) -> Response:
        text, finish = "", "stop"
        count = 0
        async with contextlib.aclosing(self._tokens(asked)) as tokens:
            async for piece, reason in tokens:
                if await self.request.is_disconnected():
                    break
                text, finish, count = text + piece, reason or finish, count + bool(piece)
        answer_id = _answer_id(asked)
        return JSONResponse(wire.completion(answer_id, asked.model, text, finish, wire.usage(prompt, count)))

    async def _events(self, asked: wire.ChatRequest, prompt: int) -> AsyncIterator[bytes]:
        answer_id = _answer_id(asked)
        count = 0
        yield wire.event(wire.chunk(answer_id, asked.model, {"content": "", "role": "assistant"}))
        async with contextlib.aclosing(self._tokens(asked)) as tokens:
            async for piece, reason in tokens:
                if piece:
                    count += 1
                    async for part in self._slowly(wire.event(wire.chunk(answer_id, asked.model, {"content": piece}))):
                        yield part
                if reason:
                    yield wire.event(wire.chunk(answer_id, asked.model, {}, reason))
        if self.step.fault is Fault.TRUNCATE:
            return
        if asked.include_usage:
            yield wire.event(wire.usage_chunk(answer_id, asked.model, wire.usage(prompt, count)))
        yield wire.event("[DONE]")

    async def _slowly(self, data: bytes) -> AsyncIterator[bytes]:
        """The bytes whole, or a few at a time when that is the fault."""
        if self.step.fault is not Fault.SLOW_LORIS:
            yield data
            return
        for start in range(0, len(data), 16):
            await asyncio.sleep(0.02)
            yield data[start : start + 16]

    async def _tokens(self, asked: wire.ChatRequest) -> AsyncGenerator[tuple[str, str]]:
        """The pieces of the answer at their times, then the reason for its end; counts how it ended."""
        behaviour, step, loop = self.state.behaviour, self.step, asyncio.get_running_loop()
        done = False
        try:
            async with self.slots.one():
                due = loop.time() + behaviour.first_token
                text = scripts.answer(asked.messages)
                parts = scripts.pieces(text)
                limit = asked.max_tokens or 2048
                for number, piece in enumerate(parts[:limit]):
                    await self._fault_before(number)
                    # Each due time counts from the first token, so that small delays do not add up.
                    await asyncio.sleep(max(0.0, due + number / behaviour.rate - loop.time()))
                    if any(stop in piece for stop in asked.stop):
                        yield "", "stop"
                        break
                    yield piece, ""
                    if step.fault is Fault.TRUNCATE and number + 1 >= step.after:
                        break
                else:
                    yield "", "length" if len(parts) > limit else "stop"
            done = True
        finally:
            self.state.count(**{"ended" if done else "aborted": 1})

    async def _until_left(self) -> None:
        """Stay silent until the client gives up."""
        while not await self.request.is_disconnected():  # noqa: ASYNC110 - ASGI has no event for it
            await asyncio.sleep(0.02)
        raise ConnectionResetError("the client left")

    async def _fault_before(self, number: int) -> None:
        fault, after = self.step.fault, self.step.after
        if (number == 0 and fault is Fault.HANG_FIRST) or (number == after and fault is Fault.HANG_MIDDLE):
            await self._until_left()
        if number == after and fault is Fault.DROP:
            raise ConnectionResetError("a fault that was asked for")


def _refuse(refusal: Refusal) -> Response:
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


def _not_found(name: str) -> Refusal:
    return Refusal(404, f"Model not found: No model matching '{name}'")


def _alias(state: State) -> str:
    return state.behaviour.model.split("-generic-")[0]


def _answer_id(asked: wire.ChatRequest) -> str:
    """An id of the runtime's form, the same for the same conversation."""
    return "chatcmpl-" + hashlib.sha256(repr(asked.messages).encode()).hexdigest()[:16]


def _embedding(text: Any) -> list[float]:
    """A unit vector from the text's words: the same words give the same vector, shared words a near one."""
    row = [0.0] * DIMENSIONS
    for word in str(text).lower().split() or [""]:
        row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % DIMENSIONS] += 1.0
    norm = math.sqrt(sum(value * value for value in row))
    return [value / norm for value in row]
