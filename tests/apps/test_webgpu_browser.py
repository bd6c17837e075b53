"""The page of digits in a real Chromium: on WebGPU, which here is a software adapter, and where there is none.

tests/coursekit/test_frontend.py compares the page's logits with Python's and lets it race, on both backends.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from coursekit.webgpu import pages
from tests.conftest import CACHE, ROOT
from tests.support import axe, browser
from tests.support.jupyterlab import OUR_HOSTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
# A person who wants to look gives a folder here.
PICTURES = os.environ.get("LABKIT_SCREENSHOTS", "")
PAGE = ROOT / "apps" / "webgpu"
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
Point = tuple[float, float]


@pytest.fixture(scope="module")
def browsers() -> Iterator[tuple[Browser, Browser]]:
    """Two browsers: one with WebGPU, on a software adapter at worst, and one that has it but gives no adapter."""
    path = browser.find()
    if path is None:
        pytest.skip("no Chrome, Edge or Chromium is installed, and Playwright has none")
    with (
        sync_playwright() as playwright,
        browser.launch(playwright, path, "--enable-unsafe-webgpu") as able,
        browser.launch(playwright, path) as unable,
    ):
        expect.set_options(timeout=30_000)  # two software devices at once are slow to start
        yield able, unable
        expect.set_options(timeout=browser.PATIENCE)


@pytest.fixture
def able(browsers: tuple[Browser, Browser]) -> Browser:
    """The browser with WebGPU."""
    return browsers[0]


@pytest.fixture
def unable(browsers: tuple[Browser, Browser]) -> Browser:
    """The browser without an adapter."""
    return browsers[1]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The page, served."""
    with served(PAGE) as address:
        yield address


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = pages.serve(folder, CACHE)
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def opened(chromium: Browser, url: str, ready: str | None = None, **options: Any) -> Iterator[Page]:
    """The page in a fresh profile, once it is `ready`. It may ask nothing of another host, and no script may fail."""
    asked: set[str] = set()
    wrong: list[str] = []
    context = chromium.new_context(**{"viewport": {"width": 1100, "height": 900}} | options)
    context.on("request", lambda request: asked.add(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # What the policy stops is no request, but nothing here is to try it.
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    page.set_default_timeout(30_000)
    try:
        page.goto(url)
        if ready:
            is_ready(page, ready)
        yield page
    finally:
        context.close()
    assert {urlsplit(each).hostname for each in asked if not each.startswith(("data:", "blob:", "file:"))} <= OUR_HOSTS
    assert wrong == []


def is_ready(page: Page, backend: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-ready", backend)


def reads(page: Page, digit: int) -> None:
    expect(page.locator("body")).to_have_attribute("data-digit", str(digit))


def arc(center: Point, radius: Point, start: float, end: float) -> list[Point]:
    """A part of an ellipse, in degrees: 0 is to the right, 90 is down."""
    angles = [math.radians(start + (end - start) * i / 16) for i in range(17)]
    return [(center[0] + radius[0] * math.cos(a), center[1] + radius[1] * math.sin(a)) for a in angles]


# Each stroke is a list of points; across and down, from 0 to 1.
STROKES: dict[int, list[list[Point]]] = {
    0: [arc((0.5, 0.5), (0.2, 0.3), -90, 270)],
    1: [[(0.52, 0.15), (0.48, 0.85)]],
    2: [[*arc((0.48, 0.33), (0.19, 0.17), 190, 395), (0.28, 0.83), (0.74, 0.81)]],
    3: [[*arc((0.46, 0.33), (0.18, 0.16), 200, 440), *arc((0.46, 0.66), (0.21, 0.18), -80, 150)]],
    4: [[(0.33, 0.18), (0.28, 0.54), (0.74, 0.52)], [(0.63, 0.2), (0.6, 0.86)]],
    5: [[(0.36, 0.2), (0.34, 0.46), *arc((0.47, 0.62), (0.2, 0.2), -120, 140)], [(0.36, 0.2), (0.68, 0.18)]],
    6: [[(0.6, 0.15), (0.42, 0.36), *arc((0.5, 0.66), (0.17, 0.18), 180, 540)]],
    7: [[(0.28, 0.2), (0.72, 0.2), (0.45, 0.85)]],
    8: [[*arc((0.5, 0.33), (0.14, 0.16), 90, 450), *arc((0.5, 0.67), (0.17, 0.18), -90, 270)]],
    9: [[*arc((0.48, 0.35), (0.16, 0.17), 0, -360), (0.62, 0.6), (0.58, 0.86)]],
}


def draw(page: Page, strokes: list[list[Point]], size: float = 1, at: Point = (0, 0)) -> None:
    """Draw with the mouse, smaller and elsewhere if so told."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    assert box
    for stroke in strokes:
        places = [
            (box["x"] + (at[0] + size * x) * box["width"], box["y"] + (at[1] + size * y) * box["height"])
            for x, y in stroke
        ]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=3)
        page.mouse.up()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like, for a person to look at."""
    if PICTURES:
        page.wait_for_timeout(300)
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    """The 64 samples, as they go into the network."""
    raw = base64.b64decode(json.loads((PAGE / "samples.json").read_text(encoding="utf-8"))["pixels"])
    return (np.frombuffer(raw, np.uint8).reshape(-1, 1, 28, 28) / 255).astype(np.float32)


def test_drawn_digits_are_read(unable: Browser, url: str) -> None:
    read = {}
    with opened(unable, url, "wasm") as page:
        for digit, strokes in STROKES.items():
            page.get_by_role("button", name="Clear").click()
            expect(page.locator("body")).not_to_have_attribute("data-digit", str(digit))
            draw(page, strokes)
            expect(page.locator("#said")).to_contain_text("read as")
            read[digit] = int(page.locator("body").get_attribute("data-digit") or -1)
            picture(page, f"drawn-{digit}")
    assert read == {digit: digit for digit in STROKES}


def test_a_small_digit_in_a_corner_is_prepared_and_read_on_webgpu(able: Browser, url: str) -> None:
    with opened(able, url, "webgpu") as page:
        draw(page, STROKES[7], size=0.55, at=(0.4, 0.42))
        reads(page, 7)
        sizes = [
            page.locator(f"#{step}").evaluate("each => [each.width, each.height]")
            for step in ("cropped", "scaled", "centred")
        ]
        assert 60 < max(sizes[0]) < 150
        assert max(sizes[1]) == 20
        assert sizes[2] == [28, 28]
        shares = [float(share.split()[-2]) for share in page.locator("#bars td:last-child").all_inner_texts()]
        assert len(shares) == 10
        assert shares[7] == max(shares) > 50
        assert sum(shares) == pytest.approx(100, abs=1)
        expect(page.locator("#argmax")).to_contain_text("7 (logit")
        expect(page.locator("#took")).to_contain_text("on WebGPU")
        picture(page, "corner")


def test_says_which_backend_and_why(able: Browser, unable: Browser, url: str) -> None:
    with opened(able, url, "webgpu") as page:
        name = page.evaluate("async () => (await (await import('/device.js')).probe()).name")
        status = page.get_by_role("status").filter(has_text="Runs on WebGPU")
        expect(status).to_contain_text(name)
        if "swiftshader" in name:
            expect(status).to_contain_text("(software). This adapter is software")
        expect(page.locator("#input")).to_have_text("image, float32 [batch, 1, 28, 28]")
        expect(page.locator("#output")).to_have_text("logits, float32 [batch, 10]")
        expect(page.locator("#accuracy")).to_contain_text("% of 10,000 test digits")
        draw(page, STROKES[1])
        reads(page, 1)
        page.get_by_label("WASM").check()
        is_ready(page, "wasm")
        expect(page.locator("#took")).to_contain_text("on WASM")
        expect(page.locator("#status")).to_have_text("Runs on WASM. You chose it.")
    with opened(unable, url, "wasm") as page:
        expect(page.locator("#status")).to_contain_text("Runs on WASM. The browser has WebGPU, but no graphics adapter")
        expect(page.get_by_label("WebGPU")).to_be_disabled()
        expect(page.locator("#webgpu-why")).to_contain_text("Not available. Look at chrome://gpu")
        refused = page.evaluate("() => lab.classify(new Array(784).fill(0), 1, 'webgpu').catch(error => error.message)")
        assert "no graphics adapter" in refused


def test_a_sample_by_keyboard(unable: Browser, url: str) -> None:
    with opened(unable, url, "wasm") as page:
        expect(page.get_by_role("radio", name="a written")).to_have_count(10)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Clear")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        reads(page, 0)
        for digit in range(1, 10):
            page.keyboard.press("ArrowRight")
            expect(page.get_by_role("radio", name=f"a written {digit}")).to_be_focused()
            reads(page, digit)
        outline = "each => getComputedStyle(each.nextElementSibling).outlineOffset"
        assert page.get_by_role("radio", name="a written 9").evaluate(outline) == "3px"  # it has the focus
        assert page.get_by_role("radio", name="a written 8").evaluate(outline) == "0px"
        draw(page, STROKES[1])
        reads(page, 1)
        expect(page.get_by_role("radio", name="a written 9")).not_to_be_checked()


def test_the_result_is_said_once_after_the_last_stroke(unable: Browser, url: str) -> None:
    with opened(unable, url, "wasm") as page:
        page.locator("#said").evaluate(
            "said => { window.heard = []; new MutationObserver(() => heard.push(said.textContent))"
            ".observe(said, {childList: true}); }"
        )
        # The page's clock, or a busy machine would let the quiet time pass between two strokes.
        page.clock.install(time=0)
        page.clock.pause_at(1000)
        draw(page, STROKES[4][:1])
        expect(page.locator("body")).to_have_attribute("data-digit", re.compile(r"\d"))
        page.clock.run_for(600)
        draw(page, STROKES[4][1:])
        expect(page.locator("#answer")).to_contain_text("4, with")
        page.clock.run_for(600)
        assert not any(page.evaluate("heard"))
        page.clock.run_for(200)
        expect(page.get_by_role("status").filter(has_text="This is read as 4")).to_have_count(1)
        assert len([each for each in page.evaluate("heard") if each]) == 1


def test_touch_draws_and_does_not_scroll(unable: Browser, url: str) -> None:
    with opened(unable, url, "wasm", **PHONE) as page:
        assert page.evaluate(WIDE) <= 0
        box = page.locator("#pad").bounding_box()
        assert box
        touch = page.context.new_cdp_session(page)

        def send(kind: str, *points: Point) -> None:
            places = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        send("touchStart", (0.5, 0.85))
        for step in range(1, 11):
            send("touchMove", (0.5, 0.85 - 0.07 * step))
        send("touchEnd")
        reads(page, 1)
        assert page.evaluate("scrollY") == 0


def test_the_race_by_its_buttons(able: Browser, unable: Browser, url: str) -> None:
    with opened(unable, url, "wasm") as page:
        page.get_by_role("button", name="Start the race").click()
        expect(page.locator("#progress")).to_contain_text("Done. Median of a run. batch 1: WASM")
        expect(page.locator("#times tbody tr")).to_have_count(3)
        expect(page.get_by_role("img", name="Time of a run by batch size")).to_be_visible()
        expect(page.locator("#chart desc")).to_contain_text("batch 64: WASM")
        expect(page.get_by_role("button", name="Start the race")).to_be_focused()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as JSON").click()
        assert download.value.suggested_filename == "race.json"
        result = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        assert [run["batch"] for run in result["runs"]] == [1, 8, 64]
        assert (set(result), result["stopped"]) == ({"machine", "runs", "stopped"}, False)
        assert set(result["machine"]) == {"adapter", "software", "userAgent", "cores"}
        assert result["machine"]["adapter"] == ""
    with opened(able, url, "webgpu") as page:
        page.get_by_role("button", name="Start the race").click()
        expect(page.locator("#digit")).to_have_attribute("inert", "")
        expect(page.locator("#counter")).to_contain_text("WebGPU, batch")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#progress")).to_contain_text("Stopped. Median of a run.")
        expect(page.locator("#digit")).not_to_have_attribute("inert", "")
        assert 3 <= page.locator("#times tbody tr").count() < 6
        draw(page, STROKES[1])
        reads(page, 1)


def test_a_lost_device_is_replaced(able: Browser, url: str, images: NDArray[np.float32]) -> None:
    with opened(able, url, "webgpu") as page:
        draw(page, STROKES[7])
        reads(page, 7)
        page.evaluate("lab.lose()")
        expect(page.locator("#status")).to_contain_text("The WebGPU device was lost (Device was destroyed.). A new one")
        is_ready(page, "webgpu")
        page.get_by_role("button", name="Clear").click()
        draw(page, STROKES[1])
        reads(page, 1)
        during_a_run = page.evaluate(
            "async pixels => { const run = lab.classify(pixels, 64, 'webgpu'); setTimeout(lab.lose, 150); return run }",
            images.ravel().tolist(),
        )
        assert len(during_a_run) == 640
        is_ready(page, "webgpu")


def test_a_lost_device_without_another_leaves_wasm(able: Browser, url: str) -> None:
    with opened(able, url, "webgpu") as page:
        page.evaluate("navigator.gpu.requestAdapter = async () => null")
        page.evaluate("lab.lose()")
        is_ready(page, "wasm")
        expect(page.locator("#status")).to_contain_text("The WebGPU device was lost (Device was destroyed.).")
        expect(page.locator("#status")).to_contain_text("has WebGPU, but no graphics adapter for it. WASM takes over.")
        expect(page.get_by_label("WebGPU")).to_be_disabled()
        draw(page, STROKES[7])
        reads(page, 7)


def test_a_device_that_is_lost_again_and_again_is_left_alone(able: Browser, url: str) -> None:
    with opened(able, url, "webgpu") as page:
        for _ in range(3):
            page.evaluate("lab.lose()")
            is_ready(page, "webgpu")
        page.evaluate("lab.lose()")
        is_ready(page, "wasm")
        expect(page.locator("#status")).to_contain_text("It is the 4th time.")


def test_a_run_on_a_lost_device_fails_at_once(able: Browser, url: str) -> None:
    """onnxruntime-web, left to itself, waits for the device and answers nothing more, WASM included."""
    with opened(able, url, "webgpu") as page:
        failed = page.evaluate("""async () => {
          const {open, DeviceLost} = await import('/session.js');
          const session = await open('webgpu');
          const [one, images] = [new Float32Array(784), new Float32Array(64 * 784)];
          await session.run(one);
          setTimeout(session.lose, 150);
          const runs = await Promise.allSettled([session.run(images, 64), session.run(one), session.run(one)]);
          await session.close();
          return runs.map(run => run.reason instanceof DeviceLost);
        }""")
        assert failed == [True] * 3
        draw(page, STROKES[1])
        reads(page, 1)


def test_a_missing_model(unable: Browser, tmp_path: Path) -> None:
    shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "page" / "digits.onnx").unlink()
    with served(tmp_path / "page") as address, opened(unable, address, "error") as page:
        expect(page.get_by_role("alert")).to_contain_text("digits.onnx is missing (HTTP 404)")
        expect(page.get_by_role("alert")).to_contain_text("git checkout apps/webgpu/digits.onnx")
        expect(page.get_by_role("button", name="Start the race")).to_be_disabled()
        draw(page, STROKES[1])
        expect(page.locator("#answer")).to_have_text("No digit yet")
        assert axe.serious(page) == []
    (tmp_path / "page" / "digits.onnx").write_bytes(b"this is no model")
    with served(tmp_path / "page") as address, opened(unable, address, "error") as page:
        expect(page.get_by_role("alert")).to_contain_text("digits.onnx does not start on wasm")


def test_a_wrong_type_of_the_library(unable: Browser, url: str) -> None:
    with opened(unable, "about:blank") as page:
        page.route("**/*.mjs", lambda route: route.fulfill(body="export {}", content_type="text/plain"))
        page.goto(url)
        expect(page.get_by_role("alert")).to_contain_text("sends a module as text/plain")
        expect(page.get_by_role("alert")).to_contain_text("python lab.py webgpu")


def test_from_a_file_the_page_says_that_it_needs_a_server(unable: Browser, url: str) -> None:
    with opened(unable, (PAGE / "index.html").as_uri()) as page:
        expect(page.get_by_text("This page needs a server: run python lab.py webgpu")).to_be_visible()
    with opened(unable, url, "wasm") as page:
        expect(page.get_by_text("This page needs a server")).to_have_count(0)


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE, PHONE | {"color_scheme": "dark"}],
    ids=["light", "dark", "phone", "phone-dark"],
)
def test_everybody_can_use_it(able: Browser, url: str, options: dict[str, Any], request: pytest.FixtureRequest) -> None:
    with opened(able, url, "webgpu", **options) as page:
        page.evaluate("async () => { window.raced = await lab.race({batches: [1, 8], budgetMs: 100, most: 3}) }")
        draw(page, STROKES[7])
        reads(page, 7)
        page.evaluate("lab.show(raced)")
        expect(page.locator("#times tbody tr")).to_have_count(4)
        picture(page, f"page-{request.node.callspec.id}")
        assert axe.serious(page) == []
        assert page.evaluate(WIDE) <= 0


def test_without_webgpu_too(unable: Browser, url: str) -> None:
    with opened(unable, url, "wasm", **PHONE) as page:
        picture(page, "without")
        assert axe.serious(page) == []
        assert page.evaluate(WIDE) <= 0
