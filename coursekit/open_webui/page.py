"""The requests of Open WebUI's own page, to see what one message sets off."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import httpx2

# What the page asks for with the first message of a conversation; the settings decide what becomes of it.
_WANTED = {f"{name}_generation": True for name in ("title", "tags", "follow_up")}


def first_message(web: httpx2.Client, model: str, text: str) -> str:
    """Begin a conversation as the page does; returns its id at once, since the answer is made in the background.

    `web` has the address and an Authorization header. Raises httpx2.HTTPStatusError where it is refused. The format
    was read off the page of Open WebUI 0.12.4; it is not documented.
    """
    question, reply = str(uuid4()), str(uuid4())
    messages = {
        question: {"id": question, "parentId": None, "childrenIds": [reply], "role": "user", "content": text},
        reply: {"id": reply, "parentId": question, "childrenIds": [], "role": "assistant", "content": ""},
    }
    chat = {"title": "New Chat", "models": [model], "history": {"messages": messages, "currentId": reply}}
    made = web.post("/api/v1/chats/new", json={"chat": chat}).raise_for_status().json()
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": text}]}
    body |= {"chat_id": made["id"], "id": reply, "session_id": "none", "background_tasks": _WANTED}
    web.post("/api/chat/completions", json=body).raise_for_status()
    return str(made["id"])
