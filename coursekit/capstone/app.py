"""A student's app in a process of its own: a copy of its folder, an environment of its own, and its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING

import httpx2
import psutil

from coursekit.capstone.report import DrillError
from coursekit.capstone.rules import PASSED_OVER, short
from coursekit.chainlit_app import StartError, running_app
from coursekit.copies import ROOT

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from coursekit.chainlit_app import RunningApp

# What a program needs to run at all, on one system or another; keys and addresses of this user are not among it.
NEEDED = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
)
_GRACE = 5.0


class App:
    """The app: `start`, `stop`, and what can be seen of it from outside."""

    def __init__(self, folder: Path, place: Path, variables: dict[str, str]) -> None:
        self.place = place
        self.code = place / "app"
        self.cache, self.home = place / "cache", place / "home"
        self.log = place / "app.log"
        self._variables = variables
        self._stack = contextlib.ExitStack()
        self._running: RunningApp | None = None
        # Chainlit writes beside an app; the student's own folder stays as it is.
        shutil.copytree(folder, self.code, ignore=shutil.ignore_patterns(*(PASSED_OVER - {"translations"})))
        for made in (self.cache, self.home):
            made.mkdir()

    @property
    def url(self) -> str:
        """Its address, once it has been started."""
        assert self._running is not None
        return self._running.url

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process, once it has been started."""
        assert self._running is not None
        return self._running.process

    def environment(self) -> dict[str, str]:
        """Its variables: what it is promised, and what a program needs."""
        kept = {name: os.environ[name] for name in NEEDED if name in os.environ}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        python = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
        own = {"HOME": str(self.home), "USERPROFILE": str(self.home), "LABKIT_CACHE": str(self.cache)}
        return kept | python | own | self._variables

    async def start(self, seconds: float) -> None:
        """Start it and wait until `/health` answers. Raises DrillError."""
        began = time.monotonic()
        serving = running_app("app.py", self.log, seconds=seconds, grace=_GRACE, cwd=self.code, env=self.environment())
        try:
            self._running = await asyncio.to_thread(self._stack.enter_context, serving)
        except StartError as error:
            raise DrillError(short(str(error))) from None
        if not await self.healthy(max(1.0, began + seconds - time.monotonic())):
            raise DrillError(f"the app did not answer on /health within {seconds:.0f} s")

    async def healthy(self, seconds: float) -> bool:
        """Whether `/health` answers in time."""
        try:
            # A deadline for the whole: a blocked app takes the connection and then says nothing.
            async with asyncio.timeout(seconds):
                return (await self.get("/health")).status_code == 200
        except (httpx2.HTTPError, TimeoutError):
            return False

    async def get(self, path: str) -> httpx2.Response:
        """One page of it."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as client:
            return await client.get(path)

    def listening(self) -> list[str]:
        """The addresses at which it and its children listen, on whatever port."""
        mine = psutil.Process(self.process.pid)
        links = [link for each in (mine, *mine.children(recursive=True)) for link in each.net_connections("inet")]
        return [link.laddr.ip for link in links if link.status == psutil.CONN_LISTEN]

    async def stop(self) -> None:
        """End it and its children, also where it blocks."""
        await asyncio.to_thread(self._stack.close)
