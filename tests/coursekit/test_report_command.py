"""`python lab.py report` from the command line: refused options, the files that it writes, a class, interruptions."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jsonschema
import psutil
import pytest

from coursekit import cli
from coursekit.errors import WorkbookError
from coursekit.report import command
from coursekit.report.job import Job, Result, Status
from foundry_mock import Behaviour, Fault, MockEndpoint
from labkit.files import append_line
from tests.conftest import ROOT
from tests.support import reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockEndpoint]:
    with MockEndpoint(Behaviour(slots=8)) as endpoint:
        monkeypatch.setenv("BASE_URL", endpoint.base_url)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        yield endpoint


def read_results(out: Path) -> list[dict[str, Any]]:
    """The results in results.json, after a check against its schema."""
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "coursekit/report/results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    found: list[dict[str, Any]] = document["results"]
    return found


def write_class(folder: Path, cells: dict[str, list[str]]) -> list[str]:
    """A folder for each student, a list and the course's notebook; returns the command's arguments."""
    for name, sources in cells.items():
        reports.write(folder / name / "01_a.ipynb", *sources)
    (folder / "list.csv").write_text("\n".join(["folder", *cells, ""]), encoding="utf-8")
    original = reports.write(folder / "course" / "01_a.ipynb", "1")
    return ["report", str(original), "--matrix", str(folder / "list.csv"), "--out", str(folder / "out")]


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["01", "--model", "unheard-of"], "The endpoint has no model of this name"),
        (["99"], "here is no notebook 99"),
        (["nothing.ipynb"], "here is no notebook nothing.ipynb"),
        (["01", "-p", "sed=1"], "No notebook that is to run has a parameter 'sed'"),
        (["01", "-p", "seed=x"], "Parameter 'seed' is 'x'"),
        (["01", "-p", "seed"], "'seed' is not a parameter"),
        (["--matrix", "nothing.csv"], "nothing.csv cannot be read"),
        (["01", "--workers", "0"], "at least one worker"),
    ],
)
def test_a_mistake_is_reported_before_anything_runs(
    arguments: list[str], message: str, mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", *arguments, "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "Fix: " in printed
    assert not (tmp_path / "out").exists()
    assert mock.counters.ended == 0  # one question may have been refused, to see whether the model is there


def test_the_journal_is_read_around_a_line_that_a_kill_cut_short(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert command.finished(journal) == {}
    first, second = reports.result(key="1", detail="ü\u2028\n"), reports.result(key="3", checks=())
    append_line(journal, first.as_json())
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"key": "2", "stud')
    append_line(journal, second.as_json())
    append_line(journal, {"key": "4"})
    assert command.finished(journal) == {"1": first, "3": second}


def test_jobs_never_exceed_the_workers_or_the_cap_of_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow endpoint answers only after all others have finished, so it must not hold them up."""
    jobs = [Job(f"{number}.ipynb", "slow" if number < 6 else f"fast-{number % 2}", "m", "s") for number in range(14)]
    fast_left = threading.Semaphore(0)
    at_once: list[tuple[int, int]] = []

    def wait(running: dict[Any, Job], **options: Any) -> Any:
        at_once.append((len(running), sum(job.base_url == "slow" for job in running.values())))
        return concurrent.futures.wait(running, **options)

    def work(job: Job) -> Result:
        if job.base_url != "slow":
            fast_left.release()
        elif job.notebook == "0.ipynb":  # one of the first two
            assert all(fast_left.acquire(timeout=60) for _ in range(8))
        if job.notebook == "3.ipynb":
            raise OSError("the worker is gone")
        return reports.result(key=job.notebook)

    monkeypatch.setattr(command, "wait", wait)
    with ThreadPoolExecutor(14) as pool:
        done = list(command.run_all(jobs, lambda job: pool.submit(work, job), at_once=4, per_endpoint=2))
    assert [max(counts) for counts in zip(*at_once, strict=True)] == [4, 2]
    assert {job.notebook for job, _ in done} == {job.notebook for job in jobs}
    assert [each.detail for _, each in done if each.status is Status.LOST] == ["OSError: the worker is gone"]


