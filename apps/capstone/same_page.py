"""The page loads nothing from elsewhere, and no page from elsewhere talks to the app."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import chainlit.server
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

OUTSIDE = re.compile(r"<link\b[^>]*\bhref=\"https?://[^>]*>", re.IGNORECASE)


class SamePage:
    """ASGI middleware: on HTTP and on the WebSocket, a name of this machine and its own origin, or none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or _trusted(dict(scope["headers"])):
            await self.app(scope, receive, send)
            return
        words = PlainTextResponse("This page may not talk to this app.", 403)
        await (WebSocketClose(1008) if scope["type"] == "websocket" else words)(scope, receive, send)


def _trusted(headers: dict[bytes, bytes]) -> bool:
    host = headers.get(b"host", b"").decode("latin-1")
    origin = headers.get(b"origin", b"").decode("latin-1")
    return host.rpartition(":")[0] in ("127.0.0.1", "localhost") and origin in ("", f"http://{host}")


def protect() -> None:
    """Set both up; importing the app again, as `chainlit run -w` does, changes nothing."""
    app = chainlit.server.app
    if app.middleware_stack is None:
        app.add_middleware(SamePage)
        made: Callable[[str], str] = chainlit.server.get_html_template
        chainlit.server.get_html_template = lambda root: OUTSIDE.sub("", made(root))
