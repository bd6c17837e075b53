"""How long a run of the digit network takes, in Python and in a browser: `python benchmarks/webgpu.py`.

Medians by batch size, the first run apart, in a browser without a window; about half a minute. It needs Playwright and
an installed browser.
"""

from __future__ import annotations

import asyncio
import sys

from labkit.digits import Digits
from labkit.frontend import headless
from labkit.plots.picture import machine
from labkit.plots.raced import table


async def main() -> int:
    page = await headless(print)
    if page is None:
        return 1
    print(page.support)
    races = [Digits().race(), await page.race()]
    await page.close()
    medians = {(timing.backend, timing.batch): timing.median for race in races for timing in race.timings}
    print(table(races, measured=False))
    for backend in page.support.backends:
        told = [f"{medians[backend, batch] / medians['Python', batch]:.1f} at {batch}" for batch in (1, 8, 64)]
        print(f"{backend}, times Python's median: {', '.join(told)}")
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
