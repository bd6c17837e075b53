"""A real browser for the tests: an installed Chrome, Edge or Chromium, else the one that Playwright has.

`python tests/browser.py` says which; its exit status is 1 where there is none.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def find() -> Path | None:
    """The browser to use, or None where this machine has none."""
    return next((path for path in _candidates() if path.is_file()), None)


def launch(playwright: Playwright, path: Path, *further: str) -> Browser:
    """Start a browser without a window. Its sandbox is off only for root on Linux, where it cannot be had."""
    root_on_linux = sys.platform == "linux" and os.geteuid() == 0
    args = [*_QUIET, *further]
    return playwright.chromium.launch(executable_path=path, args=args, chromium_sandbox=not root_on_linux)


def _candidates() -> Iterator[Path]:
    """Where a browser may be, the likeliest first."""
    if sys.platform == "win32":
        folders = [os.environ.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)", "LocalAppData")]
        for name in (
            r"Google\Chrome\Application\chrome",
            r"Microsoft\Edge\Application\msedge",
            r"Chromium\Application\chrome",
        ):
            yield from (Path(folder, f"{name}.exe") for folder in folders if folder)
    elif sys.platform == "darwin":
        for name in ("Google Chrome", "Microsoft Edge", "Chromium"):
            for folder in (Path("/Applications"), Path.home() / "Applications"):
                yield folder / f"{name}.app" / "Contents" / "MacOS" / name
    else:
        names = (
            "google-chrome",
            "google-chrome-stable",
            "microsoft-edge",
            "microsoft-edge-stable",
            "chromium",
            "chromium-browser",
        )
        yield from (Path(found) for found in map(shutil.which, names) if found)
    yield from _of_playwright()


def _of_playwright() -> Iterator[Path]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    with sync_playwright() as playwright:
        found = Path(playwright.chromium.executable_path)
    yield found


if __name__ == "__main__":
    chosen = find()
    print(chosen or "there is no Chrome, Edge or Chromium here")
    sys.exit(chosen is None)
