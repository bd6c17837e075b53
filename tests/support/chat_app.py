"""The chat application in a process of its own, its endpoint, and what a browser would hold of one of its chats."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import sqlite3
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from coursekit import chainlit_client
from coursekit.chainlit_app import RunningApp, running_app
from foundry_mock import Behaviour, Counters, MockEndpoint, requests
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

QUICK = Behaviour(first_token=0.02, rate=400, slots=64)
SLOW = Behaviour(first_token=0.02, rate=25, slots=64)
PATIENCE = 1.5
GRACE = 2.0
TARGET = ROOT / "apps" / "chat_prod" / "app.py"
USERS = {"anna": "a-long-password", "bo": "another-long-one"}
HEALTHY = {
    "endpoint": {"ok": True, "reason": "answers"},
    "store": {"ok": True, "reason": "answers"},
    "serving": {"ok": True, "reason": "takes questions"},
}
# Cookies of those who have logged in, by the cache of the application, which outlives a restart.
LOGINS: dict[tuple[Path, str], dict[str, str]] = {}


@dataclass
class App(RunningApp):
    """A running application, and what it keeps."""

    cache: Path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What its database holds."""
        with contextlib.closing(sqlite3.connect(self.cache / "chat" / "threads.db", timeout=5)) as database:
            return database.execute(query, values).fetchall()

    def steps(self, thread: str) -> list[tuple[str, str]]:
        """Kind and text of each message of a thread."""
        query = 'SELECT "type", "output" FROM steps WHERE "threadId" = ? AND "type" <> \'run\' ORDER BY "createdAt"'
        return [(str(kind), str(text)) for kind, text in self.rows(query, thread)]


def environment(cache: Path, base_url: str, **variables: str) -> dict[str, str]:
    """The variables of an application: nothing of this machine's own settings."""
    ours = ("BASE_URL", "MODEL", "API_KEY", "CHAT_", "CLOUD_", "MAX_CONCURRENCY", "CHAINLIT_", "DATABASE_URL")
    # Chainlit heeds CI too, and then writes a line of text before the app can set its log.
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith(ours)}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return kept | {"LABKIT_CACHE": str(cache), "BASE_URL": base_url, "PYTHONPATH": path} | variables


def copy(folder: Path) -> Path:
    """A copy of the application's folder: Chainlit writes into it, and so would others who run it."""
    ignored = shutil.ignore_patterns("__pycache__", ".files")
    return Path(shutil.copytree(ROOT / "apps" / "chat", folder, ignore=ignored, dirs_exist_ok=True))


@contextlib.contextmanager
def running(folder: Path, base_url: str, **variables: str) -> Iterator[App]:
    """Start the application as a server, and wait until it serves; it is ended at the end."""
    with started(TARGET, folder, base_url, variables) as app:
        yield app


@contextlib.contextmanager
def started(target: Path, folder: Path, base_url: str, variables: dict[str, str]) -> Iterator[App]:
    """The same for the file of any application that keeps its pages in apps/chat."""
    code, cache = copy(folder / "chat"), folder / "cache"
    environ = environment(cache, base_url, CHAINLIT_APP_ROOT=str(code), **variables)
    with running_app(target, folder / f"{uuid.uuid4().hex}.log", cwd=folder, env=environ) as app:
        yield App(**vars(app), cache=cache)


@dataclass
class Page(chainlit_client.Page):
    """One tab of this application: its answers, its errors and the badges below them."""

    app: App = field(kw_only=True)
    history: list[str] = field(default_factory=list)

    async def receive(self, event: str, data: Any = None) -> None:
        """Keep each text that a message began with as well."""
        if event in ("new_message", "stream_start", "update_message") and "message" in data["type"]:
            self.history.append(str(data["output"]))
        await super().receive(event, data)

    @property
    def shown(self) -> list[str]:
        """The texts on the page, errors with a mark."""
        return [("! " if each["isError"] else "") + each["output"] for each in self.messages.values()]

    @property
    def answer(self) -> str:
        """The newest text of the app that is no error."""
        texts = [each["output"] for each in self.messages.values() if each["type"] == "assistant_message"]
        return texts[-1] if texts else ""

    @property
    def error(self) -> str:
        """The newest error."""
        return next((each["output"] for each in reversed(self.messages.values()) if each["isError"]), "")

    @property
    def ended(self) -> str:
        """How the newest badge says that its answer ended."""
        shown = [badge for message, badge in self.elements.items() if message in self.messages]
        return str(shown[-1]["props"]["ended"]) if shown else "no badge"

    async def ask(self, text: str, expected: str = "", seconds: float = 30) -> str:
        """Send a message, wait for the end of its answer, and return the newest answer on the page."""
        await super().ask(text, expected, seconds)
        return self.answer


async def log_in(app: App, user: str) -> None:
    """Log in, and keep the cookies for the visits."""
    async with visit(app, user):
        pass


@contextlib.asynccontextmanager
async def visit(
    app: App, user: str = "", thread: str = "", language: str = "en-US", session: str = ""
) -> AsyncIterator[Page]:
    """A browser that opens the app; with a user's name it logs in."""
    cookies = LOGINS.setdefault((app.cache, user), {})
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), cookies=cookies) as http:
        if not cookies:
            assert await chainlit_client.log_in(http, app.url, user, USERS.get(user, "")) == 200
            cookies.update({cookie.key: cookie.value for cookie in http.cookie_jar})
        headers = {"Accept-Language": language}
        page = Page(app.url, http, session or str(uuid.uuid4()), thread, headers, app=app)
        await page.open()
        try:
            await page.until(lambda: (page.settings or page.error) and not page.busy)
            yield page
        finally:
            await page.close()


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test to its end."""

    async def whole(*arguments: Any, **named: Any) -> None:
        await test(*arguments, **named)
        await asyncio.sleep(0.1)  # connections over TLS close a moment later

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(whole(*arguments, **named))

    return run


async def within(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait for something at the endpoint, which runs in a thread of this process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)


def free(mock: MockEndpoint) -> bool:
    """Whether the endpoint does nothing."""
    return mock.counters.running + mock.counters.waiting == 0


@pytest.fixture(scope="module")
def endpoint() -> Iterator[MockEndpoint]:
    """One endpoint for all tests here."""
    with MockEndpoint(QUICK) as made:
        yield made


@pytest.fixture
def mock(endpoint: MockEndpoint) -> Iterator[MockEndpoint]:
    """The endpoint, quick and without faults, and free again after the test."""
    endpoint.state.behaviour = QUICK
    endpoint.state.loaded = True
    endpoint.state.counters = Counters()
    endpoint.state._steps.clear()
    yield endpoint
    deadline = time.monotonic() + GRACE + 3
    while not free(endpoint):  # without a loop: Playwright's is running in the browser tests
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def app(endpoint: MockEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One application for all tests that do not need another."""
    with running(tmp_path_factory.mktemp("app"), endpoint.base_url, CHAT_PATIENCE=str(PATIENCE)) as made:
        yield made


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, str]]]:
    """The conversations that the endpoint is asked, as roles and texts."""
    seen: list[list[tuple[str, str]]] = []
    original = requests.chat

    def chat(body: bytes) -> requests.ChatRequest:
        request = original(body)
        seen.append([(message.role, message.content) for message in request.messages])
        return request

    monkeypatch.setattr(requests, "chat", chat)
    return seen


def numbers(most: int) -> str:
    """What the mock answers to `Count to ...`."""
    return " ".join(map(str, range(1, most + 1)))
