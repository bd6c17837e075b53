"""A browser asked from a notebook: the front end that answers or does not, and a hidden one.

The front end is a fake in most tests; the last one is JupyterLab in a real browser.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import nbformat
import numpy as np
import psutil
import pytest

from coursekit.errors import BrowserError
from coursekit.webgpu import browsers, frontend, npm, pages
from coursekit.webgpu.digits import Digits, samples
from tests.conftest import CACHE, ROOT, link
from tests.support import browser
from tests.support.jupyterlab import READY, RUN, installed, output, workbook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coursekit.webgpu.digits import Images, Race
    from tests.support.jupyterlab import Workbook

    Answer = tuple[dict[str, Any], list[bytes]]

__all__ = ["installed", "workbook"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
SUPPORT: dict[str, Any] = {"secure": True, "gpu": True, "adapter": "a card", "software": False, "userAgent": AGENT}
LIBRARY, WASM = b"export {}", b"\0asm"


class Fake:
    """The widget whose front end the tests play: what it was sent, and what it answers from another thread."""

    hello: ClassVar[dict[str, Any] | None] = SUPPORT
    replies: ClassVar[dict[str, Callable[[dict[str, Any], list[bytes]], Answer | None]]] = {}
    made: ClassVar[list[Fake]] = []

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.closed = False
        self.made.append(self)

    def on_msg(self, heard: Callable[[object, dict[str, Any], list[Any]], None]) -> None:
        self.heard = heard
        if self.hello is not None:
            self.say({"number": 0, **self.hello})

    def send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.sent.append((content, buffers))
        reply = self.replies[content["kind"]](content, buffers)
        if reply is not None:
            self.say({"number": content["number"], **reply[0]}, reply[1])

    def say(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        """As ipykernel hands a message on: in a thread of its own, the bytes as a memoryview."""
        views = [memoryview(each) for each in buffers or []]
        threading.Timer(0.02, self.heard, (self, content, views)).start()

    def close(self) -> None:
        self.closed = True


class Shown:
    """What `display` gives: the cell's output, which can be replaced."""

    shown: ClassVar[list[Shown]] = []

    def __init__(self, *_: object, **__: object) -> None:
        self.now: object = None
        self.shown.append(self)

    def update(self, data: object, **_: object) -> None:
        self.now = data


def classified(_: dict[str, Any], buffers: list[bytes]) -> Answer:
    """The logits that Python's network gives."""
    images = np.frombuffer(buffers[0], "<f4").reshape(-1, 784)
    return {}, [Digits().logits(images).astype("<f4").tobytes()]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> type[Fake]:
    """A front end that greets and answers; the library lies in the cache."""
    place = npm.folder(pages.ONNXRUNTIME, own_cache)
    place.mkdir(parents=True)
    for file, content in zip(pages.ONNXRUNTIME.files, (LIBRARY, WASM), strict=True):
        (place / file.rpartition("/")[2]).write_bytes(content)
    monkeypatch.setattr("anywidget.AnyWidget", Fake)
    monkeypatch.setattr("IPython.display.display", Shown)
    monkeypatch.setattr(Fake, "made", [])
    monkeypatch.setattr(Shown, "shown", [])
    monkeypatch.setattr(
        Fake,
        "replies",
        {
            "open": lambda *_: ({}, []),
            "classify": classified,
            "time": lambda told, _: ({"first_ms": 9.0, "ms": [1.0, 2.0, float(told["batch"])]}, []),
        },
    )
    monkeypatch.setattr(browsers, "find", lambda: None)
    return Fake


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no front end answer."""
    monkeypatch.setattr(Fake, "hello", None)
    monkeypatch.setattr(frontend, "HELLO", 0.05)


async def opened(said: list[str] | None = None) -> frontend.FrontEnd:
    found = await frontend.open_browser((said if said is not None else []).append)
    assert isinstance(found, frontend.FrontEnd)
    return found


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("lacks", ["browser", "playwright"])
def test_neither_a_front_end_nor_a_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacks: str) -> None:
    """One plain sentence; a notebook goes on without. What was shown is gone."""
    without(monkeypatch)
    if lacks == "playwright":
        monkeypatch.setattr(browsers, "find", lambda: tmp_path)
        monkeypatch.setitem(sys.modules, "playwright", None)
    said: list[str] = []
    assert asyncio.run(frontend.open_browser(said.append)) is None
    assert said == [
        "No front end answered, and no browser with Playwright is here. The next cells skip the browser part."
    ]
    assert [each.closed for each in Fake.made] == [True]
    assert [each.now for each in Shown.shown] == [{"text/plain": ""}]


def test_a_library_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fix of the FetchError is passed on, by print if nothing else is asked for."""
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{closed_port}")
    assert asyncio.run(frontend.open_browser()) is None
    said = capsys.readouterr().out
    assert said.startswith("No browser runs the network here: onnxruntime-web@1.30.0 could not be fetched")
    assert "Fix: check the network" in said
    assert said.count("\n") == 1


