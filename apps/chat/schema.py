"""Tables, lock and error of the threads' store. Without Chainlit, which makes files where it is imported."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from filelock import ReadWriteLock

from labkit import LabError

if TYPE_CHECKING:
    from pathlib import Path

# Seconds to wait for another process that writes to the same file.
BUSY = 60
# The metadata of a message for the moment, such as a place in the queue: it is not stored.
PASSING = {"passing": True}
# The columns that Chainlit 2.12 reads and writes. Ids and JSON as TEXT: the same schema does for PostgreSQL.
TABLES = (
    """CREATE TABLE users (
  "id" TEXT PRIMARY KEY, "identifier" TEXT NOT NULL UNIQUE, "metadata" TEXT NOT NULL, "createdAt" TEXT)""",
    """CREATE TABLE threads (
  "id" TEXT PRIMARY KEY, "createdAt" TEXT, "name" TEXT, "userId" TEXT REFERENCES users("id") ON DELETE CASCADE,
  "userIdentifier" TEXT, "tags" TEXT, "metadata" TEXT)""",
    """CREATE TABLE steps (
  "id" TEXT PRIMARY KEY, "name" TEXT NOT NULL, "type" TEXT NOT NULL,
  "threadId" TEXT NOT NULL REFERENCES threads("id") ON DELETE CASCADE, "parentId" TEXT,
  "streaming" BOOLEAN NOT NULL, "waitForAnswer" BOOLEAN, "isError" BOOLEAN, "metadata" TEXT, "tags" TEXT,
  "input" TEXT, "output" TEXT, "createdAt" TEXT, "command" TEXT, "modes" TEXT, "start" TEXT, "end" TEXT,
  "generation" TEXT, "showInput" TEXT, "language" TEXT, "indent" INTEGER, "defaultOpen" BOOLEAN, "autoCollapse" BOOLEAN,
  "icon" TEXT)""",
    """CREATE TABLE elements (
  "id" TEXT PRIMARY KEY, "threadId" TEXT REFERENCES threads("id") ON DELETE CASCADE, "type" TEXT, "url" TEXT,
  "chainlitKey" TEXT, "name" TEXT NOT NULL, "display" TEXT, "objectKey" TEXT, "size" TEXT, "page" INTEGER,
  "language" TEXT, "forId" TEXT, "mime" TEXT, "props" TEXT)""",
    """CREATE TABLE feedbacks (
  "id" TEXT PRIMARY KEY, "forId" TEXT NOT NULL, "threadId" TEXT, "value" INTEGER NOT NULL, "comment" TEXT)""",
    'CREATE INDEX steps_of_thread ON steps("threadId")',
    'CREATE INDEX threads_of_user ON threads("userId")',
)


class StoreError(LabError):
    """The database of the threads, or a backup of it, is not what it should be, or is in use."""


def create_tables(file: Path) -> None:
    """Make a file with empty tables, for its owner alone; a file that has tables is left as it is.

    Raises StoreError where the file cannot be opened or written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        with closing(sqlite3.connect(file, timeout=BUSY, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'threads'").fetchone():
                for statement in TABLES:
                    connection.execute(statement)
            connection.execute("COMMIT")
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode=WAL")  # keeps what was committed when the power fails
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The threads cannot be kept in {file} ({error})", fix=f"look at {file.parent}") from error


def in_use(file: Path) -> ReadWriteLock:
    """The lock of a file of threads: each app holds it for reading, and who replaces the file for writing.

    The system lets go of it when a process ends, however that ends.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    return ReadWriteLock(str(file.with_name(f"{file.name}.in-use")), blocking=False)
