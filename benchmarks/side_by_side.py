"""Open WebUI beside the workbook's own application: `python benchmarks/side_by_side.py`.

Both against the mock (0.2 s to the first token), one after the other, on loopback: the disk that each takes, its first
and its second start, its memory after five answers, the requests that the first message of a conversation makes at
the endpoint, and the first token as its own protocol brings it. Open WebUI is set up first where it is not (`--full`:
the whole of it, else the slim set), which loads some hundred megabytes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx2
import psutil

from benchmarks.chat import QUESTION, serving
from coursekit import open_webui, ports
from coursekit.chainlit_client import open_page
from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.latency import ttft
from labkit.notebook import Table
from labkit.plots.picture import machine
from labkit.settings import Settings
from labkit.streaming import stream

ANSWERS = 5
FLAGS = ("TITLE", "TAGS", "FOLLOW_UP")


@dataclass
class Seen:
    """One application: MB on disk and in memory, seconds of two starts and of first tokens, requests of a message."""

    disk: float
    starts: list[float]
    memory: float
    requests: int
    first: list[float]


def size(folder: Path) -> float:
    """MB that a folder takes on disk; files with several names count once."""
    found = {(stat.st_ino, stat.st_dev): stat.st_blocks * 512 for stat in map(Path.lstat, folder.rglob("*"))}
    return sum(found.values()) / 1e6


def resident(process: psutil.Process) -> float:
    """MB of memory of a process and of what it started."""
    return float(sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / 1e6)


async def our_application(mock: MockEndpoint, place: Path) -> Seen:
    """The workbook's application."""
    starts, first, requests, memory = [], [], 0, 0.0
    for _ in range(2):
        begun = time.perf_counter()
        async with serving("the application", mock, place) as app:
            starts.append(time.perf_counter() - begun)
            before = mock.counters.started
            for number in range(ANSWERS + 1):
                async with open_page(app.url) as page:
                    await page.ask(QUESTION, seconds=90)
                if number:  # the first answer of a process pays for its imports
                    first.append(page.first_token or float("nan"))
                else:
                    requests = mock.counters.started - before
            memory = resident(psutil.Process(app.process.pid))
    return Seen(size(Path(sys.prefix)), starts, memory, requests, first)


async def their_application(mock: MockEndpoint, place: Path, kind: open_webui.Kind, further: dict[str, str]) -> Seen:
    """Open WebUI, with what its environment file does not set."""
    cache = Settings.from_environment().cache
    python = open_webui.install(cache, kind)
    lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
    starts, first, requests, memory, account = [], [], 0, 0.0, {"email": "a@example.com", "password": str(uuid4())}
    for way in ("signup", "signin"):
        port = ports.pick(None, 3000)
        with open_webui.running(python, lab, place, port, kind, further=further) as server:
            starts.append(server.seconds)
            with httpx2.Client(base_url=server.address, trust_env=False, timeout=60) as page:
                told = page.post(f"/api/v1/auths/{way}", json={"name": "A"} | account).raise_for_status().json()
                page.headers["Authorization"] = f"Bearer {told['token']}"
                page.get("/api/models").raise_for_status()
                before = mock.counters.started
                open_webui.first_message(page, mock.model, "Count to 40.")
                await asyncio.sleep(6)  # the answer takes one second, and what follows it as long
                requests = mock.counters.started - before
            through = Connection(f"{server.address}/api", mock.model, Source.BASE_URL, api_key=told["token"])
            for _ in range(ANSWERS):
                answer = stream(through, "Count to 40.")
                async for _event in answer:
                    pass
                first.append(ttft(answer.trace) or float("nan"))
            await through.aclose()
            memory = resident(psutil.Process(server.process.pid))
    return Seen(size(python.parents[1]), starts, memory, requests, first)


async def straight(mock: MockEndpoint) -> list[float]:
    """First tokens with nothing in between."""
    lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
    first = []
    for number in range(ANSWERS + 1):
        answer = stream(lab, "Count to 40.")
        async for _ in answer:
            pass
        if number:
            first.append(ttft(answer.trace) or float("nan"))
    await lab.aclose()
    return first


async def main(kind: open_webui.Kind) -> None:
    found: dict[str, Seen] = {}
    default = {f"ENABLE_{name}_GENERATION": "true" for name in FLAGS}
    with MockEndpoint(Behaviour(first_token=0.2, rate=50)) as mock, tempfile.TemporaryDirectory() as folder:
        for name in ("own", "set", "default"):
            (Path(folder) / name).mkdir()
        bare = await straight(mock)
        found["the workbook's application"] = await our_application(mock, Path(folder) / "own")
        found[str(kind)] = await their_application(mock, Path(folder) / "set", kind, {})
        found["the same, its own defaults"] = await their_application(mock, Path(folder) / "default", kind, default)
    rows = [
        (
            name,
            f"{seen.disk:.0f}",
            *(f"{seconds:.1f}" for seconds in seen.starts),
            f"{seen.memory:.0f}",
            str(seen.requests),
            f"{median(seen.first) / median(bare):.2f}",
        )
        for name, seen in found.items()
    ]
    heads = ("", "disk (MB)", "first start (s)", "second (s)", "memory (MB)", "requests", "TTFT, straight = 1")
    print(Table(heads, tuple(rows)))
    print(f"TTFT straight: {1000 * median(bare):.0f} ms, n = {ANSWERS} in each of two runs. {os.cpu_count()} cores.")
    print(machine())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the whole of Open WebUI instead of the slim set")
    asyncio.run(main(open_webui.FULL if parser.parse_args().full else open_webui.SLIM))
