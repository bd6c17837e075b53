"""The store of a server: PostgreSQL or a file, brought to the newest schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.chat.store import Threads
from apps.chat_prod.database import Database
from apps.chat_prod.migrations import migrate

if TYPE_CHECKING:
    from pathlib import Path


def open_threads(place: Path | str) -> Threads:
    """The data layer on a file, or on the address of a database. Raises SettingsError and StoreError."""
    database = Database.at(place)
    threads = Threads(database.url, database.options)  # from here on nobody replaces the file
    try:
        migrate(database)
    except BaseException:
        threads.let_go()
        raise
    return threads
