"""The modules of the chat application by themselves: history, queue, guard, threads, words, launch."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sqlite3
import stat
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import Connection, EndpointError, Health, LabError, SettingsError, Source, StreamError
from labkit.events import End, Trace
from labkit.history import MARKERS
from labkit.notebook import bar
from tests.support.doubles import Clock, settle

ROOT = Path(__file__).resolve().parents[2]
CHAT = ROOT / "apps" / "chat"
with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # Chainlit writes its settings where it is imported, and some of its own imports warn.
    warnings.simplefilter("ignore")
    patch.setenv("CHAINLIT_APP_ROOT", tempfile.mkdtemp(prefix="chainlit-"))
    import chainlit.config
    import chainlit.server
    from chainlit.user import User

    from apps.chat import chainlit_fixes, device, guard, history, launch, reply, schema, store, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send


@dataclass
class Said:
    """As much of a Chainlit message as the history looks at."""

    type: str
    content: str
    metadata: dict[str, Any] | None = field(default_factory=dict)


def question(text: str) -> Any:
    """What a user wrote."""
    return Said("user_message", text)


def answer(text: str, tokens: int | None = 5) -> Any:
    """What the model wrote."""
    return Said("assistant_message", text, {"answer": True, "tokens": tokens, "badge": {}})


def note(text: str, metadata: dict[str, Any] | None = None) -> Any:
    """What the app itself, or Chainlit, wrote."""
    return Said("assistant_message", text, metadata)


def told(*messages: Any, system: str = "") -> list[tuple[str, str]]:
    """Roles and texts that go to the model."""
    return [(each["role"], each["content"]) for each in history.conversation(messages, system).messages]


# What goes to the model.


CONVERSATIONS: dict[str, tuple[list[Any], list[tuple[str, str]]]] = {
    "nothing": ([], []),
    "a welcome": ([note("Welcome!")], []),
    "a question": ([question("a")], [("user", "a")]),
    "turns": ([question("a"), answer("b"), question("c")], [("user", "a"), ("assistant", "b"), ("user", "c")]),
    "an export after a failed question": (
        [question("a"), note("failed"), question("/export"), note("exported")],
        [("user", "a")],
    ),
    "a question again, without its partial answer": (
        [question("a"), answer("par"), note("broke off")],
        [("user", "a")],
    ),
    "the later of two answers": (
        [question("a"), answer("par"), answer("whole"), question("b")],
        [("user", "a"), ("assistant", "whole"), ("user", "b")],
    ),
    "the model's own words": (
        [question("a"), answer(r"key\:value"), question("b")],
        [("user", "a"), ("assistant", "key:value"), ("user", "b")],
    ),
}


@pytest.mark.parametrize(("messages", "sent"), CONVERSATIONS.values(), ids=list(CONVERSATIONS))
@pytest.mark.parametrize("system", ["", "Be brief."])
def test_what_goes_to_the_model(messages: list[Any], sent: list[tuple[str, str]], system: str) -> None:
    assert told(*messages, system=system) == ([("system", system)] if system else []) + sent


@pytest.mark.parametrize(
    "between",
    [
        note("Welcome!"),
        note("Task manually stopped."),
        note("the endpoint failed inside. Fix: ask again", {}),
        note("The conversation as Markdown.", {"badge": {}}),
        question("/export"),
        question("  /export\n"),
        question("never answered"),
    ],
    ids=lambda said: said.content.strip()[:12],
)
def test_what_is_no_turn_stays_here(between: Any) -> None:
    turns = [question("a"), answer("b")]
    assert told(between, *turns, between, between, question("c")) == told(*turns, question("c"))


def test_sizes_are_the_endpoints_own() -> None:
    counted = history.conversation([question("a"), answer("b", 7), question("c")], "").sizes
    assert counted[1] == 7 + MARKERS
    guessed = history.conversation([question("a"), answer("b" * 300, None), question("c")], "").sizes
    assert guessed[1] > 50


def test_the_export() -> None:
    assert history.as_markdown([]) == "# Chat\n"
    text = history.as_markdown(
        [note("Welcome!"), question("Why?"), answer(r"key\:value"), question("/export"), note("Exported.")], "Title"
    )
    assert text == "# Title\n\n**You**\n\nWhy?\n\n**Model**\n\nkey:value\n"


# Colons.


def test_a_colon_before_a_letter_is_escaped_and_others_are_not() -> None:
    assert history.shown("key:value a: b 10:30 å:ä 1:a ::a") == r"key\:value a: b 10:30 å\:ä 1\:a ::a"


@pytest.mark.parametrize(
    "code",
    [
        "`a:b`",
        "```\na:b\n```",
        "```python\nd = {1:x}\nprint(k:v)",
        "`a:b",
        "```a:b``` `c:d`",
        "~~~\na:b\n~~~",
        "``a:b`c:d``",
    ],
)
def test_code_is_left_alone(code: str) -> None:
    assert history.shown(code) == code
    assert history.written(code) == code
    assert history.shown(f"x:y {code}") == rf"x\:y {code}"


@given(st.text(alphabet="ab1å:`~ \n.*_-#", max_size=60))
@settings(max_examples=400, deadline=None)
def test_written_undoes_shown(text: str) -> None:
    assert history.written(history.shown(text)) == text


@given(st.text(max_size=60).filter(lambda text: "\\:" not in text))
@settings(max_examples=200, deadline=None)
def test_written_undoes_shown_on_any_text(text: str) -> None:
    assert history.written(history.shown(text)) == text


# The queue.


class Visitor:
    """Somebody who waits for a turn and holds it until told to leave."""

    def __init__(self, queue: device.Queue) -> None:
        self.places: list[int] = []
        self.leave = asyncio.Event()
        self.holds = False
        self.task = asyncio.create_task(self._visit(queue))

    async def _visit(self, queue: device.Queue) -> None:
        async with queue.turn(self._moved):
            self.holds = True
            try:
                await self.leave.wait()
            finally:
                self.holds = False

    async def _moved(self, place: int) -> None:
        await asyncio.sleep(0)
        self.places.append(place)


def test_places_are_told_and_move_up() -> None:
    async def scenario() -> None:
        queue = device.Queue(2)
        visitors = [Visitor(queue) for _ in range(5)]
        await settle()
        assert [visitor.holds for visitor in visitors] == [True, True, False, False, False]
        assert [visitor.places[-1:] for visitor in visitors] == [[], [], [1], [2], [3]]
        assert (queue.running, queue.waiting) == (2, 3)
        visitors[3].task.cancel()
        await settle()
        assert visitors[4].places[-1] == 2
        visitors[0].leave.set()
        await settle()
        assert visitors[2].holds
        assert visitors[4].places[-1] == 1
        assert (queue.running, queue.waiting) == (2, 1)
        for visitor in visitors:
            visitor.leave.set()
        await asyncio.gather(*(visitor.task for visitor in visitors), return_exceptions=True)
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("width", [1, 3])
def test_800_cancellations_lose_no_slot(width: int) -> None:
    async def scenario() -> None:
        chance, queue, most = random.Random(width), device.Queue(width), 0
        crowd: list[Visitor] = []
        for _ in range(800):
            crowd = [visitor for visitor in crowd if not visitor.task.done()]
            crowd += [Visitor(queue) for _ in range(chance.randint(1, 3) if len(crowd) < 12 else 0)]
            for _ in range(chance.randint(0, 4)):
                await asyncio.sleep(0)
            holding = sum(visitor.holds for visitor in crowd)
            most = max(most, holding)
            assert queue.running <= width
            chance.choice(crowd).task.cancel()
            chance.choice(crowd).leave.set()
        assert most == width
        for visitor in crowd:
            visitor.task.cancel()
        await asyncio.gather(*(visitor.task for visitor in crowd), return_exceptions=True)
        assert (queue.running, queue.waiting) == (0, 0)
        last = [Visitor(queue) for _ in range(width + 1)]
        await settle()
        assert [visitor.holds for visitor in last] == [True] * width + [False]
        for visitor in last:
            visitor.task.cancel()
        await asyncio.gather(*(visitor.task for visitor in last), return_exceptions=True)

    asyncio.run(scenario())


def test_a_place_that_cannot_be_told_frees_the_line() -> None:
    async def scenario() -> None:
        queue = device.Queue(1)
        first = Visitor(queue)
        await settle()

        async def fails(_: int) -> None:
            raise OSError("the page is gone")

        with pytest.raises(OSError, match="gone"):
            async with queue.turn(fails):
                pytest.fail("it was not its turn")
        assert (queue.running, queue.waiting) == (1, 0)
        first.leave.set()
        await first.task
        assert queue.running == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("told", "source", "expected"),
    [
        ("", Source.BASE_URL, 64),
        *(("", source, 2) for source in (Source.IN_PROCESS, Source.SHARED, Source.SERVICE)),
        ("5", Source.BASE_URL, 5),
        (" 1 ", Source.IN_PROCESS, 1),
    ],
)
def test_width(told: str, source: Source, expected: int) -> None:
    assert device.width(source, {"MAX_CONCURRENCY": told}) == expected


@pytest.mark.parametrize(("told", "expected"), [("", 120), ("1.5", 1.5), (" 30 ", 30)])
def test_patience(told: str, expected: float) -> None:
    assert device.patience({"CHAT_PATIENCE": told}) == expected


@pytest.mark.parametrize(
    ("name", "read"), [("MAX_CONCURRENCY", partial(device.width, Source.BASE_URL)), ("CHAT_PATIENCE", device.patience)]
)
@pytest.mark.parametrize("told", ["0", "-1", "many", "1,5", "²", "nan", "inf"])
def test_a_number_that_is_none(name: str, read: Callable[[dict[str, str]], float], told: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read({name: told})


def test_half_an_answer_at_once_makes_no_sense() -> None:
    with pytest.raises(SettingsError, match="MAX_CONCURRENCY"):
        device.width(Source.BASE_URL, {"MAX_CONCURRENCY": "1.5"})


# The device.


@dataclass
class Endpoint:
    """Stands in for connect() and health(): counts, and fails as told."""

    connected: int = 0
    asked: int = 0
    fails: int = 0
    seconds: float = 0.05

    def connect(self, **_: object) -> Connection:
        self.connected += 1
        time.sleep(self.seconds)
        if self.fails:
            self.fails -= 1
            raise EndpointError("nothing listens", fix="start it")
        return Connection("http://127.0.0.1:1/v1", "model", Source.IN_PROCESS)

    def health(self, _: Connection) -> Health:
        self.asked += 1
        return Health(True, 0.0, ("model",), "ready")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """In the place of a real one."""
    made = Endpoint()
    monkeypatch.setattr(device, "connect", made.connect)
    monkeypatch.setattr(Connection, "health", lambda self: made.health(self))
    return made


def test_all_share_one_connection_though_the_first_one_leaves(endpoint: Endpoint) -> None:
    async def scenario() -> None:
        shared = device.Device()
        first = asyncio.create_task(shared.connection())
        others = [asyncio.create_task(shared.connection()) for _ in range(3)]
        await settle()
        first.cancel()
        late = asyncio.create_task(shared.connection())
        assert len({id(lab) for lab in await asyncio.gather(*others, late)}) == 1
        assert shared.queue.width == 2

    asyncio.run(scenario())
    assert endpoint.connected == 1


def test_a_failed_connection_is_tried_again(endpoint: Endpoint) -> None:
    endpoint.fails = 1

    async def scenario() -> None:
        shared = device.Device()
        failed = await asyncio.gather(*(shared.connection() for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, EndpointError) for each in failed)
        assert (await shared.connection()).model == "model"

    asyncio.run(scenario())
    assert endpoint.connected == 2


def test_a_forgotten_connection_is_made_anew_with_the_same_queue(endpoint: Endpoint) -> None:
    async def scenario() -> None:
        shared = device.Device(fresh=60)
        before, queue = await shared.connection(), shared.queue
        await shared.health()
        shared.forget()
        assert await shared.connection() is not before
        assert shared.queue is queue
        await shared.health()

    asyncio.run(scenario())
    assert (endpoint.connected, endpoint.asked) == (2, 2)


def test_what_a_connection_waits_for_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched, asked = threading.Event(), threading.Event()

    def connect(**_: object) -> Connection:
        with bar("Downloading a-model", total=200, unit="B") as advance:
            advance(80)
            fetched.set()
            assert asked.wait(5)
        return Connection("http://127.0.0.1:1/v1", "model", Source.IN_PROCESS)

    monkeypatch.setattr(device, "connect", connect)

    async def scenario() -> None:
        shared = device.Device()
        making = asyncio.create_task(shared.connection())
        assert await asyncio.to_thread(fetched.wait, 5)
        assert shared.progress == "Downloading a-model: 40%"
        asked.set()
        assert (await making).retries == 0

    asyncio.run(scenario())


def test_health_is_asked_once_in_a_while(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(device, "time", SimpleNamespace(monotonic=clock))

    async def scenario() -> None:
        shared = device.Device(fresh=5)
        seen = await asyncio.gather(*(shared.health() for _ in range(8)))
        assert all(each.ok for each in seen)
        assert endpoint.asked == 1
        clock.now += 5.1
        await shared.health()
        assert endpoint.asked == 2

    asyncio.run(scenario())


def test_health_without_a_connection(endpoint: Endpoint) -> None:
    endpoint.fails = 1
    seen = asyncio.run(device.Device().health())
    assert not seen.ok
    assert "nothing listens" in seen.detail


# The guard.


@dataclass
class Seen:
    """What came through the guard, and what it sent back."""

    passed: int = 0
    sent: list[Message] = field(default_factory=list)
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def through(
    method: str,
    headers: list[tuple[str, str]],
    *,
    path: str = "/",
    hosts: tuple[str, ...] = (),
    client: str = "127.0.0.1",
    made: guard.Guard | None = None,
    status: int = 200,
) -> Seen:
    """One request, or with the method WS a WebSocket."""
    seen = Seen()

    async def inner(scope: Scope, _: Receive, send: Send) -> None:
        seen.passed += 1
        if scope["type"] == "http":
            own = [(b"X-Frame-Options", b"DENY"), (b"Content-Security-Policy", b"default-src *")]
            await send({"type": "http.response.start", "status": status, "headers": own})
            await send({"type": "http.response.body", "body": b"fine"})

    async def receive() -> Message:
        return {"type": "websocket.connect" if method == "WS" else "http.request"}

    async def send(message: Message) -> None:
        seen.sent.append(message)

    layer = made or guard.Guard(inner, 8000, hosts)
    layer.app = inner
    scope: Scope = {
        "type": "websocket" if method == "WS" else "http",
        "path": path,
        "client": (client, 5),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    if method != "WS":
        scope["method"] = method
    asyncio.run(layer(scope, receive, send))
    for message in seen.sent:
        if message["type"] == "http.response.start":
            seen.status, seen.headers = message["status"], list(message["headers"])
    return seen


OWN = ("host", "127.0.0.1:8000")
REFUSED: dict[str, list[tuple[str, str]]] = {
    "foreign": [OWN, ("origin", "https://evil.example")],
    "other port": [OWN, ("origin", "http://127.0.0.1:8001")],
    "no port": [OWN, ("origin", "http://127.0.0.1")],
    "null": [OWN, ("origin", "null")],
    "empty": [OWN, ("origin", "")],
    "lookalike": [OWN, ("origin", "http://127.0.0.1:8000.evil.example")],
    "user before": [OWN, ("origin", "http://127.0.0.1:8000@evil.example")],
    "user of ours": [OWN, ("origin", "http://evil.example@127.0.0.1:8000")],
    "other name of ours": [OWN, ("origin", "http://localhost:8000")],
    "other scheme": [OWN, ("origin", "ftp://127.0.0.1:8000")],
    "broken": [OWN, ("origin", "http://[::1")],
    "path": [OWN, ("origin", "http://127.0.0.1:8000/x")],
    "rebinding": [("host", "evil.example:8000")],
    "rebinding with its origin": [("host", "evil.example:8000"), ("origin", "http://evil.example:8000")],
    "host without port": [("host", "127.0.0.1")],
    "no host": [],
    "empty host": [("host", "")],
    "two hosts": [OWN, ("host", "evil.example:8000")],
    "two origins": [OWN, ("origin", "http://127.0.0.1:8000"), ("origin", "https://evil.example")],
    "forwarded": [("host", "evil.example"), ("x-forwarded-host", "127.0.0.1:8000")],
}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "WS"])
@pytest.mark.parametrize("headers", REFUSED.values(), ids=list(REFUSED))
def test_a_strangers_page_is_refused(method: str, headers: list[tuple[str, str]]) -> None:
    seen = through(method, headers)
    assert seen.passed == 0
    if method == "WS":
        assert seen.sent == [{"type": "websocket.close", "code": 1008}]
    else:
        assert seen.status == 403
        assert dict(seen.headers)[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "WS"])
@pytest.mark.parametrize(
    "headers",
    [
        [OWN],
        [OWN, ("origin", "http://127.0.0.1:8000")],
        [("Host", "LOCALHOST:8000"), ("Origin", "http://localhost:8000")],
        [("host", "[::1]:8000"), ("origin", "http://[::1]:8000")],
        [("host", "chat.example:8000"), ("origin", "http://chat.example:8000")],
        [("host", "chat.example"), ("origin", "https://chat.example")],
    ],
)
def test_our_own_page_gets_through(method: str, headers: list[tuple[str, str]]) -> None:
    lower = [(name.lower(), value) for name, value in headers]
    assert through(method, lower, hosts=("chat.example",)).passed == 1


def test_the_usual_port_is_left_out_by_browsers() -> None:
    layer = guard.Guard(lambda *_: pytest.fail("replaced by `through`"), 80, ("chat.example",))
    assert through("GET", [("host", "127.0.0.1"), ("origin", "http://127.0.0.1")], made=layer).passed == 1
    assert through("GET", [("host", "chat.example:80")], made=layer).passed == 1
    assert through("GET", [("host", "evil.example")], made=layer).passed == 0


@pytest.mark.parametrize(
    ("host", "header"),
    [("127.0.0.2", "127.0.0.2:8000"), ("MyPC", "mypc:8000"), ("fd00::5", "[fd00::5]:8000"), ("::1", "[::1]:8000")],
)
def test_the_address_that_it_listens_on_is_a_name_of_it(host: str, header: str) -> None:
    assert through("GET", [("host", header)], hosts=(guard.host_label(host),)).passed == 1


def test_the_port_is_left_out_of_no_name_of_this_machine() -> None:
    assert through("GET", [("host", "localhost")], hosts=(guard.host_label("localhost"),)).passed == 0


def test_the_life_of_the_server_passes() -> None:
    passed: list[str] = []

    async def inner(scope: Scope, _: Receive, __: Send) -> None:
        passed.append(scope["type"])

    async def nothing(*_: object) -> Any:
        pytest.fail("nothing is sent")

    asyncio.run(guard.Guard(inner, 8000)({"type": "lifespan"}, nothing, nothing))
    assert passed == ["lifespan"]


def test_headers_are_set_once_and_others_stay() -> None:
    headers = through("GET", [OWN]).headers
    names = [name.lower() for name, _ in headers]
    for name in guard.HEADERS:
        assert names.count(name) == 1
    assert b"x-frame-options" in names
    policy = dict(headers)[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "*" not in policy.replace("127.0.0.1:*", "").replace("localhost:*", "")
    assert "https:" not in policy
    assert "img-src 'self' data: blob:" in policy
    assert "connect-src 'self' ws://127.0.0.1:8000 wss://127.0.0.1:8000;" in f"{policy};"


def test_throttle() -> None:
    now = [0.0]
    throttle = guard.Throttle(most=3, seconds=60, clock=lambda: now[0])
    assert [throttle.allows("a") for _ in range(5)] == [True, True, True, False, False]
    assert throttle.allows("b")
    now[0] = 59.0
    assert not throttle.allows("a")
    now[0] = 119.5
    assert throttle.allows("a")
    assert set(throttle._tries) == {"a"}


def test_only_tries_to_log_in_are_throttled() -> None:
    made = guard.Guard(lambda *_: pytest.fail("replaced below"), 8000, throttle=guard.Throttle(most=2))
    statuses = [through("POST", [OWN], path="/login", made=made, status=401).status for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert through("POST", [OWN], path="/login", made=made).status == 429
    assert through("POST", [OWN], path="/login", client="192.0.2.1", made=made).status == 200
    assert through("GET", [OWN], path="/login", made=made).status == 200
    assert through("POST", [OWN], path="/project/action", made=made).status == 200
    assert through("POST", [OWN], path="/behind/a/proxy/login", made=made).status == 429


def test_a_right_login_does_not_count_and_forgives_no_wrong_one() -> None:
    made = guard.Guard(lambda *_: pytest.fail("replaced below"), 8000, throttle=guard.Throttle(most=2))
    told = [200, 200, 200, 401, 200, 401, 401]
    seen = [through("POST", [OWN], path="/login", made=made, status=status).status for status in told]
    assert seen == [200, 200, 200, 401, 200, 401, 429]


def test_users() -> None:
    assert guard.users({}) == guard.users({"CHAT_USERS": "  "}) == {}
    known = guard.users({"CHAT_USERS": "anna:long-password, bo:with:colon:in-it"})
    assert known == {"anna": "long-password", "bo": "with:colon:in-it"}


@pytest.mark.parametrize(
    "told",
    [
        "anna",
        "anna:short",
        ":secret-password",
        "anna:secret-password,",
        "anna:secret-password,bo:tiny",
        "anna:secret-password,anna:another-secret",
        "anna:secret-\udcff",
    ],
)
def test_wrong_users_are_named_without_their_passwords(told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        guard.users({"CHAT_USERS": told})
    for password in ("short", "secret", "tiny"):
        assert password not in str(refused.value)


def test_matches() -> None:
    known = {"anna": "long-password"}
    assert guard.matches(known, "anna", "long-password")
    for name, password in (("anna", "wrong"), ("bo", "long-password"), ("anna", ""), ("", ""), ("anna", "å" * 9)):
        assert not guard.matches(known, name, password)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "chat.example", "", "127.0.0.1.evil.example"])
def test_a_network_wants_users(host: str) -> None:
    with pytest.raises(SettingsError, match="CHAT_USERS"):
        guard.refuse_unguarded(host, {})
    guard.refuse_unguarded(host, {"anna": "long-password"})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_this_machine_wants_none(host: str) -> None:
    guard.refuse_unguarded(host, {})


# Threads.


def test_tables_are_made_once(tmp_path: Path) -> None:
    file = tmp_path / "new" / "threads.db"
    schema.create_tables(file)
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO threads (id, name) VALUES ('1', 'kept')")
    database.close()
    schema.create_tables(file)
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT name FROM threads").fetchall() == [("kept",)]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert tables == {"users", "threads", "steps", "elements", "feedbacks"}
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_note_that_is_taken_away_at_once_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write is a task of its own, as Chainlit makes them, and each may take longer than the next."""
    chance = random.Random(6)
    monkeypatch.setattr("chainlit.data.utils.context", Said("", ""), raising=True)
    monkeypatch.setattr(Said, "session", None, raising=False)

    async def scenario() -> None:
        data = store.open_file(tmp_path / "threads.db")
        await data.create_user(User("anna"))
        store.acting_user.set("anna")
        original = data.execute_sql

        async def slow(query: str, parameters: dict[str, Any]) -> Any:
            await asyncio.sleep(chance.random() * 0.01)
            return await original(query, parameters)

        monkeypatch.setattr(data, "execute_sql", slow)
        work = []
        for number in range(12):
            step: Any = {"id": str(number), "threadId": "t", "name": "n", "type": "x", "streaming": False, "output": ""}
            work += [data.create_step(dict(step)), data.update_step(step | {"output": "last"})]
            if number % 2:
                work.append(data.delete_step(str(number)))
        await asyncio.gather(*map(asyncio.create_task, work))
        await data.engine.dispose()

    asyncio.run(scenario())
    with sqlite3.connect(tmp_path / "threads.db") as database:
        rows = database.execute("SELECT id, output FROM steps ORDER BY CAST(id AS INTEGER)").fetchall()
    database.close()
    assert rows == [(str(number), "last") for number in range(0, 12, 2)]


