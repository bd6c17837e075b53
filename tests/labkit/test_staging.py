"""What is made once and whole: a secret that two processes share."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

from labkit.staging import secret

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "new" / "secret"
    first = secret(file)
    assert len(first) >= 48
    assert secret(file) == first
    assert secret(tmp_path / "other") != first
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_empty_file_of_a_killed_process_is_filled(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch()
    assert len(secret(file)) >= 48


def test_two_processes_at_once_take_the_same_one(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from labkit.staging import secret; print(secret(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "one")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=60)[0] for process in started]
    assert len(set(told)) == 1
    assert len(told[0]) > 48
