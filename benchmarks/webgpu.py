"""What the pages of notebook 05 take in a hidden browser: `python benchmarks/webgpu.py`.

The digit network in Python and in the page: medians by batch size, the first run apart. Then the page of the language
model: loaded once, and asked five times. About two minutes; it needs Playwright and an installed browser.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING

import psutil
from playwright.async_api import async_playwright

from coursekit.figures.raced import table
from coursekit.webgpu import browsers, pages
from coursekit.webgpu.digits import FOLDER, Digits
from coursekit.webgpu.frontend import headless
from labkit.plots.picture import machine
from labkit.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "Why is the sky blue?"
ASKED = 5
FIGURES = re.compile(r"First token after ([\d.]+) s, ([\d.]+) tokens/s")


async def digits() -> bool:
    page = await headless(print)
    if page is None:
        return False
    print(page.support)
    races = [Digits().race(), await page.race()]
    await page.close()
    medians = {(timing.backend, timing.batch): timing.median for race in races for timing in race.timings}
    print(table(races, measured=False))
    for backend in page.support.backends:
        told = [f"{medians[backend, batch] / medians['Python', batch]:.1f} at {batch}" for batch in (1, 8, 64)]
        print(f"{backend}, times Python's median: {', '.join(told)}")
    return True


async def language(program: Path) -> None:
    server = pages.serve(FOLDER, Settings.from_environment().cache)
    async with async_playwright() as playwright:
        rooted = sys.platform == "linux" and os.geteuid() == 0
        browser = await playwright.chromium.launch(executable_path=program, chromium_sandbox=not rooted)
        page = await browser.new_page()
        page.set_default_timeout(120_000)
        await page.goto(f"{server.start()}/chat.html")
        await page.click("#load")
        await page.wait_for_selector("body[data-state=ready]")
        print(await page.inner_text("#status"))
        for _ in range(ASKED):
            await page.fill("#question", QUESTION)
            await page.press("#question", "Enter")
            await page.wait_for_selector("body[data-state=answering]")
            await page.wait_for_selector("body[data-state=ready]")
        seen = [FIGURES.search(note) for note in await page.locator("#log .note").all_inner_texts()]
        first, rate = zip(*(map(float, found.groups()) for found in seen if found), strict=True)
        tabs = [each for each in psutil.Process().children(recursive=True) if "--type=renderer" in each.cmdline()]
        print(f"first token {min(first)} to {max(first)} s, {min(rate)} to {max(rate)} tokens/s (n = {len(rate)})")
        print(f"the tab takes {max(tab.memory_info().rss for tab in tabs) / 1e6:.0f} MB")
        await browser.close()
    server.stop()


async def main() -> int:
    program = browsers.find()
    if program is None or not await digits():
        print("no installed browser was found")
        return 1
    await language(program)
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
