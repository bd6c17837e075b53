"""One notebook in a process of its own: what it did, what it may use, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest

from coursekit.errors import WorkbookError
from coursekit.report import accounts, collect, reach, sandbox
from coursekit.report.job import MB, Job, Limits, Result, Status
from coursekit.report.run import run
from foundry_mock import Fault, MockEndpoint
from tests.support import reports

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lane, pytest.mark.notebook]
ROOT = os.name != "nt" and os.geteuid() == 0


@pytest.fixture(scope="module")
def mock() -> Iterator[MockEndpoint]:
    with MockEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "students" / "Åsa"


def left(mark: str) -> list[psutil.Process]:
    """The processes that carry a mark in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("LABKIT_SIDECAR", "").startswith(mark):
                found.append(process)
    return found


def test_good_run(mock: MockEndpoint, folder: Path) -> None:
    """Its cells, its executed notebook, its answers from the endpoint, its checks, and how far it was."""
    check = "from coursekit import check\ncheck('01.3', lambda answer: answer.choices[0].finish_reason != 'length')"
    notebook = reports.write(
        folder / "01_a.ipynb", "print(seed, base_url)", reports.ASK, check, parameters="seed: int = 1"
    )
    said: list[str] = []
    job = reports.job(notebook, mock, parameters={"seed": 5, "base_url": mock.base_url})
    result = run(job, said.append)
    assert (result.status, result.detail, result.first_try) == (Status.PASSED, "", "")
    assert (result.cells, result.cells_run, len(result.cell_seconds)) == (4, 4, 4)
    assert said[-1] == "4/4"
    assert result.peak_memory > 10 * MB
    (answer,) = result.answers
    assert answer.ttft is not None
    assert answer.e2e is not None
    assert 0 < answer.ttft <= answer.e2e
    assert (answer.tokens > 3, answer.ended) == (True, "finished")
    assert [(each.exercise, each.passed) for each in result.checks] == [("01.3", True)]
    executed = nbformat.read(result.executed, as_version=4)
    assert f"5 {mock.base_url}" in executed.cells[2].outputs[0].text
    assert str(folder) not in Path(result.executed).read_text(encoding="utf-8")


def test_answers_of_others_do_not_count(mock: MockEndpoint, folder: Path) -> None:
    """A scripted endpoint inside a lesson has speeds of its own choice."""
    first = "from foundry_mock import MockEndpoint\nother = MockEndpoint().start()\n"
    other = reports.ASK.replace("lab = connect()", f"{first}lab = connect(base_url=other.base_url)")
    result = run(reports.job(reports.write(folder / "a.ipynb", other), mock))
    assert (result.status, result.answers) == (Status.PASSED, ())


def test_failing_cell(mock: MockEndpoint, folder: Path) -> None:
    """Which cell, which error; what ran before it is kept."""
    result = run(reports.job(reports.write(folder / "a.ipynb", "print(1)", "1 / 0", "print(3)"), mock))
    assert (result.status, result.detail) == (Status.FAILED, "cell 2: ZeroDivisionError: division by zero")
    assert (result.cells_run, result.cells) == (2, 3)
    assert "division by zero" in Path(result.executed).read_text(encoding="utf-8")


def test_second_try(mock: MockEndpoint, folder: Path) -> None:
    """What fails once is tried once more, and that is said; what fails twice has failed."""
    ask = reports.ASK.replace("Count", "Please count")
    notebook = reports.write(folder / "a.ipynb", ask)
    mock.fail(Fault.DROP)
    again = run(reports.job(notebook, mock, retries=1))
    assert (again.status, again.first_try[:15]) == (Status.PASSED, "failed: cell 1:")
    mock.fail(Fault.DROP, Fault.DROP)
    failed = run(reports.job(notebook, mock, retries=1))
    assert (failed.status, failed.first_try[:15]) == (Status.FAILED, "failed: cell 1:")


def test_missing(mock: MockEndpoint, folder: Path) -> None:
    """No notebook, a link in its place, a file that is none."""
    folder.mkdir(parents=True)
    assert run(reports.job(folder / "a.ipynb", mock)).status is Status.MISSING
    secret = reports.write(folder.parent / "secret.ipynb", "1")
    (folder / "a.ipynb").symlink_to(secret)
    assert run(reports.job(folder / "a.ipynb", mock)).status is Status.MISSING
    (folder / "b.ipynb").write_text("no notebook", encoding="utf-8")
    broken = run(reports.job(folder / "b.ipynb", mock))
    assert (broken.status, broken.executed) == (Status.LOST, "")
    assert "JSON" in broken.detail


