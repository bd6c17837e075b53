# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""The task that answers in a session: started again by a button, ended when its tab is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import chainlit as cl
from chainlit.session import WebsocketSession

from apps.chat.schema import PASSING
from apps.chat.words import said, texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from apps.chat.device import Device
    from labkit import Connection

# Longer than a page takes to load again, shorter than somebody else wants to wait for a tab that was closed.
GRACE = 2.0
_leaving: set[asyncio.Task[None]] = set()


async def connected(device: Device) -> Connection:
    """The device's connection; where it takes more than a moment, the page shows how it comes about."""
    note = cl.Message("", metadata=PASSING)
    try:
        while True:
            try:
                return await asyncio.wait_for(device.connection(), 0.5)
            except TimeoutError:
                text = "\n\n".join([texts().connecting, device.progress])
                if text != note.content:
                    note.content = text
                    await (note.update() if note.persisted else note.send())
    finally:
        await remove(note)


async def show_error(error: Exception, again: str) -> None:
    """Say what happened and how to fix it, with a button that calls the action `again`.

    Before a conversation has begun, it is for the moment only.
    """
    button = cl.Action(name=again, payload={}, label=texts().again)
    message = cl.Message(said(error), actions=[button], metadata=PASSING if again == "connect" else None)
    message.is_error = True
    await message.send()


async def remove(message: cl.Message) -> None:
    """Take a note away, if it was sent."""
    if message.persisted:
        message.persisted = False
        await message.remove()


async def redo(action: cl.Action, work: Callable[[], Awaitable[None]]) -> None:
    """Remove the message of the error and run `work` as Chainlit runs a message, so that Stop reaches it."""
    session, emitter = cl.context.session, cl.context.emitter
    for message in cl.chat_context.get():
        if message.id == action.forId:
            await message.remove()
    await emitter.task_start()
    session.current_task = asyncio.ensure_future(work())
    try:
        await asyncio.wait([session.current_task])
    finally:
        await emitter.task_end()


def stop_when_gone() -> None:
    """End this session's answer, unless its page comes back within the grace."""
    session = cl.context.session
    assert isinstance(session, WebsocketSession)
    socket, task = session.socket_id, session.current_task

    async def later() -> None:
        await asyncio.sleep(GRACE)
        if session.socket_id == socket and task is not None and not task.done():
            task.cancel()

    leaving = asyncio.create_task(later())
    _leaving.add(leaving)
    leaving.add_done_callback(_leaving.discard)
