"""Walks of a student, in a fresh clone with an empty home: the README's own commands, as typed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.live, pytest.mark.timeout(900)]

DEAD = "http://127.0.0.1:9/v1"
PASSED = re.compile(r"^01\.3 +passed", re.MULTILINE)
RIGHT = "def is_whole(answer):\n    return answer.choices[0].finish_reason == 'stop'\n\n\ncheck('01.3', is_whole)\n"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """One clone for the walks of this file, which go on from each other as a student's evening does."""
    return Clone.make(tmp_path_factory.mktemp("a student's night"))


@pytest.fixture(scope="module")
def set_up(clone: Clone) -> Clone:
    """The clone after its first command."""
    status, said = clone.lab("progress")
    assert status == 0, said
    return clone


def opened(address: str) -> int:
    """The HTTP status of a page of JupyterLab."""
    with urllib.request.urlopen(address, timeout=30) as response:
        return int(response.status)


def test_the_first_start_sets_up_answers_and_opens_jupyterlab(clone: Clone) -> None:
    with clone.start("--no-browser") as running:
        address = running.wait_for(lambda line: "/lab/tree/work/" in line, 600)
        said = "".join(running.lines)
        assert "Setting up" in said
        answer = said.partition("Why is the sky blue?")[2].partition("(first token after")[0]
        assert len(answer.split()) > 10
        assert opened(address) == 200
        if sys.platform != "win32":
            running.process.send_signal(signal.SIGINT)
            assert running.process.wait(60) == 0
    copies = sorted(path.name for path in (clone.root / "work").glob("*.ipynb"))
    assert copies == sorted(path.name for path in (clone.root / "notebooks").glob("*.ipynb"))


def test_the_readme_variables_lead_the_second_start_to_another_endpoint(set_up: Clone) -> None:
    with set_up.start("serve", "--mock") as mock:
        _, base_url, model = mock.wait_for(lambda line: line.startswith("READY")).split()
        with set_up.start("--no-browser", BASE_URL=base_url, MODEL=model, API_KEY="a-key") as running:
            running.wait_for(lambda line: "/lab/tree/work/" in line)
        said = "".join(running.lines)
    assert f"{model} at {base_url} (the endpoint in BASE_URL)" in said
    assert "Setting up" not in said
    assert "a-key" not in said


def test_a_night_with_a_dead_endpoint_names_it_and_goes_on_without(set_up: Clone) -> None:
    status, said = set_up.lab("--no-browser", BASE_URL=DEAD)
    assert (status, "Traceback" in said) == (1, False), said
    assert DEAD in said
    assert "Fix:" in said
    status, told = set_up.lab("doctor", "--json", BASE_URL=DEAD)
    report = json.loads(told)
    assert (status, report["ok"]) == (1, False)
    assert any(DEAD in check["detail"] and check["fix"] for check in report["checks"] if check["ok"] is False)
    status, told = set_up.lab("doctor")
    assert status == 0, told


def test_a_model_that_is_not_there_is_named_with_what_is(set_up: Clone) -> None:
    with set_up.start("serve", "--mock") as mock:
        _, base_url, model = mock.wait_for(lambda line: line.startswith("READY")).split()
        status, said = set_up.lab("--no-browser", BASE_URL=base_url, MODEL="no-such-model")
    assert status == 1
    assert "no-such-model" in said
    assert model in said
    assert "Traceback" not in said


def test_an_exercise_is_passed_counted_and_survives_a_reset(set_up: Clone) -> None:
    copy = set_up.root / "work" / "01_client_setup.ipynb"
    notebook = json.loads(copy.read_text(encoding="utf-8"))
    [cell] = [each for each in notebook["cells"] if "exercise-01.3" in each["metadata"].get("tags", [])]
    cell["source"] = RIGHT.splitlines(keepends=True)
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    with set_up.start("serve", "--mock") as mock:
        _, base_url, _ = mock.wait_for(lambda line: line.startswith("READY")).split()
        status, said = run_copy(set_up, BASE_URL=base_url)
    assert status == 0, said
    assert PASSED.search(set_up.lab("progress")[1])
    status, said = set_up.lab("reset", "1")
    assert status == 0
    kept = [path for path in copy.parent.glob("01_old_*.ipynb") if path.name in said]
    assert len(kept) == 1
    assert "finish_reason == 'stop'" in kept[0].read_text(encoding="utf-8")
    assert "finish_reason == 'stop'" not in copy.read_text(encoding="utf-8")
    assert PASSED.search(set_up.lab("progress")[1])


def run_copy(clone: Clone, **variables: str) -> tuple[int, str]:
    """Run the student's copy of notebook 01 from top to bottom, as Run All does."""
    command = [str(clone.python), "-m", "jupyter", "execute", "--allow-errors", "01_client_setup.ipynb"]
    done = subprocess.run(
        command, cwd=clone.root / "work", env=clone.env | variables, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_without_room_for_the_model_is_said_and_nothing_half_is_left(set_up: Clone, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: a write fails in the middle."""
    import resource

    empty = tmp_path / "cache"
    command = [str(set_up.python), "-m", "coursekit", "serve"]
    done = subprocess.run(
        command, cwd=set_up.root, env=set_up.env | {"LABKIT_CACHE": str(empty)}, capture_output=True, text=True,
        timeout=300, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)),
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    [said] = [line for line in done.stderr.splitlines() if line.startswith("lab.py: ")]
    assert "File too large" in said
    assert "free disk space" in said
    assert [path.name for path in empty.rglob("*") if path.is_file()] == ["embedded.lock"]
