"""The digit network inside a browser, asked from a notebook.

In the notebook's own front end, where one answers; else in a hidden browser, driven by Playwright.
Reports and tests have no front end, and VS Code, a remote hub and a phone have no browser of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from coursekit.errors import BrowserError
from coursekit.webgpu import browsers, npm, pages
from coursekit.webgpu.digits import FOLDER, Race, samples
from labkit.errors import LabError
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coursekit.webgpu.digits import Images

# A front end that is there answers in a moment; a slow hub gets some more.
HELLO = 5.0
# 27 MB on their way to it, or a first run on a software adapter.
PATIENCE = 120.0


@dataclass(frozen=True)
class Support:
    """What a browser says of itself. `adapter` is empty where it gives none for WebGPU."""

    secure: bool
    gpu: bool
    adapter: str
    software: bool
    userAgent: str  # noqa: N815 - as the browser spells it

    @property
    def backends(self) -> list[str]:
        """What the network can run on here."""
        return ["wasm", "webgpu"] if self.adapter else ["wasm"]

    def check(self, backend: str) -> None:
        """Raise BrowserError for a backend that is not here; a page might take another for it."""
        if backend not in self.backends:
            fix = f"choose {' or '.join(self.backends)}"
            raise BrowserError(f"This browser cannot run the network on {backend!r} ({self})", fix=fix)

    def __str__(self) -> str:
        if self.adapter:
            return f"WebGPU on {self.adapter}{', which is software' if self.software else ''}; WASM"
        why = "this origin is not secure" if not self.secure else "it gives no adapter" if self.gpu else "it has none"
        return f"WASM only: no WebGPU, since {why}"


# What the page's own module says, as a Support.
_SUPPORT = """async () => {
  const { name, software } = await (await import("/device.js")).probe();
  return { secure: isSecureContext, gpu: "gpu" in navigator, adapter: name, software, userAgent: navigator.userAgent };
}"""


class Browser(Protocol):
    """A browser that has the network. `name` says whose it is."""

    name: str
    support: Support

    async def classify(self, images: Images, backend: str) -> Images:
        """Logits [n, 10] of images [n, 784] on exactly this backend. Raises BrowserError."""
        ...

    async def race(self, batches: Sequence[int] = (1, 8, 64)) -> Race:
        """Time both backends, or the one that there is. Raises BrowserError."""
        ...

    async def close(self) -> None:
        """Let it go."""
        ...


async def open_browser(say: Callable[[str], None] = print) -> Browser | None:
    """A browser with the network in it; `say` is told which, or why there is none.

    Fetches onnxruntime-web once (33 MB from the npm registry); without a front end wllama too (6 MB).
    """
    cache = Settings.from_environment().cache
    try:
        await asyncio.to_thread(npm.install, pages.ONNXRUNTIME, cache)
        found: Browser | None = None
        try:
            found = await _front_end(cache)
        except BrowserError as error:  # perhaps a strict policy of what shows the notebook
            say(f"This notebook's own front end does not run it: {error}")
        found = found or await headless(say)
    except LabError as error:
        say(f"No browser runs the network here: {error}")
        return None
    if found:
        say(f"{found.name}: {found.support}")
    return found


def source() -> str:
    """The module of the widget: one text, since a notebook's front end can import no second file.

    The page's list of software adapters comes first, so that both use the same one.
    """
    device = (FOLDER / "device.js").read_text(encoding="utf-8").replace("\nexport ", "\n")
    return device + Path(__file__).with_name("classifier.js").read_text(encoding="utf-8")


class FrontEnd:
    """The page in which the notebook is shown."""

    name = "This notebook's own front end"

    def __init__(self, cache: Path) -> None:
        import anywidget
        from IPython.display import display

        class Widget(anywidget.AnyWidget):
            _esm = source()

        self._cache = cache
        self._loop = asyncio.get_running_loop()
        self._greeting: asyncio.Future[tuple[dict[str, Any], list[Any]]] = self._loop.create_future()
        self._waiting = {0: self._greeting}
        self._numbers = itertools.count(1)  # never one twice: a second view of the notebook answers too, and later
        self._widget = Widget()
        self._widget.on_msg(self._heard)
        self._shown = display(self._widget, display_id=True)

    def _heard(self, _: object, content: dict[str, Any], buffers: list[Any]) -> None:
        # Perhaps from a thread of ipykernel's.
        future = self._waiting.pop(content.pop("number", -1), None)
        if future:
            self._loop.call_soon_threadsafe(_settle, future, content, buffers)

    async def greet(self) -> bool:
        """Whether a front end answers; then it gets the library and the model."""
        try:
            content, _ = await asyncio.wait_for(self._greeting, HELLO)
        except TimeoutError:
            return False
        self.support = Support(**content)
        library = npm.folder(pages.ONNXRUNTIME, self._cache)
        files = [library / name.rpartition("/")[2] for name in pages.ONNXRUNTIME.files]
        await self._ask("open", [path.read_bytes() for path in (*files, FOLDER / "digits.onnx")])
        return True

    async def _ask(self, kind: str, buffers: list[bytes], **told: object) -> tuple[dict[str, Any], list[Any]]:
        number = next(self._numbers)
        future = self._waiting[number] = self._loop.create_future()
        self._widget.send({"kind": kind, "number": number, **told}, buffers)
        try:
            content, back = await asyncio.wait_for(future, PATIENCE)
        except TimeoutError:
            fix = "load the page again and run the notebook from its first cell"
            raise BrowserError(f"The front end did not answer within {PATIENCE:.0f} s", fix=fix) from None
        finally:
            self._waiting.pop(number, None)  # an answer that is late finds nobody
        if "error" in content:
            raise BrowserError(f"The front end failed: {content['error']}", fix="choose another backend")
        return content, back

    async def classify(self, images: Images, backend: str) -> Images:
        """See Browser."""
        self.support.check(backend)
        told = {"backend": backend, "batch": len(images)}
        _, [logits] = await self._ask("classify", [images.astype("<f4").tobytes()], **told)
        return np.frombuffer(logits, dtype="<f4").reshape(-1, 10)

    async def race(self, batches: Sequence[int] = (1, 8, 64)) -> Race:
        """See Browser."""
        images, _ = samples()
        runs: list[dict[str, object]] = []
        for backend in self.support.backends:
            for batch in batches:
                fresh = batch == batches[0]
                told = {"backend": backend, "batch": batch, "least": 3, "budget": 500, "fresh": fresh}
                content, _ = await self._ask("time", [images[:batch].astype("<f4").tobytes()], **told)
                runs.append({"backend": backend, "batch": batch, **content})
        return Race.read({"machine": vars(self.support), "runs": runs})

    async def close(self) -> None:
        """Take the widget away; a saved notebook keeps nothing of it."""
        self._waiting.clear()
        if self._shown:
            self._shown.update({"text/plain": ""}, raw=True)
        self._widget.close()


def _settle(future: asyncio.Future[Any], content: dict[str, Any], buffers: list[Any]) -> None:
    if not future.done():
        future.set_result((content, buffers))


async def _front_end(cache: Path) -> FrontEnd | None:
    found = FrontEnd(cache)
    try:
        if await found.greet():
            return found
    except BaseException:
        await found.close()
        raise
    await found.close()
    return None


class Headless:
    """A hidden browser, at the digit page."""

    name = "A hidden browser"

    def __init__(self, program: Path, cache: Path) -> None:
        # Playwright's calls block, and all of them want the same thread.
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._closing = contextlib.ExitStack()
        self._server = pages.serve(FOLDER, cache)
        self._program = program

    async def _do(self, work: Callable[..., Any], *arguments: object) -> Any:
        from playwright.sync_api import Error

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except Error as error:
            first = str(error).strip().splitlines()[0]
            raise BrowserError(
                f"The browser failed: {first}", fix="open the page itself: python lab.py webgpu"
            ) from error

    async def start(self) -> None:
        """Start the browser, and wait until its page is ready."""
        told = await self._do(self._open, f"{self._server.start()}/index.html")
        self.support = Support(**told)

    def _open(self, address: str) -> dict[str, object]:
        from playwright.sync_api import sync_playwright

        playwright = self._closing.enter_context(sync_playwright())
        rooted = sys.platform == "linux" and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=self._program,
            args=["--enable-unsafe-webgpu", "--no-first-run", "--disable-background-networking"],
            chromium_sandbox=not rooted,
        )
        self._page = self._closing.enter_context(browser).new_page()
        self._page.set_default_timeout(1000 * PATIENCE)
        self._page.goto(address)
        self._page.wait_for_selector("body[data-ready]")
        told: dict[str, object] = self._page.evaluate(_SUPPORT)
        return told

    async def classify(self, images: Images, backend: str) -> Images:
        """See Browser."""
        self.support.check(backend)
        script = "([pixels, batch, backend]) => lab.classify(pixels, batch, backend)"
        logits = await self._do(self._run, script, [images.ravel().tolist(), len(images), backend])
        return np.asarray(logits, dtype=np.float32).reshape(-1, 10)

    async def race(self, batches: Sequence[int] = (1, 8, 64)) -> Race:
        """See Browser."""
        told = await self._do(self._run, "(limits) => lab.race(limits)", {"batches": list(batches), "budgetMs": 500})
        return Race.read(told)

    def _run(self, script: str, argument: object) -> Any:
        return self._page.evaluate(script, argument)

    async def close(self) -> None:
        """End the browser and the server."""
        try:
            await self._do(self._closing.close)
        finally:
            self._thread.shutdown()
            self._server.stop()


async def headless(say: Callable[[str], None] = print) -> Headless | None:
    """A hidden browser, at the digit page; `say` is told why there is none. Raises LabError."""
    program = browsers.find()
    try:
        import playwright  # noqa: F401
    except ImportError:
        program = None
    if program is None:
        say("No front end answered, and no browser with Playwright is here. The next cells skip the browser part.")
        return None
    found = await asyncio.to_thread(Headless, program, Settings.from_environment().cache)
    try:
        await found.start()
    except BaseException:
        await found.close()
        raise
    return found
