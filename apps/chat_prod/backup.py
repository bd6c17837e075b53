"""Backups of the threads, each checked by restoring it: `python lab.py backup`."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sqlite3
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from apps.chat.schema import StoreError, in_use
from apps.chat_prod.database import Database, folder, transaction
from apps.chat_prod.migrations import migrate, refuse_newer, version
from apps.chat_prod.snapshot import Contents, private, save_file, save_server, stamp, tool
from labkit import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlalchemy

KEEP = 14
SUFFIX = {"sqlite": ".db", "postgresql": ".dump"}


@dataclass(frozen=True)
class Restored:
    """What a restore put in place, and where that which it replaced is kept; None where nothing was there."""

    contents: Contents
    kept: str | None


def save(database: Database, place: Path) -> Path:
    """Save all threads in this folder while the app runs; the newest 14 backups stay."""
    copy = place / f"threads-{stamp()}{SUFFIX[database.url.get_backend_name()]}"
    if database.file and not database.file.is_file():
        raise StoreError(f"there are no threads in {database} yet", fix="python lab.py chat")
    try:
        if database.file:
            save_file(database.file, copy)
        else:
            save_server(database, copy)
    except DBAPIError as error:
        raise database.failed(error) from error
    for old in sorted(place.glob(f"threads-*{copy.suffix}"))[:-KEEP]:
        old.with_name(f"{old.name}.json").unlink(missing_ok=True)
        old.unlink(missing_ok=True)
    return copy


def verify(copy: Path, database: Database) -> Contents:
    """Restore a backup into a temporary database and compare all of it with the list of when it was saved."""
    told = _fitting(copy, database)
    if database.file:
        with tempfile.TemporaryDirectory() as place:
            temporary = Path(place, "threads.db")
            shutil.copyfile(copy, private(temporary))
            _compare(copy, told, Database.at(temporary))
        return told
    with _new_database(database, copy) as (temporary_server, _):
        _compare(copy, told, temporary_server)
    return told


def restore(copy: Path, database: Database) -> Restored:
    """Put a backup in the place of the database, which is kept beside it under a name with the date.

    Raises StoreError where the app runs, or the backup is not what was saved; nothing has changed then.
    """
    told = _fitting(copy, database)
    return Restored(told, _restore_file(copy, told, database.file) if database.file else _on_server(copy, database))


def _fitting(copy: Path, database: Database) -> Contents:
    if not copy.is_file():
        raise StoreError(f"there is no backup {copy}", fix="name a file of the folder that python lab.py backup says")
    if copy.suffix != SUFFIX[database.url.get_backend_name()]:
        raise StoreError(
            f"{copy.name} is not of the kind of database that {database} is",
            fix="set DATABASE_URL to the kind it was saved from: .db is SQLite, .dump is PostgreSQL",
        )
    return Contents.beside(copy)


def _compare(copy: Path, told: Contents, restored: Database) -> None:
    def work(connection: sqlalchemy.Connection) -> list[str]:
        if restored.file:
            found = str(connection.execute(text("PRAGMA integrity_check")).scalars().first())
            if found != "ok":
                return [found]
        refuse_newer(copy.name, version(connection))
        return told.differences(Contents.of(connection))

    try:
        problems = restored.run(work)
    except DBAPIError as error:
        problems = [str(error.orig)]
    if problems:
        raise StoreError(f"{copy} is not what was saved: {'; '.join(problems)}", fix="use another backup")


def _restore_file(copy: Path, told: Contents, file: Path) -> str | None:
    busy = StoreError(f"{file} is in use", fix="end the app, python lab.py chat, and whatever else reads the file")
    part = file.with_name(f"{file.name}.part")
    try:
        with in_use(file).write_lock():
            try:
                shutil.copyfile(copy, private(part))
                _compare(copy, told, Database.at(part))
                kept = _keep(file, busy) if file.exists() else None
                part.replace(file)
            finally:
                part.unlink(missing_ok=True)
            migrate(Database.at(file))
            return kept
    except Timeout:
        raise busy from None


def _keep(file: Path, busy: StoreError) -> str:
    """Copy the database that is replaced; its log must not be played into the new one.

    One that is damaged, which is why there are backups, is kept as it is, with its log.
    """
    kept = file.with_name(f"{file.stem}-replaced-{stamp()}{file.suffix}")
    logs = {name: kept.with_name(f"{kept.name}-{name}") for name in ("wal", "shm")}
    for source, target in ((file, kept), (file.with_name(f"{file.name}-wal"), logs["wal"])):
        if source.exists():
            shutil.copyfile(source, private(target))
    try:
        for each in (file, kept):
            with contextlib.closing(sqlite3.connect(each, timeout=1)) as database:
                database.execute("PRAGMA journal_mode=DELETE")  # all of it in one file, where nobody has it open
    except sqlite3.OperationalError as error:
        for copied in (kept, *logs.values()):
            copied.unlink(missing_ok=True)
        raise (busy if "locked" in str(error) else StoreError(f"{file}: {error}", fix="look at its folder")) from None
    except sqlite3.DatabaseError:
        for name in logs:
            file.with_name(f"{file.name}-{name}").unlink(missing_ok=True)
    return str(kept)


@contextlib.contextmanager
def _new_database(database: Database, copy: Path) -> Iterator[tuple[Database, Database]]:
    """A new database of the same server with the backup in it, and the one to give orders from; it goes if unused."""
    name = f"restored_{uuid.uuid4().hex[:12]}"
    fresh = Database(database.url.set(database=name))
    orders = Database(database.url.set(database="postgres"))
    _order(orders, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    try:
        try:
            tool("pg_restore", fresh, "--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={name}", str(copy))
        except StoreError as error:
            raise StoreError(f"{copy} cannot be restored: {error.message}", fix=error.fix) from None
        yield fresh, orders
    finally:
        _order(orders, f'DROP DATABASE IF EXISTS "{name}"')


def _on_server(copy: Path, database: Database) -> str | None:
    name = str(database.url.database)
    with _new_database(database, copy) as (fresh, orders):
        _compare(copy, Contents.beside(copy), fresh)
        migrate(fresh)
        kept = f"{name}_replaced_{stamp().replace('-', '_')}"

        def exchange(connection: sqlalchemy.Connection) -> bool:
            quoted = connection.dialect.identifier_preparer.quote_identifier
            asked = text("SELECT COUNT(*) FROM pg_database WHERE datname = :name")
            there = bool(connection.execute(asked, {"name": name}).scalar_one())
            with transaction(connection, "BEGIN"):  # the server refuses while anybody is connected
                if there:
                    connection.exec_driver_sql(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(kept)}")
                connection.exec_driver_sql(f"ALTER DATABASE {quoted(str(fresh.url.database))} RENAME TO {quoted(name)}")
            return there

        try:
            there = orders.run(exchange)
        except DBAPIError as error:
            if "being accessed by other users" in str(error.orig):
                raise StoreError(f"{database} is in use", fix="end the app on every machine that uses it") from None
            raise _refused(database, error) from None
    return kept if there else None


def _order(orders: Database, statement: str) -> None:
    try:
        orders.run(lambda connection: connection.exec_driver_sql(statement))
    except DBAPIError as error:
        raise _refused(orders, error) from None


def _refused(database: Database, error: DBAPIError) -> StoreError:
    reason = str(error.orig).splitlines()[0]
    return StoreError(
        f"{database} refuses ({reason})", fix="give the user of DATABASE_URL the right to make databases: CREATEDB"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Save and check, or check, or restore; one line says what was done."""
    parser = argparse.ArgumentParser(prog="lab.py backup", description="Backups of the chat's threads.")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--check", type=Path, metavar="FILE", help="restore a backup on trial and compare all of it")
    chosen.add_argument("--restore", type=Path, metavar="FILE", help="put a backup in the place of the threads")
    options = parser.parse_args(arguments)
    try:
        database = Database.told()
        if options.restore:
            done = restore(options.restore, database)
            copy, contents = options.restore, done.contents
            said = f"restored to {database}" + (f"; what was there before is {done.kept}" if done.kept else "")
        else:
            copy = options.check or save(database, folder() / "backups")
            contents, said = verify(copy, database), "checked by restoring it"
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    size = copy.stat().st_size / 1e6
    print(f"{copy}\n{contents.rows.get('threads', 0)} threads, {contents.messages} messages, {size:.2f} MB, {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
