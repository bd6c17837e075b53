"""A copy of the threads as they are at one moment, and the list of what is in it by which a copy is checked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from apps.chat.schema import StoreError
from apps.chat_prod.database import Database, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

# The column that says of which thread a row is; rows of other tables count as one more thread, which has no name.
_THREAD = {"threads": "id", "steps": "threadId", "elements": "threadId", "feedbacks": "threadId"}
_MESSAGES = ("user_message", "assistant_message")


@dataclass(frozen=True)
class Contents:
    """What a database holds: rows of each table, a checksum of each thread, messages, rows that point nowhere."""

    rows: dict[str, int]
    threads: dict[str, str]
    messages: int
    dangling: int

    @classmethod
    def of(cls, connection: Connection) -> Contents:
        """Read all of it. The order of rows and columns does not count, and the kind of database does not either."""
        rows: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        messages = 0
        for table in inspect(connection).get_table_names():
            rows[table] = 0
            for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings():
                values = {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}
                line = json.dumps([table, values], sort_keys=True, default=str)
                digest = hashlib.sha256(line.encode()).digest()
                sums[str(row.get(_THREAD.get(table, "")) or "")] += int.from_bytes(digest)
                rows[table] += 1
                messages += table == "steps" and row["type"] in _MESSAGES
        sqlite = connection.dialect.name == "sqlite"
        dangling = len(connection.execute(text("PRAGMA foreign_key_check")).all()) if sqlite else 0
        return cls(dict(rows), {name: f"{value % 2**256:064x}" for name, value in sums.items()}, messages, dangling)

    def differences(self, other: Contents) -> list[str]:
        """In what another copy differs, in words."""
        tables = sorted(self.rows.keys() | other.rows.keys())
        found = [
            f"{table} has {other.rows.get(table)} rows instead of {self.rows.get(table)}"
            for table in tables
            if self.rows.get(table) != other.rows.get(table)
        ]
        changed = [name for name in self.threads | other.threads if self.threads.get(name) != other.threads.get(name)]
        found += [f"{len(changed)} threads differ"] if changed else []
        found += [f"{other.dangling} rows point nowhere"] if other.dangling != self.dangling else []
        return found

    @classmethod
    def beside(cls, copy: Path) -> Contents:
        """The list that was saved with a copy."""
        try:
            return cls(**json.loads(_list(copy).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise StoreError(
                f"{_list(copy)}, which says what {copy.name} holds, is missing or damaged", fix="use another backup"
            ) from None

    def save_beside(self, copy: Path) -> None:
        """Save the list with a copy."""
        private(_list(copy)).write_text(json.dumps(asdict(self)), encoding="utf-8")


def stamp() -> str:
    """The time, for names of files, in an order that is also theirs."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")


def save_file(file: Path, copy: Path) -> Contents:
    """Copy a file of SQLite while others read and write it, with its list; nothing of that name is there before."""
    database = Database.at(file)

    def work(connection: Connection) -> Contents:
        with transaction(connection, "BEGIN"):
            contents = Contents.of(connection)  # reads the same moment as the copy
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            with contextlib.closing(sqlite3.connect(_part(copy))) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")  # all of it in one file
            return contents

    with _whole(copy):
        contents = database.run(work)
        contents.save_beside(copy)
    return contents


def save_server(database: Database, copy: Path) -> Contents:
    """Save a database of PostgreSQL while others use it, in the format of pg_dump, with its list."""

    def work(connection: Connection) -> Contents:
        with transaction(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            contents = Contents.of(connection)
            moment = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={moment}"]
            tool("pg_dump", database, *options, f"--file={_part(copy)}")
            return contents

    with _whole(copy):
        contents = database.run(work)
        contents.save_beside(copy)
    return contents


def tool(name: str, database: Database, *arguments: str) -> None:
    """Run a program of PostgreSQL on a database; the password goes where other users of the machine do not see it."""
    found = shutil.which(name)
    if found is None:
        raise StoreError(
            f"{name} is not on this machine", fix="apt-get install postgresql-client, or your system's package of it"
        )
    url = database.url
    told: dict[str, object] = {"PGHOST": url.host, "PGPORT": url.port, "PGDATABASE": url.database}
    told |= {"PGUSER": url.username, "PGPASSWORD": url.password, "PGSSLMODE": url.query.get("ssl")}
    environ = os.environ | {key: str(value) for key, value in told.items() if value is not None}
    done = subprocess.run([found, *arguments], env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
        raise StoreError(f"{name} failed on {database} ({said[0]})", fix="see what it says")


def _list(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.json")


def private(file: Path) -> Path:
    """An empty file that its owner alone may read."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    return file


def _part(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.part")


@contextlib.contextmanager
def _whole(copy: Path) -> Iterator[None]:
    """Make a copy under another name first, so that half of one is never left behind or taken for a whole one."""
    part = _part(copy)
    try:
        private(part)
        yield
        with part.open("rb+") as opened:
            os.fsync(opened.fileno())
        part.replace(copy)
    except (OSError, sqlite3.Error) as error:  # a full disk, a folder that is none
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(
            f"{copy} could not be written ({why})", fix="make room there, or move LABKIT_CACHE to another disk"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
