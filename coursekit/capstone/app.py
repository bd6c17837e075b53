"""A student's app in a process of its own: a copy of its folder, an environment of its own, and its log."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx2
import psutil

from coursekit.capstone.report import DrillError
from coursekit.capstone.rules import PASSED_OVER, short
from coursekit.copies import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# What a program needs to run at all, on one system or another; keys and addresses of this user are not among it.
NEEDED = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
)
_POLITE = 5.0


class App:
    """The app: `start`, `stop`, and what can be seen of it from outside."""

    def __init__(self, folder: Path, place: Path, variables: dict[str, str]) -> None:
        self.place = place
        self.code = place / "app"
        self.cache, self.home = place / "cache", place / "home"
        self.log = place / "app.log"
        self.port = 0
        self._variables = variables
        self.process: subprocess.Popen[bytes] | None = None
        # Chainlit writes beside an app; the student's own folder stays as it is.
        shutil.copytree(folder, self.code, ignore=shutil.ignore_patterns(*(PASSED_OVER - {"translations"})))
        for made in (self.cache, self.home):
            made.mkdir()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Its variables: what it is promised, and what a program needs."""
        kept = {name: os.environ[name] for name in NEEDED if name in os.environ}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        python = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
        own = {"HOME": str(self.home), "USERPROFILE": str(self.home), "LABKIT_CACHE": str(self.cache)}
        return kept | python | own | self._variables

    async def start(self, seconds: float) -> float:
        """Start it and wait until `/health` answers; returns after how many seconds. Raises DrillError."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = self._launch()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                raise DrillError(f"the app ended at once: {short(''.join(last)) or 'it said nothing'}")
            if await self.healthy(1.0):
                return time.monotonic() - began
            await asyncio.sleep(0.2)
        raise DrillError(f"the app did not answer on /health within {seconds:.0f} s")

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "chainlit", "run", "app.py", "--headless"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        quiet = subprocess.DEVNULL
        with self.log.open("ab") as log:  # one file, also when it is started again
            return subprocess.Popen(
                command, cwd=self.code, env=self.environment(), stdin=quiet, stdout=log, stderr=subprocess.STDOUT
            )

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
        assert self.process is not None
        mine = psutil.Process(self.process.pid)
        links = [link for each in (mine, *mine.children(recursive=True)) for link in each.net_connections("inet")]
        return [link.laddr.ip for link in links if link.status == psutil.CONN_LISTEN]

    async def stop(self) -> None:
        """End it and its children, politely first: an app that blocks outlives that."""
        if self.process is None or self.process.poll() is not None:
            return
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        self.process.terminate()
        await asyncio.to_thread(psutil.wait_procs, family, _POLITE)
        for each in family:
            if each.is_running():
                each.kill()
        await asyncio.to_thread(self.process.wait, _POLITE)