def test_a_front_end_that_answers(fake: type[Fake]) -> None:
    """It is given the library, its WebAssembly and the model; its logits come back as they are."""
    images, _ = samples()
    said: list[str] = []

    async def scenario() -> None:
        page = await opened(said)
        for backend in ("wasm", "webgpu"):
            logits = await page.classify(images, backend)
            assert logits.shape == (64, 10)
            assert np.array_equal(logits, Digits().logits(images))
        assert (await page.classify(images[:1].astype(np.float64), "wasm")).shape == (1, 10)
        await page.close()

    asyncio.run(scenario())
    assert said == ["This notebook's own front end: WebGPU on a card; WASM"]
    [widget] = fake.made
    assert widget.closed
    assert [each.now for each in Shown.shown] == [{"text/plain": ""}]
    assert [(told["kind"], told.get("backend"), told.get("batch")) for told, _ in widget.sent] == [
        ("open", None, None),
        ("classify", "wasm", 64),
        ("classify", "webgpu", 64),
        ("classify", "wasm", 1),
    ]
    assert widget.sent[0][1] == [LIBRARY, WASM, (ROOT / "apps" / "webgpu" / "digits.onnx").read_bytes()]
    assert widget.sent[3][1] == [images[:1].tobytes()]


@pytest.mark.usefixtures("fake")
def test_questions_at_once_get_their_own_answers() -> None:
    images, _ = samples()

    async def scenario() -> list[Images]:
        page = await opened()
        return await asyncio.gather(*(page.classify(images[i : i + 1], "wasm") for i in range(8)))

    assert np.concatenate(asyncio.run(scenario())) == pytest.approx(Digits().logits(images[:8]), abs=1e-4)


@pytest.mark.parametrize(("adapter", "backends"), [("a card", ["wasm", "webgpu"]), ("", ["wasm"])])
def test_a_race_in_the_front_end(
    fake: type[Fake], monkeypatch: pytest.MonkeyPatch, adapter: str, backends: list[str]
) -> None:
    monkeypatch.setattr(fake, "hello", SUPPORT | {"adapter": adapter})

    async def scenario() -> Race:
        return await (await opened()).race((1, 8))

    race = asyncio.run(scenario())
    assert race.where == f"Firefox 143, adapter: {adapter or 'none'}"
    assert [(each.backend, each.batch, each.first, each.runs) for each in race.timings] == [
        (backend, batch, 9.0, (1.0, 2.0, float(batch))) for backend in backends for batch in (1, 8)
    ]
    sent = [(told["least"], told["budget"], told["fresh"], len(buffers[0])) for told, buffers in fake.made[0].sent[1:]]
    # Each backend begins with a session of its own, so that its first run is a first one.
    assert sent == [(3, 500, batch == 1, batch * 784 * 4) for _ in backends for batch in (1, 8)]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "WebGPU on a card; WASM"),
        ({"software": True}, "WebGPU on a card, which is software; WASM"),
        ({"adapter": ""}, "WASM only: no WebGPU, since it gives no adapter"),
        ({"adapter": "", "gpu": False}, "WASM only: no WebGPU, since it has none"),
        ({"adapter": "", "gpu": False, "secure": False}, "WASM only: no WebGPU, since this origin is not secure"),
    ],
)
def test_what_a_browser_supports_in_words(told: dict[str, Any], words: str) -> None:
    assert str(frontend.Support(**SUPPORT | told)) == words


def test_an_error_in_the_front_end(fake: type[Fake]) -> None:
    """The front end's own words are passed on, and it answers the next question."""
    images, _ = samples()
    fake.replies["classify"] = lambda told, sent: (
        ({"error": "no more memory"}, []) if told["backend"] == "webgpu" else classified(told, sent)
    )

    async def scenario() -> None:
        page = await opened()
        with pytest.raises(BrowserError, match="The front end failed: no more memory") as caught:
            await page.classify(images, "webgpu")
        assert caught.value.fix
        assert (await page.classify(images, "wasm")).shape == (64, 10)

    asyncio.run(scenario())


