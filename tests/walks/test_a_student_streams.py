"""A student's night with notebook 02 in JupyterLab: Run All, Stop by hand in time, and a chat afterwards."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support import browser
from tests.support.jupyterlab import OUR_HOSTS, READY, SHOW, STOP, finished, installed, workbook

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.jupyterlab import Workbook

__all__ = ["installed", "workbook"]
pytestmark = [pytest.mark.live, pytest.mark.e2e, pytest.mark.timeout(900)]
# A person who wants to look gives a folder's name here.
SCREENSHOTS = "LABKIT_SCREENSHOTS"


def test_run_all_stop_by_hand_and_chat(installed: Path, workbook: Workbook, own_cache: Path, tmp_path: Path) -> None:
    """Stop is pressed in time, no cell fails, pictures show, the chat answers afterwards, no other host is asked."""
    asked: list[str] = []
    address = workbook.address().replace("01_client_setup", "02_streaming")
    said = "".join(workbook.lines).partition("Why is the sky blue?")[2].partition("(first token after")[0]
    assert len(said.split()) > 10  # an answer streamed in the terminal before JupyterLab opened
    cells = json.loads((tmp_path / "project" / "work" / "02_streaming.ipynb").read_text(encoding="utf-8"))["cells"]
    with sync_playwright() as playwright, browser.launch(playwright, installed) as chromium:
        context = chromium.new_context(viewport={"width": 1100, "height": 1000})
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(address)
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context", timeout=60_000)
        page.evaluate(READY)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")  # not waited for
        page.evaluate(SHOW, place(cells, "stop, screen = "))
        slow = page.locator(f'.jp-Cell[data-windowed-list-index="{place(cells, "stop, screen = ")}"]')
        expect(slow).to_contain_text("1 2 3 4 5 6 7", timeout=200_000)
        slow.get_by_role("button", name="Stop").click()
        ran = finished(page, 600)
        assert [
            (cell["source"], out["evalue"]) for cell in ran for out in cell.get("outputs", []) if "evalue" in out
        ] == []
        shown = "".join("".join(out["text"]) for out in outputs(ran, "The screen shows:") if "text" in out)
        assert " 6 7" in shown
        assert " 60 " not in shown  # ten seconds, at eight a second, would have come to about eighty

        assert page.locator(".Toastify__toast").all_inner_texts() == []
        picture = show(page, cells, "plots.waterfall").locator("img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300

        chat = show(page, cells, "chat.show()")
        message = chat.get_by_label("Message")
        message.fill("What is the capital of Sweden?")
        message.press("Enter")
        expect(chat).to_contain_text("Stockholm", timeout=60_000)
        if folder := os.environ.get(SCREENSHOTS):
            look(page, cells, Path(folder))
    end_in_good_order(workbook, own_cache, urlsplit(address).port or 0)
    assert {urlsplit(url).hostname for url in asked if urlsplit(url).scheme not in {"data", "blob"}} <= OUR_HOSTS


def end_in_good_order(workbook: Workbook, cache: Path, port: int) -> None:
    """Ctrl-C ends JupyterLab and the endpoint, and nothing of them is left."""
    if sys.platform == "win32":
        return
    workbook.process.send_signal(STOP)
    assert workbook.process.wait(30) == 0
    assert not list((cache / "endpoints").glob("*.json"))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def place(cells: list[dict[str, Any]], words: str) -> int:
    """Where the cell with these words is."""
    return next(index for index, cell in enumerate(cells) if words in "".join(cell["source"]))


def outputs(cells: list[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    """What the cell with these words gave."""
    found: list[dict[str, Any]] = cells[place(cells, words)]["outputs"]
    return found


def show(page: Page, cells: list[dict[str, Any]], words: str) -> Locator:
    """Scroll to the cell with these words."""
    index = place(cells, words)
    page.evaluate(SHOW, index)
    return page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')


def look(page: Page, cells: list[dict[str, Any]], folder: Path) -> None:
    """Screenshots of the whole notebook in both themes, and at 620 pixels."""
    for theme, width in (("JupyterLab Light", 1100), ("JupyterLab Dark", 1100), ("JupyterLab Light", 620)):
        page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        page.set_viewport_size({"width": width, "height": 1000})
        for index in range(0, len(cells), 4):
            page.evaluate(SHOW, index)
            page.wait_for_timeout(150)
            page.screenshot(path=folder / f"{theme[11:]}-{width}-{index:03}.png")
