"""One notebook in a process of its own: its result, its limits, and that no process or file of it is left."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest

from coursekit.errors import WorkbookError
from coursekit.report import isolation, run, supervisor
from coursekit.report.job import MB, Job, Result, Status
from foundry_mock import Fault, MockEndpoint
from tests.support import reports

if TYPE_CHECKING:
    from collections.abc import Iterator

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs limits and processes as Linux has them")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such users and permissions")
IS_ROOT = sys.platform != "win32" and os.geteuid() == 0
LEFT = Path("/dev/shm/labkit-test-left")

DEAF_LOOP = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    time.sleep(1)"
WRITE_FILES = "import time\nfor n in range(1000):\n    open(f'{n}', 'wb').write(b'x' * 10_000_000)\n    time.sleep(0.1)"
DAEMON = f"""import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)'])
    os._exit(0)
open('{LEFT}', 'w').write('x')"""


@pytest.fixture(scope="module")
def mock() -> Iterator[MockEndpoint]:
    with MockEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "students" / "Åsa"


def processes_of_runs() -> list[psutil.Process]:
    """The processes that still have the variables of a run."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("LABKIT_SIDECAR", "").startswith("/tmp/labkit-run-"):
                found.append(process)
    return found


@pytest.mark.e2e
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "sandboxed"])
def test_a_result_has_cells_checks_answers_and_the_executed_notebook(
    mock: MockEndpoint, folder: Path, trusted: bool
) -> None:
    """As root, a sandboxed run has a user of its own, which must be able to write the sidecar too.

    The answer of a scripted endpoint inside the lesson is not counted.
    """
    other = "from foundry_mock import MockEndpoint\nother = MockEndpoint().start()\n" + reports.ASK.replace(
        "connect()", "connect(base_url=other.base_url)"
    )
    cells = ["print(seed, base_url)", reports.ASK, other, reports.RIGHT]
    notebook = reports.write(folder / "01_a.ipynb", *cells, parameters="seed: int = 1")
    progress: list[str] = []
    job = reports.job(notebook, mock, parameters={"seed": 5, "base_url": mock.base_url}, trusted=trusted)
    result = run.run(job, progress.append)
    assert (result.status, result.detail, result.first_try) == (Status.PASSED, "", "")
    assert (result.cells, result.cells_run, len(result.cell_seconds), progress[-1]) == (5, 5, 5, "5/5")
    assert result.peak_memory > 10 * MB
    (answer,) = result.answers
    assert (0 < (answer.ttft or 0) <= (answer.e2e or 0), answer.tokens > 3, answer.ended) == (True, True, "finished")
    assert [(each.exercise, each.passed) for each in result.checks] == [("01.3", True)]
    executed = nbformat.read(result.executed, as_version=4)
    assert f"5 {mock.base_url}" in executed.cells[2].outputs[0].text
    assert str(folder) not in Path(result.executed).read_text(encoding="utf-8")


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("cells", "changes", "status", "detail"),
    [
        (["print(1)", "1 / 0", "print(3)"], {}, "failed", "cell 2: ZeroDivisionError: division by zero"),
        (["1", reports.LOOP], {"cell_seconds": 3}, "timed out", "cell 2: more than 3 s for one cell"),
        (["1", DEAF_LOOP], {"cell_seconds": 3}, "timed out", "cell 2: more than 3 s for one cell"),
        ([reports.LOOP], {"seconds": 4, "trusted": True}, "stopped", "4 s for the whole notebook"),
        (["import os\nos._exit(1)"], {}, "kernel died", "cell 1: the kernel ended by itself"),
        pytest.param([reports.FORK_BOMB], {}, "stopped", "more than 64 processes", marks=linux),
        pytest.param([reports.MEMORY_HOG], {}, "stopped|kernel died", "cell 1", marks=linux),
        ([reports.FLOOD.replace("1000", "60"), "2"], {}, "stopped", "cell 1: more than 20 MB of output"),
        pytest.param(["open('big', 'wb').write(bytes(30_000_000))"], {}, "failed", "File too large", marks=linux),
        pytest.param([WRITE_FILES], {}, "stopped", "cell 1/1: more than 50 MB of files", marks=linux),
        pytest.param([DAEMON], {}, "passed", "", marks=linux),
        pytest.param([DAEMON], {"trusted": True}, "passed", "", marks=linux),
    ],
    ids=lambda value: "" if isinstance(value, list) else str(value),
)
def test_a_run_says_how_it_ended_and_leaves_no_process(
    mock: MockEndpoint, folder: Path, cells: list[str], changes: dict[str, Any], status: str, detail: str
) -> None:
    """A daemon has left its parent and its session. The files of a run's own account are removed too."""
    trusted = changes.pop("trusted", False)
    limits = replace(reports.LIMITS, **{"file_size": 20 * MB, "folder": 50 * MB} | changes)
    result = run.run(reports.job(reports.write(folder / "a.ipynb", *cells), mock, limits=limits, trusted=trusted))
    assert processes_of_runs() == []
    assert result.status in status.split("|"), result.detail
    assert detail in result.detail
    if cells == [DAEMON]:
        assert LEFT.exists() == (trusted or not IS_ROOT)
        LEFT.unlink(missing_ok=True)
    if len(cells) == 3:
        assert (result.cells_run, result.cells) == (2, 3)
        assert "division by zero" in Path(result.executed).read_text(encoding="utf-8")


