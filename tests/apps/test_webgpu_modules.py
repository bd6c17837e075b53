"""The JavaScript of apps/webgpu that needs no page, tested by Node's own runner (webgpu.test.mjs)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from coursekit.webgpu.digits import FOLDER

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="Node.js, which runs the tests of JavaScript, is not installed")
def test_the_modules_of_the_page_do_what_they_say(tmp_path: Path) -> None:
    for module in FOLDER.glob("*.js"):
        shutil.copy(module, tmp_path)
    shutil.copy(Path(__file__).with_name("webgpu.test.mjs"), tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    done = subprocess.run(
        [str(NODE), "--test", "webgpu.test.mjs"], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
