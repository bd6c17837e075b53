"""What a browser would hold of one chat with the app, driven over the app's own WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import socketio

from coursekit.capstone.verdict import DrillError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

# Chainlit's own word, which is no part of an answer.
NOTE = "Task manually stopped."
# The client would tell the terminal of each connection that an app broke.
_SILENT = logging.Logger("page", logging.CRITICAL)
_QUIET = 0.4


@dataclass
class Page:
    """One open tab: the messages that it shows now, and the states that the newest answer went through."""

    url: str
    http: aiohttp.ClientSession
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    buttons: int = 0
    busy: bool = True
    _session: str = field(default_factory=lambda: str(uuid.uuid4()))
    _before: frozenset[str] = frozenset()
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: socketio.AsyncClient = field(init=False)

    async def open(self, seconds: float, headers: Mapping[str, str] | None = None) -> None:
        """Connect as the page does, and wait for the end of the app's greeting. Raises DrillError."""
        self._socket = socketio.AsyncClient(
            http_session=self.http, reconnection=False, logger=_SILENT, engineio_logger=_SILENT
        )
        self._socket.on("*", self._take)
        told = {"clientType": "webapp", "sessionId": self._session, "userEnv": "{}", "threadId": "", "chatProfile": ""}
        try:
            async with asyncio.timeout(seconds):
                # An app that lets its owner in without a form does it here; for the others it is nothing.
                for path, body in (("/auth/header", None), ("/set-session-cookie", {"session_id": self._session})):
                    async with self.http.post(self.url + path, json=body) as reply:
                        await reply.read()
                place = {"socketio_path": "/ws/socket.io", "transports": ["websocket"]}
                await self._socket.connect(self.url, headers=dict(headers or {}), auth=told, **place)
                await self._socket.emit("connection_successful")
        except (socketio.exceptions.ConnectionError, aiohttp.ClientError, TimeoutError) as error:
            raise DrillError("the app does not let a page open its chat") from error
        await self.settled(seconds)

    async def close(self) -> None:
        """Close the tab; an app that blocks is not waited for."""
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            await asyncio.wait_for(self._socket.disconnect(), 2)

    async def _take(self, event: str, data: Any = None) -> None:
        """Keep what the app sends, as the page does."""
        if event in ("new_message", "stream_start", "update_message"):
            if "message" not in data["type"]:  # Chainlit's own record of a run, which is hidden
                return
            self.messages[data["id"]] = data
        elif event == "stream_token" and data["id"] in self.messages:
            message = self.messages[data["id"]]
            message["output"] = data["token"] if data["isSequence"] else message["output"] + data["token"]
        elif event == "delete_message":
            self.messages.pop(data["id"], None)
        elif event == "action":
            self.buttons += 1
        elif event in ("task_start", "task_end"):
            self.busy = event == "task_start"
        if self.text and self.text not in self.states[-1:]:
            self.states.append(self.text)
        self._news.set()

    @property
    def shown(self) -> list[str]:
        """What the app has shown since the last message to it."""
        new = [each for name, each in self.messages.items() if name not in self._before]
        texts = [str(each["output"]) for each in new if each["type"] != "user_message"]
        return [text for text in texts if text and text != NOTE]

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.shown)

    async def say(self, text: str) -> None:
        """Send a message without waiting."""
        self._before, self.states, self.buttons, self.busy = frozenset(self.messages), [], 0, True
        step = {"id": str(uuid.uuid4()), "output": text, "type": "user_message", "name": "user"}
        step |= {"threadId": "", "createdAt": "2026-01-01T00:00:00.000Z"}
        await self._socket.emit("client_message", {"message": step, "fileReferences": []})

    async def ask(self, text: str, expected: str, seconds: float) -> None:
        """Send a message and wait for an answer with the expected words. Raises DrillError."""
        await self.say(text)
        await self.until(lambda: expected in self.text and not self.busy, seconds, f"no answer to {text!r}")

    async def stop(self) -> None:
        """The Stop button."""
        await self._socket.emit("stop")

    async def until(self, condition: Callable[[], object], seconds: float, otherwise: str) -> None:
        """Wait for something that the page comes to show, or the endpoint to count. Raises DrillError."""
        give_up = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up:
                raise DrillError(f"{otherwise} within {seconds:.0f} s")
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.02)

    async def settled(self, seconds: float) -> None:
        """Wait until the app has been done for a moment. Raises DrillError."""
        give_up, quiet = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() - quiet < _QUIET:
            await asyncio.sleep(0.02)
            if self.busy:
                quiet = time.monotonic()
            if quiet > give_up:
                raise DrillError(f"the app was still at work after {seconds:.0f} s")


@contextlib.asynccontextmanager
async def visit(url: str, seconds: float) -> AsyncIterator[Page]:
    """A browser that opens the app, and closes it at the end."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        page = Page(url, http)
        try:
            await page.open(seconds)
            yield page
        finally:
            await page.close()