def test_a_checkpoint_is_saved_each_second_and_never_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, saved, running = [0.0], [], [0]
    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: now[0]))

    class Data:
        async def update_step(self, step: dict[str, Any]) -> None:
            running[0] += 1
            assert running[0] == 1
            await asyncio.sleep(0.01)
            saved.append(step["output"])
            running[0] -= 1

    class Text:
        def to_dict(self) -> dict[str, Any]:
            return {"output": now[0], "streaming": True}

    async def scenario() -> None:
        data: Any = Data()
        message: Any = Text()
        checkpoint = store.Checkpoint(data, message)
        await checkpoint.settle()
        for tick in range(30):
            now[0] = tick / 10
            checkpoint.touch()
            await asyncio.sleep(0)
        assert saved == []
        await checkpoint.settle()
        now[0] = 9.0
        checkpoint.touch()
        await checkpoint.settle()

    asyncio.run(scenario())
    assert saved == [1.0, 9.0]


# Words.


def test_languages() -> None:
    assert words.texts("sv-SE") is words.texts("sv") is words.texts("SV") is words.SWEDISH
    for tag in ("en-US", "en", "de-DE", "se"):
        assert words.texts(tag) is words.ENGLISH


def leaves(value: Any) -> list[str]:
    """All texts in something."""
    if isinstance(value, str):
        return [value]
    return [text for each in (value.values() if isinstance(value, dict) else value) for text in leaves(each)]


