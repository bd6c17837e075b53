"""Strict nbval, as CONTRIBUTING has it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def nbval(folder: Path, *, base_url: str, name: str = ".") -> subprocess.CompletedProcess[str]:
    """Run strict nbval over a folder's notebooks, or over one of them."""
    options = ["--nbval", "--nbval-sanitize-with", "sanitize.cfg", "--nbval-cell-timeout", "120", "--nbval-current-env"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-q", "-p", "no:cacheprovider", "--color=no", "--rootdir=.", name],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "CI"} | {"BASE_URL": base_url},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
