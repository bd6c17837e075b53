"""`python lab.py report` from the command line: what it refuses, what it writes, a class, a kill and a new start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import psutil
import pytest

from coursekit import cli, sidecar
from coursekit.errors import WorkbookError
from coursekit.report import classroom
from coursekit.report.job import Job, Result, Status
from coursekit.report.journal import Journal
from foundry_mock import Behaviour, Fault, MockEndpoint
from labkit.connection import Connection, Source
from labkit.errors import StreamError
from labkit.streaming import stream_sync
from tests.conftest import ROOT
from tests.support import reports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

CHECK = "from coursekit import check\ncheck('01.3', lambda answer: answer.choices[0].finish_reason {} 'length')"


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockEndpoint]:
    with MockEndpoint(Behaviour(slots=8)) as endpoint:
        monkeypatch.setenv("BASE_URL", endpoint.base_url)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        yield endpoint


def results(out: Path) -> list[dict[str, Any]]:
    """What results.json says, after its schema has been held to it."""
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "coursekit/report/results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    found: list[dict[str, Any]] = document["results"]
    return found


def result(**changes: Any) -> Result:
    return replace(Result("k", "", "a", "m", "u", "s", {}, Status.PASSED), **changes)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["99"], "there is no notebook 99"),
        (["nothing.ipynb"], "there is no notebook nothing.ipynb"),
        (["01", "-p", "sed=1"], "no notebook that is to run has a parameter 'sed'"),
        (["01", "-p", "seed=x"], "parameter 'seed' is 'x'"),
        (["01", "-p", "seed"], "'seed' is no parameter"),
        (["--matrix", "nothing.csv"], "nothing.csv cannot be read"),
        (["01", "--workers", "0"], "at least one worker"),
        (["01", "--model", "unheard-of"], "has no model 'unheard-of'"),
    ],
)
def test_clear_errors(
    arguments: list[str], said: str, mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs, and with the step that mends it."""
    assert cli.main(["report", *arguments, "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "To mend it" in shown
    assert not (tmp_path / "out").exists()
    assert mock.counters.started == 0


def test_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each answer, whole or broken, with no text of it; none where nobody asked or none can be written."""
    place = tmp_path / "side.jsonl"
    with MockEndpoint() as endpoint:
        lab = Connection(endpoint.base_url, endpoint.model, Source.BASE_URL)
        with lab:
            list(stream_sync(lab, "Count to 5."))
            assert list(tmp_path.glob("*.jsonl")) == []
            monkeypatch.setenv(sidecar.VARIABLE, str(place))
            list(stream_sync(lab, "Count to 5."))
            endpoint.fail(Fault.DROP)
            with pytest.raises(StreamError):
                list(stream_sync(lab, "Count to 5."))
            monkeypatch.setenv(sidecar.VARIABLE, str(tmp_path))
            list(stream_sync(lab, "Count to 5."))
    whole, broken = map(json.loads, place.read_text(encoding="utf-8").splitlines())
    assert (whole["kind"], whole["ended"], whole["counted"]) == ("answer", "finished", "tokens")
    assert (whole["base_url"], whole["model"]) == (endpoint.base_url, endpoint.model)
    assert 0 < whole["ttft"] < whole["e2e"]
    assert broken["ended"] == "dropped"
    assert {"kind", "base_url", "model", "ttft", "e2e", "tokens", "counted", "ended"} == set(whole) == set(broken)


def test_journal(tmp_path: Path) -> None:
    """What was noted comes back, around a line that a kill tore."""
    journal = Journal(tmp_path / "j.jsonl")
    assert journal.finished() == {}
    first = result(key="1", detail="ü\n", checks=(), seconds=1.5)
    journal.add(first)
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"key": "2", "stud')
    journal.add(result(key="3"))
    assert journal.finished() == {"1": first, "3": result(key="3")}
    assert len(journal.path.read_text(encoding="utf-8").splitlines()) == 3


def test_width_and_cap() -> None:
    """Never more at once than asked for, nor on one endpoint; a slow endpoint does not hold up the others."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Lock

    jobs = [Job(f"{number}.ipynb", "slow" if number < 6 else f"fast-{number % 2}", "m", "s") for number in range(14)]
    running: list[str] = []
    most: dict[str, int] = {}
    lock = Lock()

    def work(job: Job) -> Result:
        with lock:
            running.append(job.base_url)
            most["all"] = max(most.get("all", 0), len(running))
            most[job.base_url] = max(most.get(job.base_url, 0), running.count(job.base_url))
        time.sleep(0.2 if job.base_url == "slow" else 0.02)
        with lock:
            running.remove(job.base_url)
        if job.notebook == "3.ipynb":
            raise OSError("the worker is gone")
        return result(key=job.notebook)

    with ThreadPoolExecutor(14) as pool:

        def submit(job: Job) -> Future[Result]:
            return pool.submit(work, job)

        done = list(classroom.finish(jobs, submit, width=4, per_endpoint=2))
    assert (most["all"], most["slow"]) == (4, 2)
    assert {job.notebook for job, _ in done} == {job.notebook for job in jobs}
    assert [job.base_url for job, _ in done][-1] == "slow"
    assert [each.detail for _, each in done if each.status is Status.LOST] == ["OSError: the worker is gone"]


@pytest.mark.lane
@pytest.mark.notebook
def test_own_notebooks(mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All run although one fails; each has its notebook and page; two models are put side by side; exit status 1."""
    good = reports.write(
        tmp_path / "01_good.ipynb", "print(seed)", reports.ASK, CHECK.format("!="), parameters="seed: int = 1"
    )
    bad = reports.write(tmp_path / "02_bad.ipynb", "raise ValueError('<b>')")
    out = tmp_path / "out"
    paths = [str(bad), str(good)]
    assert cli.main(["report", *paths, "-p", "seed=4", "--out", str(out), "--cell-seconds", "60"]) == 1
    first, second = results(out)
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
    said = capsys.readouterr().out
    assert "[1/2] 02_bad: failed at the second try" in said
    assert "1 of 2 passed" in said


@pytest.mark.lane
@pytest.mark.notebook
@pytest.mark.usefixtures("mock")
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system bounds neither memory nor processes")
def test_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An endless loop, a fork bomb, a hog and a flood hurt nobody else; the table says who has what."""
    cells = {
        "anna": [CHECK.format("!="), reports.ASK],
        "bomb": [reports.BOMB],
        "hog": [reports.HOG],
        "bo": [CHECK.format("=="), reports.ASK],
        "loop": [reports.LOOP],
        "flood": [reports.FLOOD],
        "clara": [CHECK.format("!="), reports.ASK],
    }
    for name, sources in cells.items():
        reports.write(tmp_path / name / "01_a.ipynb", *sources)
    (tmp_path / "nobody").mkdir()
    (tmp_path / "list.csv").write_text("folder\n" + "\n".join([*cells, "nobody"]) + "\n", encoding="utf-8")
    original = reports.write(tmp_path / "course" / "01_a.ipynb", "1")
    arguments = ["report", str(original), "--matrix", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--workers", "2", "--cell-seconds", "30", "--memory", "1024"]) == 1
    status = {each["student"]: each["status"] for each in results(tmp_path / "out")}
    assert list(status) == [*cells, "nobody"]
    assert {status[name] for name in ("anna", "bo", "clara")} == {"passed"}
    assert (status["loop"], status["nobody"]) == ("timed out", "missing")
    assert {status[name] for name in ("bomb", "hog", "flood")} <= {"stopped", "kernel died"}
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Who has passed which exercise" in index
    assert "3 of 8 passed" in capsys.readouterr().out
    # Nothing is run a second time, but what has changed since.
    reports.write(tmp_path / "loop" / "01_a.ipynb", "1")
    cli.main([*arguments, "--workers", "2"])
    said = capsys.readouterr().out
    assert "7 of 8 runs are finished already; 1 are left" in said
    assert "4 of 8 passed" in said


@pytest.mark.lane
@pytest.mark.notebook
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_killed_and_started_again(mock: MockEndpoint, tmp_path: Path) -> None:
    """In the middle, without a chance to tidy up: nothing goes on running, and nothing finished runs again."""
    names = ["anna", "bo", "clara"]
    for name in names:
        ask = reports.ASK.replace("Count to 5.", f"Count to 5 for {name}.")
        reports.write(tmp_path / name / "01_a.ipynb", ask, f"import time\nmark = '{tmp_path.name}'\ntime.sleep(4)")
    (tmp_path / "list.yaml").write_text("\n".join(f"- folder: {name}" for name in names), encoding="utf-8")
    original = reports.write(tmp_path / "course" / "01_a.ipynb", "1")
    out = tmp_path / "out"
    arguments = ["report", str(original), "--matrix", str(tmp_path / "list.yaml"), "--out", str(out)]
    command = [sys.executable, "-m", "coursekit", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = next(line for line in process.stdout if line.startswith("[1/3]"))
        assert "passed" in line
        until = time.monotonic() + 60
        while mock.counters.started < 2 and time.monotonic() < until:  # the second one is under way
            time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    asked = mock.counters.started
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "1 of 3 runs are finished already; 2 are left" in again.stdout
    assert mock.counters.started == asked + 2
    assert [each["status"] for each in results(out)] == ["passed"] * 3


@pytest.mark.lane
@pytest.mark.notebook
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are POSIX's")
def test_ended_by_hand(mock: MockEndpoint, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C ends what runs at once, writes what there is, and leaves no folder behind."""
    quick, slow = (
        reports.write(tmp_path / f"{name}.ipynb", source) for name, source in {"a": "1", "b": reports.LOOP}.items()
    )
    command = [sys.executable, "-m", "coursekit", "report", str(quick), str(slow), "--out", str(tmp_path / "out")]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout
        assert next(line for line in process.stdout if line.startswith("[1/2] a: passed"))
        time.sleep(3)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(60) == 130
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert [each["status"] for each in results(tmp_path / "out")] == ["passed"]
    assert list(tmp_path.glob("labkit-run-*")) == []
    assert mock.counters.started == 0


@pytest.mark.lane
@pytest.mark.notebook
@pytest.mark.usefixtures("mock")
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_dask(tmp_path: Path) -> None:
    """Two workers of a cluster give the same results as this machine alone; a cluster that is not there is an error."""
    from distributed import LocalCluster

    cells = {"anna": [CHECK.format("!="), reports.ASK], "bo": ["1 / 0"], "clara": [CHECK.format("=="), reports.ASK]}
    for name, sources in cells.items():
        reports.write(tmp_path / name / "01_a.ipynb", *sources)
    (tmp_path / "list.csv").write_text("folder\n" + "\n".join(cells) + "\n", encoding="utf-8")
    original = reports.write(tmp_path / "course" / "01_a.ipynb", "1")
    arguments = ["report", str(original), "--matrix", str(tmp_path / "list.csv")]
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    )
    with cluster:
        at = ["--scheduler", cluster.scheduler_address]
        assert cli.main([*arguments, "--out", str(tmp_path / "there"), *at]) == 1
    assert cli.main([*arguments, "--out", str(tmp_path / "here"), "--workers", "2"]) == 1
    told = [
        [(each["student"], each["status"], each["detail"], each["checks"], each["cells_run"]) for each in results(out)]
        for out in (tmp_path / "there", tmp_path / "here")
    ]
    assert told[0] == told[1]
    assert [each[1] for each in told[0]] == ["passed", "failed", "passed"]


@pytest.mark.lane
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classroom, "DASK_SECONDS", 1)
    with pytest.raises(WorkbookError, match="no Dask scheduler"), classroom.cluster("tcp://127.0.0.1:9"):
        pass
    with contextlib.suppress(ImportError):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with (
            pytest.raises(WorkbookError, match="the package distributed"),
            classroom.cluster("tcp://127.0.0.1:9"),
        ):
            pass
