"""ChatView: an answer that grows below its cell, with a Stop button; and a chat that continues after the cell.

Model text is untrusted. While it grows it is shown as escaped text; at the end it is rendered from Markdown with raw
HTML escaped and nothing loaded from elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from labkit.errors import LabError
from labkit.events import End
from labkit.explain import explain
from labkit.history import History
from labkit.latency import rate, ttft
from labkit.notebook import in_notebook
from labkit.streaming import Answer, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.chat_box import ChatBox
    from labkit.connection import Connection
    from labkit.events import Trace
    from labkit.streaming import Streams

# Tokens reserved for the answer if no limit is given.
ROOM = 512
# Seconds between updates. Ten a second look fluent; one for each token would be slower than the model.
TICK = 0.1
# Tints that work on a light and on a dark page: a report and an exported notebook have no colours of JupyterLab.
_PLAIN = "white-space:pre-wrap;overflow-wrap:anywhere"
_BUBBLE = "width:fit-content;padding:.4em .9em;border-radius:.8em;overflow-wrap:anywhere"
_RIGHT, _LEFT = "margin:.4em 0 .4em auto;max-width:85%", "margin:.4em auto .4em 0;max-width:95%"
_STYLES = {
    "question": f"{_BUBBLE};{_RIGHT};background-color:rgba(0,114,178,.28);white-space:pre-wrap",
    "answer": f"{_BUBBLE};{_LEFT};background-color:rgba(127,127,127,.13)",
}


def render(text: str) -> str:
    """Safe HTML from a model's Markdown: raw HTML escaped, images as their words, links with their address shown."""
    import mistune

    class Renderer(mistune.HTMLRenderer):
        def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002
            return f"[image: {text}, {html.escape(url)}]"

        def link(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002
            if urlsplit(url).scheme not in {"http", "https"}:
                return f"{text} ({html.escape(url)})"
            address = html.escape(url)
            return f'<a href="{address}" rel="noopener noreferrer nofollow">{text}</a> ({address})'

    rendered = mistune.create_markdown(renderer=Renderer(escape=True), plugins=["table", "strikethrough"])(text)
    assert isinstance(rendered, str)
    return rendered


def status(trace: Trace, *, live: bool = False) -> str:
    """The times of the first reasoning and the first text, and the rate so far, in words."""
    words = []
    if trace.first_reasoning is not None:
        words.append(f"reasoning after {trace.first_reasoning - trace.request:.2f} s")
    first = ttft(trace)
    if first is None:
        words.append("waiting for the first token" if live else "no text came")
        return ", ".join(words)
    words.append(f"first token after {first:.2f} s")
    if speed := rate(trace):
        words.append(f"{speed:.0f} {trace.counted}/s")
    return ", ".join(words)


_ENDINGS = {
    End.FINISHED: "",
    End.LENGTH: "[cut off: the limit of tokens was reached]",
    End.FILTERED: "[ended by a content filter of the endpoint]",
    End.DECLINED: "[the model declined to answer]",
}


def ending(answer: Answer) -> str:
    """How an answer ended, unless it is complete: one sentence, with the fix after an error."""
    trace = answer.trace
    if trace.ended is End.FINISHED and not answer.text:
        return "[finished without a text]"
    return str(trace.error) if trace.error else _ENDINGS.get(trace.ended, f"[{trace.ended}]")


class ChatView:
    """A conversation with one connection, or with a router. `messages` is its history, `options` go to the endpoint.

    With `context` (tokens) only the newest messages that leave room for `max_tokens` (default 512) are sent.
    `await view.ask("...")` shows one answer below the cell that asks. `view.show()` gives a chat with an input
    box, which goes on after its cell has ended. Without a notebook the text is printed in the terminal.
    """

    def __init__(
        self, connection: Connection | Streams, system: str = "", context: int | None = None, **options: Any
    ) -> None:
        self.connection = connection
        self.options = options
        self.history = History()
        if system:
            self.history.add("system", system)
        self.budget = None if context is None else context - options.get("max_tokens", ROOM)
        self.sent: list[dict[str, str]] = []
        self.last: Answer | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def messages(self) -> list[dict[str, str]]:
        """The whole conversation so far, also the messages that no longer fit."""
        return self.history.messages

    async def ask(self, question: str) -> Answer:
        """Show an answer as it comes, then once as ordinary output. An error is shown with its fix, not raised.

        Stop and the notebook's interrupt button close the stream and keep the text so far.
        """
        if not in_notebook():
            return await self.follow(question, _Terminal())
        page = _Page(question, self.stop)
        try:
            return await self.follow(question, page)
        finally:
            page.close()

    def stop(self) -> None:
        """Stop the running answer; works while connecting, before the first token, and from any thread."""
        if self._loop and self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def show(self) -> ChatBox:
        """A chat with an input box below the cell; must be called in a notebook's cell."""
        return _Chat(self).box

    async def follow(self, question: str, sink: Sink) -> Answer:
        """Read an answer in a task of its own; update the sink ten times a second and once at the end.

        Raises RuntimeError if this chat is still reading an answer.
        """
        if self._task and not self._task.done():
            raise RuntimeError("This chat is still reading an answer. Fix: stop it, or wait for its end")
        self.history.add("user", question)
        self.sent = self.history.within(self.budget)
        answer = self.last = stream(self.connection, self.sent, **self.options)
        self._loop, self._task = asyncio.get_running_loop(), asyncio.create_task(_read(answer))
        try:
            while not self._task.done():
                await asyncio.wait([self._task], timeout=TICK)
                sink.update(answer)
        finally:
            # An interrupted cell also ends its stream.
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            if answer.text:
                self.history.learn(len(self.sent), answer)
            else:
                # A question without an answer would only confuse the next one.
                self.history.drop()
            sink.end(answer)
        return answer


async def _read(answer: Answer) -> None:
    """Read to the end; an error is kept in the answer's trace."""
    with contextlib.suppress(LabError):
        async for _ in answer:
            pass


class Sink:
    """Where an answer is shown."""

    def update(self, answer: Answer) -> None:
        """Show the text so far."""

    def end(self, answer: Answer) -> None:
        """Show the rest, and how it ended."""


class _Terminal(Sink):
    """Plain text on stdout; prints only the new part."""

    def __init__(self) -> None:
        self.shown = 0
        self.thinking = False

    def update(self, answer: Answer) -> None:
        text = answer.text
        if answer.reasoning and not text and not self.thinking:
            self.thinking = True
            print("[the model is reasoning]", flush=True)
        print(text[self.shown :], end="", flush=True)
        self.shown = len(text)

    def end(self, answer: Answer) -> None:
        self.update(answer)
        print(f"\n{ending(answer)}".rstrip() or "", flush=True)


class _Page(Sink):
    """Below a cell: the question and the growing answer, and above them Stop and a line of status."""

    def __init__(self, question: str, stop: Callable[[], None]) -> None:
        from IPython.display import display

        from labkit.chat_box import ChatBox

        self.box = ChatBox(_STYLES, stop)
        self.box.question, self.box.busy = question, True
        self.question, self.answer = question, cast("Answer | None", None)
        self.handle = display(self.box, display_id=True)

    def update(self, answer: Answer) -> None:
        _grow(self.box, answer)

    def end(self, answer: Answer) -> None:
        self.answer = answer

    def close(self) -> None:
        """Remove the widget and display the whole text, which a saved notebook and a report show too."""
        from IPython.display import display

        display_nothing = {"text/plain": ""}
        self.handle.update(display_nothing, raw=True)
        self.box.close()
        if self.answer:
            display(final(self.question, self.answer), raw=True)


def _grow(box: ChatBox, answer: Answer) -> None:
    """Show the text so far, in one message to the page."""
    with box.hold_sync():
        box.text, box.reasoning, box.line = answer.text, answer.reasoning, status(answer.trace, live=True)


def final(question: str, answer: Answer) -> dict[str, str]:
    """A question and its answer as ordinary output, as HTML and as plain text.

    Both say how the answer ended; neither contains times. The reasoning is folded: it is not part of the answer.
    """
    said = ending(answer)
    asked = f'<div style="{_STYLES["question"]}"><b>You:</b> {html.escape(question)}</div>'
    thoughts = f'<div style="{_PLAIN}">{html.escape(answer.reasoning)}</div>'
    folded = f"<details><summary>Reasoning</summary>{thoughts}</details>" if answer.reasoning else ""
    note = f'<p role="status" style="margin:0"><em>{html.escape(said)}</em></p>' if said else ""
    told = f'<div style="{_STYLES["answer"]}">{folded}{render(answer.text)}{note}</div>'
    plain = [f"You: {question}", f"Model: {answer.text}" if answer.text else "", said]
    return {"text/html": f"<div>{asked}{told}</div>", "text/plain": "\n".join(filter(None, plain))}


class _Chat(Sink):
    """The chat of `ChatView.show`: the conversation, the growing answer, an input box, Send and Stop."""

    def __init__(self, view: ChatView) -> None:
        from labkit.chat_box import ChatBox

        self.view = view
        # The loop of the cell: later callbacks may run in another thread, with a loop of its own.
        self.loop = asyncio.get_running_loop()
        # Messages sent while the kernel was busy are answered in turn; the set keeps references to their tasks.
        self.turn = asyncio.Lock()
        self.answering: set[asyncio.Task[None]] = set()
        self.box = ChatBox(_STYLES, view.stop, self._begin_soon)

    def _begin_soon(self, question: str) -> None:
        self.loop.call_soon_threadsafe(self._begin, question)

    def _begin(self, question: str) -> None:
        task = self.loop.create_task(self._answer(question))
        self.answering.add(task)
        task.add_done_callback(self.answering.discard)

    async def _answer(self, question: str) -> None:
        async with self.turn:
            try:
                self.box.question, self.box.busy = question, True
                await self.view.follow(question, self)
            except Exception as error:
                # Nothing awaits this task, so an error would not be shown.
                self.box.line = str(explain(error))
                raise
            finally:
                self.box.busy = False

    def update(self, answer: Answer) -> None:
        _grow(self.box, answer)

    def end(self, answer: Answer) -> None:
        with self.box.hold_sync():
            self.box.said += final(self.box.question, answer)["text/html"]
            self.box.question = self.box.text = self.box.reasoning = ""
            self.box.line = status(answer.trace)
