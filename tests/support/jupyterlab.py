"""The workbook as `python lab.py --no-browser` opens it, in a copy of the project, and a browser to look at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


ROOT = Path(__file__).resolve().parents[2]
FLAGS, STOP = 0, signal.SIGINT
if sys.platform == "win32":
    FLAGS, STOP = subprocess.CREATE_NEW_PROCESS_GROUP, signal.CTRL_BREAK_EVENT
OUR_HOSTS = {"127.0.0.1", "localhost"}


@dataclass
class Workbook:
    """A running `python -m coursekit`: what it has printed so far, and the address it gave."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Keep what it prints; runs in a thread until the process ends."""
        assert self.process.stdout
        self.lines.extend(self.process.stdout)

    def address(self) -> str:
        """JupyterLab's address, once it is printed."""
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up and self.process.poll() is None:
            for line in self.lines:
                if line.strip().startswith("http://127.0.0.1:") and "token=" in line:
                    return line.strip()
            time.sleep(0.05)
        pytest.fail("no address was printed:\n" + "".join(self.lines))


@pytest.fixture
def installed() -> Path:
    """The browser; without one the test is skipped before anything is started."""
    path = browser.find()
    if path is None:
        pytest.skip("no Chrome, Edge or Chromium is installed, and Playwright has none")
    return path


@pytest.fixture
def workbook(tmp_path: Path) -> Iterator[Workbook]:
    """`python lab.py --no-browser` in a copy of the project, without a part in this user's Jupyter."""
    project = tmp_path / "project"
    for name in ("labkit", "coursekit", "foundry_mock", "notebooks"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    settings = tmp_path / "jupyter"
    settings.mkdir()
    # Gives the test the application's own objects; the product does not set it.
    (settings / "jupyter_lab_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
    own = {name: str(tmp_path / name) for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    own |= {"JUPYTER_CONFIG_DIR": str(settings), "PYTHONPATH": str(project), "PYTHONUNBUFFERED": "1"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "coursekit", "--no-browser", "--port", str(port)],
        cwd=project,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        creationflags=FLAGS,
    )
    with process:
        running = Workbook(process)
        reader = threading.Thread(target=running.read, daemon=True)
        reader.start()
        try:
            yield running
        finally:
            process.send_signal(STOP)
            try:
                process.wait(30)
            finally:
                process.kill()
            reader.join(5)


READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
RUN = """async (index) => {
  const app = window.jupyterapp;
  app.shell.currentWidget.content.activeCellIndex = index;
  app.commands.execute('notebook:run-cell');
}"""


OUTPUTS = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  return Array.from({length: cells.length}, (_, index) => cells.get(index).toJSON());
}"""
# Cells far from the screen are not in the page until somebody scrolls to them.
SHOW = """async (index) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, 'start');
}"""


def finished(page: Page, seconds: float = 240) -> list[dict[str, Any]]:
    """The cells, once each code cell has its count and the kernel is at rest, or one has failed."""
    give_up = time.monotonic() + seconds
    while True:
        cells: list[dict[str, Any]] = page.evaluate(OUTPUTS)
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        failed = any(output["output_type"] == "error" for cell in code for output in cell["outputs"])
        if failed or all(cell["execution_count"] for cell in code) or time.monotonic() > give_up:
            return cells
        page.wait_for_timeout(100)


def output(page: Page, index: int) -> str:
    """What a cell shows."""
    return " ".join(page.locator(f'.jp-Cell[data-windowed-list-index="{index}"] .jp-OutputArea').all_inner_texts())
