"""Progress bars and who is told of them; cells that wait can be stopped, and errors in cells are short."""

from __future__ import annotations

import asyncio
import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from coursekit.copies import ROOT
from foundry_mock import Behaviour, MockEndpoint
from labkit import notebook
from labkit.notebook import bar, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have brought a kernel into this process."""
    monkeypatch.setattr(notebook, "in_notebook", lambda: False)


def work(title: str = "Fetching", *steps: float) -> None:
    """Something that takes 200 bytes."""
    with bar(title, total=200, unit="B") as advance:
        for step in steps or (50, 200):
            advance(step)


def test_title_and_percent() -> None:
    heard: list[str] = []
    with watched(heard.append):
        work()
        work("Unpacking", 1)
    assert heard == ["Fetching", "Fetching: 25%", "Fetching: 100%", "Unpacking", "Unpacking: 0%"]


def test_from_a_thread() -> None:
    """As the chat application does it: the download blocks, so it has a thread."""
    heard: list[str] = []

    async def scenario() -> None:
        with watched(heard.append):
            await asyncio.to_thread(work)
        await asyncio.to_thread(work)

    asyncio.run(scenario())
    assert heard == ["Fetching", "Fetching: 25%", "Fetching: 100%"]


def test_outside_of_the_block_nobody_is_told() -> None:
    heard: list[str] = []
    work()
    with pytest.raises(ZeroDivisionError), watched(heard.append):
        _ = 1 / 0
    work()
    assert heard == []


def test_the_innermost_watcher_is_told() -> None:
    outer: list[str] = []
    inner: list[str] = []
    with watched(outer.append):
        work("before")
        with watched(inner.append):
            work("within")
        work("after")
    assert inner == ["within", "within: 25%", "within: 100%"]
    assert outer == [f"{title}{far}" for title in ("before", "after") for far in ("", ": 25%", ": 100%")]


def test_two_at_once_hear_their_own() -> None:
    async def one(name: str) -> list[str]:
        heard: list[str] = []
        with watched(heard.append):
            await asyncio.sleep(0)
            await asyncio.to_thread(work, name, 100)
        return heard

    async def scenario() -> list[list[str]]:
        return list(await asyncio.gather(one("a"), one("b")))

    assert asyncio.run(scenario()) == [["a", "a: 50%"], ["b", "b: 50%"]]


def test_without_a_terminal_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    work()
    assert capsys.readouterr() == ("", "Fetching ...\n")


def test_in_a_terminal_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes when it is done, and the watcher is told all the same; an amount that falls does no harm."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    heard: list[str] = []
    with watched(heard.append):
        work("Fetching", 100, 50, 200)
    assert "Fetching" in terminal.getvalue()
    assert "Fetching ..." not in terminal.getvalue()
    assert terminal.getvalue().split("\r")[-1].strip() == ""
    assert heard == ["Fetching", "Fetching: 50%", "Fetching: 25%", "Fetching: 100%"]
    assert capsys.readouterr().out == ""


@dataclass
class Kernel:
    """A kernel of its own, as JupyterLab and VS Code start one."""

    manager: KernelManager
    client: BlockingKernelClient

    def run(self, source: str, *, stop_after: str = "") -> str:
        """All that a cell shows. With `stop_after`, press the stop button when it has printed that."""
        shown: list[str] = []
        stopped = False

        def show(message: dict[str, Any]) -> None:
            nonlocal stopped
            content = message["content"]
            shown.extend(content.get("traceback", []))
            shown.append(content.get("text") or content.get("data", {}).get("text/plain", ""))
            if stop_after and not stopped and stop_after in "".join(shown):
                stopped = True
                self.manager.interrupt_kernel()

        # Much shorter than the silence after which a stream gives up by itself.
        self.client.execute_interactive(source, output_hook=show, timeout=60)
        return "\n".join(shown)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """A connection to an endpoint that never answers, and what a student would import."""
    with MockEndpoint(Behaviour(first_token=600)) as mock:
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))
        try:
            kernel = Kernel(manager, client)
            kernel.run(f"import asyncio, labkit\nlab = labkit.connect(base_url={mock.base_url!r})")
            yield kernel
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


SILENT = {
    "async for": "print('waiting'); answer = labkit.stream(lab, 'Hi')\nasync for event in answer: pass",
    "view": "print('waiting'); await labkit.ChatView(lab).ask('Hi')",
    "plain loop": "print('waiting')\nfor event in labkit.stream_sync(lab, 'Hi'): pass",
    "openai": "print('waiting')\nawait lab.async_client.chat.completions.create(model=lab.model, messages=[])",
    "sleep": "print('waiting'); await asyncio.sleep(600)",
}


@pytest.mark.e2e
@pytest.mark.parametrize("name", SILENT)
def test_the_stop_button_ends_a_cell_that_waits(name: str, kernel: Kernel) -> None:
    """Also where the event loop sleeps, which ipykernel 7.4 alone does not wake; and it is told in one line."""
    source = SILENT[name].replace("messages=[]", "messages=[{'role': 'user', 'content': 'Hi'}]")
    shown = kernel.run(source, stop_after="waiting")
    assert shown.strip().endswith("Interrupted")
    assert "Traceback" not in shown
    assert "File" in kernel.run("import traceback; traceback.print_last()")


SHORT = {
    "labkit.connect(base_url='http://127.0.0.1:9')": "EndpointError: Nothing listens on http://127.0.0.1:9/v1. Fix: ",
    "for event in labkit.stream(lab, 'Hi'): pass": "write `async for event in answer:`",
    "await labkit.stream(lab, 'Hi')": "write `async for event in stream(...):`",
    "labkit.ChatView(lab).ask('Hi')": "This has not run yet. Fix: write `await` before it, as in `await ask(...)`",
    "labkit.ChatView(lab).ask('Hi').text": "write `await` before the call",
    "for event in labkit.ChatView(lab).ask('Hi'): pass": "write `await` before the call",
    "asyncio.get_running_loop().run_until_complete(asyncio.Event().wait())": "write `await main()`",
    "a = labkit.Connection(lab.base_url, 'm', lab.source)\nheld = a.client\na.close()\nheld.models.list()": (
        "connection is closed"
    ),
    "asyncio.run(labkit.ChatView(lab).ask('Hi'))": "write `await main()`, not `asyncio.run(main())`",
    "other = labkit.Connection(lab.base_url, 'm', lab.source)\nother.close()\nother.client": "connection is closed",
}


@pytest.mark.e2e
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("source", SHORT)
def test_an_error_of_ours_is_one_line(source: str, kernel: Kernel) -> None:
    shown = [line for line in kernel.run(source).splitlines() if line.strip() and "never awaited" not in line]
    assert any(SHORT[source] in line for line in shown), shown
    assert not any("Traceback" in line for line in shown)


@pytest.mark.e2e
def test_an_error_of_the_student_keeps_its_traceback(kernel: Kernel) -> None:
    shown = kernel.run("def broken():\n    raise RuntimeError('mine')\nbroken()")
    assert "Traceback" in shown
    assert "mine" in shown


def test_outside_a_notebook_nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_Heart", lambda: pytest.fail("no kernel runs here"))
    notebook.prepare()