def test_hung_kernel(mock: MockEndpoint, folder: Path) -> None:
    """An endless loop meets the time of its cell, and a cell that does not even hear an interrupt does too."""
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    time.sleep(1)"
    for source in (reports.LOOP, deaf):
        notebook = reports.write(folder / "a.ipynb", "1", source)
        result = run(reports.job(notebook, mock, limits=replace(reports.LIMITS, cell_seconds=3)))
        assert (result.status, result.detail) == (Status.TIMED_OUT, "cell 2: more than 3 s for one cell")


def test_whole_time(mock: MockEndpoint, folder: Path) -> None:
    """Cells that are each in time do not make a notebook that runs for ever; it holds for our own notebooks too."""
    notebook = reports.write(folder / "a.ipynb", *["import time\ntime.sleep(2)"] * 20)
    for trusted in (False, True):
        result = run(reports.job(notebook, mock, limits=Limits(seconds=8), trusted=trusted))
        assert result.status is Status.STOPPED
        assert "8 s for the whole notebook" in result.detail


def test_kernel_that_ends(mock: MockEndpoint, folder: Path) -> None:
    """As after a crash in a library."""
    result = run(reports.job(reports.write(folder / "a.ipynb", "import os\nos._exit(1)"), mock))
    assert (result.status, result.detail) == (Status.DIED, "cell 1: the kernel ended by itself")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system bounds neither memory nor processes")
@pytest.mark.parametrize("source", [reports.BOMB, reports.HOG, reports.FLOOD], ids=["bomb", "hog", "flood"])
def test_greedy(mock: MockEndpoint, folder: Path, source: str) -> None:
    """Processes, memory and output have an end, and afterwards nothing of the run is there."""
    start = time.monotonic()
    result = run(reports.job(reports.write(folder / "a.ipynb", source), mock))
    assert result.status in {Status.STOPPED, Status.DIED}
    assert result.detail.startswith("cell 1")
    assert time.monotonic() - start < 60
    assert left("/tmp/labkit-run-") == []


@pytest.mark.skipif(sys.platform != "linux", reason="rlimits of this kind are Linux's")
def test_files(mock: MockEndpoint, folder: Path) -> None:
    """One file has an end, and all together have."""
    limits = replace(reports.LIMITS, file_size=20 * MB, folder=50 * MB)
    one = reports.write(folder / "a.ipynb", "open('big', 'wb').write(bytes(30_000_000))")
    assert "File too large" in run(reports.job(one, mock, limits=limits)).detail
    many = "import time\nfor n in range(1000):\n    open(f'{n}', 'wb').write(b'x' * 10_000_000)\n    time.sleep(0.1)"
    result = run(reports.job(reports.write(folder / "b.ipynb", many), mock, limits=limits))
    assert (result.status, result.detail) == (Status.STOPPED, "cell 1/1: more than 50 MB of files")


