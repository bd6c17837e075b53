"""The chat application as others would run it: what its operator sees, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from coursekit.ports import free_port
from foundry_mock import Behaviour, Counters, Fault, MockEndpoint
from tests.support.chat_app import (
    HEALTHY,
    QUICK,
    SLOW,
    TARGET,
    USERS,
    App,
    copy,
    environment,
    free,
    in_loop,
    running,
    visit,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,  # six starts of the application, a minute
    pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends a process of Windows without asking it"),
]

TOKEN = "only-prometheus-knows-it"
SECRET = "a-secret-that-all-copies-share-" * 2
PRODUCTION = {
    "CHAT_ENV": "production",
    "CHAT_USERS": ",".join(f"{name}:{password}" for name, password in USERS.items()),
    "CHAINLIT_AUTH_SECRET": SECRET,
    "CHAT_METRICS_TOKEN": TOKEN,
}
# What somebody writes, in parts that no line of a log has by itself.
WORDS = ("Astrid", "osteoporosis", "Kungsgatan")
QUESTION = "My name is Astrid, I have osteoporosis and live at Kungsgatan. Count to 5."


@pytest.fixture
def mock() -> Iterator[MockEndpoint]:
    """An endpoint of the test's own: its counts are what the metrics are held against."""
    with MockEndpoint(QUICK) as made:
        yield made


