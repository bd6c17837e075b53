"""Files that are written whole or not at all: a secret that two processes share, staging folders, lines."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from labkit.files import append_line, secret, staging, write_atomically

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
    code = "import sys; from pathlib import Path; from labkit.files import secret; print(secret(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "one")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=60)[0] for process in started]
    assert len(set(told)) == 1
    assert len(told[0]) > 48


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_atomically(file, "old")
    file.chmod(0o640)
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert file.read_text() == "old"
    write_atomically(file, b"new")
    assert file.read_text() == "new"
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.glob("*file*")) == [file]


def test_a_torn_line_takes_no_other_with_it(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    append_line(file, {"a": "\u2028"})
    with file.open("a") as torn:
        torn.write('{"b"')
    append_line(file, {"c": 3})
    assert file.read_text(encoding="utf-8").split("\n") == ['{"a": "\u2028"}', '{"b"', '{"c": 3}', ""]


def test_a_staging_folder_of_a_living_process_stays_and_one_of_a_dead_process_goes(tmp_path: Path) -> None:
    dead, living = tmp_path / ".staging-dead", tmp_path / ".staging-living"
    for folder in (dead, living):
        folder.mkdir()
        (tmp_path / f"{folder.name}.lock").touch()
    with FileLock(tmp_path / f"{living.name}.lock"), staging(tmp_path) as own:
        assert {path for path in tmp_path.glob(".staging-*") if path.is_dir()} == {living, own}
    assert [path for path in tmp_path.glob(".staging-*") if path.is_dir()] == [living]