def test_nothing_inherited(mock: MockEndpoint, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no token, no home, no other user; the student's own files are there, links among them are not."""
    for name in ("API_KEY", "CLOUD_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "secret-of-the-instructor")
    folder.mkdir(parents=True)
    (folder / "data.csv").write_text("1,2", encoding="utf-8")
    (folder / "link.csv").symlink_to("/etc/hostname")
    tell = (
        "import json, os\nfrom pathlib import Path\n"
        "print(json.dumps([dict(os.environ), os.getuid(), sorted(os.listdir()), Path('data.csv').read_text(),"
        " str(Path.home()), os.getcwd()]))"
    )
    result = run(reports.job(reports.write(folder / "a.ipynb", tell), mock, folder=str(folder)))
    assert result.status is Status.PASSED, result.detail
    said = nbformat.read(result.executed, as_version=4).cells[0].outputs[0].text
    environ, user, files, data, home, here = json.loads(said)
    assert "secret" not in said
    assert (files, data) == (["a.ipynb", "data.csv"], "1,2")
    assert user in accounts.ACCOUNTS if ROOT else user == os.getuid()
    assert Path(home).parent == Path(here).parent
    assert environ["BASE_URL"] == mock.base_url


@pytest.mark.skipif(sys.platform != "linux", reason="a process that leaves its parent is followed on Linux only")
def test_nothing_left(mock: MockEndpoint, folder: Path) -> None:
    """A process that has left its parent and its session is ended too, and what it wrote elsewhere is removed."""
    source = (
        "import os, subprocess, sys\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)'])\n    os._exit(0)\n"
        "open('/dev/shm/labkit-test-left', 'w').write('x')"
    )
    result = run(reports.job(reports.write(folder / "a.ipynb", source), mock))
    assert result.status is Status.PASSED, result.detail
    assert left("/tmp/labkit-run-") == []
    if ROOT:
        assert not Path("/dev/shm/labkit-test-left").exists()
    else:
        Path("/dev/shm/labkit-test-left").unlink()


def test_given_up(mock: MockEndpoint, folder: Path) -> None:
    """When a crew is sent home, what runs is ended at once, and a supervisor that starts after it too."""
    crew = sandbox.Crew()
    job = reports.job(reports.write(folder / "a.ipynb", reports.LOOP), mock, limits=Limits(cell_seconds=300))
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(run(job, crew=crew)))
    thread.start()
    time.sleep(4)
    crew.end()
    thread.join(30)
    assert [(result.status, result.detail) for result in results] == [(Status.LOST, "the report was ended")]
    start = time.monotonic()
    assert run(job, crew=crew).detail == "the report was ended"
    assert time.monotonic() - start < 30
    assert left("/tmp/labkit-run-") == []


def test_what_a_student_forges(tmp_path: Path, mock: MockEndpoint) -> None:
    """The files that a run leaves are not trusted: links, pipes, long ones, and values that are none."""
    out = tmp_path / "out"
    out.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("{}", encoding="utf-8")
    (out / "executed.ipynb").symlink_to(secret)
    assert collect.read(out / "executed.ipynb", 100) is None
    (out / "hard").hardlink_to(secret)
    assert collect.read(out / "hard", 100) is None
    if os.name != "nt":
        os.mkfifo(out / "pipe")
        assert collect.read(out / "pipe", 100) is None
        (out / "others").write_text("x", encoding="utf-8")
        assert collect.read(out / "others", 100, account=os.getuid() + 1) is None
    (out / "long").write_text("x" * 101, encoding="utf-8")
    assert collect.read(out / "long", 100) is None
    (out / "outcome.json").write_text(json.dumps({"status": "excellent", "detail": 3, "cell": []}), encoding="utf-8")
    answer = {"kind": "answer", "base_url": mock.base_url, "model": mock.model, "e2e": 1, "tokens": 1, "ended": ""}
    notes = [
        "[" * 100_000,
        "no JSON",
        json.dumps({"kind": "check", "exercise": ["01.1"], "passed": "yes", "missing": "\x1b[2J" + "x" * 9999}),
        json.dumps(answer | {"ttft": -5}),
        json.dumps(answer | {"ttft": float("nan")}),
    ]
    (out / "sidecar.jsonl").write_text("\n".join(notes), encoding="utf-8")
    job = Job(str(tmp_path / "a.ipynb"), mock.base_url, mock.model, "the mock", trusted=False)
    result = collect.collect(job, tmp_path, sandbox.Ended(), None)
    assert (result.status, result.executed, result.answers) == (Status.LOST, "", ())
    (check,) = result.checks
    assert (check.passed, len(check.missing) <= 300, "\x1b" in check.missing) == (False, True, False)


def test_only_a_count_of_cells_is_progress(tmp_path: Path) -> None:
    """The file is the student's: what else stands in it could move the cursor of the instructor's terminal."""
    file = tmp_path / "progress"
    write = (
        "import sys, time\n"
        "for text in ('\\x1b[2J', '1/2', '1/2\\x1b]0;title\\x07', '1/2\\n', '2/2'):\n"
        "    open(sys.argv[1], 'w', encoding='utf-8').write(text)\n"
        "    time.sleep(1)\n"
    )
    order = sandbox.Order(
        command=(sys.executable, "-c", write, str(file)),
        cwd=str(tmp_path),
        environ=dict(os.environ),
        place=str(tmp_path),
        log=str(tmp_path / "log.txt"),
        progress=str(file),
        guarded=False,
    )
    said: list[str] = []
    assert sandbox.run(order, said.append).code == 0, (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert said == ["1/2", "2/2"]


@pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="only root gives runs users of their own")
def test_accounts() -> None:
    """Two at a time are two, and only ours can be emptied."""
    with accounts.account() as one, accounts.account() as two:
        assert one != two
        assert {one, two} <= set(accounts.ACCOUNTS)
    with accounts.account() as again:
        assert again == one
    with pytest.raises(ValueError, match="no account"):
        accounts.end_all(0)


def test_closed_folders(tmp_path: Path) -> None:
    """The outermost one that others may not pass through; what is itself closed cannot be opened."""
    inner = tmp_path / "closed" / "open" / "place"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    found = reach.closed(inner)
    assert found is not None
    assert tmp_path.joinpath("closed").is_relative_to(found)
    inner.chmod(0o700)
    with pytest.raises(WorkbookError, match="may not pass through"):
        reach.open_way([inner], user=4711)
