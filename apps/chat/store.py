# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""Threads in a database: they survive a restart, and an answer that is under way is saved each second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainlit.context import ChainlitContextException, context
from chainlit.data.sql_alchemy import SQLAlchemyDataLayer
from chainlit.data.utils import queue_until_user_message
from filelock import Timeout
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from apps.chat.schema import BUSY, PASSING, StoreError, create_tables, in_use

if TYPE_CHECKING:
    from collections.abc import Mapping

    import chainlit as cl
    from chainlit.types import Feedback
    from filelock import ReadWriteLock


log = logging.getLogger("chat")
# The user of an HTTP request, by name; in a chat, the session knows its user.
acting_user: ContextVar[str | None] = ContextVar("acting_user", default=None)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Characters of a comment on an answer.
_COMMENT = 4000


class ForbiddenError(StoreError):
    """A user tried to write into what belongs to another."""


class Threads(SQLAlchemyDataLayer):
    """Chainlit's data layer, with steps written in the order in which they were asked for.

    Chainlit makes a task of each write, so that a message that is removed at once could outlive its deletion. A message
    that is PASSING is not written at all.
    """

    def __init__(self, url: URL, options: Mapping[str, Any]) -> None:
        logger = logging.getLogger("chainlit")
        level = logger.level
        logger.setLevel(logging.ERROR)  # it warns that files are not stored, which is meant: uploads are off
        super().__init__(url.render_as_string(hide_password=False), connect_args=dict(options), show_logger=False)
        logger.setLevel(level)
        # Chainlit's own would hand out connections that a restart of the server has cut, and lose what is written.
        # And when a statement fails, they would write what somebody said into the log.
        self.engine = create_async_engine(url, connect_args=dict(options), pool_pre_ping=True, hide_parameters=True)
        self.async_session = async_sessionmaker(self.engine, expire_on_commit=False)
        self._order = asyncio.Lock()
        self._held = in_use(Path(url.database or "")) if url.get_backend_name() == "sqlite" else None
        if self._held:
            _hold(self._held)
            event.listen(self.engine.sync_engine, "connect", _as_strict_as_postgresql)

    async def execute_sql(self, query: str, parameters: dict[str, Any]) -> Any:
        """Run one statement. Characters that no database can keep are replaced, so that the message is not lost."""
        return await super().execute_sql(
            query, {name: _storable(value) if isinstance(value, str) else value for name, value in parameters.items()}
        )

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Write to a thread of the acting user; a new one becomes theirs, and no later write changes that.

        Raises ForbiddenError for another user's thread. Chainlit's own method would give the thread to the last writer.
        """
        if not _ID.fullmatch(thread_id):  # it comes from the page
            raise StoreError("The page has sent something that is not the id of a thread", fix="load the page again")
        user = await self.get_user(_acting())
        if user is None or user_id not in (None, user.id):
            raise _forbidden("thread", thread_id)
        # One statement, so that of two first writers only one becomes the owner, also in two processes.
        await self.execute_sql(
            """INSERT INTO threads ("id", "createdAt", "userId", "userIdentifier", "metadata")
            VALUES (:id, :created, :user_id, :user, '{}') ON CONFLICT ("id") DO NOTHING""",
            {
                "id": thread_id,
                "created": await self.get_current_timestamp(),
                "user_id": user.id,
                "user": user.identifier,
            },
        )
        await self._check_thread(thread_id)
        await super().update_thread(thread_id, name=name, metadata=metadata, tags=tags)

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread of the acting user. Raises ForbiddenError for another's."""
        await self._check_thread(thread_id)
        await super().delete_thread(thread_id)

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Rate an answer in a thread of the acting user. Raises ForbiddenError for another's, and for no answer."""
        await self._check_step(feedback.forId, missing_ok=False)
        if feedback.id is not None and await self._rated(feedback.id) not in (None, feedback.forId):
            raise _forbidden("feedback", feedback.id)
        if feedback.comment and len(feedback.comment) > _COMMENT:
            raise StoreError(f"The comment has over {_COMMENT} characters", fix="write a shorter one")
        return await super().upsert_feedback(feedback)

    async def delete_feedback(self, feedback_id: str) -> bool:
        """Take a rating back. Raises ForbiddenError for one in another user's thread."""
        await self._check_step(await self._rated(feedback_id) or "", missing_ok=False)
        return await super().delete_feedback(feedback_id)

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Delete an element of a thread of the acting user. Raises ForbiddenError for another's."""
        found = await self._one('SELECT "threadId" AS found FROM elements WHERE "id" = :id', element_id)
        if found is not None:
            await self._check_thread(found)
            await super().delete_element(element_id, thread_id)

    async def _check_thread(self, thread_id: str) -> None:
        owner = await self._one('SELECT "userIdentifier" AS found FROM threads WHERE "id" = :id', thread_id)
        if owner is None or owner != _acting():
            raise _forbidden("thread", thread_id)

    async def _check_step(self, step_id: str, thread_id: str | None = None, *, missing_ok: bool = True) -> None:
        """Whether a step is in a thread of the acting user, and in no other thread than the one it is believed in."""
        found = await self._one('SELECT "threadId" AS found FROM steps WHERE "id" = :id', step_id)
        if found is None and missing_ok:
            return
        if found is None or thread_id not in (None, found):
            raise _forbidden("step", step_id)
        await self._check_thread(found)

    async def _rated(self, feedback_id: str) -> str | None:
        """The step that a rating is for."""
        return await self._one('SELECT "forId" AS found FROM feedbacks WHERE "id" = :id', feedback_id)

    async def _one(self, query: str, name: str) -> str | None:
        rows = await self.execute_sql(query, {"id": name})
        return str(rows[0]["found"]) if rows and rows[0]["found"] is not None else None

    async def close(self) -> None:
        """Let go of the database."""
        await super().close()
        self.let_go()

    def let_go(self) -> None:
        """From here on the file may be replaced by a backup."""
        if self._held:
            self._held.release()
            self._held = None

    @queue_until_user_message()  # type: ignore[untyped-decorator]
    async def create_step(self, step_dict: Any) -> None:
        """Write a step, or write it again; one that is another user's, or in another thread, is left as it is."""
        if PASSING.items() <= (step_dict.get("metadata") or {}).items():
            return
        async with self._order:
            with contextlib.suppress(ForbiddenError):  # it is in the log; the page that sent it is owed nothing
                await self._check_step(step_dict["id"], step_dict["threadId"])
                await SQLAlchemyDataLayer.create_step.__wrapped__(self, step_dict)

    async def update_step(self, step_dict: Any) -> None:
        """The same."""
        await self.create_step(step_dict)

    @queue_until_user_message()  # type: ignore[untyped-decorator]
    async def delete_step(self, step_id: str) -> None:
        """Delete a step of the acting user."""
        async with self._order:
            with contextlib.suppress(ForbiddenError):
                await self._check_step(step_id)
                await SQLAlchemyDataLayer.delete_step.__wrapped__(self, step_id)

    async def settled(self) -> None:
        """Come back when all that was to be written is written."""
        await asyncio.sleep(0)  # a task that was only just made runs after this
        async with self._order:
            pass


