"""The modules that run the chat application for others: configuration, metrics, readiness, logs, limits, drain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import logging.config
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import create_async_engine
from uvicorn.config import LOGGING_CONFIG

from labkit import Connection, EndpointError, Health, LabError, Router, SettingsError, Source, StreamError
from labkit.events import End, Trace
from labkit.routing.cloud import Cloud
from labkit.routing.resilience import State
from labkit.routing.router import Target
from tests.support.doubles import Clock, Fixed, fail, settle

APPS = Path(__file__).resolve().parents[2] / "apps"
with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # Chainlit writes its settings where it is imported, and some of its own imports warn.
    warnings.simplefilter("ignore")
    patch.setenv("CHAINLIT_APP_ROOT", tempfile.mkdtemp(prefix="chainlit-"))
    from chainlit.user import User

    from apps.chat import device, schema, store
    from apps.chat_prod import (
        checklist,
        configuration,
        drain,
        limits,
        logs,
        metrics,
        operations,
        readiness,
        reading,
        threads,
    )
    from apps.chat_prod.configuration import Configuration, Env

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PASSWORD = "a-password-nobody-may-see"
SOUND = {
    "CHAT_ENV": "production",
    "CHAT_USERS": f"anna:{PASSWORD}",
    "DATABASE_URL": f"postgresql://chat:{PASSWORD}@db/chat",
    "CHAINLIT_AUTH_SECRET": f"{PASSWORD}-{PASSWORD}",
    "CHAT_METRICS_TOKEN": PASSWORD,
}


# Configuration.


def test_at_ones_own_desk_nothing_need_be_set() -> None:
    made = Configuration.from_environment({})
    assert (made.env, made.rate, made.queue, made.drain) == (Env.DEVELOPMENT, None, 100, 20)
    assert (made.log, made.concurrency, made.patience) == (logs.Style.TEXT, None, 120)
    assert (made.users, made.hosts, made.database_url, made.session_secret) == ({}, (), None, "")


def test_production_has_defaults_of_its_own() -> None:
    made = Configuration.from_environment({"CHAT_ENV": "production"})
    assert (made.log, str(made.rate)) == (logs.Style.JSON, "20/min")
    assert Configuration.from_environment(SOUND, host="0.0.0.0").users == {"anna": PASSWORD}


def test_all_that_is_told_is_read() -> None:
    told = SOUND | {"MAX_CONCURRENCY": "3", "CHAT_PATIENCE": "5", "CHAT_RATE": "7/h", "CHAT_QUEUE": "0"}
    told |= {"CHAT_DRAIN": "9", "CHAT_HOSTS": " Chat.example ,b", "BASE_URL": "127.0.0.1:5", "CHAT_LOG": "json"}
    made = Configuration.from_environment(told)
    assert (made.concurrency, made.patience, made.queue, made.drain) == (3, 5, 0, 9)
    assert made.rate == limits.Rate(7, 3600)
    assert made.hosts == ("chat.example", "b")
    assert made.settings.base_url == "http://127.0.0.1:5/v1"
    assert (made.metrics_token, made.database_url) == (PASSWORD, SOUND["DATABASE_URL"])


def test_secrets_are_not_shown_with_the_value() -> None:
    assert PASSWORD not in repr(Configuration.from_environment(SOUND))


WRONG = {
    "CHAT_ENV": "prod",
    "CHAT_USERS": "anna:short",
    "CHAT_PATIENCE": "-1",
    "CHAT_RATE": "fast",
    "CHAT_QUEUE": "1.5",
    "CHAT_DRAIN": "4000",
    "CHAT_LOG": "xml",
    "CHAT_METRICS_TOKEN": "hush-hush",
    "MAX_CONCURRENCY": "many",
    "DATABASE_URL": "mysql://root:hush-hush@db/chat",
    "CHAINLIT_AUTH_SECRET": "hush-hush",
    "BASE_URL": "http://me:hush-hush@:0",
    "CLOUD_BASE_URL": "ftp://cloud",
    "CHAT_HOSTS": "https://chat.example",
    "CLOUD_MODELL": "m",
}


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Configuration.from_environment(WRONG)
    first, *lines = str(refused.value).split("\n- ")
    assert first == f"{len(WRONG)} settings are wrong"
    for name in WRONG:
        assert any(line.startswith(name) and "Fix: " in line for line in lines), name
    for secret in ("hush", "short"):
        assert secret not in str(refused.value)


@pytest.mark.parametrize("name", WRONG)
def test_one_mistake_is_one_line(name: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Configuration.from_environment({name: WRONG[name]})
    assert refused.value.fix
    assert "\n" not in str(refused.value)


DEMANDS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("CHAT_USERS", {"CHAT_USERS": "anna:only-10-si"}, {}),
    ("CHAINLIT_AUTH_SECRET", {"CHAINLIT_AUTH_SECRET": ""}, {}),
    ("CHAT_LOG", {"CHAT_LOG": "text"}, {}),
    ("WATCH", {}, {"watch": True}),
]


@pytest.mark.parametrize(("name", "change", "named"), DEMANDS, ids=[each[0] for each in DEMANDS])
def test_production_demands_what_development_recommends(
    name: str, change: dict[str, str], named: dict[str, Any]
) -> None:
    told = SOUND | change
    with pytest.raises(SettingsError) as refused:
        Configuration.from_environment(told, **named)
    assert "settings are wrong" not in str(refused.value)
    told |= {"CHAT_ENV": "development"}
    Configuration.from_environment(told, **named)
    _, mistakes, advice = configuration.examine(told, "127.0.0.1", **named)
    assert not mistakes
    assert name in [each.variable for each in advice]


def test_production_on_this_machine_only_wants_no_users() -> None:
    Configuration.from_environment({"CHAT_ENV": "production"}, host="127.0.0.1")
    with pytest.raises(SettingsError, match="CHAT_USERS"):
        Configuration.from_environment({"CHAT_ENV": "production"}, host="0.0.0.0")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("CHAT_USER", "CHAT_USERS"),
        ("CHAT_HOST", "CHAT_HOSTS"),
        ("CHAT_METRIC_TOKEN", "CHAT_METRICS_TOKEN"),
        ("CHAT_PATIENSE", "CHAT_PATIENCE"),
        ("MAX_CONCURENCY", "MAX_CONCURRENCY"),
        ("CHAINLIT_AUTH_SECRETS", "CHAINLIT_AUTH_SECRET"),
        ("DATABASE_URI", "DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_right_one(name: str, right: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not a variable of the app. Fix: write {right}"):
        Configuration.from_environment({name: PASSWORD})
    sound = {name: "x", right: (SOUND | {"CHAT_PATIENCE": "1", "MAX_CONCURRENCY": "1"}).get(right, "chat.example")}
    Configuration.from_environment(sound)


@pytest.mark.parametrize(
    "name", ["MODE", "MODELS", "API_KEYS", "OPENAI_API_KEY", "CHAINLIT_HOST", "CHAT_PORT", "chat_users", "WATCH"]
)
def test_variables_of_others_are_left_alone(name: str) -> None:
    Configuration.from_environment({name: "x"})


@pytest.mark.parametrize(
    ("told", "right"),
    [
        *((each, True) for each in ("chat.example", "a,b.c:80", "10.0.0.5:8080", "[::1]", "[::1]:80", " A , b ")),
        *((each, False) for each in ("https://a", "a/b", "a b", "*.a", "a:b", "*", "-a")),
    ],
)
def test_hosts(told: str, right: bool) -> None:
    _, mistakes, _ = configuration.examine({"CHAT_HOSTS": told}, "127.0.0.1")
    assert [each.variable for each in mistakes] == ([] if right else ["CHAT_HOSTS"])


@pytest.mark.parametrize(
    "told",
    [
        {"CLOUD_MODEL": "m"},
        {"CLOUD_BASE_URL": "https://cloud.example"},
        {"CLOUD_BASE_URL": "http://cloud.example", "CLOUD_MODEL": "m"},
        {"CLOUD_API_KEY": PASSWORD},
    ],
)
def test_half_a_cloud_is_a_mistake_at_the_start(told: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="CLOUD_") as refused:
        Configuration.from_environment(told)
    assert PASSWORD not in str(refused.value)


MARKED = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).map(lambda text: f"¤{text}¤")


@given(
    st.fixed_dictionaries({name: MARKED for name in (*WRONG, "CHAT_METRIC_TOKEN") if name in SOUND or "TOKEN" in name})
)
@settings(max_examples=60, deadline=None)
def test_no_message_shows_a_secret(told: dict[str, str]) -> None:
    told.pop("CHAT_ENV")
    said = "\n".join(str(mistake) for mistake in configuration.examine(told, "127.0.0.1")[1])
    assert "¤" not in said


@pytest.mark.parametrize(
    ("change", "host", "ok"),
    [
        ({}, "127.0.0.1", None),
        ({"CHAT_HOSTS": "chat.example"}, "127.0.0.1", True),
        ({"CHAT_HOSTS": "chat.example"}, "0.0.0.0", None),
    ],
)
def test_the_check_says_where_it_would_listen(change: dict[str, str], host: str, ok: bool | None) -> None:
    made, _, _ = configuration.examine(SOUND | change, host)
    [line] = [line for line in checklist.settings(made, host) if line.name == "Address"]
    assert line.ok is ok


def test_the_check_shows_no_secret_and_names_each_variable_once(tmp_path: Path) -> None:
    told = SOUND | {"LABKIT_CACHE": str(tmp_path), "DATABASE_URL": "", "CHAT_RATE": "fast"}
    told |= {"CHAT_ENV": "development", "CHAT_LOG": "text"}
    lines = checklist.look(told, "0.0.0.0")
    assert PASSWORD not in repr(lines)
    names = [line.name for line in lines]
    assert len(set(names)) == len(names)
    assert [line.name for line in lines if line.ok is False] == [
        *("CHAT_ENV", "CHAT_RATE", "CHAT_LOG", "Address", "Database")
    ]
    (tmp_path / "chat").mkdir()
    schema.create_tables(tmp_path / "chat" / "threads.db")
    told |= {"CHAT_ENV": "production", "CHAT_RATE": "", "CHAT_LOG": "", "CHAT_HOSTS": "192.0.2.1"}
    lines = checklist.look(told, "0.0.0.0")
    assert [line.name for line in lines if line.ok is False] == []


def test_every_variable_is_known() -> None:
    """What the modules of the app read stands in the list that misspellings are held against."""
    named = set(
        re.findall(
            r'"((?:CHAT|CLOUD|MAX|DATABASE|CHAINLIT_AUTH)_[A-Z_]+)"',
            "".join(path.read_text("utf-8") for path in APPS.glob("chat*/*.py")),
        )
    )
    assert named <= set(reading.VARIABLES)


# Metrics.


def trace(ended: End = End.FINISHED, tokens: int = 5, start: float = 0.0) -> Trace:
    """An answer whose first token came after 0.3 s, and its last after 0.9 s."""
    chunks = [start + 0.3, start + 0.9] if tokens else []
    return Trace(start, start + 0.1, chunks, start + 1.0, 7, tokens, ended)


def told(made: metrics.Metrics) -> dict[tuple[str, ...], float]:
    """The samples of `/metrics` by name and label values."""
    text = generate_latest(made.registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_answers_and_errors_are_counted() -> None:
    made = metrics.Metrics()
    for _ in range(3):
        made.answered(trace(), End.FINISHED, "local")
    made.answered(trace(End.REFUSED, tokens=0), End.REFUSED, "cloud")
    made.record_error(EndpointError("no"))
    made.record_error(StreamError("no"))
    made.record_error(EndpointError("no"))
    made.refused(device.Refused.RATE)
    seen = told(made)
    assert seen["chat_answers_total", "finished", "local"] == 3
    assert seen["chat_answers_total", "refused", "cloud"] == 1
    assert seen["chat_errors_total", "EndpointError"] == 2
    assert seen["chat_errors_total", "StreamError"] == 1
    assert seen["chat_refusals_total", "rate"] == 1
    assert seen["chat_first_token_seconds_count",] == seen["chat_answer_tokens_count",] == 3
    assert seen["chat_first_token_seconds_sum",] == pytest.approx(0.9)
    assert seen["chat_answer_seconds_sum",] == pytest.approx(3)
    assert seen["chat_answer_tokens_sum",] == 15
    assert seen["chat_first_token_seconds_bucket", "0.2"] == 0
    assert seen["chat_first_token_seconds_bucket", "0.5"] == 3


def test_two_applications_have_two_registries() -> None:
    first, second = metrics.Metrics(), metrics.Metrics()
    first.record_error(LabError("no"))
    assert ("chat_errors_total", "LabError") not in told(second)


def router() -> Router:
    """Two connections that nobody asks."""
    local = Connection("http://127.0.0.1:1/v1", "m", Source.IN_PROCESS)
    return Router(local, Cloud(replace(local, source=Source.SIMULATED), None, True), Fixed(0))


def test_gauges_say_what_is_true_now() -> None:
    async def scenario() -> None:
        shared, looked = device.Device(), SimpleNamespace(ready=False)
        routes: dict[str, Any] = {"a": router(), "b": shared}
        made = metrics.Metrics()
        made.registry.register(metrics.Now(shared, looked, routes))  # type: ignore[arg-type]
        shared.queue.width = 1
        release = asyncio.Event()

        async def visit() -> None:
            async with shared.queue.turn(lambda _: asyncio.sleep(0)):
                await release.wait()

        visits = [asyncio.create_task(visit()) for _ in range(3)]
        await settle()
        seen = told(made)
        assert (seen["chat_queue_running",], seen["chat_queue_waiting",], seen["chat_queue_width",]) == (1, 2, 1)
        assert seen["chat_ready",] == 0
        assert seen["chat_breaker", "closed", "local"] == seen["chat_breaker", "closed", "cloud"] == 1
        routes["c"] = router()
        for _ in range(3):
            fail(routes["c"].breakers[Target.CLOUD])
        looked.ready = True
        release.set()
        await asyncio.gather(*visits)
        seen = told(made)
        assert (seen["chat_queue_running",], seen["chat_queue_waiting",], seen["chat_ready",]) == (0, 0, 1)
        assert [seen["chat_breaker", state, "cloud"] for state in State] == [0, 0, 1]
        assert seen["chat_breaker", "closed", "local"] == 1

    asyncio.run(scenario())


BEARER = f"Bearer {PASSWORD}"
HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"


@pytest.mark.parametrize(
    ("client", "headers", "token", "status"),
    [
        (HERE, {}, "", None),
        ("::1", {}, "", None),
        (ELSEWHERE, {}, "", 403),
        ("", {}, "", 403),
        (HERE, {"x-forwarded-for": ELSEWHERE}, "", 403),
        (HERE, {"x-forwarded-for": HERE}, "", 403),
        (HERE, {"forwarded": "for=127.0.0.1"}, "", 403),
        (HERE, {"x-real-ip": HERE}, "", 403),
        (HERE, {"authorization": "Bearer "}, "", None),
        (ELSEWHERE, {"authorization": "Bearer "}, "", 403),
        (ELSEWHERE, {"authorization": BEARER}, PASSWORD, None),
        (HERE, {"x-forwarded-for": ELSEWHERE, "authorization": BEARER}, PASSWORD, None),
        (HERE, {"authorization": BEARER.replace("Bearer", "bearer")}, PASSWORD, None),
        (HERE, {}, PASSWORD, 401),
        (HERE, {"x-forwarded-for": HERE}, PASSWORD, 401),
        (HERE, {"authorization": PASSWORD}, PASSWORD, 401),
        (HERE, {"authorization": f"Basic {PASSWORD}"}, PASSWORD, 401),
        (HERE, {"authorization": "Bearer wrong"}, PASSWORD, 401),
        (HERE, {"authorization": "Bearer å"}, PASSWORD, 401),
    ],
)
def test_who_may_look(client: str, headers: dict[str, str], token: str, status: int | None) -> None:
    refused = metrics.refusal(client, headers, token)
    assert (refused.status_code if refused else None) == status


# Readiness.


class Ready:
    """A device that answers as told."""

    def __init__(self, ok: bool = True, seconds: float = 0.0) -> None:
        self.ok, self.seconds = ok, seconds

    async def health(self) -> Health:
        await asyncio.sleep(self.seconds)
        return Health(self.ok, 0.0, (), f"nothing listens at http://me:{PASSWORD}@127.0.0.1:1")


def look(
    engine: Callable[[], Any], ready: Ready | None = None, *, draining: bool = False, patience: float = 0.3
) -> tuple[int, str, dict[str, bool]]:
    """Status, text and checks of `/ready`."""
    shared: Any = ready or Ready()
    ending: Any = SimpleNamespace(draining=draining)
    made: list[Any] = []

    def opened() -> Any:
        made.append(engine())
        return made[-1]

    async def scenario() -> tuple[Any, bool]:
        watch = readiness.Readiness(shared, ending, opened, patience=patience)
        reply = await readiness.page(watch).endpoint(None)
        for each in made:
            await each.dispose()
        return reply, watch.ready

    reply, ready_now = asyncio.run(scenario())
    text = bytes(reply.body).decode()
    told = json.loads(text)
    assert told["ready"] is ready_now is (reply.status_code == 200)
    assert PASSWORD not in text
    return reply.status_code, text, {name: check["ok"] for name, check in told["checks"].items()}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file with the tables."""
    file = tmp_path / "threads.db"
    schema.create_tables(file)
    return file


