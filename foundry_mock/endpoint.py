"""The mock as a server: a Starlette application on loopback."""

from __future__ import annotations

import hashlib
import math
import os
from functools import partial
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

_DIMENSIONS = 576


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


class _Handlers:
    """One method a route of 2.2.1, and `/mock` to look at the mock and to change it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.slots = Slots(state)

    async def models(self, _: Request) -> Response:
        return JSONResponse({"data": [wire.model(self.state.behaviour.model)], "object": "list"})

    async def one_model(self, request: Request) -> Response:
        # The runtime does not decode a path, so a colon that is sent as %3A is not found.
        name = request.scope["raw_path"].decode().rpartition("/")[2]
        if name != self.state.behaviour.model:
            raise wire.unknown_model(name)
        return JSONResponse(wire.model(name))

    async def status(self, request: Request) -> Response:
        address = f"http://{request.url.netloc}"
        return JSONResponse({"endpoints": [address], "modelCachePath": "", "pid": os.getpid()})

    async def loaded(self, _: Request) -> Response:
        return JSONResponse([self.state.behaviour.model] if self.state.loaded else [])

    async def set_loaded(self, request: Request, *, loaded: bool) -> Response:
        alias = request.path_params["alias"]
        if alias != self.state.behaviour.alias:
            raise wire.unknown_model(alias)
        before, self.state.loaded = self.state.loaded, loaded
        changed, unchanged = ("loaded", "already_loaded") if loaded else ("unloaded", "not_loaded")
        return JSONResponse({"status": unchanged if before == loaded else changed})

    async def chat(self, request: Request) -> ChatResponse:
        return ChatResponse(self.state, self.slots, await request.body())

    async def embeddings(self, request: Request) -> Response:
        model, texts = requests.embeddings(await request.body())
        behaviour = self.state.behaviour
        if model != behaviour.model:
            raise Refusal(404, f"Model not found: {model}")
        if not self.state.loaded:
            raise Refusal(400, f"Model not loaded: {model}")
        longest = max(len(scripts.pieces(text)) for text in texts)
        if longest > behaviour.context:
            reason = f"max_length ({longest}) cannot be greater than model context_length ({behaviour.context})"
            raise Refusal(500, reason, late=True)
        return JSONResponse(wire.embeddings(model, [_vector(text) for text in texts]))

    async def settings(self, _: Request) -> Response:
        return JSONResponse(self.state.as_json())

    async def change_settings(self, request: Request) -> Response:
        try:
            self.state.change(await request.json())
        except (ValueError, TypeError) as error:
            raise Refusal(400, str(error)) from error
        self.slots.give()
        return JSONResponse(self.state.as_json())

    async def not_found(self, request: Request, _: Exception) -> Response:
        return Response(wire.no_route(request.method, request.url.path), 404, {"Connection": "close"})

    async def refused(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return JSONResponse(error.body(), error.status, error.headers)


def application(state: State) -> Starlette:
    """The mock as an ASGI application."""
    handlers = _Handlers(state)
    routes = [
        Route("/v1/models", handlers.models),
        Route("/v1/models/{name}", handlers.one_model),
        Route("/v1/chat/completions", handlers.chat, methods=["POST"]),
        Route("/v1/embeddings", handlers.embeddings, methods=["POST"]),
        Route("/status", handlers.status),
        Route("/models/loaded", handlers.loaded),
        Route("/models/load/{alias}", partial(handlers.set_loaded, loaded=True)),
        Route("/models/unload/{alias}", partial(handlers.set_loaded, loaded=False)),
        Route("/mock", handlers.settings),
        Route("/mock", handlers.change_settings, methods=["PUT"]),
    ]
    for route in routes:
        route.methods = (route.methods or set()) - {"HEAD"}  # Starlette adds it to each GET; the runtime has none
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys((404, 405), handlers.not_found))
    app.add_exception_handler(Refusal, handlers.refused)
    return app


def _vector(text: str) -> list[float]:
    """A unit vector from the text's words: the same words give the same vector, shared words a near one."""
    row = [0.0] * _DIMENSIONS
    for word in text.lower().split() or [""]:
        row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % _DIMENSIONS] += 1.0
    norm = math.sqrt(sum(value * value for value in row))
    return [value / norm for value in row]