@pytest.mark.parametrize("each", fields(words.Words), ids=lambda each: each.name)
def test_both_languages_have_all_words(each: Any) -> None:
    english, swedish = (getattr(language, each.name) for language in (words.ENGLISH, words.SWEDISH))
    if each.name not in ("places", "trouble"):  # English has its words in labkit
        assert len(leaves(english)) == len(leaves(swedish))
    for text in leaves(english) + leaves(swedish):
        assert text.strip()
    for before, after in zip(leaves(english), leaves(swedish), strict=False):
        assert re.findall(r"{\w+", before) == re.findall(r"{\w+", after)
    assert each.name in ("pace", "places") or leaves(english) != leaves(swedish)


@pytest.mark.parametrize("language", [words.ENGLISH, words.SWEDISH])
@pytest.mark.parametrize("kind", [LabError, *LabError.__subclasses__()])
def test_every_error_is_said_with_its_cure(
    kind: type[LabError], language: words.Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "texts", lambda: language)
    told = words.said(kind("port {9} is shut", fix="open it"))
    assert "port {9} is shut. Fix: open it" in told
    if language is words.ENGLISH:
        assert told == "port {9} is shut. Fix: open it"


def test_an_interrupted_answer_says_in_swedish_that_its_text_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "texts", lambda: words.SWEDISH)
    assert "finns kvar" in words.said(StreamError("it broke off"))


