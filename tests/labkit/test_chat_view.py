"""ChatView without a page: history, Stop, errors, and harmless rendering of model text."""

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

QUICK = Behaviour(first_token=0.01, rate=500)
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
def test_rendered_model_text_runs_and_loads_nothing(text: str) -> None:
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
        with MockEndpoint(behaviour or QUICK) as mock:
            lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
            await work(lab, mock)
            await lab.aclose()

    asyncio.run(go())


def test_the_model_sees_the_earlier_messages(capsys: pytest.CaptureFixture[str]) -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        view = ChatView(lab, system="Be brief.")
        await view.ask("My name is Astrid.")
        await view.ask("What is my name?")
        assert [message["role"] for message in view.messages] == ["system", "user", "assistant", "user", "assistant"]

    in_loop(talk)
    assert "Your name is Astrid." in capsys.readouterr().out


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the mock has counters, not events
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("moment", "way"),
    [
        ("connecting", "stop"),
        ("before the first token", "stop"),
        ("in the middle", "stop"),
        ("in the middle", "stop from another thread"),
        ("in the middle", "interrupt"),  # the notebook's interrupt button cancels the cell
    ],
)
def test_a_stopped_answer_keeps_its_text_and_frees_the_endpoint(moment: str, way: str) -> None:
    async def talk(lab: Connection, mock: MockEndpoint) -> None:
        view = ChatView(lab)
        asking = asyncio.create_task(view.ask("Count to 500."))
        await until(lambda: view.last is not None)
        answer = view.last
        assert answer is not None
        if moment != "connecting":
            await until(lambda: bool(answer.text) if moment == "in the middle" else mock.counters.running == 1)
        if way == "interrupt":
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            await asyncio.to_thread(view.stop) if "thread" in way else view.stop()
            assert await asking is answer
        assert answer.trace.ended is End.STOPPED
        await until(lambda: mock.counters.running == 0)
        assert bool(answer.text) is (moment == "in the middle")
        # An answer that was stopped before its first token leaves no question in the history.
        assert len(view.messages) == (2 if answer.text else 0)
        mock.state.behaviour = QUICK
        assert (await view.ask("What is the capital of Sweden?")).trace.ended is End.FINISHED

    in_loop(talk, Behaviour(first_token=0 if moment == "in the middle" else 60, rate=20))


def test_an_error_is_shown_with_its_fix_and_the_partial_text_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_second_question_during_an_answer_is_an_error() -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        view = ChatView(lab)
        asking = asyncio.create_task(view.ask("Count to 500."))
        await until(lambda: view.last is not None)
        with pytest.raises(RuntimeError, match="still reading"):
            await view.ask("Hi")
        view.stop()
        await asking

    in_loop(talk, Behaviour(first_token=0.05, rate=50))


def test_messages_sent_while_the_kernel_was_busy_are_answered_in_turn() -> None:
    async def talk(lab: Connection, mock: MockEndpoint) -> None:
        chat = _Chat(ChatView(lab))
        for number in (3, 4):
            chat._begin_soon(f"Count to {number}.")
        await until(lambda: mock.counters.running == 1)
        assert chat.box.busy
        await asyncio.gather(*chat.answering)
        assert [message["content"] for message in chat.view.messages[1::2]] == ["1 2 3", "1 2 3 4"]
        assert not chat.box.busy
        assert chat.box.said.index("Count to 3.") < chat.box.said.index("1 2 3") < chat.box.said.index("Count to 4.")
        assert (chat.box.question, chat.box.text) == ("", "")

    in_loop(talk)


def test_the_final_output_says_how_the_answer_ended() -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        answer = await ChatView(lab, max_tokens=3).ask("Count to 20.")
        shown = final("<b>Count</b> to 20.", answer)
        assert shown["text/plain"] == (
            "You: <b>Count</b> to 20.\nModel: 1 2 3\n[cut off: the limit of tokens was reached]"
        )
        assert "first token after" in status(answer.trace)
        assert 'role="status"' in shown["text/html"]
        assert "&lt;b&gt;Count&lt;/b&gt; to 20.</div>" in shown["text/html"]

    in_loop(talk)


def test_a_chat_that_is_asked_elsewhere_says_so() -> None:
    async def talk(lab: Connection, _: MockEndpoint) -> None:
        chat = _Chat(ChatView(lab))
        asking = asyncio.create_task(chat.view.ask("Count to 500."))
        await until(lambda: chat.view.last is not None)
        chat._begin("Hi")
        [answering] = chat.answering
        with pytest.raises(RuntimeError):
            await answering
        assert "still reading an answer" in chat.box.line
        assert not chat.box.busy
        chat.view.stop()
        await asking

    in_loop(talk, Behaviour(first_token=0.05, rate=50))
