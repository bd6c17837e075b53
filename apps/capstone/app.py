"""A study helper: it asks about the text in text.md, one question at a time, and says what was right."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import chainlit as cl
from chainlit.session import WebsocketSession

from labkit import Connection, LabError, connect, stream
from labkit.events import End
from labkit.history import History
from same_page import protect

TEXT = (Path(__file__).parent / "text.md").read_text(encoding="utf-8")
SYSTEM = f"You help a student to learn the text below. Ask one short question about it at a time. When the student \
answers, say first whether that was right and what the text says, then ask the next one.\n\n{TEXT}"
# Tokens of the window, as many as each model of the course has at least, and of them those kept for the answer.
WINDOW, ROOM = 2048, 384
# Seconds: of silence before an answer is given up, and for a page that loads again to come back.
PATIENCE, GRACE = float(os.environ.get("CHAT_PATIENCE") or 120), 2.0
ONE_AT_A_TIME = threading.Lock()
COLON = re.compile(r"(?<=\w):(?=[^\W\d_])")  # Chainlit takes `word:letter` for a directive, and hides the rest
MARKS = {End.LENGTH: " *(cut off)*", End.STOPPED: " *(stopped)*", End.DROPPED: " *(broke off)*"}

protect()


@functools.cache
def _connected() -> Connection:
    return replace(connect(say=lambda _: None), retries=0)


def connected() -> Connection:
    """The one connection of all chats, made by the first that needs it; what failed is tried again."""
    with ONE_AT_A_TIME:
        return _connected()


@cl.on_chat_start
async def greet() -> None:
    """Say what this is, and what it is not."""
    history = History()
    history.add("system", SYSTEM)
    cl.user_session.set("history", history)
    honest = "The model runs on this machine, is small and often wrong: where it and the text differ, trust the text."
    await cl.Message(f"I ask you about *{TEXT.splitlines()[0].strip('# ')}*. Write **ready** to begin. {honest}").send()


@cl.on_message
async def ask(message: cl.Message) -> None:
    """Stream one answer; however it ends, the stream is closed upstream and what had come stays."""
    history: History = cl.user_session.get("history")
    history.add("user", message.content)
    shown = cl.Message("")
    try:
        sent = history.within(WINDOW - ROOM)
        answer = stream(await asyncio.to_thread(connected), sent, max_tokens=ROOM, timeout=PATIENCE)
        try:
            async with answer:
                async for event in answer:
                    if event.text:
                        await shown.stream_token(event.text)
        finally:
            if answer.text:
                shown.content = COLON.sub(r"\:", answer.text) + MARKS.get(answer.trace.ended, "")
                await shown.send()
                history.learn(len(sent), answer)
    except LabError as error:
        _connected.cache_clear()  # the endpoint may be elsewhere next time
        await cl.ErrorMessage(str(error)).send()
    finally:
        if history.messages[-1]["role"] == "user":
            history.drop()  # a question without an answer would only confuse the next one


@cl.on_chat_end
async def left() -> None:
    """End the answer of a tab that was closed, unless the page comes back."""
    session = cl.context.session
    assert isinstance(session, WebsocketSession)
    socket, task = session.socket_id, session.current_task
    await asyncio.sleep(GRACE)
    if session.socket_id == socket and task is not None:
        task.cancel()
