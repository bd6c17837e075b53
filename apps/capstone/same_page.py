"""The page loads nothing from elsewhere, no page from elsewhere talks to the app, and none names folders here."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import chainlit.server
from chainlit.config import FILES_DIRECTORY
from chainlit.session import BaseSession
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def _files(session: BaseSession) -> Path:
    """Where the files of a session are. Its id comes from the page, and as a path it could name any folder here."""
    return FILES_DIRECTORY / hashlib.sha256(session.id.encode(errors="backslashreplace")).hexdigest()


def protect() -> None:
    """Set all of it up; importing the app again, as `chainlit run -w` does, changes nothing."""
    app = chainlit.server.app
    if app.middleware_stack is None:
        app.add_middleware(SamePage)
        BaseSession.files_dir = property(_files)  # type: ignore[assignment,method-assign]
        made: Callable[[str], str] = chainlit.server.get_html_template
        chainlit.server.get_html_template = lambda root: OUTSIDE.sub("", made(root))