async def get(app: App, path: str, **headers: str) -> tuple[int, str]:
    """Status and text of a page; `_` in the name of a header stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as http, http.get(app.url + path, headers=named) as reply:
        return reply.status, await reply.text()


async def metrics(app: App) -> dict[tuple[str, ...], float]:
    """The samples of `/metrics` by name and label values."""
    status, text = await get(app, "/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200, text
    families = text_string_to_metric_families(text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


async def store_turns(app: App, status: int, reason: str = "answers") -> dict[str, Any]:
    """The checks of `/ready`, once it says this of the store: what it saw last counts for some seconds."""
    deadline = time.monotonic() + 60
    while True:
        seen, text = await get(app, "/ready")
        checks: dict[str, Any] = json.loads(text)["checks"]
        if (seen, checks["store"]["reason"]) == (status, reason):
            return checks
        assert time.monotonic() < deadline, (seen, checks)
        await asyncio.sleep(0.1)


async def gone(app: App, seconds: float = 40) -> int:
    """The exit status, when the process has ended."""
    await within(seconds, lambda: app.process.poll() is not None)
    status: int = app.process.returncode
    return status


def lines(app: App) -> list[dict[str, Any]]:
    """The log, each line of which is a JSON object; it holds nothing that anybody wrote, and no secret.

    Before it loads the app, Chainlit says as text that it has made translations, the first time in a folder.
    """
    text = app.log.read_text()
    for never in (*WORDS, *USERS, *USERS.values(), SECRET, TOKEN, "Count to", "1 2 3", "Traceback"):
        assert never not in text, never
    own = itertools.dropwhile(lambda line: "Created default" in line, text.splitlines())
    told: list[dict[str, Any]] = [json.loads(line) for line in own]
    for line in told:
        assert {"time", "level", "logger", "event"} <= set(line)
    return told


def of(told: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """The lines of one event."""
    return [line for line in told if line["event"] == event]


@in_loop
async def test_what_the_operator_sees_is_what_the_endpoint_counted(tmp_path: Path, mock: MockEndpoint) -> None:
    with running(tmp_path, mock.base_url, **PRODUCTION) as app:
        async with visit(app, "anna") as page, visit(app, "bo") as other:
            await page.ask(QUESTION)
            await other.ask("Count to 5.")
            await other.ask("Count to 7.")
            mock.fail(Fault.SERVER_ERROR, Fault.DROP)
            await page.ask(QUESTION)
            await page.ask("Count to 9.")
            mock.state.behaviour = SLOW
            await page.say("Count to 400.")
            await page.until(lambda: "4 5" in page.answer)
            assert (await metrics(app))["chat_queue_running",] == 1
            await page.stop()
            await page.until(lambda: not page.busy)
        await within(5, lambda: free(mock))
        seen, counted = await metrics(app), mock.counters
        by_end = {key[1]: int(value) for key, value in seen.items() if key[0] == "chat_answers_total"}
        assert by_end == {"finished": 3, "refused": 1, "dropped": 1, "stopped": 1}
        assert sum(by_end.values()) == counted.started
        assert (by_end["finished"], by_end["refused"]) == (counted.ended, counted.refused)
        assert seen["chat_errors_total", "EndpointError"] == seen["chat_errors_total", "StreamError"] == 1
        assert seen["chat_first_token_seconds_count",] == 5
        assert (seen["chat_queue_running",], seen["chat_queue_width",], seen["chat_ready",]) == (0, 64, 1)

        assert (await get(app, "/metrics"))[0] == 401
        assert (await get(app, "/metrics", X_Forwarded_For="127.0.0.1"))[0] == 401
        assert (await get(app, "/metrics", Authorization="Bearer wrong"))[0] == 401

        told = lines(app)
        answers = of(told, "answer")
        assert [line["ended"] for line in answers] == ["finished"] * 3 + ["refused", "dropped", "stopped"]
        assert [line["tokens"] for line in answers[:3]] == [5, 5, 7]
        assert all(line["ttft"] <= line["seconds"] for line in answers[:3])
        assert len({line["request"] for line in answers}) == 6
        assert len({line["thread"] for line in answers}) == 2
        assert [line["kind"] for line in of(told, "error")] == ["EndpointError", "StreamError"]
        assert [line["request"] for line in of(told, "error")] == [line["request"] for line in answers[3:5]]


@in_loop
async def test_a_stop_lets_short_answers_finish_and_keeps_long_ones(tmp_path: Path, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    with running(tmp_path, mock.base_url, **PRODUCTION, CHAT_DRAIN="4", MAX_CONCURRENCY="2") as app:
        async with visit(app, "anna") as short, visit(app, "bo") as long, visit(app, "anna") as late:
            async with visit(app, "bo", language="sv-SE") as third:
                await short.say("Count to 60.")
                await long.say("Count to 400.")
                await long.until(lambda: "4 5" in long.answer)
                await third.say("Count to 9.")
                await third.until(lambda: "plats 1" in third.answer)
                app.process.send_signal(signal.SIGTERM)
                await within(3, lambda: bool(of(lines(app), "draining")))
                status, text = await get(app, "/ready")
                checks = json.loads(text)["checks"]
                assert (status, [name for name in checks if not checks[name]["ok"]]) == (503, ["serving"])
                assert (await get(app, "/health"))[0] == 200
                await late.ask("Count to 3.")
                assert "shutting down" in late.error
                await short.until(lambda: not short.busy)
                assert short.answer == " ".join(map(str, range(1, 61)))
                await third.until(lambda: not third.busy)  # its turn came when the short one was done
                assert third.answer == "1 2 3 4 5 6 7 8 9"
                await long.until(lambda: not long.busy)
                assert long.ended == "server was shut down"
                assert "shutting down" in long.error
                assert await gone(app) == 0
            kept = app.steps(long.thread)
            assert kept[1][1].startswith("1 2 3 4 5 6 7 8 9 10")
            assert kept[1][1] in long.shown
            assert "shutting down" in kept[2][1]
            assert [text for _, text in app.steps(short.thread)] == ["Count to 60.", short.answer]
        assert [line["ended"] for line in of(lines(app), "answer")] == ["finished", "finished", "shut down"]
        assert of(lines(app), "drained")[0]["ended"] == 1
    await within(5, lambda: free(mock))
    assert (mock.counters.ended, mock.counters.aborted) == (2, 1)

    mock.state.behaviour = QUICK
    with running(tmp_path, mock.base_url, **PRODUCTION) as again:  # the login still counts: the secret is the same
        assert not (again.cache / "chat" / "session-secret").exists()
        async with visit(again, "bo", thread=long.thread) as page:
            await page.until(lambda: page.resumed)
            ends = [element["props"]["ended"] for element in page.resumed[0]["elements"]]
            assert ends == ["server was shut down"]
            assert await page.ask("Count to 2.") == "1 2"


@in_loop
async def test_a_second_signal_ends_it_at_once_and_keeps_what_came(tmp_path: Path, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    with running(tmp_path, mock.base_url, CHAT_DRAIN="300", MAX_CONCURRENCY="1") as app:
        async with visit(app) as page, visit(app) as other:
            await page.say("Count to 400.")
            await page.until(lambda: "9 10" in page.answer)
            await other.say("Count to 400.")
            await other.until(lambda: "place 1" in other.answer)
            app.process.send_signal(signal.SIGTERM)
            await within(5, lambda: "draining" in app.log.read_text())
            assert app.process.poll() is None
            app.process.send_signal(signal.SIGTERM)
            await page.until(lambda: not page.busy)
            await other.until(lambda: not other.busy)
            assert page.ended == "server was shut down"
            assert "shutting down" in other.error
            assert not any("place" in text for text in other.shown)
            assert await gone(app) == 0
            assert app.steps(page.thread)[1][1].startswith("1 2 3 4 5 6 7 8 9 10")
            assert [text for _, text in app.steps(other.thread) if "place" in text] == []


@in_loop
async def test_ctrl_c_at_ones_own_desk_does_not_wait_long(tmp_path: Path, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    with running(tmp_path, mock.base_url, CHAT_DRAIN="300") as app:
        async with visit(app) as page:
            await page.say("Count to 400.")
            await page.until(lambda: "9 10" in page.answer)
            app.process.send_signal(signal.SIGINT)
            assert await gone(app) == 0
            assert app.steps(page.thread)[1][1].startswith("1 2 3 4 5 6 7 8 9 10")


@in_loop
async def test_limits_and_a_store_that_is_gone(tmp_path: Path, mock: MockEndpoint) -> None:
    more = {"CHAT_RATE": "4/h", "CHAT_QUEUE": "1", "MAX_CONCURRENCY": "1", "CHAT_METRICS_TOKEN": ""}
    with running(tmp_path, mock.base_url, **(PRODUCTION | more)) as app:
        assert json.loads((await get(app, "/ready"))[1])["checks"] == HEALTHY
        assert (await get(app, "/metrics"))[0] == 200
        assert (await get(app, "/metrics", X_Forwarded_For="127.0.0.1"))[0] == 403
        async with visit(app, "anna") as page, visit(app, "anna", language="sv-SE") as tab, visit(app, "bo") as other:
            mock.state.behaviour = Behaviour(first_token=60)
            await page.say("Count to 30.")
            await within(5, lambda: mock.counters.running == 1)
            await tab.say("Count to 30.")
            await tab.until(lambda: "plats 1" in tab.answer)
            await other.ask("Count to 30.")
            assert other.error == "Too many are in line already. Ask again in a few minutes."
            assert mock.counters.started == 1
            await page.stop()
            await tab.stop()
            await within(5, lambda: free(mock))
            mock.state.behaviour = QUICK
            await other.press("retry")
            await other.until(lambda: other.answer.endswith("29 30"))

            mock.state.counters = Counters()
            assert await page.ask("Count to 3.") == "1 2 3"
            assert await tab.ask("Count to 3.") == "1 2 3"  # the fourth of this user, over both tabs
            await tab.ask("Count to 4.")
            assert re.fullmatch(r"Det var många frågor på kort tid. Fråga igen om (8\d\d|900) s\.", tab.error)
            await page.ask("Count to 4.")
            assert re.fullmatch(r"That was many questions in a short time. Ask again in (8\d\d|900) s\.", page.error)
            assert mock.counters.started == 2
            assert await other.ask("Count to 5.") == "1 2 3 4 5"
        refused = [line["why"] for line in of(lines(app), "refused")]
        assert refused == ["queue", "rate", "rate"]

        file = app.cache / "chat" / "threads.db"
        with contextlib.closing(sqlite3.connect(file, timeout=30)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            checks = await store_turns(app, 503, "failed with SQLITE_BUSY")
            assert (checks["store"]["ok"], checks["endpoint"]["ok"]) == (False, True)
            holder.rollback()
        await store_turns(app, 200)
        file.rename(file.with_suffix(".away"))
        await store_turns(app, 503, "failed with SQLITE_CANTOPEN")
        assert not file.exists()
        lines(app)


def test_all_mistakes_are_said_at_once(tmp_path: Path, closed_port: int) -> None:
    code = copy(tmp_path / "chat")
    wrong = {"CHAT_ENV": "production", "CHAT_USER": "anna:hush-hush", "CHAT_RATE": "fast", "CHAT_LOG": "text"}
    wrong |= {"DATABASE_URL": "postgresql://me:hush-hush@db/chat"}
    environ = environment(tmp_path / "cache", f"http://127.0.0.1:{closed_port}/v1", **wrong)
    environ |= {"CHAINLIT_APP_ROOT": str(code)}
    command = [sys.executable, "-m", "chainlit", "run", str(TARGET), "--headless", "-w"]
    begun = time.monotonic()
    done = subprocess.run(
        [*command, "--host", "0.0.0.0", "--port", str(free_port())],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, begun
    said = done.stderr[done.stderr.index("chat: ") :].strip().splitlines()
    assert said[0] == "chat: 6 settings are wrong"
    for name in ("CHAT_USERS", "CHAT_USER ", "CHAT_RATE", "CHAT_LOG", "CHAINLIT_AUTH_SECRET", "-w"):
        assert any(line.startswith("- ") and name in line for line in said[1:]), name
    assert len(said) == 7
    assert "hush" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
