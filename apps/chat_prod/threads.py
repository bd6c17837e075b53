"""The store of a server: PostgreSQL or a file, brought to the newest schema, and kept from being replaced meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import Timeout

from apps.chat.schema import BUSY, StoreError
from apps.chat.store import Threads
from apps.chat_prod.backup import in_use
from apps.chat_prod.database import Database
from apps.chat_prod.migrations import migrate

if TYPE_CHECKING:
    from pathlib import Path


class ServerThreads(Threads):
    """The threads in a database. While it is open, no restore may replace a file of SQLite. Raises StoreError."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.url, database.options)
        self._held = in_use(database.file) if database.file else None
        if self._held:
            try:
                self._held.acquire_read(timeout=BUSY, blocking=True)
            except Timeout:
                raise StoreError("The threads are being restored", fix="start the app when that has ended") from None

    async def close(self) -> None:
        """Let go of the database."""
        await super().close()
        self.let_go()

    def let_go(self) -> None:
        """From here on the file may be replaced."""
        if self._held:
            self._held.release()
            self._held = None


def open_threads(place: Path | str) -> ServerThreads:
    """The data layer on a file, or on the address of a database. Raises SettingsError and StoreError."""
    database = Database.at(place)
    threads = ServerThreads(database)  # from here on nobody replaces the file
    try:
        migrate(database)
    except BaseException:
        threads.let_go()
        raise
    return threads