def _hold(lock: ReadWriteLock) -> None:
    try:
        lock.acquire_read(timeout=BUSY, blocking=True)
    except Timeout:
        raise StoreError("The threads are being restored", fix="start the app when that has ended") from None


def _acting() -> str:
    """The name of the user for whom a write is; empty where none is known."""
    try:
        user = context.session.user
    except ChainlitContextException:
        return acting_user.get() or ""
    return user.identifier if user else ""


def _forbidden(what: str, name: str) -> ForbiddenError:
    """Note a refused write, without anything that a user wrote; ids come from pages, so they are quoted."""
    log.warning("refused", extra={"fields": {"why": "not the owner", "what": what, "id": ascii(name[:64])}})
    return ForbiddenError(f"This {what} belongs to another user", fix="load the page again")


def _as_strict_as_postgresql(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def _storable(words: str) -> str:
    """PostgreSQL refuses the character 0, and both refuse half of a pair of UTF-16."""
    return words.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def open_file(file: Path) -> Threads:
    """The data layer on a file of SQLite, which is made where it is missing. Raises StoreError."""
    threads = Threads(URL.create("sqlite+aiosqlite", database=file.as_posix()), {"timeout": BUSY})
    try:  # from here on nobody replaces the file
        create_tables(file)
    except BaseException:
        threads.let_go()
        raise
    return threads


class Checkpoint:
    """Saves an answer that grows, at most once in `every` seconds, so that a crash costs no more than that."""

    def __init__(self, data: SQLAlchemyDataLayer, message: cl.Message, every: float = 1.0) -> None:
        self.data = data
        self.message = message
        self.every = every
        self._last = time.monotonic()
        self._saving: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Save in the background when it is time, and no save is under way."""
        if time.monotonic() - self._last < self.every or (self._saving and not self._saving.done()):
            return
        self._last = time.monotonic()
        self._saving = asyncio.create_task(self.data.update_step(self.message.to_dict() | {"streaming": False}))

    async def settle(self) -> None:
        """Wait for a save that is under way, so that it cannot overwrite the last one."""
        if self._saving:
            await asyncio.gather(self._saving, return_exceptions=True)
