"""Who is told how far a bar is: the innermost watcher of the block, from its threads too, and nobody else."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from labkit import progress
from labkit.notebook import bar, watched


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have brought a kernel into this process."""
    monkeypatch.setattr(progress, "_in_notebook", lambda: False)


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
