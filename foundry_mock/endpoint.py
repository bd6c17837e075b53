"""The mock as a server: a Starlette application on loopback."""

from __future__ import annotations

import hashlib
import math
import os
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from foundry_mock import requests, scripts, wire
from foundry_mock.answers import ChatResponse, Slots
from foundry_mock.behaviour import Behaviour, Counters, Fault, State, Step
from foundry_mock.local_server import LocalServer
from foundry_mock.wire import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

DIMENSIONS = 576


class MockEndpoint:
    """A mock on 127.0.0.1 in a thread of its own: use it in a `with` block, or call `start` and `stop`."""

    def __init__(self, behaviour: Behaviour | None = None, *, port: int = 0) -> None:
        self.state = State(behaviour or Behaviour())
        self._server = LocalServer(application(self.state), port)
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
        """Listen; requests are taken from now on. Raises OSError when the port is taken."""
        self.base_url = f"{self._server.start()}/v1"
        return self

    def wait(self) -> None:
        """Block until the server ends; Ctrl-C gets through."""
        self._server.wait()

    def stop(self) -> None:
        """Stop; answers under way are cut off."""
        self._server.stop()

    def __enter__(self) -> MockEndpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def application(state: State) -> Starlette:
    """The routes of 2.2.1 that the lessons use, and `/mock` to look at the mock and to change it."""
    slots = Slots(state)

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [wire.model(state.behaviour.model)], "object": "list"})

    async def one_model(request: Request) -> Response:
        # The runtime does not decode a path, so a colon that comes as %3A is not found.
        name = request.scope["raw_path"].decode().rpartition("/")[2]
        if name != state.behaviour.model:
            return _refuse(wire.unknown_model(name))
        return JSONResponse(wire.model(name))

    async def status(request: Request) -> Response:
        address = f"http://{request.url.netloc}"
        return JSONResponse({"endpoints": [address], "modelCachePath": "", "pid": os.getpid()})

    async def loaded(_: Request) -> Response:
        return JSONResponse([state.behaviour.model] if state.loaded else [])

    async def load(request: Request) -> Response:
        if request.path_params["alias"] != state.behaviour.alias:
            return _refuse(wire.unknown_model(request.path_params["alias"]))
        before, state.loaded = state.loaded, True
        return JSONResponse({"status": "already_loaded" if before else "loaded"})

    async def unload(request: Request) -> Response:
        if request.path_params["alias"] != state.behaviour.alias:
            return _refuse(wire.unknown_model(request.path_params["alias"]))
        before, state.loaded = state.loaded, False
        return JSONResponse({"status": "unloaded" if before else "not_loaded"})

    async def chat(request: Request) -> ChatResponse:
        return ChatResponse(state, slots, await request.body())

    async def embeddings(request: Request) -> Response:
        try:
            return JSONResponse(_embeddings(state, requests.embeddings(await request.body())))
        except Refusal as refusal:
            return _refuse(refusal)

    async def look(_: Request) -> Response:
        return JSONResponse(state.as_json())

    async def change(request: Request) -> Response:
        try:
            state.change(await request.json())
        except (ValueError, TypeError) as error:
            return _refuse(Refusal(400, str(error)))
        slots.give()
        return JSONResponse(state.as_json())

    async def nothing(request: Request, _: Exception) -> Response:
        text = wire.no_route(request.method, request.url.path)
        return Response(text, 404, {"Connection": "close"})

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
    for route in routes:
        route.methods = (route.methods or set()) - {"HEAD"}  # Starlette adds it to each GET; the runtime has none
    return Starlette(routes=routes, exception_handlers={404: nothing, 405: nothing})


def _refuse(refusal: Refusal) -> Response:
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


def _embeddings(state: State, request: requests.EmbeddingsRequest) -> dict[str, object]:
    behaviour = state.behaviour
    if request.model != behaviour.model:
        raise Refusal(404, f"Model not found: {request.model}")
    if not state.loaded:
        raise Refusal(400, f"Model not loaded: {request.model}")
    longest = max(len(scripts.pieces(text)) for text in request.texts)
    if longest > behaviour.context:
        reason = f"max_length ({longest}) cannot be greater than model context_length ({behaviour.context})"
        raise Refusal(500, reason, late=True)
    return wire.embeddings(request.model, [_vector(text) for text in request.texts])


def _vector(text: str) -> list[float]:
    """A unit vector from the text's words: the same words give the same vector, shared words a near one."""
    row = [0.0] * DIMENSIONS
    for word in text.lower().split() or [""]:
        row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % DIMENSIONS] += 1.0
    norm = math.sqrt(sum(value * value for value in row))
    return [value / norm for value in row]