@pytest.mark.parametrize("language", [words.ENGLISH, words.SWEDISH])
def test_of_other_errors_no_word_is_said(language: words.Words, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "texts", lambda: language)
    assert words.said(ValueError("what somebody wrote")) == language.broken


def test_every_end_that_needs_a_word_has_one() -> None:
    for language in (words.ENGLISH, words.SWEDISH):
        assert set(language.ended) == set(End) - {End.FINISHED} | {words.SHUT_DOWN}
        assert set(language.refused) == set(device.Refused)


def test_names_have_no_colon_that_chainlit_would_swallow() -> None:
    for language in (words.ENGLISH, words.SWEDISH):
        for text in leaves([language.profiles, language.starters]):
            assert history.shown(text) == text


PLACES = re.compile(r"{{\s*\w+\s*}}|{\w+}|<[^>]+>")


def flat(tree: dict[str, Any], before: str = "") -> dict[str, str]:
    """Dotted names and texts."""
    found: dict[str, str] = {}
    for name, value in tree.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def test_the_swedish_page_has_all_strings() -> None:
    """Beside those of the installed Chainlit, so that a new version shows what is missing."""
    english = flat(json.loads((Path(chainlit.__file__).parent / "translations" / "en-US.json").read_text("utf-8")))
    swedish = flat(json.loads((CHAT / ".chainlit" / "translations" / "sv-SE.json").read_text("utf-8")))
    assert list(swedish) == list(english)
    for name, text in english.items():
        assert PLACES.findall(swedish[name]) == PLACES.findall(text), name
        assert swedish[name].strip(), name
        assert swedish[name].endswith("...") == text.endswith("..."), name
    same = [name for name, text in english.items() if swedish[name] == text]
    assert set(same) <= SAME


