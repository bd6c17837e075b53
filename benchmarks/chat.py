"""How the chat application serves many users, beside a handler that blocks: `python benchmarks/chat.py`.

1, 8, 32 and 64 users ask at once, over Chainlit's own WebSocket, against the mock (0.5 s to the first token, then 40
tokens at 20 ms): the application, a bare async handler, a handler that blocks, and the openai client without any app.
Everything is on loopback and takes about four minutes; `--users 8 32` asks for fewer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from coursekit.chainlit_app import running_app
from coursekit.chainlit_client import Page, PageError, open_page
from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.latency import percentile, ttft
from labkit.notebook import Table
from labkit.plots.picture import machine
from labkit.streaming import stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from coursekit.chainlit_app import RunningApp

ROOT = Path(__file__).resolve().parents[1]
QUESTION = "Count to 40."
BARE = """
import os
import chainlit as cl
from openai import {client}
client = {client}(base_url=os.environ["BASE_URL"], api_key="none", max_retries=0)

@cl.on_message
async def answer(message):
    reply = cl.Message("")
    messages = [{{"role": "user", "content": message.content}}]
    chunks = {wait}client.chat.completions.create(model=os.environ["MODEL"], messages=messages, stream=True)
    {loop} chunk in chunks:
        if chunk.choices and chunk.choices[0].delta.content:
            await reply.stream_token(chunk.choices[0].delta.content)
    await reply.send()
"""
HANDLERS = {
    "blocking handler": BARE.format(client="OpenAI", wait="", loop="for"),
    "bare async handler": BARE.format(client="AsyncOpenAI", wait="await ", loop="async for"),
}


@dataclass
class Crowd:
    """What the users of one run saw, in seconds: first tokens, and the slowest `/health` meanwhile."""

    first: list[float]
    failed: int
    health: float


@asynccontextmanager
async def serving(name: str, mock: MockEndpoint, place: Path) -> AsyncIterator[RunningApp]:
    """One application in a process of its own, which answers already."""
    root, target = ROOT / "apps" / "chat", ROOT / "apps" / "chat_prod" / "app.py"
    if source := HANDLERS.get(name):
        root, target = place, place / "app.py"
        target.write_text(source, encoding="utf-8")
    environ = os.environ | {"BASE_URL": mock.base_url, "MODEL": mock.model, "LABKIT_CACHE": str(place / "cache")}
    environ |= {"CHAINLIT_APP_ROOT": str(root)}
    with ExitStack() as stack:
        # The blocking handler outlives a polite request.
        serving = running_app(target, place / "app.log", grace=1, cwd=root, env=environ)
        app = await asyncio.to_thread(stack.enter_context, serving)
        await health(app.url)
        yield app


async def health(address: str) -> float:
    """Seconds that `/health` takes; raises httpx2.HTTPError where nobody answers."""
    start = time.perf_counter()
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        (await client.get(f"{address}/health")).raise_for_status()
    return time.perf_counter() - start


async def crowd(address: str, count: int) -> Crowd:
    """So many users, all connected, ask in the same moment."""
    slowest = [0.0]

    async def watch() -> None:
        while True:
            slowest.append(await health(address))
            await asyncio.sleep(0.1)

    async def ask(page: Page) -> float | None:
        try:
            await page.ask(QUESTION, seconds=90)
        except PageError:
            return None
        return page.first_token

    async with AsyncExitStack() as tabs:
        pages = [await tabs.enter_async_context(open_page(address)) for _ in range(count)]
        watching = asyncio.create_task(watch())
        waits = await asyncio.gather(*map(ask, pages))
        watching.cancel()
        with suppress(asyncio.CancelledError, httpx2.HTTPError):
            await watching
    first = [wait for wait in waits if wait is not None]
    return Crowd(first, count - len(first), max(slowest))


async def straight(mock: MockEndpoint, count: int) -> Crowd:
    """The same questions with no app in between."""
    lab = Connection(mock.base_url, mock.model, Source.BASE_URL)

    async def one() -> float:
        answer = stream(lab, QUESTION)
        async for _ in answer:
            pass
        return ttft(answer.trace) or 0.0

    await one()
    first = await asyncio.gather(*(one() for _ in range(count)))
    await lab.aclose()
    return Crowd(first, 0, 0.0)


async def main(counts: list[int]) -> None:
    rows = []
    with MockEndpoint(Behaviour(first_token=0.5, rate=50, slots=64)) as mock:
        found: dict[str, dict[int, Crowd]] = {"straight client": {}}
        for count in counts:
            found["straight client"][count] = await straight(mock, count)
        for name in ("bare async handler", "the application", "blocking handler"):
            found[name] = {}
            with tempfile.TemporaryDirectory() as place:
                async with serving(name, mock, Path(place)) as app:
                    await crowd(app.url, 1)  # the first answer of a process pays for its imports
                    for count in counts:
                        found[name][count] = await crowd(app.url, count)
    for name, runs in found.items():
        for count, seen in runs.items():
            times = [f"{percentile(seen.first, part):.2f}" if seen.first else "" for part in (50, 95)]
            rows.append((name, str(count), *times, str(seen.failed), f"{seen.health:.2f}"))
    print(Table(("handler", "users", "TTFT p50 (s)", "TTFT p95 (s)", "failed", "slowest /health (s)"), tuple(rows)))
    for count in counts:
        late = {name: percentile(runs[count].first, 95) for name, runs in found.items() if runs[count].first}
        goals = {"bare async handler": "goal at 32: 1.1 or less", "straight client": "1.6", "blocking handler": "1/12"}
        told = [
            f"{late['the application'] / late[name]:.2f} times the {name} ({goals[name]})"
            for name in late.keys() & goals
        ]
        print(f"{count} users, p95 of the application: {', '.join(sorted(told))}")
    print(machine())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32, 64])
    asyncio.run(main(parser.parse_args().users))