@pytest.mark.e2e
def test_all_notebooks_run_although_one_fails(
    mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ["print(seed)", reports.ASK, reports.RIGHT]
    good = reports.write(tmp_path / "01_good.ipynb", *cells, parameters="seed: int = 1")
    bad = reports.write(tmp_path / "02_bad.ipynb", "raise ValueError('<b>')")
    out = tmp_path / "out"
    assert cli.main(["report", str(bad), str(good), "-p", "seed=4", "--out", str(out), "--cell-seconds", "60"]) == 1
    first, second = read_results(out)
    assert (first["status"], first["detail"]) == ("failed", "cell 1: ValueError: <b>")
    assert first["first_try"]
    assert (second["status"], second["parameters"], second["checks"][0]["passed"]) == ("passed", {"seed": 4}, True)
    assert (second["latency"]["answers"], second["model"], second["base_url"]) == (1, mock.model, mock.base_url)
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "ValueError: &lt;b&gt;" in index
    for each in (first, second):
        assert (out / each["page"]).is_file()
        assert (out / each["executed"]).is_file()
        assert f'href="{each["page"]}"' in index
    printed = capsys.readouterr().out
    assert "[1/2] 02_bad: failed at the second try" in printed
    assert "1 of 2 passed" in printed


@pytest.mark.e2e
@pytest.mark.usefixtures("mock")
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory and processes")
def test_hostile_rows_of_a_class_hurt_nobody_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = {
        "anna": [reports.RIGHT, reports.ASK],
        "bomb": [reports.FORK_BOMB],
        "hog": [reports.MEMORY_HOG],
        "loop": [reports.LOOP],
        "flood": [reports.FLOOD],
        "bo": [reports.WRONG, reports.ASK],
    }
    arguments = write_class(tmp_path, cells)
    (tmp_path / "nobody").mkdir()
    with (tmp_path / "list.csv").open("a", encoding="utf-8") as file:
        file.write("nobody\n")
    assert cli.main([*arguments, "--workers", "2", "--cell-seconds", "30", "--memory", "1024"]) == 1
    status = {each["student"]: each["status"] for each in read_results(tmp_path / "out")}
    assert list(status) == [*cells, "nobody"]
    assert (status["anna"], status["bo"]) == ("passed", "passed")
    assert (status["loop"], status["nobody"]) == ("timed out", "missing")
    assert {status[name] for name in ("bomb", "hog", "flood")} <= {"stopped", "kernel died"}
    assert "Which exercises each student has passed" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "2 of 7 passed" in capsys.readouterr().out
    # The second time only the changed notebook runs.
    reports.write(tmp_path / "loop" / "01_a.ipynb", "1")
    cli.main([*arguments, "--workers", "2"])
    printed = capsys.readouterr().out
    assert "6 of 7 runs are finished already; 1 are left" in printed
    assert "3 of 7 passed" in printed


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are POSIX's")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_report_that_is_ended_leaves_nothing_and_can_continue(mock: MockEndpoint, tmp_path: Path, name: str) -> None:
    """In the middle of the second row. No finished row runs again; only SIGKILL leaves no pages."""
    cells = {student: [reports.ASK] for student in ("anna", "bo", "clara")}
    words = [sys.executable, "-m", "coursekit", *write_class(tmp_path, cells)]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    mock.fail(Fault.NONE, Fault.HANG)
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout
        assert "passed" in next(line for line in process.stdout if line.startswith("[1/3]"))
        wait_until(lambda: mock.counters.started == 2)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == (-signal.SIGKILL if name == "SIGKILL" else 130)
    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(tmp_path.glob("labkit-run-*/*")) == []
    if name != "SIGKILL":
        assert [each["status"] for each in read_results(tmp_path / "out")] == ["passed"]
        assert list(tmp_path.glob("labkit-run-*")) == []
        return
    second = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "1 of 3 runs are finished already; 2 are left" in second.stdout
    assert mock.counters.started == 4
    assert [each["status"] for each in read_results(tmp_path / "out")] == ["passed"] * 3


@pytest.mark.e2e
@pytest.mark.usefixtures("mock")
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_gives_the_same_results(tmp_path: Path) -> None:
    from distributed import LocalCluster

    cells = {"anna": [reports.RIGHT, reports.ASK], "bo": ["1 / 0"], "clara": [reports.WRONG, reports.ASK]}
    arguments = write_class(tmp_path, cells)
    found = []
    place = str(tmp_path / "dask")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=place) as cluster:
        for options in (["--scheduler", cluster.scheduler_address], ["--workers", "2", "--fresh"]):
            assert cli.main([*arguments, *options]) == 1
            names = ("student", "status", "detail", "checks", "cells_run")
            found.append([[each[name] for name in names] for each in read_results(tmp_path / "out")])
    assert found[0] == found[1]
    assert [each[1] for each in found[0]] == ["passed", "failed", "passed"]


@pytest.mark.e2e
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_missing_cluster_or_dask_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "DASK_SECONDS", 1)
    with pytest.raises(WorkbookError, match="No Dask scheduler"), command.dask_workers("tcp://127.0.0.1:9"):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkbookError, match="the package distributed"), command.dask_workers("tcp://127.0.0.1:9"):
        pass
