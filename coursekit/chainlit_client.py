"""A client of Chainlit's socket: one browser tab without a browser, for tests, the capstone and the benchmark.

    async with open_page("http://127.0.0.1:8000") as page:
        await page.ask("Count to 3.", "1 2 3")
        print(page.text)

The events are those of Chainlit 2.12 (`chainlit/socket.py` receives them, `chainlit/emitter.py` sends them).
"""

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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

# Chainlit sends this as a message of its own; it is not part of an answer.
STOPPED_NOTE = "Task manually stopped."
# The client would log each broken connection to the terminal.
_SILENT = logging.Logger("chainlit_client", logging.CRITICAL)
_QUIET = 0.4
_CLOSE = 2.0


class PageError(Exception):
    """The app did not do in time what a page waits for."""


@dataclass
class Page:
    """One tab: the messages that it shows now, with their elements and buttons. `open_page` makes one.

    `messages` are Chainlit's steps by id, `elements` the newest element by the id of its message, `actions` all
    buttons in their order, `resumed` the threads that the app sent after a resume. `states` are the texts that the
    newest answer went through, and `first_token` the seconds until its first one. `session` and `thread` are ids: set
    them to resume a chat, or to attack one.
    """

    url: str
    http: aiohttp.ClientSession
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    thread: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    elements: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    settings: list[Any] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    first_token: float | None = None
    busy: bool = True
    socket: socketio.AsyncClient = field(init=False)
    _before: frozenset[str] = frozenset()
    _actions_before: int = 0
    _said: float = 0.0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, seconds: float = 30) -> None:
        """Connect as the page does; after `close` again, with the same session. Raises PageError."""
        self.socket = socketio.AsyncClient(
            http_session=self.http, reconnection=False, logger=_SILENT, engineio_logger=_SILENT
        )
        self.socket.on("*", self.receive)
        identity = {"clientType": "webapp", "sessionId": self.session, "userEnv": "{}", "threadId": self.thread}
        options = {"socketio_path": "/ws/socket.io", "transports": ["websocket"]}
        try:
            async with asyncio.timeout(seconds):
                body = {"session_id": self.session}
                async with self.http.post(f"{self.url}/set-session-cookie", json=body) as reply:
                    await reply.read()
                auth = identity | {"chatProfile": ""}
                await self.socket.connect(self.url, headers=dict(self.headers), auth=auth, **options)
                await self.emit("connection_successful")
        except (socketio.exceptions.ConnectionError, aiohttp.ClientError, TimeoutError) as error:
            raise PageError("the app does not let a page open its chat") from error

    async def close(self) -> None:
        """Close the tab. An app that blocks is not waited for."""
        pipe = self.socket.eio.ws
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            await asyncio.wait_for(self.socket.disconnect(), _CLOSE)
        if pipe is not None:
            # aiohttp keeps the connection of a WebSocket whose server was killed, and complains of it later.
            pipe._response.close()

    async def emit(self, event: str, data: Any = None) -> None:
        """Send any event, for instance one that no page would send."""
        await self.socket.emit(event, data)

    async def receive(self, event: str, data: Any = None) -> None:
        """Keep what the app sends, as the page does."""
        if event in ("new_message", "stream_start", "update_message"):
            if "message" not in data["type"]:  # Chainlit's own record of a run, which is hidden
                return
            self.messages[data["id"]] = data
            if event == "stream_start" and self.first_token is None:
                self.first_token = time.perf_counter() - self._said
        elif event == "stream_token" and data["id"] in self.messages:
            message = self.messages[data["id"]]
            message["output"] = data["token"] if data["isSequence"] else message["output"] + data["token"]
        elif event == "delete_message":
            self.messages.pop(data["id"], None)
        elif event == "element":
            self.elements[data["forId"]] = data
        elif event == "action":
            self.actions.append(data)
        elif event == "resume_thread":
            self.resumed.append(data)
        elif event == "chat_settings":
            self.settings.append(data)
        elif event == "first_interaction":
            self.thread = data["thread_id"]
        elif event in ("task_start", "task_end"):
            self.busy = event == "task_start"
        if self.text and self.text not in self.states[-1:]:
            self.states.append(self.text)
        self._news.set()

    @property
    def replies(self) -> list[str]:
        """The texts of the app since the last message to it."""
        new = [each for name, each in self.messages.items() if name not in self._before]
        texts = [str(each["output"]) for each in new if each["type"] != "user_message"]
        return [text for text in texts if text and text != STOPPED_NOTE]

    @property
    def text(self) -> str:
        """The replies as one text."""
        return "\n".join(self.replies)

    @property
    def new_actions(self) -> list[dict[str, Any]]:
        """The buttons since the last message to the app."""
        return self.actions[self._actions_before :]

    async def say(self, text: str, event: str = "client_message", message: str = "") -> None:
        """Send a message without waiting; `event` and the id of a `message` may be those of an edited one."""
        self._before, self._actions_before = frozenset(self.messages), len(self.actions)
        self.states, self.busy = [], True
        self.first_token, self._said = None, time.perf_counter()
        step = {"id": message or str(uuid.uuid4()), "output": text, "type": "user_message", "name": "user"}
        step |= {"threadId": self.thread, "createdAt": "2026-01-01T00:00:00.000Z"}
        await self.emit(event, {"message": step, "fileReferences": []})

    async def ask(self, text: str, expected: str = "", seconds: float = 30) -> str:
        """Send a message, wait for the end of an answer with the expected words, return it. Raises PageError."""
        await self.say(text)
        await self.until(lambda: expected in self.text and not self.busy, seconds, f"no answer to {text!r}")
        return self.text

    async def stop(self) -> None:
        """Press Stop."""
        await self.emit("stop")

    async def press(self, name: str, seconds: float = 30) -> int:
        """Press the newest button of this name, wait until its work is done, and return the HTTP status."""
        action = [each for each in self.actions if each["name"] == name][-1]
        body = {"sessionId": self.session, "action": action}
        self.busy = True
        async with self.http.post(f"{self.url}/project/action", json=body) as reply:
            await self.until(lambda: not self.busy, seconds, f"the button {name!r} did not end its work")
            return reply.status

    async def until(
        self, condition: Callable[[], object], seconds: float = 30, otherwise: str = "it did not happen"
    ) -> None:
        """Wait for something that the page shows or the endpoint counts. Raises PageError."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):  # an endpoint in a thread has no event for us
                        await asyncio.wait_for(self._news.wait(), 0.02)
        except TimeoutError:
            raise PageError(f"{otherwise} within {seconds:.0f} s") from None

    async def settled(self, seconds: float = 30) -> None:
        """Wait until the app is done and has sent nothing for a moment. Raises PageError."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    try:
                        await asyncio.wait_for(self._news.wait(), _QUIET)
                    except TimeoutError:
                        if not self.busy:
                            return
        except TimeoutError:
            raise PageError(f"the app was still at work after {seconds:.0f} s") from None


async def log_in(http: aiohttp.ClientSession, url: str, user: str = "", password: str = "") -> int:
    """Log in with the form, or without a user as an app that needs none lets its owner in; returns the status."""
    form = {"username": user, "password": password} if user else None
    async with http.post(f"{url}/{'login' if user else 'auth/header'}", data=form) as reply:
        await reply.read()
        return reply.status


@contextlib.asynccontextmanager
async def open_page(url: str, seconds: float = 30) -> AsyncIterator[Page]:
    """A tab that is logged in as the owner and has received the greeting; it is closed at the end. Raises PageError."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        page = Page(url, http)
        try:
            async with asyncio.timeout(seconds):
                await log_in(http, url)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PageError("the app does not let a page open its chat") from error
        try:
            await page.open(seconds)
            await page.settled(seconds)
            yield page
        finally:
            await page.close()
