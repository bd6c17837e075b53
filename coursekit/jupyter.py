"""JupyterLab on the student's copies, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from coursekit.copies import ROOT
from coursekit.errors import WorkbookError
from coursekit.processes import child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 60


@contextlib.contextmanager
def jupyterlab(port: int, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run JupyterLab on 127.0.0.1 until the block ends; gives its process and its address with the token.

    The address answers once `wait_until_up` has returned. Nothing is asked of outside hosts: news, update
    checks and the extension manager are off.
    """
    token = secrets.token_urlsafe(24)
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.port_retries": "0",
        "ServerApp.open_browser": "False",
        "ServerApp.root_dir": str(ROOT),
        "ServerApp.preferred_dir": str(ROOT / "work"),
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in settings.items())]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    log.parent.mkdir(parents=True, exist_ok=True)
    folders = [str(ROOT / "coursekit" / "jupyter_config"), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    options = {
        "env": os.environ | {"JUPYTER_TOKEN": token, "JUPYTER_CONFIG_PATH": os.pathsep.join(folders)},
        "stdin": subprocess.DEVNULL,
        # A session of its own: Ctrl-C in the terminal reaches only us, and we then end JupyterLab.
        "start_new_session": sys.platform != "win32",
    }
    with log.open("wb") as output, child(command, seconds=10, stdout=output, stderr=output, **options) as process:
        yield process, f"http://127.0.0.1:{port}/lab/tree/work/{{name}}?token={token}"


def wait_until_up(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait until JupyterLab answers. Raises WorkbookError with its last line when it ends or takes too long."""
    status = address.split("/lab/")[0] + "/api/status?" + address.partition("?")[2]
    give_up = time.monotonic() + START_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with direct.open(status, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise WorkbookError(
        f"JupyterLab did not start ({lines[-1] if lines else 'it said nothing'})",
        fix=f"read {log}, then start again",
    )
