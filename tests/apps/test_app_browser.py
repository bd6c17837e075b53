"""The chat application in a real browser: text grows, Stop, two turns, reload, Retry, Swedish, dark, a small phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from foundry_mock import Behaviour, Fault, MockEndpoint
from tests.support.axe import serious
from tests.support.chat_app import app, endpoint, mock, questions
from tests.support.chat_page import chromium, number, opened, picture, say

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.chat_app import App

__all__ = ["app", "chromium", "endpoint", "mock", "questions"]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
QUICK = Behaviour(first_token=0.02, rate=400)
SLOW = Behaviour(first_token=0.02, rate=20)
AT_REST = "() => document.getAnimations().every((each) => each.playState === 'finished')"
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_ask_stop_ask_again_reload(chromium: Browser, app: App, mock: MockEndpoint) -> None:
    mock.state.behaviour = SLOW
    with opened(chromium, app) as page:
        picture(page, "start")
        say(page, "My name is Astrid. Count to 300.")
        expect(page.locator(".ai-message").last).to_contain_text("3 4")
        before = number(page)
        expect(page.locator(".ai-message").last).to_contain_text(str(before + 5))
        picture(page, "growing")
        page.locator("#stop-button").click()
        expect(page.get_by_role("note").last).to_contain_text("stopped")
        assert before < number(page) < 300
        assert mock.counters.running == 0
        expect(page.get_by_text("Task manually stopped.")).to_have_count(0)
        mock.state.behaviour = QUICK
        say(page, "What is my name?")
        expect(page.get_by_text("Your name is Astrid.")).to_be_visible()
        expect(page.get_by_role("note")).to_have_count(2)
        expect(page.get_by_role("note").last).to_contain_text(re.compile(r"local.*first token"))
        picture(page, "answered")
        expect(page).to_have_url(re.compile("/thread/"))
        page.reload()
        expect(page.get_by_text("Your name is Astrid.")).to_be_visible()
        expect(page.get_by_role("note")).to_have_count(2)
        expect(page.get_by_role("note").first).to_contain_text("stopped")
        expect(page.get_by_text("Task manually stopped.")).to_have_count(0)
        picture(page, "resumed")
        say(page, "What is my name?")
        expect(page.get_by_text("Your name is Astrid.")).to_have_count(2)


def test_an_error_and_its_button(chromium: Browser, app: App, mock: MockEndpoint) -> None:
    with opened(chromium, app) as page:
        mock.fail(Fault.DROP)
        say(page, "Count to 6.")
        expect(page.get_by_text("Fix: ask again")).to_be_visible()
        expect(page.get_by_role("note")).to_contain_text("broke off")
        picture(page, "error")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("1 2 3 4 5 6")).to_be_visible()
        expect(page.get_by_text("To mend it")).to_have_count(0)
        picture(page, "mended")


def test_text_of_all_kinds_is_shown_whole(chromium: Browser, app: App, mock: MockEndpoint) -> None:
    """The mock repeats the question's first words: with a colon, with HTML, with a picture that would tell somebody."""
    with opened(chromium, app) as page:
        say(page, "key:value <b>bold</b> ![spy](http://example.com/spy.png) `a:b` 10:30")
        said = page.locator(".ai-message").last
        expect(said).to_contain_text("key:value", timeout=8_000)
        expect(said).to_contain_text("<b>bold</b>")
        expect(said.locator("code")).to_have_text("a:b")
        expect(said).to_contain_text("10:30")
    assert mock.counters.ended == 1


