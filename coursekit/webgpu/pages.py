"""A server for the pages of apps/webgpu: right types, a strict policy, and nothing from outside hosts.

Browsers run modules, WebAssembly and WebGPU only from a server, and WebGPU only in a secure context, which
http://127.0.0.1 is. The pages' npm packages are fetched once, checked, and served from here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from coursekit.webgpu import npm
from foundry_mock import LocalServer
from labkit._smollm import layout

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ONNXRUNTIME = npm.Package(
    name="onnxruntime-web",
    version="1.30.0",
    integrity="sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    size=33_106_585,
    files=("dist/ort.webgpu.bundle.min.mjs", "dist/ort-wasm-simd-threaded.asyncify.wasm"),
)
WLLAMA = npm.Package(
    name="@wllama/wllama",
    version="3.8.1",
    integrity="sha512-Pl7BEJhPU8OHnV/yhn3DFZYhLLOdSHh+4TND79WCftHnlUAdQPAsyc/CfIOY+4mVxvf5VW3Xw3Uf7BBfotS1gw==",
    size=5_829_483,
    files=("esm/index.min.js", "esm/wasm/wllama.wasm", "LICENCE"),
)
# A .mjs of a wrong type does not run, a .wasm of a wrong type loads twice, and what Windows tells of types varies.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",  # as Markdown a browser would only save it
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",  # wllama's workers
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self' http://127.0.0.1:* http://localhost:* vscode-webview:",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    # Together they make the page "cross-origin isolated", which WebAssembly threads need.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def application(folder: Path, cache: Path) -> Starlette:
    """`folder` at `/`, the npm packages of the cache at `/vendor/NAME/`, and the embedded model as a GGUF file."""

    async def gguf(_: Request) -> Response:
        path = layout.gguf_path(cache)
        if path.is_file():
            return FileResponse(path, media_type="application/octet-stream")
        return PlainTextResponse("The model is not on this machine yet. Fix: python lab.py", 404)

    vendored = [
        Mount(f"/vendor/{package.name.rpartition('/')[2]}", StaticFiles(directory=npm.folder(package, cache)))
        for package in (ONNXRUNTIME, WLLAMA)
    ]
    routes = [Route("/model/smollm2.gguf", gguf), *vendored, Mount("/", StaticFiles(directory=folder, html=True))]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[Middleware(_Headers), hosts])


def serve(folder: Path, cache: Path, port: int = 0) -> LocalServer:
    """A server of these pages, not yet started. Raises FetchError where a package cannot be had."""
    for package in (ONNXRUNTIME, WLLAMA):
        npm.install(package, cache)
    return LocalServer(application(folder, cache), port)


class _Headers:
    """ASGI middleware: the headers of every answer, and the type that belongs to a file's name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = HEADERS | ({"content-type": kind} if message["status"] in (200, 206, 304) and kind else {})
                kept = [(name, value) for name, value in message["headers"] if name.decode() not in ours]
                ours_raw = [(name.encode(), value.encode()) for name, value in ours.items()]
                message = {**message, "headers": [*kept, *ours_raw]}
            await send(message)

        kind = TYPES.get(PurePosixPath(scope["path"]).suffix) if scope["type"] == "http" else None
        await self.app(scope, receive, with_headers)
