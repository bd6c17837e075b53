"""An ASGI application on 127.0.0.1, in a thread of its own."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class LocalServer:
    """A server for one application: `start` and `stop` it, or `wait` in the foreground until Ctrl-C."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._app = app
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Listen, and return the address; requests are taken from now on. Raises OSError for a taken port."""
        try:
            listener = _listen(self._port)
        except OSError as error:
            raise OSError(error.errno, f"Port {self._port} on 127.0.0.1 is taken. Fix: choose another port") from error
        # Without the date, the same request has the same answer to the byte. uvicorn's own log_config would set the
        # level to INFO for a moment, in which a server that is starting beside this one writes its lines.
        self._server = _Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                log_level="critical",
                lifespan="off",
                date_header=False,
                server_header=False,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def wait(self) -> None:
        """Block until the server ends; Ctrl-C gets through."""
        while self._thread and self._thread.is_alive():
            self._thread.join(0.2)

    def stop(self) -> None:
        """Stop; answers under way are cut off."""
        if self._server and self._thread:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()


def _listen(port: int) -> socket.socket:
    """A socket on loopback, named as TCP: only then does asyncio send each small piece at once (TCP_NODELAY)."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # there it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Break the connections, as the end of a process would, and then shut down."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)
