"""Which database keeps the threads: a file of SQLite, or PostgreSQL where DATABASE_URL says so."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from apps.chat.schema import BUSY, StoreError
from labkit import SettingsError
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    T = TypeVar("T")

REACH = 10  # seconds to reach a server
_PLAIN: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the app keeps its files."""
    return Settings.from_environment({"LABKIT_CACHE": environ.get("LABKIT_CACHE", "")}).cache / "chat"


@dataclass(frozen=True)
class Database:
    """One database. Its password is in no text that this class makes."""

    url: sqlalchemy.URL

    @classmethod
    def at(cls, place: Path | str) -> Database:
        """The database of a file, or of an address as DATABASE_URL has it. Raises SettingsError."""
        if isinstance(place, Path):
            return cls(sqlalchemy.URL.create("sqlite+aiosqlite", database=place.as_posix()))
        form = "postgresql://USER:PASSWORD@HOST:5432/NAME or sqlite+aiosqlite:////FOLDER/threads.db"
        fix = f"write it as {form}, or leave DATABASE_URL unset to keep the threads in a file"
        try:
            url = sqlalchemy.make_url(place)
        except (sqlalchemy.exc.ArgumentError, ValueError):
            raise SettingsError("DATABASE_URL is not the address of a database", fix=fix) from None
        if not url.database or url.database == ":memory:":
            raise SettingsError("DATABASE_URL names no database", fix=fix)
        if url.drivername == "sqlite+aiosqlite":
            return cls.at(Path(url.database).expanduser().resolve())
        if url.drivername not in ("postgresql", "postgresql+asyncpg"):
            raise SettingsError(f"DATABASE_URL has {url.drivername}://, which the chat does not speak", fix=fix)
        if importlib.util.find_spec("asyncpg") is None:
            raise SettingsError(
                "DATABASE_URL is of PostgreSQL, and its driver is not installed", fix="pip install asyncpg"
            )
        if mode := url.query.get("sslmode"):  # the name that PostgreSQL's own programs have for it
            url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        return cls(url.set(drivername="postgresql+asyncpg"))

    @classmethod
    def told(cls, environ: Mapping[str, str] = os.environ) -> Database:
        """The database of DATABASE_URL, else the file in the app's folder."""
        return cls.at(environ.get("DATABASE_URL", "").strip() or folder(environ) / "threads.db")

    @property
    def file(self) -> Path | None:
        """The file of SQLite; None for PostgreSQL."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    @property
    def address(self) -> str:
        """The address with its password, for the driver alone."""
        return self.url.render_as_string(hide_password=False)

    @property
    def options(self) -> dict[str, Any]:
        """What the driver is told beside the address."""
        return {"timeout": BUSY if self.file else REACH}

    def __str__(self) -> str:
        return str(self.file) if self.file else f"{self.url.database} on {self.url.host}:{self.url.port or 5432}"

    def __repr__(self) -> str:
        return f"Database({self})"

    def run(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Do some work on a connection of its own that commits each statement, unless the work says BEGIN.

        Raises SettingsError where the server cannot be reached. A thread does it, since a loop may be running here.
        """
        if self.file:
            plain = self.url.set(drivername="sqlite")
            engine = sqlalchemy.create_engine(plain, connect_args=self.options, poolclass=NullPool, **_PLAIN)
            try:
                connection = engine.connect()
            except sqlalchemy.exc.SQLAlchemyError as error:
                raise self._unreachable(error) from None
            with connection:
                return work(connection)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._on_server(work)).result()

    async def _on_server(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        engine = create_async_engine(self.address, connect_args=self.options, poolclass=NullPool, **_PLAIN)
        try:
            connection = await engine.connect()
        except (OSError, ValueError, TypeError, sqlalchemy.exc.SQLAlchemyError) as error:
            raise self._unreachable(error) from None
        try:
            return await connection.run_sync(work)
        finally:
            await connection.close()

    def failed(self, error: sqlalchemy.exc.DBAPIError) -> StoreError:
        """What the database itself said of its failure, such as that its file is damaged or its disk is full."""
        reason = str(error.orig).splitlines()[0]
        return StoreError(
            f"{self}: {reason}", fix="see what it says; python lab.py backup --restore FILE is the last way"
        )

    def _unreachable(self, error: Exception) -> SettingsError:
        said = str(getattr(error, "orig", error)).splitlines() or [type(error).__name__]
        reason = said[0].replace(self.url.password, "***") if self.url.password else said[0]
        fix = f"look at {self.file.parent}" if self.file else "start the server, or correct DATABASE_URL"
        return SettingsError(f"the database {self} cannot be opened ({reason})", fix=fix)


@contextlib.contextmanager
def transaction(connection: sqlalchemy.Connection, how: str) -> Iterator[None]:
    """All of a block or nothing of it; `how` is the statement that begins it."""
    connection.exec_driver_sql(how)
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
