"""The schema of the threads, and its changes in their order: each is made whole or not at all, and once."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

from apps.chat.schema import BUSY, TABLES, StoreError
from apps.chat_prod.database import transaction
from apps.chat_prod.snapshot import save_file, stamp

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from apps.chat_prod.database import Database

# Any number that no other program on the same server takes: the lock for a change of the schema.
_LOCK = 4_070_712
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, title TEXT, at TEXT)"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Migration:
    """What brings a database from the version before to this one."""

    version: int
    title: str
    statements: tuple[str, ...]


FIRST = Migration(1, "the tables of Chainlit", TABLES)
# The list of threads asks for the newest step of each, for all steps in their order, and for the feedback on each.
SECOND = Migration(
    2,
    "indexes for the list of threads; no messages without a thread",
    (
        # Version 1 let SQLite keep messages whose thread was deleted while they were written. Nothing shows them.
        'DELETE FROM steps WHERE "threadId" NOT IN (SELECT "id" FROM threads)',
        'DELETE FROM elements WHERE "threadId" NOT IN (SELECT "id" FROM threads)',
        'DELETE FROM feedbacks WHERE "forId" NOT IN (SELECT "id" FROM steps)',
        'CREATE INDEX steps_in_order ON steps("threadId", "createdAt")',
        "DROP INDEX steps_of_thread",
        'CREATE INDEX feedbacks_of_step ON feedbacks("forId")',
    ),
)
MIGRATIONS = (FIRST, SECOND)


def migrate(database: Database) -> tuple[int, int]:
    """Bring a database to the newest version; returns the versions before and after.

    Another process that starts at the same time waits. A file of SQLite that has tables is copied first, into
    `backups` beside it. Raises StoreError for a database of a newer app, or one that fails; it is left as it was.
    """
    if database.file:
        database.file.parent.mkdir(parents=True, exist_ok=True)
        database.file.touch(mode=0o600)  # conversations are for their owner alone
        database.file.chmod(0o600)
    try:
        return database.run(lambda connection: _migrate(database, connection))
    except DBAPIError as error:
        raise database.failed(error) from error


def version(connection: Connection) -> int:
    """The version of a database: 0 for an empty one, 1 for the tables of before there were versions."""
    names = inspect(connection).get_table_names()
    if "schema_version" in names:
        return int(connection.execute(text("SELECT MAX(version) FROM schema_version")).scalar_one() or 0)
    return 1 if "threads" in names else 0


def _migrate(database: Database, connection: Connection) -> tuple[int, int]:
    versions: list[int] = []
    while not versions or versions[-1] < MIGRATIONS[-1].version:
        # Read it each time: another process may have gone a step further meanwhile.
        with transaction(connection, "BEGIN IMMEDIATE" if database.file else "BEGIN"):
            if not database.file:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            versions.append(version(connection))
            refuse_newer(str(database), versions[-1])
            if database.file and len(versions) == 1 and 0 < versions[0] < MIGRATIONS[-1].version:
                _keep(database.file, versions[0])
            for migration in MIGRATIONS[versions[-1] : versions[-1] + 1]:
                _apply(connection, migration)
    if database.file:
        _write_ahead(connection)
    return versions[0], versions[-1]


def _write_ahead(connection: Connection) -> None:
    """Switch the write-ahead log on, which keeps what was committed when the power fails.

    For this alone SQLite does not wait by itself while another process has the file.
    """
    give_up = time.monotonic() + BUSY
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def refuse_newer(name: str, found: int) -> None:
    """Raise StoreError for a version that is to come."""
    if found > MIGRATIONS[-1].version:
        raise StoreError(
            f"{name} has version {found}, and this app knows {MIGRATIONS[-1].version}",
            fix="run the newer app, or restore a backup of before its upgrade with python lab.py backup --restore",
        )


def _keep(file: Path, found: int) -> None:
    copy = file.parent / "backups" / f"before-version-{found + 1}-{stamp()}.db"
    save_file(file, copy)
    _LOGGER.info("The threads as they were before the upgrade: %s", copy)


def _apply(connection: Connection, migration: Migration) -> None:
    for statement in (_VERSIONS, *migration.statements):
        connection.exec_driver_sql(statement)
    connection.execute(
        text("INSERT INTO schema_version VALUES (:version, :title, :at)"),
        {"version": migration.version, "title": migration.title, "at": datetime.now(UTC).isoformat()},
    )
