"""A real browser for the tests: an installed Chrome, Edge or Chromium, else the one that Playwright has.

`python tests/support/browser.py` says which; its exit status is 1 where there is none. Any Python can run it, since CI
asks before there is an environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # as a script it has only its own folder
from coursekit.webgpu import browsers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# The browser is to ask nothing of outside hosts: no updates, no variations, no names but those of this machine.
_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


# Milliseconds that a page has for what a test expects of it: a busy machine is no fault.
PATIENCE = 30_000


def find() -> Path | None:
    """The browser to use, or None where this machine has none."""
    return browsers.find() or _of_playwright()


def launch(playwright: Playwright, path: Path, *further: str) -> Browser:
    """Start a hidden browser, with PATIENCE for what tests expect of its pages.

    Its sandbox is off only for root on Linux, where it cannot be had.
    """
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    root_on_linux = sys.platform == "linux" and os.geteuid() == 0
    args = [*_QUIET, *further]
    return playwright.chromium.launch(executable_path=path, args=args, chromium_sandbox=not root_on_linux)


def _of_playwright() -> Path | None:
    """The browser of `playwright install chromium`, or None."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        found = Path(playwright.chromium.executable_path)
    return found if found.is_file() else None


if __name__ == "__main__":
    chosen = find()
    print(chosen or "There is no Chrome, Edge or Chromium here.")
    sys.exit(chosen is None)
