"""ChatView: an answer that grows below its cell, with a Stop button; and a chat that continues after the cell.

Model text is untrusted. While it grows it is shown as escaped text; at the end it is rendered from Markdown with raw
HTML escaped and nothing loaded from elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
from typing import TYPE_CHECKING, Any
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

    import ipywidgets

    from labkit.connection import Connection
    from labkit.events import Trace
    from labkit.streaming import Streams

# Tokens reserved for the answer if no limit is given.
ROOM = 512
# Seconds between updates. Ten a second look fluent; one for each token would be slower than the model.
TICK = 0.1
_BOX = "white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow-y:auto"


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
        page = _Page(self.stop)
        page.open()
        try:
            return await self.follow(question, page)
        finally:
            if self.last:
                page.close(self.last)

    def stop(self) -> None:
        """Stop the running answer; works while connecting, before the first token, and from any thread."""
        if self._loop and self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def show(self) -> ipywidgets.Widget:
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
    """Below a cell: the growing text, a line of status, and Stop."""

    def __init__(self, stop: Callable[[], None]) -> None:
        import ipywidgets

        self.growing = _Growing()
        self.line = ipywidgets.HTML()
        self.stop = ipywidgets.Button(description="Stop", tooltip="Stop this answer", icon="stop")
        self.stop.on_click(lambda _: stop())
        self.box = ipywidgets.VBox([self.growing.box, ipywidgets.HBox([self.stop, self.line])])

    def open(self) -> None:
        """Put the widgets below the running cell."""
        from IPython.display import display

        self.handle = display(self.box, display_id=True)

    def update(self, answer: Answer) -> None:
        self.growing.show(answer)
        self.line.value = html.escape(status(answer.trace, live=True))

    def end(self, answer: Answer) -> None:
        self.update(answer)

    def close(self, answer: Answer) -> None:
        """Remove the widgets and display the whole text, which a saved notebook and a report show too."""
        from IPython.display import display

        display_nothing = {"text/plain": ""}
        self.handle.update(display_nothing, raw=True)
        for widget in (*self.growing.widgets, self.line, self.stop, *self.box.children, self.box):
            widget.close()
        display(final(answer), raw=True)


def final(answer: Answer) -> dict[str, str]:
    """An answer as ordinary output: as HTML and as plain text. Both say how it ended; neither contains times."""
    said = ending(answer)
    note = f'<p role="status"><em>{html.escape(said)}</em></p>' if said else ""
    plain = "\n".join(part for part in (answer.text, said) if part)
    return {"text/html": f"<div>{_folded(answer)}{render(answer.text)}{note}</div>", "text/plain": plain}


class _Chat(Sink):
    """The chat of `ChatView.show`: the conversation, the growing answer, an input box, Send and Stop."""

    def __init__(self, view: ChatView) -> None:
        import ipywidgets

        from labkit.inputs import MessageBox

        self.view = view
        # The loop of the cell: later callbacks may run in another thread, with a loop of its own.
        self.loop = asyncio.get_running_loop()
        # Messages sent while the kernel was busy are answered in turn; the set keeps references to their tasks.
        self.turn = asyncio.Lock()
        self.answering: set[asyncio.Task[None]] = set()
        self.turns: list[str] = []
        self.said = ipywidgets.HTML()
        self.growing = _Growing()
        self.line = ipywidgets.HTML("Write a message and press Enter.")
        self.input = MessageBox(self._begin_soon, view.stop)
        self.box = ipywidgets.VBox([self.said, self.growing.box, self.line, self.input])

    def _begin_soon(self, question: str) -> None:
        self.loop.call_soon_threadsafe(self._begin, question)

    def _begin(self, question: str) -> None:
        task = self.loop.create_task(self._answer(question))
        self.answering.add(task)
        task.add_done_callback(self.answering.discard)

    async def _answer(self, question: str) -> None:
        async with self.turn:
            try:
                self.turns.append(f"<p><b>You:</b> {html.escape(question)}</p>")
                self.said.value, self.input.busy = "".join(self.turns), True
                await self.view.follow(question, self)
            except Exception as error:
                # Nothing awaits this task, so an error would not be shown.
                self.line.value = html.escape(str(explain(error)))
                raise
            finally:
                self.input.busy = False

    def update(self, answer: Answer) -> None:
        self.growing.show(answer)
        self.line.value = html.escape(status(answer.trace, live=True))

    def end(self, answer: Answer) -> None:
        self.turns.append(f"<div><b>Model:</b> {final(answer)['text/html']}</div>")
        self.said.value = "".join(self.turns)
        self.growing.clear()
        self.line.value = html.escape(status(answer.trace))


class _Growing:
    """An answer while it comes: its text, and above it the reasoning, folded until somebody opens it."""

    def __init__(self) -> None:
        import ipywidgets

        self.text, self.thoughts = ipywidgets.HTML(), ipywidgets.HTML()
        # Not <details>: each update of its text would fold it again.
        self.fold = ipywidgets.Accordion((self.thoughts,), titles=("Reasoning",), selected_index=None)
        self.box = ipywidgets.VBox((self.fold, self.text))
        self.widgets = (self.text, self.thoughts, self.fold, self.box)
        self.clear()

    def show(self, answer: Answer) -> None:
        """The text so far, and the reasoning where there is some."""
        text = html.escape(answer.text)
        self.text.value = f'<div role="log" aria-live="polite" aria-label="Answer" style="{_BOX}">{text}</div>'
        if answer.reasoning:
            self.thoughts.value = f'<div style="{_BOX}">{html.escape(answer.reasoning)}</div>'
            self.fold.layout.display = "block"

    def clear(self) -> None:
        """Nothing, until the next answer."""
        self.text.value = self.thoughts.value = ""
        self.fold.layout.display, self.fold.selected_index = "none", None


def _folded(answer: Answer) -> str:
    """The reasoning before the answer, folded: it is not part of the answer."""
    if not answer.reasoning:
        return ""
    return f'<details><summary>Reasoning</summary><div style="{_BOX}">{html.escape(answer.reasoning)}</div></details>'
