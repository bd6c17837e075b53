"""What labkit adds to a stream, what reaches the page, and how true the metrics are: `python benchmarks/streaming.py`.

Three parts in one run, all against the mock on loopback, bounded in count and time:
(a) labkit.stream beside a bare loop over the same openai stream: milliseconds a token, and to the first text;
(b) messages and bytes to the front end for 2000 tokens at 5 ms: ChatView, Output.append_stdout, HTML.value +=;
(c) TTFT and TPOT against a schedule that is known: 100 ms, then 50 tokens a second.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient

from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.latency import tpot, ttft
from labkit.plots import machine
from labkit.streaming import stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TOKENS, PAIRS = 400, 12
START = """import asyncio, ipywidgets
from IPython.display import display
from labkit import ChatView
from labkit.connection import Connection, Source
from labkit.streaming import stream
lab = Connection({base_url!r}, {model!r}, Source.BASE_URL)
"""
WAYS = {
    "ChatView": "answer = await ChatView(lab).ask('Count to 2000.')",
    "Output.append_stdout": """out = ipywidgets.Output()
display(out)
async for event in stream(lab, 'Count to 2000.'):
    out.append_stdout(event.text)""",
    "HTML.value +=": """page = ipywidgets.HTML()
display(page)
async for event in stream(lab, 'Count to 2000.'):
    page.value += event.text""",
}


class Counting(NotebookClient):
    """Counts what a kernel sends to its front end."""

    messages = size = 0

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Count one message, then do as always."""
        if msg["msg_type"] not in {"status", "execute_input"}:
            self.messages += 1
            self.size += len(json.dumps(msg["content"], default=str))
        return super().process_message(msg, cell, cell_index)


async def bare(lab: Connection) -> tuple[float, float]:
    """Seconds to the first text and to the end, with the plain client."""
    start = time.perf_counter()
    first = 0.0
    answer = await lab.async_client.chat.completions.create(
        model=lab.model,
        messages=[{"role": "user", "content": f"Count to {TOKENS}."}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async with answer:
        async for chunk in answer:
            if chunk.choices and chunk.choices[0].delta.content and not first:
                first = time.perf_counter() - start
    return first, time.perf_counter() - start


async def ours(lab: Connection) -> tuple[float, float]:
    """The same with labkit.stream."""
    start = time.perf_counter()
    answer = stream(lab, f"Count to {TOKENS}.")
    async for _ in answer:
        pass
    return (answer.trace.first_text or start) - start, time.perf_counter() - start


async def added() -> None:
    """(a) Pairs in turn against an endpoint that sends as fast as it can, so that only the reading costs."""
    with MockEndpoint(Behaviour(first_token=0.05, rate=1e6)) as mock:
        lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
        ways: list[Callable[[Connection], Awaitable[tuple[float, float]]]] = [bare, ours]
        for way in ways:
            await way(lab)
        pairs = [[await way(lab) for way in ways] for _ in range(PAIRS)]
        await lab.aclose()
    first = [1000 * (ours_[0] - bare_[0]) for bare_, ours_ in pairs]
    each = [1000 * ((ours_[1] - ours_[0]) - (bare_[1] - bare_[0])) / TOKENS for bare_, ours_ in pairs]
    ratio = [ours_[1] / bare_[1] for bare_, ours_ in pairs]
    print(f"(a) labkit.stream against a bare loop, {PAIRS} pairs of {TOKENS} tokens, medians")
    print(f"    added to each token   {median(each):8.4f} ms   (goal 0.1)")
    print(f"    added to TTFT         {median(first):8.2f} ms   (goal 2)")
    print(f"    whole answer, ratio   {median(ratio):8.2f}")


def reaching() -> None:
    """(b) What a kernel sends for the same answer, shown in three ways."""
    print("(b) 2000 tokens at 5 ms, from the kernel to the page")
    with MockEndpoint(Behaviour(first_token=0.1, rate=200)) as mock:
        for name, source in WAYS.items():
            cells = [START.format(base_url=mock.base_url, model=mock.model), source]
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
            client = Counting(notebook, timeout=180, kernel_name="python3")
            start = time.perf_counter()
            client.execute()
            seconds = time.perf_counter() - start
            goal = "   (goal 300 and 2)" if name == "ChatView" else ""
            print(f"    {name:22}{client.messages:6} messages {client.size / 1e6:8.2f} MB {seconds:6.1f} s{goal}")


async def truth() -> None:
    """(c) The metrics against the mock's own schedule."""
    with MockEndpoint(Behaviour(first_token=0.1, rate=50)) as mock:
        lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
        traces = []
        for _ in range(11):
            answer = stream(lab, "Count to 40.")
            async for _ in answer:
                pass
            traces.append(answer.trace)
        await lab.aclose()
    first = median(ttft(trace) or 0 for trace in traces[1:])
    between = median(tpot(trace) or 0 for trace in traces[1:])
    print("(c) against a schedule of 100 ms and then 50 tokens a second, n = 10, medians")
    print(f"    TTFT {1000 * first:7.1f} ms, error {1000 * abs(first - 0.1):5.1f} ms   (goal under 5)")
    print(f"    TPOT {1000 * between:7.2f} ms, error {100 * abs(between / 0.02 - 1):5.1f} %    (goal under 3)")


def main() -> int:
    asyncio.run(added())
    reaching()
    asyncio.run(truth())
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