def engine(file: Path) -> Any:
    """The engine on a file."""
    return create_async_engine(f"sqlite+aiosqlite:///{file.as_posix()}")


@pytest.mark.parametrize(
    ("options", "missing", "reason"),
    [
        ({}, "", "takes questions"),
        ({"ready": Ready(False)}, "endpoint", "does not answer"),
        ({"ready": Ready(True, 9)}, "endpoint", "not connected yet"),
        ({"draining": True}, "serving", "about to stop"),
    ],
)
def test_what_is_missing_is_named(database: Path, options: dict[str, Any], missing: str, reason: str) -> None:
    status, text, checks = look(lambda: engine(database), **options)
    assert checks == {name: name != missing for name in ("endpoint", "store", "serving")}
    assert status == (503 if missing else 200)
    assert reason in text


def test_a_locked_file(database: Path) -> None:
    holder = sqlite3.connect(database)
    holder.execute("BEGIN IMMEDIATE")
    status, text, checks = look(lambda: engine(database))
    holder.close()
    assert (status, checks["store"]) == (503, False)
    assert "SQLITE_BUSY" in text


def test_a_file_that_is_gone_or_holds_something_else(database: Path, tmp_path: Path) -> None:
    empty, broken, gone = tmp_path / "empty.db", tmp_path / "broken.db", tmp_path / "gone.db"
    empty.touch()
    broken.write_bytes(b"no database" * 100)
    for file, kind in ((gone, "SQLITE_CANTOPEN"), (empty, "SQLITE_ERROR"), (broken, "SQLITE_NOTADB")):
        status, text, checks = look(partial(engine, file), patience=5)
        assert (status, checks["store"]) == (503, False)
        assert kind in text
    assert not gone.exists()
    assert look(partial(engine, database))[0] == 200


