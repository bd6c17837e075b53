"""The page of the chat application in a real Chromium."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support import browser
from tests.support.jupyterlab import OUR_HOSTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.chat_app import App


# A person who wants to look gives a folder here.
PICTURES = os.environ.get("LABKIT_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    path = browser.find()
    if path is None:
        pytest.skip("no Chrome, Edge or Chromium is installed, and Playwright has none")
    with sync_playwright() as playwright, browser.launch(playwright, path) as launched:
        yield launched


@contextmanager
def opened(chromium: Browser, app: App, **options: Any) -> Iterator[Page]:
    """The app in a fresh profile. Nothing may be asked of another host, and no script may fail."""
    asked: set[str] = set()
    wrong: list[str] = []
    context = chromium.new_context(**{"viewport": {"width": 1100, "height": 800}, "locale": "en-US"} | options)
    context.on("request", lambda request: asked.add(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    context.on("requestfailed", lambda request: asked.discard(request.url) if request.failure == "csp" else None)
    page.on("websocket", lambda opened: asked.add(opened.url))
    page.set_default_timeout(10_000)
    try:
        page.goto(app.url)
        # The last thing to come, after the page has logged itself in and loaded again.
        expect(page.locator("#chat-settings-open-modal")).to_be_visible()
        yield page
    finally:
        context.close()
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} <= OUR_HOSTS
    assert wrong == []


def say(page: Page, text: str) -> None:
    """Type a message and send it, when the page is no longer busy with the one before: it would drop the text."""
    expect(page.locator("#stop-button")).to_have_count(0, timeout=30_000)
    page.locator("#chat-input").click()
    page.keyboard.insert_text(text)
    page.locator("#chat-submit").click()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like, for a person to look at."""
    if PICTURES:
        page.wait_for_timeout(600)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def number(page: Page) -> int:
    """How far the newest counting answer has come."""
    text = page.locator(".ai-message").last.inner_text()
    return max(map(int, re.findall(r"\d+", text.split("local")[0])), default=0)