def test_a_backend_that_is_not_there(fake: type[Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before anybody is asked."""
    monkeypatch.setattr(fake, "hello", SUPPORT | {"adapter": ""})

    async def scenario() -> None:
        page = await opened()
        for backend in ("webgpu", "cuda", ""):
            with pytest.raises(BrowserError, match=f"cannot run the network on '{backend}'") as caught:
                await page.classify(samples()[0], backend)
            assert caught.value.fix == "choose wasm"

    asyncio.run(scenario())
    assert [told["kind"] for told, _ in fake.made[0].sent] == ["open"]


@pytest.mark.parametrize("how", ["error", "silence"])
def test_a_front_end_that_cannot_load_the_library(fake: type[Fake], monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """As where a policy forbids it: it is said, and nothing of the widget stays."""
    monkeypatch.setattr(frontend, "PATIENCE", 0.1)
    fake.replies["open"] = lambda *_: ({"error": "blocked"}, []) if how == "error" else None
    said: list[str] = []
    assert asyncio.run(frontend.open_browser(said.append)) is None
    assert said[0].startswith("This notebook's own front end does not run it: The front end ")
    assert "Fix: " in said[0]
    assert "skip the browser part" in said[1]
    assert [each.closed for each in fake.made] == [True]


def test_messages_that_nobody_waits_for(fake: type[Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    """A question without an answer is given up. Late answers, and those of a second view, belong to no question."""
    images, _ = samples()

    async def scenario() -> int:
        page = await opened()
        [widget] = fake.made
        for stray in ({}, {"number": 0, **SUPPORT, "adapter": "another"}, {"number": 99}):
            widget.heard(None, dict(stray), [])
        assert page.support.adapter == "a card"
        await page.classify(images, "wasm")
        monkeypatch.setattr(frontend, "PATIENCE", 0.1)
        monkeypatch.setitem(fake.replies, "classify", lambda *_: None)
        for _ in range(2):
            with pytest.raises(BrowserError, match="The front end did not answer within") as caught:
                await page.classify(images, "wasm")
            assert "load the page again" in caught.value.fix
        answered, given_up, last = (told["number"] for told, _ in widget.sent[-3:])

        def after_others(told: dict[str, Any], sent: list[bytes]) -> Answer:
            for number in (answered, given_up):
                widget.heard(None, {"number": number}, [bytes(640 * 4)])
            return classified(told, sent)

        monkeypatch.setattr(frontend, "PATIENCE", 10)
        monkeypatch.setitem(fake.replies, "classify", after_others)
        assert np.array_equal(await page.classify(images, "wasm"), Digits().logits(images))
        return int(last)

    last = asyncio.run(scenario())
    fake.made[0].heard(None, {"number": last}, [])  # the loop that waited for it has ended


@pytest.fixture
def browsing(installed: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real browser and packages, and no front end but the fake one, which keeps silent."""
    for package in (pages.ONNXRUNTIME, pages.WLLAMA):
        link(npm.install(package, CACHE), npm.folder(package, own_cache))
    monkeypatch.setattr("anywidget.AnyWidget", Fake)
    monkeypatch.setattr("IPython.display.display", Shown)
    without(monkeypatch)
    monkeypatch.setattr(browsers, "find", lambda: installed)
    return installed


def children() -> set[psutil.Process]:
    """The processes that this one has started, and those that they have."""
    return set(psutil.Process().children(recursive=True))


def listening() -> set[int]:
    """The ports on which this process listens."""
    links = psutil.Process().net_connections("tcp")
    return {each.laddr.port for each in links if each.status == psutil.CONN_LISTEN}


@pytest.mark.e2e
@pytest.mark.usefixtures("browsing")
def test_the_headless_browser() -> None:
    """Each backend agrees with Python; a race has both; close ends its processes and frees its port."""
    images, _ = samples()
    expected = Digits().logits(images)
    said: list[str] = []
    before, ports = children(), listening()
    running: set[psutil.Process] = set()

    async def scenario() -> None:
        page = await frontend.open_browser(said.append)
        assert isinstance(page, frontend.Headless)
        running.update(children() - before)
        assert running
        assert len(listening() - ports) == 1
        assert page.support.secure
        assert page.support.backends == ["wasm", "webgpu"]
        for backend in page.support.backends:
            for some in (slice(None), slice(5, 6)):
                assert np.abs(await page.classify(images[some], backend) - expected[some]).max() < 1e-4
        race = await page.race((1, 2))
        assert race.where.startswith("Chrome ")
        assert [(each.backend, each.batch) for each in race.timings] == [
            (backend, batch) for backend in ("wasm", "webgpu") for batch in (1, 2)
        ]
        assert all(len(each.runs) >= 3 and min(each.first, *each.runs) > 0 for each in race.timings)
        with pytest.raises(BrowserError, match="cannot run the network on 'cuda'"):
            await page.classify(images, "cuda")
        with pytest.raises(BrowserError, match=r"The browser failed: .*64 x 784 pixels") as caught:
            await page.classify(images[:, :7], "wasm")
        assert "python lab.py webgpu" in caught.value.fix
        assert np.abs(await page.classify(images, "wasm") - expected).max() < 1e-4
        await page.close()

    asyncio.run(scenario())
    assert len(said) == 1
    assert said[0].startswith("A hidden browser: W")
    assert psutil.wait_procs(running, timeout=10)[1] == []
    assert listening() == ports


@pytest.mark.e2e
@pytest.mark.parametrize("spoil", ["no browser", "no model"])
def test_a_headless_browser_that_does_not_come_up(
    browsing: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: str
) -> None:
    """It is said with a fix, and nothing of it keeps running."""
    if spoil == "no browser":
        monkeypatch.setattr(browsers, "find", lambda: tmp_path / browsing.name)
    else:
        monkeypatch.setattr(frontend, "FOLDER", tmp_path)  # without a page
        monkeypatch.setattr(frontend, "PATIENCE", 1)
        monkeypatch.setattr("coursekit.webgpu.frontend._front_end", nobody)
    said: list[str] = []
    before, ports = children(), listening()
    assert asyncio.run(frontend.open_browser(said.append)) is None
    [line] = said
    assert line.startswith("No browser runs the network here: The browser failed: ")
    assert "Fix: " in line
    assert psutil.wait_procs(children() - before, timeout=10)[1] == []
    assert listening() == ports


async def nobody(_: object) -> None:
    """No front end."""


CELLS = [
    "from coursekit.webgpu.frontend import open_browser\npage = await open_browser()",
    "import numpy as np\n"
    "from coursekit.webgpu.digits import Digits, samples\n"
    "images, _ = samples()\n"
    "for backend in page.support.backends:\n"
    "    logits = await page.classify(images, backend)\n"
    "    print(backend, 'differs by', float(np.abs(logits - Digits().logits(images)).max()))\n"
    "race = await page.race((1, 2))\n"
    "print('raced', [(each.backend, each.batch, len(each.runs) >= 3) for each in race.timings])",
    "try:\n"
    "    await page.classify(images[:, :7], 'wasm')\n"
    "except Exception as error:\n"
    "    print('raised', type(error).__name__, error)",
    "await page.close()\nprint('closed')",
]
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save') }"


@pytest.mark.live
@pytest.mark.e2e
def test_in_jupyterlab(installed: Path, workbook: Workbook, own_cache: Path, tmp_path: Path) -> None:
    """The notebook's own front end runs the network on each backend, and the saved notebook keeps nothing of it."""
    from playwright.sync_api import expect, sync_playwright

    address = workbook.address()
    shutil.copytree(ROOT / "apps" / "webgpu", tmp_path / "project" / "apps" / "webgpu")
    link(npm.install(pages.ONNXRUNTIME, CACHE), npm.folder(pages.ONNXRUNTIME, own_cache))
    path = tmp_path / "project" / "work" / "99_webgpu.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    with sync_playwright() as playwright, browser.launch(playwright, installed, "--enable-unsafe-webgpu") as chromium:
        page = chromium.new_page()
        page.goto(address.replace("01_client_setup", path.stem))
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context", timeout=60_000)
        page.evaluate(READY)
        outputs = page.locator(".jp-OutputArea")
        for index, ends in enumerate(("own front end: W", "raced", "raised", "closed")):
            page.evaluate(RUN, index)
            expect(outputs.get_by_text(ends).or_(page.locator('[data-mime-type$="error"]')).first).to_be_visible(
                timeout=90_000
            )
        shown = [output(page, index) for index in range(len(CELLS))]
        page.evaluate(SAVE)
    assert "This notebook's own front end: W" in shown[0], shown
    differences = {line.split()[0]: float(line.split()[-1]) for line in shown[1].splitlines() if "differs by" in line}
    assert list(differences) == ["wasm", "webgpu"]
    assert max(differences.values()) < 1e-4
    raced = str([(backend, batch, True) for backend in differences for batch in (1, 2)])
    assert f"raced {raced}" in shown[1]
    assert "raised BrowserError The front end failed: " in shown[2]
    saved = path.read_text(encoding="utf-8")
    assert "closed" in saved
    assert len(saved) < 300_000
    assert "The digit network runs in this page" not in " ".join(shown)
