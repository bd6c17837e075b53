"""`/ready`: whether a question would be answered and kept. Its reasons name no address, which may hold a password."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.requests import Request
    from starlette.responses import Response

    from apps.chat.device import Device
    from apps.chat_prod.drain import Drain


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    ok: bool
    reason: str


class Readiness:
    """Asks the endpoint and the store, each at most once in `fresh` seconds and for at most `patience`."""

    def __init__(
        self,
        device: Device,
        drain: Drain,
        engine: Callable[[], AsyncEngine],
        fresh: float = 5.0,
        patience: float = 2.0,
    ) -> None:
        self.device, self.drain, self.engine = device, drain, engine
        self.fresh, self.patience = fresh, patience
        self.ready = False  # as it was seen last
        self._store: tuple[float, Check] | None = None
        self._asking = asyncio.Lock()

    async def look(self) -> dict[str, Check]:
        """All three checks."""
        endpoint, store = await asyncio.gather(self._endpoint(), self._fresh_store())
        draining = self.drain.draining
        serving = Check(not draining, "the server is about to stop" if draining else "takes questions")
        checks = {"endpoint": endpoint, "store": store, "serving": serving}
        self.ready = all(check.ok for check in checks.values())
        return checks

    async def _endpoint(self) -> Check:
        try:
            # Making the connection may load a model; asking has a limit of its own.
            async with asyncio.timeout(2 * self.patience):
                ok = (await self.device.health()).ok
        except TimeoutError:
            return Check(False, "not connected yet")
        return Check(ok, "answers" if ok else "does not answer, or does not list its model")

    async def _fresh_store(self) -> Check:
        async with self._asking:
            now = time.monotonic()
            if self._store is None or now - self._store[0] > self.fresh:
                self._store = (now, await ask(self.engine, self.patience))
            return self._store[1]


async def ask(opened: Callable[[], AsyncEngine], patience: float) -> Check:
    """Whether a database could take a question now."""
    try:
        async with asyncio.timeout(patience):
            engine = opened()
            if engine.dialect.name == "sqlite":
                await asyncio.to_thread(_ask_file, str(engine.url.database), patience / 2)
            else:
                async with engine.connect() as connection:
                    await connection.exec_driver_sql("SELECT 1 FROM threads LIMIT 1")
    except TimeoutError:
        return Check(False, f"no answer within {patience:g} s")
    except sqlite3.Error as error:
        return Check(False, f"failed with {getattr(error, 'sqlite_errorname', type(error).__name__)}")
    except Exception as error:  # of whichever driver; its text may hold the password
        return Check(False, f"failed with {type(error).__name__}")
    return Check(True, "answers")


def _ask_file(file: str, patience: float) -> None:
    """Open the file again, since an open one answers though it is gone; and ask for the right to write."""
    address = f"{Path(file).absolute().as_uri()}?mode=rw"  # which makes no file where none is
    with contextlib.closing(sqlite3.connect(address, timeout=patience, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT 1 FROM threads LIMIT 1")
        connection.execute("ROLLBACK")


def page(readiness: Readiness) -> Route:
    """`/ready`: 200 or 503 with a reason for each check; Chainlit's `/health` only says that the process lives."""

    async def show(_: Request) -> Response:
        checks = await readiness.look()
        told = {"ready": readiness.ready, "checks": {name: asdict(check) for name, check in checks.items()}}
        return JSONResponse(told, 200 if readiness.ready else 503, {"Cache-Control": "no-store"})

    return Route("/ready", show)