class Silent:
    """The engine of a server that does not answer."""

    dialect = SimpleNamespace(name="postgresql")

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async def dispose(self) -> None:
        """Nothing to close."""


def leaking() -> Any:
    """A driver that says the password."""
    raise OSError(f"cannot reach postgresql://chat:{PASSWORD}@db")


@pytest.mark.parametrize(("engine", "reason"), [(Silent, "no answer within 0.3 s"), (leaking, "OSError")])
def test_a_server_that_cannot_be_had(engine: Callable[[], Any], reason: str) -> None:
    status, text, checks = look(engine)
    assert (status, checks["store"]) == (503, False)
    assert reason in text


def test_the_store_is_asked_once_in_a_while(database: Path) -> None:
    asked = []
    shared: Any = Ready()
    ending: Any = SimpleNamespace(draining=False)

    async def scenario() -> None:
        only = engine(database)

        def opened() -> Any:
            asked.append(1)
            return only

        watch = readiness.Readiness(shared, ending, opened, fresh=60)
        await asyncio.gather(*(watch.look() for _ in range(5)))
        await only.dispose()

    asyncio.run(scenario())
    assert len(asked) == 1


# Logs.


def line(record: logging.LogRecord, style: logs.Style = logs.Style.JSON) -> str:
    """A record as it is written."""
    return logs.Lines(style).format(record)


