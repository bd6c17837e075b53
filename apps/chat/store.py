# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""Threads in a database: they survive a restart, and an answer that is under way is saved each second."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from chainlit.data.sql_alchemy import SQLAlchemyDataLayer
from filelock import Timeout
from sqlalchemy import event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from backup import in_use
from database import BUSY, Database, StoreError
from labkit import LabError
from migrations import migrate

if TYPE_CHECKING:
    from pathlib import Path

    import chainlit as cl
    from filelock import ReadWriteLock


_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def prepare(file: Path) -> None:
    """Make the tables of a file, or bring them to the newest version."""
    migrate(Database.at(file))


class Threads(SQLAlchemyDataLayer):
    """Chainlit's data layer, with steps written in the order in which they were asked for.

    Chainlit makes a task of each write, so that a note which is taken away at once could outlive its deletion.
    """

    def __init__(self, database: Database) -> None:
        logger = logging.getLogger("chainlit")
        level = logger.level
        logger.setLevel(logging.ERROR)  # it warns that files are not stored, which is meant: uploads are off
        super().__init__(database.address, connect_args=database.options, show_logger=False)
        logger.setLevel(level)
        # Chainlit's own would hand out connections that a restart of the server has cut, and lose what is written.
        # And when a statement fails, they would write what somebody said into the log.
        self.engine = create_async_engine(
            database.url, connect_args=database.options, pool_pre_ping=True, hide_parameters=True
        )
        self.async_session = async_sessionmaker(self.engine, expire_on_commit=False)
        self._order = asyncio.Lock()
        self._held = in_use(database.file) if database.file else None
        if self._held:
            self._hold(self._held)
            event.listen(self.engine.sync_engine, "connect", _as_strict_as_postgresql)

    async def execute_sql(self, query: str, parameters: dict[str, Any]) -> Any:
        """Run one statement. What no database keeps as text is shown as such, instead of losing the message."""
        return await super().execute_sql(
            query, {name: _storable(value) if isinstance(value, str) else value for name, value in parameters.items()}
        )

    async def update_thread(self, thread_id: str, *details: Any, **named: Any) -> None:
        """Write what is known of a thread. Its id comes from the page, and Chainlit makes ids a part of statements."""
        if not _ID.fullmatch(thread_id):
            raise StoreError("what a page has sent is no id of a thread", fix="load the page again")
        await super().update_thread(thread_id, *details, **named)

    async def close(self) -> None:
        """Let go of the database."""
        await super().close()
        self.let_go()

    def let_go(self) -> None:
        """From here on the file may be replaced."""
        if self._held:
            self._held.release()
            self._held = None

    @staticmethod
    def _hold(lock: ReadWriteLock) -> None:
        try:
            lock.acquire_read(timeout=BUSY, blocking=True)
        except Timeout:
            raise StoreError("the threads are being restored", fix="start the app when that has ended") from None

    async def create_step(self, step_dict: Any) -> None:
        """Write a step, or write it again."""
        async with self._order:
            await super().create_step(step_dict)

    async def update_step(self, step_dict: Any) -> None:
        """The same."""
        await self.create_step(step_dict)

    async def delete_step(self, step_id: str) -> None:
        """Take a step away."""
        async with self._order:
            await super().delete_step(step_id)

    async def settled(self) -> None:
        """Come back when all that was to be written is written."""
        await asyncio.sleep(0)  # a task that was only just made stands in line after this
        async with self._order:
            pass


def _as_strict_as_postgresql(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def _storable(words: str) -> str:
    """PostgreSQL refuses the character 0, and both refuse half of a pair of UTF-16."""
    return words.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def layer(place: Path | str) -> Threads:
    """The data layer on a file, or on the address of a database. Raises SettingsError and StoreError."""
    database = Database.at(place)
    data = Threads(database)  # from here on nobody replaces the file
    try:
        migrate(database)
    except BaseException:
        data.let_go()
        raise
    return data


def opened(file: Path) -> Threads:
    """The data layer of DATABASE_URL, else on this file; ends the process with one clear line where it cannot be."""
    try:
        return layer(os.environ.get("DATABASE_URL", "").strip() or file)
    except LabError as error:
        sys.exit(f"chat: {error}")


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
