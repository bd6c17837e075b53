"""The chat application in a process of its own, driven over its socket: each fault is counted at the endpoint."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from coursekit.chainlit_client import STOPPED_NOTE
from coursekit.copies import ROOT
from coursekit.ports import free_port
from foundry_mock import Behaviour, Fault, MockEndpoint, Step, scripts
from tests.support.chat_app import (
    GRACE,
    HEALTHY,
    QUICK,
    SLOW,
    USERS,
    App,
    app,
    endpoint,
    environment,
    free,
    in_loop,
    log_in,
    mock,
    questions,
    running,
    visit,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e  # four starts of the application, a minute and a half

# Fixtures that pytest finds by their names.
__all__ = ["app", "endpoint", "mock", "questions"]


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
        (badge,) = page.elements.values()
        assert badge["props"]["name"] == "local"
        why, first, pace = badge["props"]["facts"]
        assert why == "nothing leaves this machine"  # the mock names its process, as Foundry Local does
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
    for never in (STOPPED_NOTE, "export", "Will fail", "mend", "Markdown"):
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
        await page.until(lambda: STOPPED_NOTE not in page.shown)
        assert page.answer == ""
        assert STOPPED_NOTE in page.history
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
        await page.until(lambda: not any(STOPPED_NOTE in text for text in page.shown))
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
        assert [text for _, text in app.steps(page.thread) if STOPPED_NOTE in text] == []


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
        await page.until(lambda: page.elements)
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
            assert not [text for _, text in house.steps(page.thread) if "place" in text or STOPPED_NOTE in text]


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
                    # The error was for the moment: it is in no thread, whether the button was pressed or not.
                    assert again.steps(other.thread) == [
                        ("user_message", "Count to 3."),
                        ("assistant_message", "1 2 3"),
                    ]
                    assert again.steps(thread) == kept
                    assert await page.ask("What is my name?") == "Your name is Astrid."
                    roles = [role for role, _ in questions[-1]]
                    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
                    async with asyncio.timeout(30):  # what it saw last counts for some seconds
                        while True:
                            if await status(again, "/ready") == 200:
                                break
                            await asyncio.sleep(0.1)
                    assert late.counters.started == 2
                await other.ask("Count to 4.")
                assert "check the address" in other.error
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
    target = ROOT / "apps" / "chat" / "app.py"
    environ = environment(tmp_path / "cache", f"http://127.0.0.1:{closed_port}/v1")
    command = [sys.executable, "-m", "chainlit", "run", str(target), "--headless", "--port", str(free_port())]
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