def raised(error: Exception, cause: Exception | None = None) -> Any:
    """What `exc_info` has of an exception that was raised."""
    try:
        raise error from cause
    except Exception:
        return sys.exc_info()


@given(
    MARKED, st.sampled_from(["chat", "chainlit", "uvicorn.error", "sqlalchemy", "asyncio"]), st.sampled_from(logs.Style)
)
@settings(max_examples=200, deadline=None)
def test_no_line_holds_what_somebody_wrote(text: str, name: str, style: logs.Style) -> None:
    kinds: list[Exception] = [ValueError(text), LabError(text, fix=text), KeyError(text), UnicodeError(text)]
    for error in kinds:
        records = [
            logging.LogRecord(name, logging.ERROR, "f.py", 1, "failed", (), raised(error, ValueError(text))),
            logging.LogRecord(name, logging.ERROR, "f.py", 1, "failed: %s", (text,), None),
        ]
        if name != "chat":  # our own words are constants
            records += [
                logging.LogRecord(name, logging.ERROR, "f.py", 1, text, (), None),
                logging.LogRecord(name, logging.ERROR, "f.py", 1, error, (), raised(error)),
                logging.makeLogRecord({"name": name, "msg": "m", "fields": {"text": text}, "text": text}),
            ]
        for record in records:
            written = line(record, style)
            assert "¤" not in written
            assert "\\u00a4" not in written
            assert "\n" not in written