# Words that are the same in Swedish, or that nobody translates.
SAME = {"navigation.user.menu.settingsKey", "alerts.info", "alerts.beta", "auth.login.form.email.placeholder"}


def test_the_readme_is_there_in_swedish_too() -> None:
    english = (CHAT / "chainlit.md").read_text("utf-8")
    for name in ("chainlit_sv.md", "chainlit_sv-SE.md"):
        swedish = (CHAT / name).read_text("utf-8")
        assert swedish.count("\n- ") == english.count("\n- ")
        assert "/export" in swedish


# Launching.


def test_the_page_asks_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    before = chainlit.server.get_html_template("")
    assert re.findall(r"<(?:link|script)[^>]*https?://", before), "Chainlit has mended this: stay_at_home can go"
    monkeypatch.setattr(chainlit.server, "get_html_template", chainlit.server.get_html_template)
    chainlit_fixes.stay_at_home()
    after = chainlit.server.get_html_template("")
    assert not re.findall(r"<(?:link|script|img|style)[^>]*(?:https?:)?//", after)
    for tag in ("<script", "</script>", "<link", "<div", "<body"):
        gone = len(re.findall(rf"{tag}[^>]*https?://", before))
        assert after.count(tag) == before.count(tag) - gone
    assert 'type="module"' in after


