"""The chat application in a process of its own, driven over its socket: each fault is counted at the endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import socketio

from foundry_mock import Behaviour, Counters, Fault, MockEndpoint, Step, requests, scripts
from tests.conftest import end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

pytestmark = pytest.mark.e2e  # four starts of the application, a minute and a half

ROOT = Path(__file__).resolve().parents[2]
QUICK = Behaviour(first_token=0.02, rate=400, slots=64)
SLOW = Behaviour(first_token=0.02, rate=25, slots=64)
PATIENCE = 1.5
GRACE = 2.0
USERS = {"anna": "a-long-password", "bo": "another-long-one"}
NOTE = "Task manually stopped."
# Cookies of those who have logged in, by the cache of the application, which outlives a restart.
LOGINS: dict[tuple[Path, str], dict[str, str]] = {}


@dataclass
class App:
    """A running application: where it is, what it keeps and what it wrote to its log."""

    port: int
    cache: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

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
    """The application in a folder of its own: Chainlit writes beside it, and so would others who run it."""
    ignored = shutil.ignore_patterns("__pycache__", ".files")
    return Path(shutil.copytree(ROOT / "apps" / "chat", folder, ignore=ignored, dirs_exist_ok=True))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(folder: Path, base_url: str, **variables: str) -> Iterator[App]:
    """Start the application and wait until it serves; it is ended at the end."""
    code, cache, port = copy(folder / "chat"), folder / "cache", free_port()
    log = folder / f"{uuid.uuid4().hex}.log"
    environ = environment(cache, base_url, CHAINLIT_APP_ROOT=str(code), **variables)
    command = [sys.executable, "-m", "chainlit", "run", str(code / "app.py"), "--headless", "--port", str(port)]
    with log.open("wb") as opened:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=opened, stderr=subprocess.STDOUT
        )
    app = App(port, cache, log, process)
    try:
        give_up = time.monotonic() + 90
        while "available at" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)
        yield app
    finally:
        end(process)


@dataclass
class Page:
    """What a browser would hold of one chat: its messages as they are shown, its badges and its buttons."""

    app: App
    http: aiohttp.ClientSession
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    thread: str = ""
    language: str = "en-US"
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    badges: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    settings: list[Any] = field(default_factory=list)
    busy: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    socket: socketio.AsyncClient = field(init=False)
    pipe: aiohttp.ClientWebSocketResponse = field(init=False)

    async def open(self) -> Page:
        """Connect as the page does; again after `close`, with the same session."""
        self.socket = socketio.AsyncClient(http_session=self.http, reconnection=False)
        self.socket.on("*", self._take)
        async with self.http.post(f"{self.app.url}/set-session-cookie", json={"session_id": self.session}) as reply:
            await reply.read()
        told = {"clientType": "webapp", "sessionId": self.session, "userEnv": "{}", "threadId": self.thread}
        await self.socket.connect(
            self.app.url,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            auth=told,
            headers={"Accept-Language": self.language},
        )
        self.pipe = self.socket.eio.ws
        await self.socket.emit("connection_successful")
        return self

    async def close(self) -> None:
        """Close the tab."""
        await self.socket.disconnect()
        # aiohttp keeps the connection of a WebSocket whose server was killed, and complains of it later.
        self.pipe._response.close()

    async def _take(self, event: str, data: Any = None) -> None:
        """Keep what the server sends, as the page does."""
        if event in ("new_message", "stream_start", "update_message"):
            if "message" not in data["type"]:  # Chainlit's own record of a run, which is hidden
                return
            self.messages[data["id"]] = data
            self.history.append(str(data["output"]))
        elif event == "stream_token":
            message = self.messages[data["id"]]
            message["output"] = data["token"] if data["isSequence"] else message["output"] + data["token"]
        elif event == "delete_message":
            self.messages.pop(data["id"], None)
        elif event == "element":
            self.badges[data["forId"]] = data
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
        self.news.set()

    async def until(self, condition: Callable[[], object], seconds: float = 8) -> None:
        """Wait for something that the page comes to show."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self.news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.news.wait(), 0.02)
        except TimeoutError:
            pytest.fail(f"not within {seconds} s; the page shows {self.shown}")

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
        shown = [badge for message, badge in self.badges.items() if message in self.messages]
        return str(shown[-1]["props"]["ended"]) if shown else "no badge"

    async def say(self, text: str, event: str = "client_message", message: str = "") -> None:
        """Send a message, or an edited one, without waiting."""
        self.busy = True
        step = {"id": message or str(uuid.uuid4()), "output": text, "type": "user_message", "name": "user"}
        step |= {"threadId": self.thread, "createdAt": "2026-01-01T00:00:00.000Z"}
        await self.socket.emit(event, {"message": step, "fileReferences": []})

    async def ask(self, text: str) -> str:
        """Send a message and wait for the end of its answer."""
        await self.say(text)
        await self.until(lambda: not self.busy)
        return self.answer

    async def stop(self) -> None:
        """The Stop button."""
        await self.socket.emit("stop")

    async def press(self, name: str) -> int:
        """Press the newest button of this action; the status comes when its work is done."""
        action = [each for each in self.actions if each["name"] == name][-1]
        body = {"sessionId": self.session, "action": action}
        self.busy = True
        async with self.http.post(f"{self.app.url}/project/action", json=body) as reply:
            await self.until(lambda: not self.busy)
            return reply.status


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
            form = {"username": user, "password": USERS.get(user, "")}
            async with http.post(f"{app.url}/{'login' if user else 'auth/header'}", data=form) as reply:
                assert reply.status == 200, await reply.text()
            cookies.update({cookie.key: cookie.value for cookie in http.cookie_jar})
        page = await Page(app, http, session or str(uuid.uuid4()), thread, language).open()
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


