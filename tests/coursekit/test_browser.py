"""What a student does first: start, open notebook 01 in JupyterLab in a real browser, run all of it."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.support import browser
from tests.support.jupyterlab import OUR_HOSTS, RUN_ALL, SHOW, STOP, Workbook, finished, installed, workbook

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.live, pytest.mark.e2e, pytest.mark.timeout(400)]

# A person who wants to look gives a file's name here.
SCREENSHOT = "LABKIT_SCREENSHOT"
DECODED = """async (images) => {
  const decoded = await Promise.allSettled(images.map(image => image.decode()));
  return decoded.filter(one => one.status === 'fulfilled').length;
}"""


__all__ = ["installed", "workbook"]


@pytest.mark.e2e
def test_notebook_01_runs_in_jupyterlab(installed: Path, workbook: Workbook, tmp_path: Path) -> None:
    """Every cell runs without an error, the picture and the streamed answer show, nothing is asked elsewhere."""
    address = workbook.address()
    asked: list[str] = []
    with sync_playwright() as playwright, browser.launch(playwright, installed) as chromium:
        context = chromium.new_context(viewport={"width": 1280, "height": 1000})
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(address)
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context", timeout=60_000)
        page.evaluate(RUN_ALL)
        cells = finished(page)
        notices = page.locator(".Toastify__toast").all_inner_texts()
        screens = look(page, cells)
        images = sum(page_images for page_images, _ in screens)
        text = " ".join(" ".join(words for _, words in screens).split())
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"] == []
    assert [cell["source"] for cell in code if not cell["execution_count"]] == []
    assert notices == []
    assert images > 0
    answer = streamed(next(cell for cell in code if "stream=True" in cell["source"]))
    assert len(answer.split()) > 10
    assert answer in text
    assert any(urlsplit(url).path.endswith("01_client_setup.ipynb") for url in asked)
    assert {urlsplit(url).hostname for url in asked if urlsplit(url).scheme not in {"data", "blob"}} <= OUR_HOSTS
    assert list((tmp_path / "project" / "work").glob("01_*.ipynb"))


def test_ends_in_good_order(workbook: Workbook, own_cache: Path) -> None:
    """Before JupyterLab opens, an answer streams in the terminal; a signal then ends both, and nothing is left."""
    address = workbook.address()
    said = "".join(workbook.lines)
    assert len(said.partition("Why is the sky blue?")[2].partition("(first token after")[0].split()) > 10
    if sys.platform == "win32":
        return
    workbook.process.send_signal(STOP)
    assert workbook.process.wait(30) == 0
    assert not list((own_cache / "endpoints").glob("*.json"))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(address).port or 0)) != 0


def look(page: Page, cells: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Scroll through the notebook: how many images each output shows, and its text. Makes the screenshot."""
    seen = []
    for index, cell in enumerate(cells):
        page.evaluate(SHOW, index)
        shown = page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
        images = shown.locator(".jp-OutputArea img").evaluate_all(DECODED)
        seen.append((images, " ".join(shown.locator(".jp-OutputArea-output").all_inner_texts())))
        if images and not any(before for before, _ in seen[:-1]) and (picture := os.environ.get(SCREENSHOT)):
            page.screenshot(path=picture)
        assert images or "image/png" not in json.dumps(cell.get("outputs", []))
    return seen


def streamed(cell: dict[str, Any]) -> str:
    """What a cell printed, with its white space in one piece."""
    printed = [output["text"] for output in cell["outputs"] if output.get("name") == "stdout"]
    return " ".join("".join("".join(text) for text in printed).split())
