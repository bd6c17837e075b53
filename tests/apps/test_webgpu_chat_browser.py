"""The page of the language model in a real Chromium, with the real model, and with an engine that fails on demand."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from coursekit.webgpu import npm, pages
from tests.conftest import ROOT, link
from tests.support import browser
from tests.support.axe import serious
from tests.support.jupyterlab import OUR_HOSTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Route

pytestmark = [pytest.mark.e2e, pytest.mark.live, pytest.mark.timeout(240)]
# A person who wants to look gives a folder here.
PICTURES = os.environ.get("LABKIT_SCREENSHOTS", "")
PAGE = ROOT / "apps" / "webgpu"
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
STORY = "Tell me a long story about a fox who learns to swim."
FIGURES = re.compile(r"First token after \d+\.\d s, \d+\.\d tokens/s, (\d+) tokens\. Context: (\d+) of (\d+) tokens\.")
MARKUP = '<b>bold</b> <img src="http://example.com/spy.png" onerror="document.title = 1">'

# In the place of wllama: it repeats the question, and fails where a test has told it to.
ENGINE = """
let loads = 0;
export class Wllama {
  setCompat() {}
  async exit() {}
  getNumThreads() { return 1; }
  getLoadedContextInfo() { return { n_ctx: 2048 }; }
  async loadModel() { loads += 1; }
  async createChatCompletion({ messages, onData, abortSignal }) {
    const tell = (delta, further = {}) => onData({ choices: [{ delta, finish_reason: null }], ...further });
    tell({}, { prompt_progress: { total: 9, processed: 9 } });
    const words = messages.at(-1).content.split(/(?<= )/);
    for (const [index, word] of words.entries()) {
      if (abortSignal.aborted) throw new Error("aborted");
      if (location.hash === "#crash" && index === 2 && loads === 1) throw new Error("(ABORT) unreachable");
      await new Promise((resolve) => setTimeout(resolve, 20));
      tell({ content: word }, { timings: { predicted_n: index + 1 } });
    }
  }
}
"""


@pytest.fixture(scope="module")
def browsers() -> Iterator[tuple[Browser, Browser]]:
    """Two browsers: one as it is, and one whose WebAssembly has at most 125 MiB, in pages of 64 KiB."""
    path = browser.find()
    if path is None:
        pytest.skip("no Chrome, Edge or Chromium is installed, and Playwright has none")
    little = "--js-flags=--wasm-max-mem-pages=2000 --wasm-max-mem64-pages=2000"
    with (
        sync_playwright() as playwright,
        browser.launch(playwright, path) as usual,
        browser.launch(playwright, path, little) as poor,
    ):
        expect.set_options(timeout=150_000)  # the model is slow where another program has the processor
        yield usual, poor
        expect.set_options(timeout=browser.PATIENCE)


@pytest.fixture
def chromium(browsers: tuple[Browser, Browser]) -> Browser:
    """The browser for most tests."""
    return browsers[0]


@pytest.fixture(scope="module")
def cache_with_gguf(gguf_file: Path) -> Path:
    """The cache that the server serves from."""
    return gguf_file.parents[1]


@pytest.fixture(scope="module")
def url(cache_with_gguf: Path) -> Iterator[str]:
    """The page, served."""
    with served(cache_with_gguf) as address:
        yield address


@contextmanager
def served(cache: Path) -> Iterator[str]:
    server = pages.serve(PAGE, cache)
    try:
        yield f"{server.start()}/chat.html"
    finally:
        server.stop()


@contextmanager
def context(chromium: Browser, engine: str = "", **options: Any) -> Iterator[BrowserContext]:
    """A fresh profile, perhaps with another engine. Nothing may be asked of another host."""
    asked: set[str] = set()
    fresh = chromium.new_context(**{"viewport": {"width": 1100, "height": 900}} | options)
    fresh.set_default_timeout(150_000)
    fresh.on("request", lambda request: asked.add(request.url))
    if engine:
        fresh.route("**/vendor/wllama/index.min.js", lambda route: changed(route, engine))
    try:
        yield fresh
    finally:
        fresh.close()
    hosts = {urlsplit(each).hostname for each in asked if not each.startswith(("data:", "blob:", "file:"))}
    assert hosts <= OUR_HOSTS


@contextmanager
def opened(chromium: Browser, url: str, engine: str = "", **options: Any) -> Iterator[Page]:
    """The page in a fresh profile. No script of it may fail."""
    wrong: list[str] = []
    with context(chromium, engine, **options) as fresh:
        page = fresh.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(url)
        yield page
    assert wrong == []


def changed(route: Route, body: str) -> None:
    if route.request.method == "HEAD":
        route.continue_()
    else:
        route.fulfill(body=body, content_type="text/javascript")


def state(page: Page, wanted: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-state", wanted)


def load(page: Page) -> None:
    page.locator("#load").click()
    state(page, "ready")


def say(page: Page, question: str) -> None:
    """Ask, and wait until the page has taken the question; its answer may be over by then."""
    state(page, "ready")  # before, the page takes none
    entries = page.locator("#log li").count()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator("#log li")).to_have_count(entries + 2)


def number(page: Page, name: str) -> int:
    return int(page.locator("body").get_attribute(f"data-{name}") or 0)


def reached(page: Page, tokens: int) -> None:
    """Wait until the answer has so many tokens."""
    deadline = time.monotonic() + 60
    while number(page, "tokens") < tokens:
        assert time.monotonic() < deadline, f"{number(page, 'tokens')} tokens"
        page.wait_for_timeout(20)


def answer(page: Page) -> str:
    return page.locator("#log .text").last.inner_text()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like, for a person to look at."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"llm-{name}.png")


def test_the_size_is_named_before_anything_is_fetched(chromium: Browser, url: str, gguf_file: Path) -> None:
    fetched: list[tuple[str, str]] = []
    with opened(chromium, "about:blank") as page:
        page.on("request", lambda request: fetched.append((request.method, urlsplit(request.url).path)))
        page.goto(url)
        state(page, "idle")
        large = f"{gguf_file.stat().st_size / 1e6:.0f} MB"
        expect(page.get_by_role("button", name=f"Load the model ({large})")).to_be_visible()
        expect(page.locator("#size")).to_contain_text(f"one file, {large}. wllama, which runs it: 9 MB")
        expect(page.locator("#no-server")).to_have_count(0)
        costly = {each for each in fetched if each[1].startswith(("/model/", "/vendor/"))}
        assert {method for method, _ in costly} == {"HEAD"}
        assert len(costly) == 3
        load(page)
        assert {path for method, path in fetched if method == "GET"} > {path for _, path in costly}


def test_an_answer_grows_and_tells_its_figures(chromium: Browser, url: str) -> None:
    with opened(chromium, url) as page:
        load(page)
        expect(page.locator("#status")).to_contain_text("on the processor, as WebAssembly, with 1 thread")
        expect(page.get_by_label("Your question")).to_be_focused()
        say(page, STORY)
        said = page.locator("#said")
        seen = []
        for tokens in (1, 5, 20):
            reached(page, tokens)
            seen.append(answer(page))
            expect(said).to_be_empty()
        assert len(seen[0]) < len(seen[1]) < len(seen[2])
        assert seen[2].startswith(seen[1])
        expect(page.locator("#log li").last).to_have_attribute("aria-busy", "true")
        picture(page, "answering")
        state(page, "ready")
        expect(page.locator("#log li").last).to_have_attribute("aria-busy", "false")
        found = FIGURES.search(page.locator("#log .note").last.inner_text())
        assert found
        tokens, used, window = map(int, found.groups())
        assert tokens == number(page, "tokens") >= 20
        assert (used, window) == (number(page, "prompt") + tokens, 2048)
        expect(said).to_have_text(f"The answer is finished: {tokens} tokens.")


def test_stop_keeps_what_there_is_and_the_next_question_works(chromium: Browser, url: str) -> None:
    with opened(chromium, url) as page:
        load(page)
        say(page, STORY)
        reached(page, 6)
        page.get_by_role("button", name="Stop").click()
        stopped, tokens = answer(page), number(page, "tokens")
        state(page, "ready")
        assert (answer(page), number(page, "tokens")) == (stopped, tokens)
        assert len(stopped) > 5
        expect(page.locator("#log li").last).to_have_class("stopped")
        expect(page.locator("#log .note").last).to_contain_text(re.compile(r"^Stopped\. First token after"))
        expect(page.locator("#said")).to_have_text(f"The answer was stopped: {tokens} tokens.")
        expect(page.get_by_role("button", name="Stop")).to_be_disabled()
        picture(page, "stopped")
        say(page, "Say hello.")
        reached(page, 1)
        page.get_by_role("button", name="Stop").click()
        state(page, "ready")
        assert answer(page)
        assert page.locator("#log .text").nth(1).inner_text() == stopped


def test_stop_before_the_first_token(chromium: Browser, url: str) -> None:
    """Then there is no answer to keep, and the model is not told of the question either."""
    with opened(chromium, url) as page:
        load(page)
        say(page, STORY * 8)
        expect(page.locator("#log .note").last).to_contain_text(re.compile(r"Reading: \d+ of \d+ tokens"))
        page.get_by_role("button", name="Stop").click()
        state(page, "ready")
        expect(page.locator("#log .note").last).to_have_text("Stopped.")
        say(page, "Say hello.")
        reached(page, 1)
        assert page.evaluate("lab.model.messages") == [{"role": "user", "content": "Say hello."}]


def test_the_prompt_of_the_second_turn_holds_the_first(chromium: Browser, url: str) -> None:
    with opened(chromium, url) as page:
        load(page)
        say(page, "Name a colour.")
        reached(page, 3)
        page.get_by_role("button", name="Stop").click()
        state(page, "ready")
        first, before = answer(page), number(page, "prompt") + number(page, "tokens")
        say(page, "Name another.")
        reached(page, 1)
        messages = page.evaluate("lab.model.messages")
        assert [(each["role"], each["content"].strip()) for each in messages] == [
            ("user", "Name a colour."),
            ("assistant", first.strip()),
            ("user", "Name another."),
        ]
        assert number(page, "prompt") > before  # what the model counted itself


def test_a_conversation_that_fills_the_context(chromium: Browser, url: str) -> None:
    with opened(chromium, f"{url}?context=256") as page:
        load(page)
        say(page, STORY * 9)  # with the 64 tokens that are kept free, there is no room for much more
        reached(page, 2)
        page.get_by_role("button", name="Stop").click()
        state(page, "ready")
        assert 130 < number(page, "prompt") <= 192
        expect(page.locator("#forgotten")).to_be_hidden()
        say(page, STORY * 3)
        reached(page, 1)
        assert page.evaluate("[lab.model.forgotten, lab.model.messages.length]") == [1, 1]
        assert number(page, "prompt") <= 192
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#forgotten")).to_contain_text("No longer in it: your oldest 1 question")
        assert page.locator("#log li").count() == 4
        say(page, STORY * 30)
        state(page, "ready")
        expect(page.locator("#log .note").last).to_have_text("That is too long: the model sees 256 tokens at once.")
        expect(page.get_by_label("Your question")).to_have_value(STORY * 30)
        picture(page, "full")
        say(page, "Say hello.")
        reached(page, 1)


def test_threads(chromium: Browser, url: str) -> None:
    with opened(chromium, f"{url}?threads=2") as page:
        load(page)
        expect(page.locator("#status")).to_contain_text("2 threads")
        expect(page.locator("#isolation")).to_be_hidden()


def test_without_isolation_it_has_one_thread(chromium: Browser, url: str) -> None:
    with context(chromium) as fresh:
        fresh.route("**/chat.html*", lambda route: with_header(route, "cross-origin-opener-policy", "unsafe-none"))
        page = fresh.new_page()
        page.goto(f"{url}?threads=2")
        expect(page.locator("#isolation")).to_be_visible()
        load(page)
        expect(page.locator("#status")).to_contain_text("with 1 thread on")


def test_a_browser_that_cannot_suspend_webassembly(chromium: Browser, url: str) -> None:
    """Such as Firefox: by itself wllama would fetch another build from an outside host."""
    with context(chromium) as fresh:
        fresh.add_init_script("delete WebAssembly.Suspending")
        page = fresh.new_page()
        page.goto(url)
        load(page)
        say(page, "Say hello.")
        reached(page, 1)


def test_markup_is_shown_as_text(chromium: Browser, url: str) -> None:
    with opened(chromium, url, ENGINE) as page:
        load(page)
        say(page, MARKUP)
        state(page, "ready")
        for shown in page.locator("#log .text").all():
            assert shown.inner_text() == MARKUP
        assert page.locator("#log :is(b, img)").count() == 0
        assert page.title() == "A language model in the browser"


def test_keys(chromium: Browser, url: str) -> None:
    with opened(chromium, url, ENGINE) as page:
        load(page)
        page.keyboard.press("Enter")
        assert page.locator("#log li").count() == 0
        page.keyboard.type("one")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("two " * 30)
        page.keyboard.press("Enter")
        state(page, "answering")
        assert page.locator("#log .text").first.inner_text().startswith("one\ntwo two")
        page.keyboard.type("three")
        page.keyboard.press("Enter")  # an answer is under way: what is typed stays
        expect(page.get_by_label("Your question")).to_have_value("three")
        state(page, "ready")
        assert page.locator("#log li").count() == 2
        page.keyboard.press("Enter")
        expect(page.locator("#log li")).to_have_count(4)


def test_a_missing_model_says_the_command(chromium: Browser, cache_with_gguf: Path, tmp_path: Path) -> None:
    for package in (pages.ONNXRUNTIME, pages.WLLAMA):
        link(npm.install(package, cache_with_gguf), npm.folder(package, tmp_path))
    with served(tmp_path) as url, opened(chromium, url) as page:
        state(page, "error")
        expect(page.get_by_role("alert")).to_contain_text("The model is not on this machine yet")
        expect(page.get_by_role("alert")).to_contain_text("python lab.py")
        expect(page.locator("#load")).to_be_hidden()
        assert serious(page) == []
        picture(page, "missing")


def test_a_server_that_went_away(chromium: Browser, cache_with_gguf: Path) -> None:
    with served(cache_with_gguf) as url, opened(chromium, url) as page:
        state(page, "idle")
        page.context.set_offline(True)
        page.locator("#load").click()
        expect(page.get_by_role("alert")).to_contain_text("does not answer. Start it again: python lab.py webgpu")
        page.context.set_offline(False)
        load(page)
        expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("threads", [1, 2])
def test_too_little_memory(browsers: tuple[Browser, Browser], url: str, threads: int) -> None:
    with opened(browsers[1], f"{url}?threads={threads}") as page:
        page.locator("#load").click()
        expect(page.get_by_role("alert")).to_contain_text("The browser has not enough memory for the model.")
        expect(page.get_by_role("button", name="Load the model")).to_be_visible()


def test_a_model_that_breaks_off_can_be_loaded_again(chromium: Browser, url: str) -> None:
    with opened(chromium, f"{url}#crash", ENGINE) as page:
        load(page)
        say(page, "one two three four")
        expect(page.get_by_role("alert")).to_contain_text("The model broke off. Load it again. ((ABORT) unreachable)")
        state(page, "error")
        assert answer(page).strip() == "one two"
        expect(page.locator("#log .note").last).to_contain_text("Broken off. First token after")
        expect(page.get_by_role("alert")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Send")).to_be_disabled()
        load(page)
        page.keyboard.press("Enter")  # the question is in the box again
        state(page, "ready")
        assert answer(page) == "one two three four"


def test_a_worker_that_does_not_start(chromium: Browser, url: str) -> None:
    policy = pages.POLICY.replace("worker-src 'self' blob:", "worker-src 'none'")
    with context(chromium) as fresh:
        fresh.route("**/chat.html", lambda route: with_header(route, "content-security-policy", policy))
        page = fresh.new_page()
        page.goto(url)
        page.locator("#load").click()
        expect(page.get_by_role("alert")).to_contain_text("Load it again. (its worker did not start)")


def with_header(route: Route, name: str, value: str) -> None:
    reply = route.fetch()
    route.fulfill(response=reply, headers=reply.headers | {name: value})


def test_an_insecure_origin(chromium: Browser, url: str) -> None:
    """As in a network, where wllama does not start."""
    ours = url.removesuffix("/chat.html")

    def reply(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace("http://lab.test", ours)))

    fresh = chromium.new_context()
    fresh.route("http://lab.test/**", reply)
    page = fresh.new_page()
    page.goto("http://lab.test/chat.html")
    expect(page.get_by_role("alert")).to_contain_text("http://lab.test is not a secure origin")
    expect(page.get_by_role("alert")).to_contain_text("Open http://127.0.0.1:80/chat.html on the machine that serves")
    expect(page.locator("#load")).to_be_hidden()
    fresh.close()


def test_from_a_file_it_says_that_it_needs_a_server(chromium: Browser) -> None:
    with context(chromium) as fresh:
        page = fresh.new_page()
        page.goto((PAGE / "chat.html").as_uri())
        expect(page.locator("#no-server")).to_contain_text("This page needs a server: run python lab.py webgpu")
        expect(page.locator("#load")).to_be_hidden()


def test_a_reload_in_the_middle_of_an_answer(chromium: Browser, url: str) -> None:
    with opened(chromium, url) as page:
        load(page)
        say(page, STORY)
        reached(page, 3)
        page.get_by_label("Your question").fill("not sent")
        page.reload()
        state(page, "idle")
        expect(page.locator("#chat")).to_be_hidden()
        load(page)
        assert page.locator("#log li").count() == 0
        expect(page.get_by_label("Your question")).to_have_value("")
        say(page, "Say hello.")
        reached(page, 1)


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE, PHONE | {"color_scheme": "dark"}],
    ids=["light", "dark", "phone", "phone-dark"],
)
def test_everybody_can_use_it(
    chromium: Browser, url: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    with opened(chromium, f"{url}#crash", ENGINE, **options) as page:
        state(page, "idle")
        picture(page, f"idle-{name}")
        assert serious(page) == []
        load(page)
        say(page, "x" * 200)
        state(page, "ready")
        say(page, "word " * 200)
        reached(page, 2)
        assert page.evaluate(WIDE) <= 0
        picture(page, f"answering-{name}")
        assert serious(page) == []
        expect(page.get_by_role("alert")).to_be_visible()
        picture(page, f"error-{name}")
        assert serious(page) == []
        assert page.evaluate(WIDE) <= 0
        expect(page.get_by_role("link", name="Digits")).to_have_attribute("href", "index.html")
