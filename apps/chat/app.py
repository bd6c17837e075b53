# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""A chat with a local model: `python -m apps.chat`, or `chainlit run apps/chat/app.py`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import chainlit as cl
from chainlit.input_widget import Select, Slider, Switch, TextInput

from apps.chat.device import Refusal, Refused
from apps.chat.guard import matches
from apps.chat.history import EXPORT, as_markdown, conversation
from apps.chat.launch import launch
from apps.chat.reply import reply
from apps.chat.schema import PASSING
from apps.chat.tasks import connected, redo, remove, show_error, stop_when_gone
from apps.chat.words import texts
from labkit import Connection, EndpointError, LabError, ModelError, Router, cloud
from labkit.listing import list_models
from labkit.routing.scorers import Keywords

if TYPE_CHECKING:
    from chainlit.types import ThreadDict

# Tokens of the conversation that are sent, and of the answer: together no more than any model of the workbook takes.
BUDGET, ROOM = 1536, 512

hooks = launch()
device, known, routes = hooks.device, hooks.users, hooks.routes


@cl.data_layer
def threads() -> Any:
    """Where conversations are kept."""
    return hooks.threads


if known:

    @cl.password_auth_callback
    async def log_in(name: str, password: str) -> cl.User | None:
        """The users that CHAT_USERS names."""
        return cl.User(name) if matches(known, name, password) else None

else:

    @cl.header_auth_callback
    async def own_machine(_: Any) -> cl.User:
        """Without CHAT_USERS the app listens on this machine only, and its owner needs no form."""
        return cl.User("local")


@cl.set_chat_profiles
async def profiles(_user: cl.User | None, language: str | None = None) -> list[cl.ChatProfile]:
    """What the model is asked to be."""
    return [cl.ChatProfile(name, markdown_description=text) for name, text, _ in texts(language).profiles]


@cl.set_starters
async def starters(_user: cl.User | None, language: str | None = None) -> list[cl.Starter]:
    """First questions to choose from."""
    return [cl.Starter(label, message=text) for label, text in texts(language).starters]


@cl.on_chat_start
async def start() -> None:
    """Connect, with what happens shown meanwhile, and offer the settings."""
    try:
        await offer(await connected(device))
    except LabError as error:
        hooks.record_error(error)
        await show_error(error, "connect")


async def offer(lab: Connection) -> None:
    """The settings of this chat, with what was chosen before as far as the endpoint still has it."""
    text = texts()
    profile = cl.user_session.get("chat_profile")
    prompt = next((prompt for name, _, prompt in text.profiles if name == profile), text.profiles[0][2])
    models = await asyncio.to_thread(list_models, lab.base_url, lab.api_key)
    kept = cl.user_session.get("chat_settings") or {}
    chosen = kept.get("model") if kept.get("model") in models else lab.model
    await cl.ChatSettings(
        [
            Select("model", text.model, values=list(models), initial_value=chosen),
            Slider("temperature", text.temperature, initial=kept.get("temperature", 0.7), min=0, max=1.5, step=0.1),
            TextInput("system", text.system, initial=kept.get("system", prompt), multiline=True),
            Switch("local_only", text.local_only, initial=kept.get("local_only", True)),
        ]
    ).send()
    cl.user_session.set("offered", lab.model)


@cl.on_chat_resume
async def resume(thread: ThreadDict) -> None:
    """A conversation of before: its badges, and the settings that it had."""
    for step in thread["steps"]:
        if isinstance(step["metadata"], str):
            step["metadata"] = json.loads(step["metadata"])
        if badge := step["metadata"].get("badge"):
            element = cl.CustomElement(name="Badge", props=badge, display="inline")
            thread["elements"] = [*(thread["elements"] or []), element.to_dict() | {"forId": step["id"]}]
    await start()


@cl.on_message
async def ask(message: cl.Message) -> None:
    """A question, or the command that exports the conversation."""
    cl.context.session.current_task = asyncio.current_task()  # for Stop, which misses an edited question otherwise
    if message.content.strip() == EXPORT:
        text = as_markdown(cl.chat_context.get()[:-1])
        said = await cl.Message(texts().exported).send()
        await cl.File(name="chat.md", content=text.encode(), mime="text/markdown").send(said.id, persist=False)
        return
    await respond()


async def respond() -> None:
    """Wait for a turn, then stream the answer; whatever goes wrong is said, and what came is kept."""
    waiting = cl.Message("", metadata=PASSING)

    async def show_position(place: int) -> None:
        waiting.content = texts().waiting.format(place=place)
        await (waiting.update() if waiting.persisted else waiting.send())

    try:
        hooks.check()
        lab = await connected(device)
        async with device.queue.turn(show_position):
            await remove(waiting)
            await answer(lab)
    except Exception as error:
        if isinstance(error, EndpointError | ModelError):
            device.forget()
        hooks.record_error(error)
        await show_error(error, "retry")
    except asyncio.CancelledError:
        if hooks.shutting_down:  # nobody pressed Stop: its page is still there
            await show_error(Refusal(Refused.DRAINING), "retry")
        raise
    finally:
        await remove(waiting)


async def answer(lab: Connection) -> None:
    """One answer as this chat's settings want it."""
    if cl.user_session.get("offered") != lab.model:  # the endpoint came back with another one
        await offer(lab)
    settings = cl.user_session.get("chat_settings") or {}
    history = conversation(cl.chat_context.get(), settings.get("system", texts().profiles[0][2]))
    chosen = route(lab, settings.get("model") or lab.model, local_only=settings.get("local_only", True))
    await reply(chosen, history, BUDGET, hooks, max_tokens=ROOM, temperature=settings.get("temperature", 0.7))


def route(lab: Connection, model: str, *, local_only: bool) -> Connection | Router:
    """The local model alone; or, where a cloud is set and the switch allows it, the router of notebook 03.

    Made once for each model, since each has clients with open connections.
    """
    local_only = local_only or not hooks.cloud
    key = (lab.base_url, model, local_only)
    if key not in routes:
        local = lab if model == lab.model else replace(lab, model=model)
        routes[key] = local if local_only else Router(local, cloud(say=lambda _: None), Keywords())
    return routes[key]


@cl.action_callback("retry")
async def retry(action: cl.Action) -> None:
    """Ask the last question again."""
    await redo(action, respond)


@cl.action_callback("connect")
async def reconnect(action: cl.Action) -> None:
    """Try to connect again."""
    await redo(action, start)
    # Chainlit has named a new thread after the button; its first question is to name it.
    cl.context.session.has_first_interaction = bool(conversation(cl.chat_context.get(), "").messages)


@cl.on_stop
async def stopped() -> None:
    """Take Chainlit's own note away, since the badge of the answer says that it was stopped."""
    for message in cl.chat_context.get():
        if message.content == "Task manually stopped.":
            await message.remove()


@cl.on_chat_end
async def left() -> None:
    """A closed tab stops its answer, which a page that loads again is given time to prevent."""
    stop_when_gone()