def test_swedish(chromium: Browser, app: App, mock: MockEndpoint) -> None:
    with opened(chromium, app, locale="sv-SE", color_scheme="dark") as page:
        expect(page.locator("#chat-input")).to_have_attribute("placeholder", "Skriv ditt meddelande här...")
        expect(page.get_by_text("Varför är himlen blå?")).to_be_visible()
        expect(page.get_by_role("button", name="Läs mig")).to_be_visible()
        picture(page, "swedish")
        page.get_by_role("button", name="Läs mig").click()
        expect(page.get_by_text("på datorn som levererar sidan")).to_be_visible()
        picture(page, "swedish-readme")
        page.keyboard.press("Escape")
        page.get_by_text("En haiku om havet").click()
        expect(page.get_by_role("note")).to_contain_text("inget lämnar den här datorn")
        expect(page.get_by_role("note")).to_contain_text("till första token")
        mock.fail(Fault.DROP)
        say(page, "Räkna")
        expect(page.get_by_role("button", name="Försök igen")).to_be_visible()
        picture(page, "swedish-error")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.usefixtures("mock")
def test_light_and_dark(chromium: Browser, app: App, scheme: str) -> None:
    with opened(chromium, app, color_scheme=scheme) as page:
        say(page, "What is an API?")
        expect(page.get_by_role("note")).to_be_visible()
        paper, ink = page.evaluate(
            "() => [document.body, document.querySelector('.ai-message p, .ai-message [role=article], .ai-message')]"
            ".map((each, index) => getComputedStyle(each)[index ? 'color' : 'backgroundColor'])"
        )
        light, dark = (paper, ink) if scheme == "light" else (ink, paper)
        assert brightness(light) > 200, (paper, ink)
        assert brightness(dark) < 100, (paper, ink)
        picture(page, scheme)


def brightness(color: str) -> float:
    """From 0 to 255, of what the browser computes."""
    return sum(float(part) for part in re.findall(r"[\d.]+", color)[:3]) / 3


def test_a_small_phone(chromium: Browser, app: App, mock: MockEndpoint) -> None:
    with opened(chromium, app, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True) as page:
        assert page.evaluate(WIDE) <= 0
        picture(page, "phone-start")
        say(page, "x" * 120 + " Why is the sky blue?")
        expect(page.get_by_role("note")).to_be_visible()
        assert page.evaluate(WIDE) <= 0
        picture(page, "phone")
        mock.fail(Fault.DROP)
        say(page, "Count to 6.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        assert page.evaluate(WIDE) <= 0
        picture(page, "phone-error")


@pytest.mark.usefixtures("mock")
def test_the_settings(chromium: Browser, app: App, questions: list[list[tuple[str, str]]]) -> None:
    with opened(chromium, app) as page:
        page.locator("#chat-settings-open-modal").click()
        expect(page.get_by_text("System prompt")).to_be_visible()
        for name in ("Model", "Temperature", "Local only"):
            expect(page.get_by_text(name).first).to_be_visible()
        page.get_by_role("switch").click()
        page.get_by_label("System prompt").fill("Be a pirate.")
        picture(page, "settings")
        page.get_by_role("button", name="Confirm").click()
        say(page, "What is an API?")
        expect(page.get_by_role("note")).to_be_visible()
    assert questions[-1][0] == ("system", "Be a pirate.")


@pytest.mark.parametrize("color", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Browser, app: App, mock: MockEndpoint, color: str) -> None:
    """At the start, with an answer, an error and its button, the settings, and on a phone."""
    with opened(chromium, app, color_scheme=color) as page:
        assert serious(page) == []
        say(page, "Count to 6.")
        expect(page.get_by_role("note")).to_be_visible()
        mock.fail(Fault.DROP)
        say(page, "Count to 8.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        picture(page, f"axe-{color}")
        assert serious(page) == []
        page.locator("#chat-settings-open-modal").click()
        expect(page.get_by_text("Local only")).to_be_visible()
        page.wait_for_function(AT_REST)  # what fades in has less contrast
        picture(page, f"axe-settings-{color}")
        assert serious(page) == []
    with opened(chromium, app, color_scheme=color, viewport={"width": 390, "height": 844}) as page:
        say(page, "Count to 6.")
        expect(page.get_by_role("note")).to_be_visible()
        picture(page, f"axe-phone-{color}")
        assert serious(page) == []