def test_a_line_of_an_answer() -> None:
    record = logging.makeLogRecord(
        {"name": "chat", "levelname": "INFO", "msg": "answer", "created": 0.5, "fields": {"tokens": 5, "ttft": None}}
    )
    expected = {"time": "1970-01-01T00:00:00.500Z", "level": "INFO", "logger": "chat", "event": "answer"}
    assert json.loads(line(record)) == expected | {"tokens": 5, "ttft": None}
    assert line(record, logs.Style.TEXT) == "1970-01-01T00:00:00.500Z INFO chat answer tokens=5 ttft=None"


def test_lines_of_a_question_carry_its_ids() -> None:
    async def asked(thread: str) -> dict[str, Any]:
        logs.begin(thread)
        await asyncio.sleep(0)
        seen: dict[str, Any] = json.loads(line(logging.makeLogRecord({"name": "chainlit", "msg": "x"})))
        return seen

    async def scenario() -> list[dict[str, Any]]:
        return list(await asyncio.gather(asked("one"), asked("two")))

    first, second = asyncio.run(scenario())
    assert (first["thread"], second["thread"]) == ("one", "two")
    assert re.fullmatch("[0-9a-f]{32}", first["request"])
    assert first["request"] != second["request"]
    assert "thread" not in json.loads(line(logging.makeLogRecord({"name": "chainlit", "msg": "x"})))