@pytest.mark.parametrize(
    ("host", "variables", "named"),
    [
        ("0.0.0.0", {}, "CHAT_USERS"),
        ("127.0.0.1", {"MAX_CONCURRENCY": "many"}, "MAX_CONCURRENCY"),
        ("127.0.0.1", {"CHAT_PATIENCE": "-1"}, "CHAT_PATIENCE"),
        ("127.0.0.1", {"CHAT_USERS": "anna:short-1"}, "CHAT_USERS"),
    ],
)
def test_it_does_not_start_where_something_makes_no_sense(
    monkeypatch: pytest.MonkeyPatch, host: str, variables: dict[str, str], named: str
) -> None:
    monkeypatch.setattr(chainlit.config.config.run, "host", host)
    monkeypatch.setattr(chainlit.config.config.run, "module_name", None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        launch.launch()
    said = str(ended.value.code)
    assert said.startswith("chat: ")
    assert named in said
    assert "\n" not in said
    assert "short-1" not in said


@pytest.mark.parametrize(
    ("source", "base_url", "place", "fact"),
    [
        (Source.SHARED, "http://127.0.0.1:51211/v1", "local", "nothing leaves this machine"),
        (Source.IN_PROCESS, "http://localhost:51211/v1", "local", "nothing leaves this machine"),
        (Source.BASE_URL, "http://127.0.0.1:4000/v1", "elsewhere", "sent to 127.0.0.1:4000"),
        (Source.BASE_URL, "http://me:word@10.0.0.7:8000/v1?key=1", "elsewhere", "sent to 10.0.0.7:8000"),
    ],
)
def test_the_badge_says_local_of_foundry_local_only(
    source: Source, base_url: str, place: str, fact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What listens on this machine may be a proxy or a tunnel to a cloud."""
    monkeypatch.setattr(reply, "texts", lambda: words.ENGLISH)
    trace = Trace(10.0, 10.1, [10.2, 10.3], 10.4, 7, 2, End.FINISHED)
    answer: Any = SimpleNamespace(trace=trace, decision=None)
    lab = Connection(base_url, "a-model", source)
    assert reply.place(answer, lab) == place
    badge = reply.marks(answer, lab, str(End.FINISHED))["badge"]
    assert badge["place"] == place
    assert badge["facts"][0] == fact
    assert badge["name"] == words.ENGLISH.places.get(place, place)