# An answer.


@in_loop
async def test_an_answer_streams_and_gets_a_badge(app: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    async with visit(app) as page:
        await page.say("Count to 20.")
        await page.until(lambda: page.answer.startswith("1 2 3"))
        assert page.answer != " ".join(map(str, range(1, 21)))
        await page.until(lambda: not page.busy)
        assert page.answer == " ".join(map(str, range(1, 21)))
        await page.until(lambda: page.ended == "")
        (badge,) = page.badges.values()
        assert badge["props"]["name"] == "local"
        why, first, pace = badge["props"]["facts"]
        assert why == "nothing leaves this machine"
        assert re.fullmatch(r"0\.\d\d s to the first token", first)
        assert re.fullmatch(r"(1[5-9]|2\d|3\d) tokens/s", pace)
        assert page.shown == [page.answer]
        # Else the page would show it as one that still grows, when it is loaded again.
        query = """SELECT DISTINCT streaming FROM steps WHERE "threadId" = ? AND "type" = 'assistant_message'"""
        assert app.rows(query, page.thread) == [(0,)]
    assert (mock.counters.started, mock.counters.ended) == (1, 1)


@in_loop
async def test_the_model_is_told_the_turns_and_nothing_else(
    app: App, mock: MockEndpoint, questions: list[list[tuple[str, str]]]
) -> None:
    async with visit(app) as page:
        await page.ask("My name is Astrid.")
        mock.state.behaviour = SLOW
        await page.say("Count to 300.")
        await page.until(lambda: "4 5" in page.answer)
        await page.stop()
        await page.until(lambda: not page.busy)
        mock.state.behaviour = QUICK
        await page.ask("/export")
        assert "Astrid" not in page.answer
        mock.fail(Fault.SERVER_ERROR)
        await page.ask("Will fail.")
        assert page.error
        assert await page.ask("What is my name?") == "Your name is Astrid."
    roles = [role for role, _ in questions[-1]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    texts = " ".join(text for _, text in questions[-1])
    for never in (NOTE, "export", "Will fail", "mend", "Markdown"):
        assert never not in texts
    assert "3 4 5" in questions[-1][4][1]


# Stop and closed tabs.


@in_loop
async def test_stop_before_the_first_token(app: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = Behaviour(first_token=60)
    async with visit(app) as page:
        await page.say("Count to 20.")
        await within(5, lambda: mock.counters.running == 1)
        await page.stop()
        await within(1, lambda: free(mock))
        await page.until(lambda: not page.busy)
        await page.until(lambda: NOTE not in page.shown)
        assert page.answer == ""
        assert NOTE in page.history
        assert not page.error
        mock.state.behaviour = QUICK
        assert await page.ask("Count to 3.") == "1 2 3"


@in_loop
async def test_stop_in_the_middle_keeps_what_came(app: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    async with visit(app) as page:
        await page.say("Count to 400.")
        await page.until(lambda: "9 10" in page.answer)
        await page.stop()
        await within(1, lambda: free(mock))
        await page.until(lambda: page.ended == "stopped")
        await page.until(lambda: not any(NOTE in text for text in page.shown))
        assert page.answer.startswith("1 2 3 4 5 6 7 8 9 10")
        kept, thread = page.answer, page.thread
    assert (mock.counters.aborted, mock.counters.ended) == (1, 0)
    await within(3, lambda: app.steps(thread) == [("user_message", "Count to 400."), ("assistant_message", kept)])


@in_loop
async def test_stop_leaves_no_note_in_the_thread(app: App, mock: MockEndpoint) -> None:
    """Chainlit's note is written and deleted in two tasks; neither may overtake the other."""
    mock.state.behaviour = SLOW
    async with visit(app) as page:
        for _ in range(6):
            await page.say("Count to 400.")
            await page.until(lambda: page.busy and page.answer.endswith(("3", "4")))
            await page.stop()
            await page.until(lambda: not page.busy)
        await asyncio.sleep(0.5)
        assert [text for _, text in app.steps(page.thread) if NOTE in text] == []


@in_loop
async def test_an_edited_question_can_be_stopped_too(app: App, mock: MockEndpoint) -> None:
    async with visit(app) as page:
        question = str(uuid.uuid4())
        await page.say("Count to 3.", message=question)
        await page.until(lambda: not page.busy)
        mock.state.behaviour = SLOW
        await page.say("Count to 400.", "edit_message", question)
        await page.until(lambda: "4 5" in page.answer)
        await page.stop()
        await within(1, lambda: free(mock))
        await page.until(lambda: not page.busy)
        assert page.ended == "stopped"


@in_loop
async def test_a_closed_tab_ends_its_answer(app: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    async with visit(app) as page:
        await page.say("Count to 400.")
        await page.until(lambda: "4 5" in page.answer)
        thread = page.thread
    await asyncio.sleep(GRACE / 2)
    assert mock.counters.running == 1
    await within(GRACE / 2 + 1, lambda: free(mock))
    await within(2, lambda: "4 5" in app.steps(thread)[-1][1])
    assert mock.counters.aborted == 1


@in_loop
async def test_a_page_that_comes_back_at_once_keeps_its_answer(app: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    async with visit(app) as page:
        await page.say("Count to 100.")
        await page.until(lambda: "4 5" in page.answer)
        await page.close()
        await asyncio.sleep(0.5)
        await page.open()
        await asyncio.sleep(GRACE)
        assert mock.counters.running == 1
        await page.until(lambda: page.answer == " ".join(map(str, range(1, 101))))
    assert (mock.counters.ended, mock.counters.aborted) == (1, 0)


# Faults.

FAULTS = [
    (Step(Fault.RATE_LIMIT, retry_after=0.2), "wait", "", ""),
    (Step(Fault.SERVER_ERROR), "ask again", "", ""),
    (Step(Fault.DROP, after=3), "ask again", "1 2 3", "broke off"),
    (Step(Fault.TRUNCATE, after=3), "ask again", "1 2 3", "broke off"),
    (Step(Fault.HANG), "ask again", "", ""),
    (Step(Fault.HANG_FIRST), "ask again", "", ""),
    (Step(Fault.HANG_MIDDLE, after=3), "ask again", "1 2 3", "fell silent"),
    (Step(Fault.OVERFLOW), "shorter", "", ""),
]


@pytest.mark.parametrize(("step", "fix", "partial", "badge"), FAULTS, ids=[str(each[0].fault) for each in FAULTS])
@in_loop
async def test_a_fault_is_said_and_mended(
    app: App,
    mock: MockEndpoint,
    questions: list[list[tuple[str, str]]],
    step: Step,
    fix: str,
    partial: str,
    badge: str,
) -> None:
    async with visit(app) as page, visit(app) as neighbour:
        mock.fail(step)  # once: the app leaves it to the person to ask again
        await page.say("Count to 6.")
        await within(3, lambda: mock.counters.started > 0)
        assert await neighbour.ask("Count to 5.") == "1 2 3 4 5"
        await page.until(lambda: not page.busy)
        assert fix in page.error
        assert "Traceback" not in page.error
        assert "" not in page.shown
        if partial:
            assert partial in page.shown
            await page.until(lambda: page.ended == badge)
        await within(1, lambda: free(mock))
        assert len(page.actions) == 1
        assert page.actions[0]["label"] == "Try again"
        assert await page.press("retry") == 200
        await page.until(lambda: "1 2 3 4 5 6" in page.shown)
        assert page.error == ""
        if partial:
            assert partial in page.shown
        assert [text for role, text in questions[-1] if role != "system"] == ["Count to 6."]
        await page.ask("Count to 2.")
        assert [role for role, _ in questions[-1]] == ["system", "user", "assistant", "user"]
        assert questions[-1][2][1] == "1 2 3 4 5 6"


@in_loop
async def test_a_model_that_is_not_loaded(app: App, mock: MockEndpoint) -> None:
    async with visit(app) as page:
        mock.state.loaded = False
        await page.ask("Count to 6.")
        assert "not loaded" in page.error
        mock.state.loaded = True
        await page.press("retry")
        await page.until(lambda: page.answer == "1 2 3 4 5 6")


@in_loop
async def test_an_endpoint_that_comes_back_with_another_model(app: App, mock: MockEndpoint) -> None:
    """An open page gets it at the next try, and its settings show it."""
    async with visit(app) as page:
        await page.ask("Count to 3.")
        mock.state.behaviour = replace(QUICK, model="another-model-generic-cpu:1")
        await page.ask("Count to 6.")
        assert "no model of this name" in page.error
        await page.press("retry")
        await page.until(lambda: page.answer == "1 2 3 4 5 6")
        await page.until(lambda: page.settings[-1][0]["initial"] == "another-model-generic-cpu:1")
    mock.state.behaviour = QUICK
    async with visit(app) as page:
        await page.ask("Count to 3.")
        await page.press("retry")
        await page.until(lambda: page.answer == "1 2 3")


@pytest.mark.usefixtures("mock")
@in_loop
async def test_an_answer_without_a_word_is_said(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    async with visit(app) as page:
        with monkeypatch.context() as patch:
            patch.setattr(scripts, "answer", lambda _: "")
            await page.ask("Count to 6.")
        assert "without a word" in page.error
        await page.press("retry")
        await page.until(lambda: page.answer == "1 2 3 4 5 6")


@pytest.mark.usefixtures("mock")
@in_loop
async def test_a_mistake_of_the_app_itself_is_said(app: App) -> None:
    """At the question, at a second try, and where the question was edited."""
    async with visit(app) as page:
        question = str(uuid.uuid4())
        await page.socket.emit("chat_settings_change", {"system": 5})  # no text, which no page sends
        await page.say("Count to 6.", message=question)
        await page.until(lambda: not page.busy)
        assert "The app itself failed" in page.error
        await page.press("retry")
        assert "The app itself failed" in page.error
        await page.say("Count to 7.", "edit_message", question)
        await page.until(lambda: not page.busy)
        assert "The app itself failed" in page.error
        await page.socket.emit("chat_settings_change", {"system": "Be brief."})
        await page.press("retry")
        await page.until(lambda: page.answer == "1 2 3 4 5 6 7")


@in_loop
async def test_a_retry_can_be_stopped(app: App, mock: MockEndpoint) -> None:
    async with visit(app) as page:
        mock.fail(Fault.DROP)
        await page.ask("Count to 400.")
        mock.state.behaviour = SLOW
        pressed = asyncio.create_task(page.press("retry"))
        await page.until(lambda: "4 5" in page.answer)
        await page.stop()
        await within(1, lambda: free(mock))
        assert await pressed == 200
        await page.until(lambda: page.ended == "stopped")
        assert not page.busy


@in_loop
async def test_errors_and_notes_are_swedish_for_a_swedish_browser(app: App, mock: MockEndpoint) -> None:
    async with visit(app, language="sv-SE,sv;q=0.9") as page:
        mock.fail(Fault.DROP)
        await page.ask("Count to 6.")
        assert page.actions[0]["label"] == "Försök igen"
        await page.until(lambda: page.ended == "bröts av")


HEALTHY = {
    "endpoint": {"ok": True, "reason": "answers"},
    "store": {"ok": True, "reason": "answers"},
    "serving": {"ok": True, "reason": "takes questions"},
}


@in_loop
async def test_readiness(app: App, mock: MockEndpoint) -> None:
    async with aiohttp.ClientSession() as http:
        reply = await http.get(f"{app.url}/ready")
        assert (reply.status, await reply.json()) == (200, {"ready": True, "checks": HEALTHY})
    assert mock.counters.started == 0


@in_loop
async def test_a_page_elsewhere_gets_nothing(app: App) -> None:
    """The guard stands before Chainlit's own routes and its socket."""
    foreign = {"Origin": "https://evil.example"}
    async with aiohttp.ClientSession() as http:
        for method, path in (
            ("POST", "/auth/header"),
            ("GET", "/ready"),
            ("GET", "/ws/socket.io/?EIO=4&transport=polling"),
        ):
            reply = await http.request(method, app.url + path, headers=foreign)
            assert reply.status == 403, path
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{app.url}/ws/socket.io/?EIO=4&transport=websocket", headers=foreign)
        assert refused.value.status == 403
        own = {"Origin": app.url}
        async with http.ws_connect(f"{app.url}/ws/socket.io/?EIO=4&transport=websocket", headers=own) as opened:
            assert (await opened.receive_str()).startswith("0{")
        page = await http.get(app.url, headers=own)
        assert page.headers.getall("Content-Security-Policy")[0].startswith("default-src 'self'")
        assert not re.search(r"<(link|script)[^>]*https?://", await page.text())


@pytest.mark.usefixtures("mock")
@in_loop
async def test_no_page_names_a_folder(app: App, tmp_path: Path) -> None:
    """The id of a session comes from the page. Chainlit makes a path of it, which is removed with the session."""
    folder = tmp_path / "annas"
    folder.mkdir()
    async with visit(app, session=str(folder)) as page:
        await page.ask("/export")
        await page.until(lambda: page.badges)
        # Nor is it where the end of a second app would remove it.
        assert [each for each in (folder, app.log.parent / "chat" / ".files") if any(each.iterdir())] == []
        await page.socket.emit("clear_session")
    await asyncio.sleep(0.5)
    assert folder.exists()


def test_the_log_has_no_words_of_users(app: App) -> None:
    """After all of the above."""
    quiet(app)


IGNORED = re.compile(r"Exception ignored in: <async_generator .*\nTraceback.*\n(?: .*\n)*\w+Error: .*\n")


def quiet(app: App) -> None:
    """Neither what somebody wrote, nor a secret, nor a traceback is in the log."""
    # What the garbage collector says of a stream that broke off is the HTTP client's own affair.
    log = IGNORED.sub("", app.log.read_text())
    secret = (app.cache / "chat" / "session-secret").read_text()
    for never in (
        secret,
        *USERS.values(),
        "Astrid",
        "Count to",
        "1 2 3",
        "Traceback",
        "never retrieved",
        "blob_storage",
    ):
        assert never not in log, log


# One device for several users.


@pytest.fixture(scope="module")
def house(endpoint: MockEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application with a login whose device answers one at a time. The last test kills it."""
    told = ",".join(f"{name}:{password}" for name, password in USERS.items())
    with running(tmp_path_factory.mktemp("house"), endpoint.base_url, CHAT_USERS=told, MAX_CONCURRENCY="1") as made:
        for name in USERS:
            asyncio.run(log_in(made, name))
        yield made


@in_loop
async def test_three_users_and_one_device(house: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    async with visit(house, "anna") as first, visit(house, "bo") as second, visit(house, "anna") as third:
        await first.say("Count to 30.")
        await first.until(lambda: first.answer)
        await second.say("Count to 30.")
        await second.until(lambda: "place 1" in second.answer)
        await third.say("Count to 20.")
        await third.until(lambda: "place 2" in third.answer)
        assert mock.counters.started == 1
        await second.stop()  # in line
        await third.until(lambda: "place 1" in third.answer)
        await second.until(lambda: second.shown == [])
        await first.until(lambda: not first.busy)
        await third.until(lambda: third.answer.startswith("1 2"))
        assert not any("place" in text for text in third.shown)
        await third.until(lambda: not third.busy)
        assert third.answer == " ".join(map(str, range(1, 21)))
        assert (mock.counters.started, mock.counters.most) == (2, 1)
        await asyncio.sleep(0.3)
        for page in (second, third):
            assert not [text for _, text in house.steps(page.thread) if "place" in text or NOTE in text]


@in_loop
async def test_a_closed_tab_leaves_the_line(house: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = Behaviour(first_token=60)
    async with visit(house, "anna") as first:
        await first.say("Count to 30.")
        await within(5, lambda: mock.counters.running == 1)
        async with visit(house, "bo") as second:
            await second.say("Count to 30.")
            await second.until(lambda: "place 1" in second.answer)
        await asyncio.sleep(GRACE + 0.3)
        await first.stop()
        await within(1, lambda: free(mock))
        await asyncio.sleep(0.3)
    assert mock.counters.started == 1


@in_loop
async def test_a_login_is_wanted_and_its_tries_are_counted(house: App) -> None:
    """Five wrong tries a minute, and a right one after them is not let in either."""
    async with aiohttp.ClientSession() as http:

        async def post(path: str, **sent: Any) -> int:
            async with http.post(house.url + path, **sent) as reply:
                await reply.read()
                return reply.status

        body: dict[str, Any] = {"pagination": {"first": 20}, "filter": {}}
        assert await post("/project/threads", json=body) == 401
        assert await post("/auth/header") == 400
        form = {"username": "anna", "password": USERS["bo"]}
        statuses = [await post("/login", data=form) for _ in range(6)]
        form["password"] = USERS["anna"]
        assert await post("/login", data=form) == 429
    assert set(statuses) <= {401, 429}
    assert statuses[-1] == 429


@in_loop
async def test_killed_in_the_middle_and_started_again(
    house: App, mock: MockEndpoint, questions: list[list[tuple[str, str]]]
) -> None:
    mock.state.behaviour = SLOW
    async with visit(house, "anna") as page:
        await page.ask("My name is Astrid.")
        await page.say("Count to 400.")
        await page.until(lambda: "40 41" in page.answer)
        thread = page.thread
        house.process.kill()
        house.process.wait()
        quiet(house)
    await within(2, lambda: free(mock))
    kept = house.steps(thread)
    assert [kind for kind, _ in kept] == ["user_message", "assistant_message"] * 2
    assert kept[2] == ("user_message", "Count to 400.")
    assert kept[3][1].startswith("1 2 3 4 5 6 7 8 9 10")

    mock.state.behaviour = QUICK
    told = ",".join(f"{name}:{password}" for name, password in USERS.items())
    port = free_port()
    with running(house.log.parent, f"http://127.0.0.1:{port}/v1", CHAT_USERS=told) as again:
        async with visit(again, "anna", thread=thread) as page:
            # Nothing listens: the thread is shown all the same, with its badges.
            assert await status(again, "/ready") == 503
            asked_at = time.monotonic()
            await page.until(lambda: page.resumed and page.actions)
            assert "Nothing listens" in page.error
            texts = [step["output"] for step in page.resumed[0]["steps"] if "message" in step["type"]]
            assert texts[:4] == [text for _, text in kept]
            ends = [element["props"]["ended"] for element in page.resumed[0]["elements"]]
            assert ends == ["", "broke off"]
            async with visit(again, "bo") as other:
                assert "Nothing listens" in other.error
                with MockEndpoint(QUICK, port=port) as late:
                    assert await other.press("connect") == 200
                    assert other.settings
                    assert other.error == ""
                    await other.ask("Count to 3.")
                    assert other.answer == "1 2 3"
                    name = 'SELECT "name" FROM threads WHERE "id" = ?'
                    await within(2, lambda: again.rows(name, other.thread) == [("Count to 3.",)])
                    assert await page.ask("What is my name?") == "Your name is Astrid."
                    roles = [role for role, _ in questions[-1]]
                    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
                    await asyncio.sleep(max(0.0, asked_at + 5.2 - time.monotonic()))
                    assert await status(again, "/ready") == 200
                    assert late.counters.started == 2
                await other.ask("Count to 4.")
                assert "python lab.py serve" in other.error
                with MockEndpoint(QUICK, port=port):
                    await other.press("retry")
                    assert other.answer == "1 2 3 4"
        quiet(again)


async def status(app: App, path: str) -> int:
    """The status of a page."""
    async with aiohttp.ClientSession() as http, http.get(app.url + path) as reply:
        return reply.status


# Starting.


def test_it_refuses_an_open_address_without_a_login(tmp_path: Path, closed_port: int) -> None:
    """Started as a student would, from another folder, which Chainlit would take for its own."""
    code = copy(tmp_path / "chat")
    environ = environment(tmp_path / "cache", f"http://127.0.0.1:{closed_port}/v1")
    command = [sys.executable, "-m", "chainlit", "run", str(code / "app.py"), "--headless", "--port", str(free_port())]
    done = subprocess.run(
        [*command, "--host", "0.0.0.0"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("chat: ")]
    assert len(said) == 1
    assert "CHAT_USERS" in said[0]
    assert "Traceback" not in done.stderr + done.stdout