def test_a_failure_says_its_kind_its_cause_and_where() -> None:
    cause = OSError("secret")
    cause.status_code = 429  # type: ignore[attr-defined]
    fields = logs.failure(raised(EndpointError("secret", fix="secret"), cause)[1])
    assert (fields["kind"], fields["cause"], fields["status"]) == ("EndpointError", "OSError", 429)
    assert re.fullmatch(r"test_app_operations.py:\d+ raised", fields["where"][-1])


def test_of_others_the_place_or_the_text_before_its_values() -> None:
    record = logging.LogRecord("chainlit", logging.INFO, "/x/server.py", 7, "a name", (), None, "lifespan")
    assert logs.event(record) == "server.lifespan:7"
    record.args, record.msg = ("a name",), "login of %s"
    assert logs.event(record) == "login of %s"
    record.args, record.msg = (), "Your app is available at http://localhost:8000"
    assert logs.event(record) == record.msg


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Python's logging as it was, after the test."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level, sys.unraisablehook, sys.excepthook, threading.excepthook
    yield
    root.handlers[:], root.level = kept[:2]
    sys.unraisablehook, sys.excepthook, threading.excepthook = kept[2:]
    logging.captureWarnings(False)


@pytest.mark.usefixtures("own_logging")
def test_all_loggers_come_to_one_handler(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(logs.Style.JSON)
    logging.config.dictConfig(LOGGING_CONFIG)  # as uvicorn does when it starts
    logs.adopt()
    logging.getLogger("uvicorn.access").info("GET %s", "/secret")
    logging.getLogger("httpx2").info("POST secret")
    logging.getLogger("chainlit").warning("secret")
    place = "chainlit/markdown.py"
    visit = logging.LogRecord("chainlit", logging.WARNING, place, 50, "at each visit", (), None, "get_markdown_str")
    logging.getLogger("chainlit").handle(visit)
    sys.unraisablehook(SimpleNamespace(exc_value=ValueError("secret")))
    sys.excepthook(ValueError, ValueError("secret"), None)
    thread = threading.Thread(target=int, args=("secret",))
    thread.start()
    thread.join()
    out, err = capsys.readouterr()
    assert out == ""
    assert "secret" not in err
    lines = list(map(json.loads, err.splitlines()))
    assert [each["logger"] for each in lines] == ["uvicorn.access", "chainlit", "chat", "chat", "chat"]
    assert [each.get("kind") for each in lines] == [None, None, "ValueError", "ValueError", "ValueError"]


# Limits.


@pytest.mark.parametrize(
    ("told", "count", "seconds"), [("10/min", 10, 60), ("1/s", 1, 1), ("500/h", 500, 3600), ("20/min", 20, 60)]
)
def test_rates(told: str, count: int, seconds: float) -> None:
    assert limits.Rate.parse(told) == limits.Rate(count, seconds)
    assert str(limits.Rate.parse(told)) == told


@pytest.mark.parametrize(
    "told", ["", "10", "/min", "0/min", "-1/min", "1.5/min", "10/day", "10 / min", "²/s", "x10/min"]
)
def test_rates_that_are_none(told: str) -> None:
    with pytest.raises(SettingsError, match="CHAT_RATE"):
        limits.Rate.parse(told)


def taken(buckets: limits.Buckets, user: str = "anna") -> float:
    """The seconds to wait; 0 where the question was taken."""
    try:
        buckets.take(user)
    except device.Refusal as refusal:
        return refusal.wait if refusal.why is device.Refused.RATE else -1.0
    return 0.0


def test_an_eager_user_waits_and_others_do_not() -> None:
    clock = Clock()
    buckets = limits.Buckets(limits.Rate(3, 60), clock)
    assert [taken(buckets) for _ in range(5)] == [0, 0, 0, pytest.approx(20), pytest.approx(20)]
    assert taken(buckets, "bo") == 0
    clock.now += 19.9
    assert taken(buckets) == pytest.approx(0.1)
    clock.now += 0.1
    assert [taken(buckets), taken(buckets)] == [0, pytest.approx(20)]
    clock.now += 1000
    assert [taken(buckets) for _ in range(4)] == [0, 0, 0, pytest.approx(20)]


def test_buckets_that_are_full_again_are_forgotten() -> None:
    clock = Clock()
    buckets = limits.Buckets(limits.Rate(3, 60), clock)
    for number in range(50):
        taken(buckets, str(number))
    clock.now += 61
    taken(buckets)
    assert set(buckets._full) == {"anna"}


@given(st.integers(1, 6), st.lists(st.floats(0, 30), max_size=60))
@settings(max_examples=150, deadline=None)
def test_in_no_time_is_more_taken_than_the_rate_allows(count: int, steps: list[float]) -> None:
    clock = Clock()
    buckets = limits.Buckets(limits.Rate(count, 60), clock)
    times = []
    for step in steps:
        clock.now += step
        wait = taken(buckets)
        if wait == 0:
            times.append(clock.now)
        else:
            assert 0 < wait <= 60 / count + 1e-3
    for first, begin in enumerate(times):
        for last, end in enumerate(times[first:], first):
            assert last - first + 1 <= count * (1 + (end - begin) / 60) + 1e-3


def test_whoever_waits_as_long_as_told_is_taken() -> None:
    clock = Clock()
    buckets = limits.Buckets(limits.Rate(7, 60), clock)
    for _ in range(100):
        clock.now += taken(buckets)
    assert taken(buckets) >= 0


def test_a_full_line_takes_nobody_else() -> None:
    async def scenario() -> None:
        queue = device.Queue(1, most=2)
        leave = asyncio.Event()

        async def visit() -> None:
            async with queue.turn(lambda _: asyncio.sleep(0)):
                await leave.wait()

        visits = [asyncio.create_task(visit()) for _ in range(3)]
        await settle()
        with pytest.raises(device.Refusal) as refused:
            await visit()
        assert refused.value.why is device.Refused.QUEUE
        assert (queue.running, queue.waiting) == (1, 2)
        leave.set()
        await asyncio.gather(*visits)
        await visit()
        nobody = device.Queue(1, most=0)
        async with nobody.turn(lambda _: asyncio.sleep(0)):
            with pytest.raises(device.Refusal):
                nobody.refuse_when_full()

    asyncio.run(scenario())


# Draining.


def test_what_was_asked_to_be_written_is_written_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chainlit makes a task of each write and waits for none."""
    monkeypatch.setattr("chainlit.data.utils.context", SimpleNamespace(session=None), raising=True)

    async def scenario() -> list[str]:
        data: Any = threads.open_threads(tmp_path / "threads.db")
        await data.create_user(User("anna"))
        store.acting_user.set("anna")
        written: list[str] = []
        original = data.execute_sql

        async def slow(query: str, parameters: dict[str, Any]) -> Any:
            await asyncio.sleep(0.01)
            found = await original(query, parameters)
            if "INTO steps" in query:
                written.append(str(parameters["id"]))
            return found

        monkeypatch.setattr(data, "execute_sql", slow)
        step = {"threadId": "t", "name": "n", "type": "x", "streaming": False, "output": ""}
        tasks = [asyncio.create_task(data.create_step(step | {"id": name})) for name in "abc"]
        await data.settled()
        done = list(written)
        await asyncio.gather(*tasks)
        await data.engine.dispose()
        return done

    assert asyncio.run(scenario()) == ["a", "b", "c"]


@pytest.mark.parametrize("hurried", [False, True])
def test_short_answers_finish_and_long_ones_are_ended(hurried: bool) -> None:
    ends: dict[str, str] = {}
    settled = []

    async def note_settled() -> None:
        settled.append(dict(ends))

    async def scenario() -> None:
        made = drain.Drain(1000 if hurried else 0.05, 2, note_settled)
        short = asyncio.Event()

        async def respond(name: str, end: asyncio.Event) -> None:
            made.admit()
            ends[name] = "running"
            try:
                await end.wait()
                ends[name] = "finished"
            except asyncio.CancelledError:
                assert made.over
                await settle()  # saving
                ends[name] = "kept"
                raise

        tasks = [asyncio.create_task(respond("short", short)), asyncio.create_task(respond("long", asyncio.Event()))]
        await settle()
        server: Any = SimpleNamespace(handle_exit=lambda *_: ends.update(server="exits"))
        made.told(signal.SIGTERM, server)
        short.set()
        if hurried:
            await settle()
            assert ends == {"short": "finished", "long": "running"}
            made.told(signal.SIGTERM, server)
        assert made.draining
        with pytest.raises(device.Refusal) as refused:
            made.admit()
        assert refused.value.why is device.Refused.DRAINING
        assert made._run is not None
        await asyncio.wait_for(made._run, 20)
        await asyncio.sleep(0)
        assert ends == {"short": "finished", "long": "kept", "server": "exits"}
        assert settled == [{"short": "finished", "long": "kept"}]
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())


def test_without_answers_it_ends_at_once_and_a_third_signal_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "SAVING", 0.2)
    exits = []

    async def never() -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        server: Any = SimpleNamespace(handle_exit=lambda number, _: exits.append(number))
        made = drain.Drain(60, 60, never)
        made.told(signal.SIGINT, server)
        made.told(signal.SIGINT, server)
        assert exits == []
        made.told(signal.SIGTERM, server)
        assert exits == [signal.SIGTERM]
        assert made._run is not None
        await asyncio.wait_for(made._run, 20)  # a store that hangs does not keep it
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert exits == [signal.SIGTERM, signal.SIGINT]


def test_how_an_answer_ended() -> None:
    ending = SimpleNamespace(over=False)
    parts: Any = dict.fromkeys(("device", "threads", "users", "patience", "cloud", "metrics"))
    hooks = operations.Operations(**parts, drain=cast("Any", ending))
    stopped: Any = SimpleNamespace(trace=trace(End.STOPPED))
    finished: Any = SimpleNamespace(trace=trace())
    assert (hooks.ending(stopped), hooks.ending(finished)) == ("stopped", "finished")
    ending.over = True
    assert (hooks.ending(stopped), hooks.ending(finished)) == ("shut down", "finished")
