"""ChatView without a page: history, Stop, errors, and that model text does nothing when it is shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from foundry_mock import Behaviour, Fault, MockEndpoint, Step
from labkit.chat_view import ChatView, _Chat, final, render, status
from labkit.connection import Connection, Source
from labkit.events import End

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![spy](http://example.com/spy.png)",
    "![spy][1]\n\n[1]: http://example.com/spy.png",
    "<style>@import url(http://example.com/a.css)</style>",
    "[click](javascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "<iframe src=http://example.com></iframe>",
    "`<b>`\n\n```html\n<script>alert(1)</script>\n```",
    '[x](http://a/"onmouseover="alert(1))',
    "<a href='javascript:alert(1)'>x</a>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_model_text_does_nothing(text: str) -> None:
    from html.parser import HTMLParser

    class Look(HTMLParser):
        seen: list[tuple[str, dict[str, str | None]]]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.append((tag, dict(attrs)))

    look = Look()
    look.seen = []
    look.feed(render(text))
    harmless = {"p", "a", "code", "pre", "em", "strong"}
    assert {tag for tag, _ in look.seen} <= harmless
    for _, attributes in look.seen:
        assert set(attributes) <= {"href", "rel", "class"}
        assert (attributes.get("href") or "http:").startswith("http")


def test_markdown_is_rendered() -> None:
    assert "<strong>b</strong>" in render("**b**")
    assert "<th>a</th>" in render("| a |\n|---|\n| 1 |")


def in_loop(work: Callable[[Connection, MockEndpoint], Awaitable[None]], behaviour: Behaviour | None = None) -> None:
    """Run a test against a mock in a loop of its own."""

    async def go() -> None:
        with MockEndpoint(behaviour or Behaviour(first_token=0.01, rate=500)) as mock:
            lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
            await work(lab, mock)
            await lab.aclose()

    asyncio.run(go())


def test_a_conversation_grows(capsys: pytest.CaptureFixture[str]) -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        view = ChatView(lab, system="Be brief.")
        await view.ask("My name is Astrid.")
        await view.ask("What is my name?")
        assert [message["role"] for message in view.messages] == ["system", "user", "assistant", "user", "assistant"]

    in_loop(talk)
    assert "Your name is Astrid." in capsys.readouterr().out


async def arrived(mock: MockEndpoint) -> None:
    """Wait until the mock has a request under way."""
    for _ in range(1000):
        if mock.counters.running:
            return
        await asyncio.sleep(0.005)
    pytest.fail("no request came")


@pytest.mark.parametrize("seconds", [None, 0.0, 0.6], ids=["connecting", "before the first token", "in the middle"])
def test_stop_in_each_moment(seconds: float | None) -> None:
    async def talk(lab: Connection, mock: MockEndpoint) -> None:
        view = ChatView(lab)
        asking = asyncio.create_task(view.ask("Count to 500."))
        await asyncio.sleep(0)
        if seconds is not None:
            await arrived(mock)
            await asyncio.sleep(seconds)
        view.stop()
        answer = await asyncio.wait_for(asking, 2)
        assert answer.trace.ended is End.STOPPED
        for _ in range(100):
            if mock.counters.running == 0:
                break
            await asyncio.sleep(0.005)
        assert mock.counters.running == 0
        assert bool(answer.text) is (seconds == 0.6)
        # What was stopped before its first word leaves no question without an answer in the history.
        assert len(view.messages) == (2 if answer.text else 0)
        assert (await view.ask("What is the capital of Sweden?")).trace.ended is End.FINISHED

    in_loop(talk, Behaviour(first_token=0.3, rate=50))


def test_stop_from_another_thread() -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        view = ChatView(lab)
        asking = asyncio.create_task(view.ask("Count to 500."))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(view.stop)
        assert (await asyncio.wait_for(asking, 2)).trace.ended is End.STOPPED

    in_loop(talk, Behaviour(first_token=0.05, rate=50))


def test_a_cancelled_ask_closes_the_stream() -> None:
    """The notebook's interrupt button cancels the cell."""

    async def talk(lab: Connection, mock: MockEndpoint) -> None:
        asking = asyncio.create_task(ChatView(lab).ask("Count to 500."))
        await asyncio.sleep(0.3)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.2)
        assert mock.counters.running == 0

    in_loop(talk, Behaviour(first_token=0.05, rate=50))


def test_an_error_is_said_and_what_had_come_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    async def talk(lab: Connection, mock: MockEndpoint) -> None:
        view = ChatView(lab)
        mock.fail(Step(Fault.DROP))
        answer = await view.ask("Count to 20.")
        assert answer.trace.ended is End.DROPPED
        assert view.messages[-1]["content"] == "1 2 3"

    in_loop(talk)
    told = capsys.readouterr().out
    assert "1 2 3" in told
    assert "broke off" in told
    assert "ask again" in told


def test_one_answer_at_a_time() -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        view = ChatView(lab)
        asking = asyncio.create_task(view.ask("Count to 500."))
        await asyncio.sleep(0.1)
        with pytest.raises(RuntimeError, match="under way"):
            await view.ask("Hi")
        view.stop()
        await asking

    in_loop(talk, Behaviour(first_token=0.05, rate=50))


def test_messages_that_came_while_the_kernel_was_busy_wait_for_each_other() -> None:
    async def talk(lab: Connection, mock: MockEndpoint) -> None:
        chat = _Chat(ChatView(lab))
        for number in (3, 4):
            chat._begin_soon(f"Count to {number}.")
        await arrived(mock)
        assert mock.counters.running == 1
        assert chat.input.busy
        await asyncio.gather(*chat.answering)
        assert [message["content"] for message in chat.view.messages[1::2]] == ["1 2 3", "1 2 3 4"]
        assert not chat.input.busy

    in_loop(talk)


def test_final_output_says_how_it_ended_and_no_times() -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        answer = await ChatView(lab, max_tokens=3).ask("Count to 20.")
        assert final(answer)["text/plain"] == "1 2 3\n[cut off: the limit of tokens was reached]"
        assert "first token after" in status(answer.trace)
        assert 'role="status"' in final(answer)["text/html"]

    in_loop(talk)
