"""ChatView in JupyterLab in a real browser: text grows, Stop works, three turns, typing and scrolling meanwhile."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support import browser
from tests.support.jupyterlab import OUR_HOSTS, READY, RUN, installed, output, workbook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.jupyterlab import Workbook

__all__ = ["installed", "workbook"]
pytestmark = [pytest.mark.live, pytest.mark.e2e, pytest.mark.timeout(300)]
CELLS = [
    "from labkit import ChatView, connect\n"
    "from foundry_mock import Behaviour, MockEndpoint\n"
    "mock = MockEndpoint(Behaviour(first_token=0.5, rate=20)).start()\n"
    "lab = connect(base_url=mock.base_url, say=lambda _: None)\n"
    "view, chat = ChatView(lab), ChatView(lab)",
    "answer = await view.ask('Count to 400.')",
    "import asyncio\nawait asyncio.sleep(0.5)\nprint('running', mock.counters.running)",
    "chat.show()",
    "print('hostile')\nfrom IPython.display import display\n"
    "from labkit.chat_view import render\n"
    "text = '<img src=x onerror=\"window.spied=1\"> ![a](http://example.com/spy.png)'\n"
    "display({'text/html': render(text)}, raw=True)",
    "mock.state.behaviour = Behaviour(first_token=60)\nanswer = await view.ask('Before the first token.')",
    "import asyncio\nawait asyncio.sleep(0.5)\nprint('second', mock.counters.running)",
    "from foundry_mock import Fault\nmock.fail(Fault.HANG)\nanswer = await view.ask('While connecting.')",
    "import asyncio\nawait asyncio.sleep(0.5)\nprint('third', mock.counters.running)",
    "mock.state.behaviour = Behaviour(rate=500)\nmock.fail(Fault.DROP)\nanswer = await view.ask('Count to 20.')",
    "mock.state.behaviour = Behaviour(rate=100)\nanswer = await view.ask('Count to 2000.')",
]
LOWEST = "turns => turns.scrollHeight - turns.clientHeight - turns.scrollTop"


def number(text: str) -> int:
    """How far a counting answer has come."""
    return max(map(int, re.findall(r"\d+", text)), default=0)


def test_view_and_chat(installed: Path, workbook: Workbook, tmp_path: Path) -> None:
    address = workbook.address()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "project" / "work" / "99_chat.ipynb")
    asked: list[str] = []
    with sync_playwright() as playwright, browser.launch(playwright, installed) as chromium:
        context = chromium.new_context(viewport={"width": 1100, "height": 1500})
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.goto(address.replace("01_client_setup", "99_chat"))
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context", timeout=60_000)
        page.evaluate(READY)
        for index in (0, 1):
            page.evaluate(RUN, index)
        growing = page.locator('[role="log"]')
        expect(growing).to_contain_text("3 4")
        before = number(growing.inner_text())
        expect(growing).to_contain_text(str(before + 5))
        page.get_by_role("button", name="Stop").first.click()
        expect(page.locator(".jp-OutputArea").get_by_text("[stopped]")).to_be_visible()
        question, text = output(page, 1).split("You: Count to 400.")
        assert not question.strip()
        assert before < number(text) < 400
        page.evaluate(RUN, 2)
        expect(page.get_by_text("running 0")).to_be_visible()

        page.evaluate(RUN, 3)
        message = page.get_by_label("Message")
        message.fill("My name is Astrid.")
        message.press("Enter")
        # Typing while the answer comes: it must neither be lost nor sent.
        message.press_sequentially("What is my ", delay=30)
        said = page.locator(".jp-OutputArea", has=message)
        expect(said).to_contain_text("You wrote: My name is Astrid.")
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
        message.press_sequentially("name?")
        assert message.input_value() == "What is my name?"
        message.press("Enter")
        expect(said).to_contain_text("Your name is Astrid.")
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
        message.fill("Count to 300.")
        page.get_by_role("button", name="Send").click()
        expect(said.locator('[role="log"]')).to_contain_text("4 5")
        message.fill("Are you there?")
        message.press("Enter")
        expect(said.get_by_role("status").last).to_contain_text("Not sent")
        assert message.input_value() == "Are you there?"
        page.get_by_role("button", name="Stop").click()
        expect(said.get_by_text("[stopped]")).to_be_visible()

        page.evaluate(RUN, 4)
        expect(page.get_by_text("hostile", exact=True)).to_be_visible()
        for index, count in ((5, "second 0"), (7, "third 0")):
            page.evaluate(RUN, index)
            expect(page.get_by_text("waiting for the first token")).to_be_visible()
            page.wait_for_timeout(300)
            page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]').get_by_role("button", name="Stop").click()
            expect(page.get_by_text("waiting for the first token")).to_be_hidden()
            page.evaluate(RUN, index + 1)
            expect(page.get_by_text(count, exact=True)).to_be_visible()

        page.evaluate(RUN, 9)
        expect(page.get_by_text("The connection broke off").first).to_be_visible()
        assert page.evaluate("() => window.spied") is None

        page.evaluate(RUN, 10)
        cell = page.locator('.jp-Cell[data-windowed-list-index="10"]')
        turns, log = cell.locator(".turns"), cell.locator('[role="log"]')
        turns.evaluate("turns => { turns.style.maxHeight = '6em'; }")
        expect(log).to_contain_text(" 300 ")
        assert turns.evaluate("turns => turns.scrollTop") > 0
        assert turns.evaluate(LOWEST) < 2
        turns.evaluate("turns => { turns.scrollTop = 5; }")
        expect(log).to_contain_text(" 500 ")
        assert turns.evaluate("turns => turns.scrollTop") == 5
        turns.evaluate("turns => { turns.scrollTop = turns.scrollHeight; }")
        expect(log).to_contain_text(" 700 ")
        assert turns.evaluate(LOWEST) < 2
        cell.get_by_role("button", name="Stop").click()
        expect(cell.get_by_text("[stopped]")).to_be_visible()
        if picture := os.environ.get("LABKIT_SCREENSHOT"):
            page.screenshot(path=picture)
    assert {re.split(r"[/:]+", url)[1] for url in asked if not url.startswith(("data:", "blob:"))} <= OUR_HOSTS
