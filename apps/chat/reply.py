# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""One answer on the page: streamed, saved while it grows, and with a badge that says where it came from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import chainlit as cl
from chainlit.utils import utc_now

from apps.chat.history import shown
from apps.chat.store import Checkpoint
from apps.chat.words import texts
from labkit import Answer, Connection, LabError, RequestError, Router, stream
from labkit.events import End
from labkit.latency import rate, ttft

if TYPE_CHECKING:
    from apps.chat.hooks import Hooks
    from labkit.history import History


_saving: set[asyncio.Task[None]] = set()


async def reply(
    route: Connection | Router,
    history: History,
    budget: int,
    hooks: Hooks,
    **options: Any,
) -> None:
    """Stream one answer into a new message. Raises LabError after what had come was saved.

    However it is left (Stop, a closed tab, an error), the stream is closed upstream and the partial answer stays.
    """
    message = cl.Message("", created_at=utc_now())
    answer = stream(route, history.within(budget), timeout=hooks.patience, **options)
    checkpoint = Checkpoint(hooks.threads, message)
    try:
        async with answer:
            async for event in answer:
                if event.text:
                    # What a checkpoint says until the end has come.
                    message.metadata = message.metadata or marks(answer, route, End.DROPPED)
                    await grow(message, answer)
                    checkpoint.touch()
        if not answer.text:
            raise no_text(answer)
    finally:
        hooks.record_answer(answer, place(answer, route))
        # Shielded: a second Stop must not cut off the saving. A loop keeps only a weak reference to its tasks.
        saving = asyncio.create_task(finish(message, answer, route, checkpoint, hooks.ending(answer)))
        _saving.add(saving)
        saving.add_done_callback(_saving.discard)
        await asyncio.shield(saving)


def no_text(answer: Answer) -> LabError:
    """Why an answer that has ended has no text."""
    if answer.trace.ended is End.FILTERED:
        return RequestError("A content filter of the endpoint stopped the answer", fix="ask in other words")
    if answer.trace.ended is End.LENGTH and answer.reasoning:
        return RequestError("The model was still reasoning at the limit of tokens", fix="ask for less at once")
    return LabError("The model answered without a word", fix="ask again, or in other words")


async def grow(message: cl.Message, answer: Answer) -> None:
    """Send what is new; the whole text again where an earlier letter changed (a colon that had to be escaped)."""
    text = shown(answer.text)
    if text.startswith(message.content):
        await message.stream_token(text[len(message.content) :])
    else:
        await message.stream_token(text, is_sequence=True)


async def finish(
    message: cl.Message, answer: Answer, route: Connection | Router, checkpoint: Checkpoint, ended: str
) -> None:
    """The last state of a message that has text: with its badge, and saved. One without text was never shown."""
    if not answer.text:
        return
    await checkpoint.settle()
    message.content = shown(answer.text)
    message.metadata = marks(answer, route, ended)
    # Before the page is told: what it saw to end outlives this process. Chainlit would write it some time later.
    await checkpoint.data.create_step(message.to_dict() | {"streaming": False})
    message.persisted = True
    await message.send()
    card = cl.CustomElement(name="Badge", props=message.metadata["badge"], display="inline")
    await card.send(message.id, persist=False)  # it is made again from the metadata


def place(answer: Answer, route: Connection | Router) -> str:
    """Where it came from: a cloud, Foundry Local on this machine, or a server that BASE_URL names."""
    decision = getattr(answer, "decision", None)
    if decision and decision.place != "local":
        return str(decision.place)
    return "local" if _local(route).stays_here else "elsewhere"


def _local(route: Connection | Router) -> Connection:
    return route.local if isinstance(route, Router) else route


def marks(answer: Answer, route: Connection | Router, ended: str) -> dict[str, Any]:
    """What is kept with an answer: that it is one, its size, and its badge.

    The badge says where it came from and why, its first-token time and rate, and how it ended where not by itself.
    """
    trace, text = answer.trace, texts()
    decision = getattr(answer, "decision", None)
    where = place(answer, route)
    host = urlsplit(_local(route).base_url).netloc.rpartition("@")[2]
    why = text.only_local if where == "local" else text.elsewhere.format(host=host)
    facts = [str(decision.reason) if decision else why, text.first.format(seconds=ttft(trace) or 0.0)]
    if pace := rate(trace):
        facts.append(text.pace[trace.counted].format(rate=pace))
    badge = {"place": where, "name": text.places.get(where, where), "facts": facts, "ended": text.ended.get(ended, "")}
    return {"answer": True, "tokens": trace.completion_tokens, "badge": badge}