@pytest.mark.e2e
def test_a_failed_run_is_tried_once_more(mock: MockEndpoint, folder: Path) -> None:
    job = reports.job(reports.write(folder / "a.ipynb", reports.ASK), mock, retry=True)
    for faults, status in ((1, Status.PASSED), (2, Status.FAILED)):
        mock.fail(*[Fault.DROP] * faults)
        result = run.run(job)
        assert (result.status, result.first_try[:15]) == (status, "failed: cell 1:")


@pytest.mark.e2e
def test_a_file_that_is_not_a_notebook_is_not_run(mock: MockEndpoint, folder: Path) -> None:
    """Nor a link in the place of one, which could lead anywhere."""
    folder.mkdir(parents=True)
    secret = reports.write(folder.parent / "secret.ipynb", "1")
    (folder / "a.ipynb").write_text("no notebook", encoding="utf-8")
    (folder / "b.ipynb").symlink_to(secret)
    found = [run.run(reports.job(folder / f"{name}.ipynb", mock)) for name in "abc"]
    assert [result.status for result in found] == [Status.LOST, Status.MISSING, Status.MISSING]
    assert (found[0].executed, "JSON" in found[0].detail) == ("", True)


@pytest.mark.e2e
@posix
def test_a_run_gets_no_secret_and_only_plain_files(
    mock: MockEndpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, no token, no home, no path; as root a user of its own. The student's files are there, links are not."""
    for name in ("API_KEY", "CLOUD_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "secret-of-the-instructor")
    folder.mkdir(parents=True)
    (folder / "data.csv").write_text("1,2", encoding="utf-8")
    (folder / "link.csv").symlink_to("/etc/hostname")
    cell = (
        "import json, os\nfrom pathlib import Path\n"
        "print(json.dumps([dict(os.environ), os.getuid(), sorted(os.listdir()), Path('data.csv').read_text(),"
        " str(Path.home()), os.getcwd(), Path('../job.json').read_text()]))"
    )
    result = run.run(reports.job(reports.write(folder / "a.ipynb", cell), mock, folder=str(folder)))
    assert result.status is Status.PASSED, result.detail
    printed = nbformat.read(result.executed, as_version=4).cells[0].outputs[0].text
    environ, user, files, data, home, cwd, _ = json.loads(printed)
    assert "secret" not in printed
    assert str(folder.parent) not in printed
    assert (files, data) == (["a.ipynb", "data.csv"], "1,2")
    assert user in isolation.USER_IDS if IS_ROOT else user == os.getuid()
    assert Path(home).parent == Path(cwd).parent
    assert environ["BASE_URL"] == mock.base_url


@pytest.mark.e2e
def test_a_cancelled_run_ends_at_once(mock: MockEndpoint, folder: Path) -> None:
    """And one that starts afterwards."""
    lifeline, held = os.pipe()
    job = reports.job(reports.write(folder / "a.ipynb", reports.LOOP), mock)
    results: list[Result] = []
    started = threading.Event()
    thread = threading.Thread(target=lambda: results.append(run.run(job, lambda _: started.set(), lifeline)))
    thread.start()
    assert started.wait(60)
    os.close(held)
    thread.join(30)
    results.append(run.run(job, lifeline=lifeline))
    os.close(lifeline)
    assert [(result.status, result.detail) for result in results] == [(Status.LOST, "the report was cancelled")] * 2
    assert processes_of_runs() == []


@posix
def test_links_pipes_and_long_files_are_not_read(tmp_path: Path) -> None:
    """A student's code could put them in the place of a result."""
    plain, linked = tmp_path / "plain", tmp_path / "linked"
    for path in (plain, linked):
        path.write_text("{}", encoding="utf-8")
    (tmp_path / "hard").hardlink_to(linked)
    (tmp_path / "link").symlink_to(plain)
    os.mkfifo(tmp_path / "pipe")
    for name in ("hard", "linked", "link", "pipe", "missing"):
        assert run.read_plain_file(tmp_path / name, 100) is None
    assert (run.read_plain_file(plain, 2), run.read_plain_file(plain, 1)) == (b"{}", None)
    assert run.read_plain_file(plain, 100, user=os.getuid() + 1) is None


def test_forged_values_are_not_believed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "outcome.json").write_text(json.dumps({"status": "excellent", "detail": 3, "cell": []}), encoding="utf-8")
    answer = {"kind": "answer", "base_url": "http://h/v1", "model": "m", "e2e": 1, "tokens": 1, "ended": ""}
    check = {"kind": "check", "exercise": ["01.1"], "passed": "yes", "missing": "\x1b[2J\u2028" + "x" * 9999}
    notes = ["[" * 100_000, "no JSON", json.dumps(check, ensure_ascii=False)]
    notes += [json.dumps(answer | {"ttft": value}) for value in (-5, float("nan"), "1")]
    notes += [json.dumps(answer | {"ttft": 1, "tokens": 10**400})]
    (out / "sidecar.jsonl").write_text("\n".join(notes), encoding="utf-8")
    job = Job(str(tmp_path / "a.ipynb"), "http://h/v1", "m", "the mock", trusted=False)
    result = run.collect(job, tmp_path, supervisor.Exit(), None)
    assert (result.status, result.executed, result.answers) == (Status.LOST, "", ())
    (found,) = result.checks
    assert (found.passed, len(found.missing) <= 300, "\x1b" in found.missing) == (False, True, False)


@posix
def test_only_a_count_of_cells_is_passed_on_as_progress(tmp_path: Path) -> None:
    """Students' code can write the file; other text could control the instructor's terminal."""
    file = tmp_path / "progress"
    for content in (b"1/2", b"\x1b[2J", b"1/2\x1b]0;title\x07", b"1/2\n", b"1" * 40, b""):
        file.write_bytes(content)
        assert supervisor.read_progress(file) == ("1/2" if content == b"1/2" else "")
    file.unlink()
    assert supervisor.read_progress(file) == ""
    os.mkfifo(file)
    assert supervisor.read_progress(file) == ""


@pytest.mark.skipif(not IS_ROOT or sys.platform != "linux", reason="only root on Linux gives runs their own users")
def test_two_runs_get_two_accounts() -> None:
    with isolation.reserve_account() as one, isolation.reserve_account() as two:
        assert one != two
        assert {one, two} <= set(isolation.USER_IDS)
    with isolation.reserve_account() as third:
        assert third == one
    with pytest.raises(ValueError, match="not an account"):
        isolation.kill_processes_of(0)


@posix
def test_a_closed_folder_is_found_and_a_private_one_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open" / "folder"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    found = isolation.closed_parent(inner)
    assert found is not None
    assert tmp_path.joinpath("closed").is_relative_to(found)
    inner.chmod(0o700)
    with pytest.raises(WorkbookError, match="may not pass through"):
        isolation.make_reachable([inner], user=4711)
