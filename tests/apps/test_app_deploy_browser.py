"""The chat behind nginx in a real browser, over TLS: log in, lose the replica in the middle of an answer, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.chat_app import QUICK, SLOW, endpoint, mock, numbers
from tests.support.chat_page import chromium, number, picture, say
from tests.support.replicas import USERS, pair

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from foundry_mock import MockEndpoint
    from tests.support.replicas import Pair

__all__ = ["chromium", "endpoint", "mock", "pair"]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PATIENT = 30_000


def test_a_page_survives_its_replica(chromium: Browser, pair: Pair, mock: MockEndpoint) -> None:
    """Nobody touches the page between the kill and what it shows then. The certificate is the test's own."""
    wrong: list[str] = []
    context = chromium.new_context(ignore_https_errors=True, viewport={"width": 1100, "height": 800}, locale="en-US")
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("websocket", lambda opened: wrong.append(opened.url) if not opened.url.startswith("wss://") else None)
    page.set_default_timeout(PATIENT)
    expect.set_options(timeout=PATIENT)
    answers = page.locator(".ai-message")
    try:
        page.goto(f"http://127.0.0.1:{pair.proxy.plain_port}")
        page.locator("#email").fill("user1")
        page.locator("#password").fill(USERS["user1"])
        page.locator("#password").press("Enter")
        expect(page.locator("#chat-settings-open-modal")).to_be_visible()
        assert page.url.startswith(pair.proxy.url)
        assert {cookie["name"]: cookie.get("secure") for cookie in context.cookies()}.items() >= {
            ("access_token", True),
            ("replica", True),
        }
        say(page, "Count to 5.")
        expect(page.get_by_role("note")).to_have_count(1)
        mock.state.behaviour = SLOW
        say(page, "Count to 300.")
        expect(answers.last).to_contain_text("40 41")
        (replica,) = set(pair.proxy.served("/user"))
        before = number(page)
        pair.kill(int(replica.rpartition(":")[2]))
        picture(page, "killed")
        # It has connected to the other one by itself: the partial answer, and that it is one.
        expect(page.get_by_role("note").last).to_contain_text("broke off")
        expect(page.locator("#stop-button")).to_have_count(0)
        picture(page, "back")
        kept = number(page)
        assert kept > 0
        print(f"\nthe page showed {before} at the kill, and {kept} were kept")
        mock.state.behaviour = QUICK
        say(page, "Count to 6.")
        expect(page.get_by_role("note")).to_have_count(3)
        page.reload()
        expect(page.get_by_role("note")).to_have_count(3)
        for place, text in enumerate((numbers(5), numbers(kept), numbers(6))):
            expect(answers.nth(place)).to_contain_text(text)
        picture(page, "reloaded")
    finally:
        context.close()
    assert wrong == []
