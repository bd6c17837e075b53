"""The cost of a report, against the mock: `python benchmarks/report.py [class N]`.

Without arguments: (a) one notebook by `run`, with its limits, beside papermill's own command, in pairs; (b) eight runs
with one worker, with two, and on two workers of a Dask cluster, beside the ideal. `class N`: N synthetic submissions
with two workers, some of them hostile; no row may be missing, and the memory of the report's process is watched.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median

import nbformat
import psutil

from coursekit.report.command import dask_workers, local_workers, run_all
from coursekit.report.job import Job
from coursekit.report.run import run
from foundry_mock import Behaviour, MockEndpoint
from labkit.plots import machine

CELLS = [
    "from coursekit import check\nfrom labkit import connect, stream",
    "lab = connect()",
    "answer = stream(lab, 'Count to 20.')\nasync for _ in answer:\n    pass",
    "import time\ntime.sleep(3)",
    "check('01.3', lambda answer: answer.choices[0].finish_reason != 'length')",
    *["sum(range(100_000))"] * 20,
]
HOSTILE = {
    7: "raise ValueError('a student made a mistake')",
    31: "while True:\n    pass",
    57: "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    83: "hoard = []\nwhile True:\n    hoard.append(bytearray(10_000_000))",
    109: "for _ in range(1000):\n    print('x' * 1_000_000)",
    131: "import os\nos._exit(1)",
}
PAIRS, RUNS = 5, 8


def write_notebook(path: Path, cells: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata={"kernelspec": kernel})
    nbformat.write(made, path)
    return path


def cpu_seconds() -> float:
    """Processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare_with_papermill(folder: Path, mock: MockEndpoint) -> None:
    """(a) In pairs, in turn; other work on this machine disturbs the wall time more than the processor's."""
    notebook = write_notebook(folder / "01_a.ipynb", CELLS)
    environ = os.environ | {"BASE_URL": mock.base_url, "MODEL": mock.model}
    job = Job(str(notebook), mock.base_url, mock.model, "mock", trusted=False, target=str(folder / "o.ipynb"))
    wall: dict[str, list[float]] = {"papermill": [], "run": []}
    cpu: dict[str, list[float]] = {"papermill": [], "run": []}
    for _ in range(PAIRS):
        for name in wall:
            start, before = time.perf_counter(), cpu_seconds()
            if name == "papermill":
                command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--execution-timeout", "120"]
                command += [str(notebook), str(folder / "out.ipynb")]
                subprocess.run(command, env=environ, capture_output=True, check=True)
            else:
                assert run(job).passed
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(cpu_seconds() - before)
    for kind, values in (("wall", wall), ("processor", cpu)):
        bare, ours = median(values["papermill"]), median(values["run"])
        ratio = median(after / before for before, after in zip(values["papermill"], values["run"], strict=True))
        print(f"(a) {kind:9} papermill {bare:6.2f} s   run {ours:6.2f} s   median ratio {ratio:.3f}   (goal 1.10)")


def compare_workers(folder: Path, mock: MockEndpoint) -> None:
    """(b) The ideal is the time of one run times their number, divided by the number of workers."""
    from distributed import LocalCluster

    notebook = write_notebook(folder / "01_a.ipynb", CELLS)
    jobs = [
        Job(str(notebook), mock.base_url, mock.model, "mock", student=str(number), trusted=False, retry=False)
        for number in range(RUNS)
    ]
    start = time.perf_counter()
    assert run(jobs[0]).passed
    one = time.perf_counter() - start
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(folder)) as dask:
        pools = {
            "1 worker": local_workers(1, lambda *_: None),
            "2 workers": local_workers(2, lambda *_: None),
            "Dask, 2": dask_workers(dask.scheduler_address),
        }
        for name, pool in pools.items():
            with pool as (submit, at_once):
                start = time.perf_counter()
                assert all(each.passed for _, each in run_all(jobs, submit, at_once=at_once, per_endpoint=4))
                seconds, ideal = time.perf_counter() - start, one * RUNS / at_once
            print(f"(b) {RUNS} runs, {name:10} {seconds:6.1f} s   ideal {ideal:6.1f} s   ratio {seconds / ideal:.2f}")


def run_class(folder: Path, mock: MockEndpoint, count: int) -> None:
    """A class with some hostile rows; the memory of the report's process is read once a second."""
    names = [f"s{number:03d}" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        write_notebook(folder / name / "01_a.ipynb", [*CELLS[:3], HOSTILE.get(number, "1"), CELLS[4]])
    (folder / "list.csv").write_text("\n".join(["folder", *names, ""]), encoding="utf-8")
    original, out = write_notebook(folder / "course" / "01_a.ipynb", CELLS), folder / "report"
    command = [sys.executable, "-m", "coursekit", "report", str(original), "--matrix", str(folder / "list.csv")]
    command += ["--out", str(out), "--workers", "2", "--cell-seconds", "60"]
    start = time.perf_counter()
    sizes: list[int] = []
    with (
        (folder / "log.txt").open("w") as log,
        subprocess.Popen(command, env=os.environ | {"BASE_URL": mock.base_url}, stdout=log) as process,
    ):
        stop = threading.Event()
        threading.Thread(target=watch_memory, args=(process.pid, sizes, stop), daemon=True).start()
        process.wait()
        stop.set()
    seconds = time.perf_counter() - start
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))["results"]
    status = [each["status"] for each in results]
    print(f"class of {count}: {len(results)} rows in {seconds:.0f} s, {dict(Counter(status))}")
    tenth = max(1, len(sizes) // 10)
    early, late = median(sizes[tenth : 2 * tenth]), median(sizes[-2 * tenth : -tenth])
    print(f"    memory of the report's process: {early / 2**20:.0f} MB early, {late / 2**20:.0f} MB late")
    hostile = {number: status[number - 1] for number in HOSTILE if number <= count}
    print(f"    rows lost: {count - len(results)}; hostile rows: {hostile}")


def watch_memory(process: int, sizes: list[int], stop: threading.Event) -> None:
    report = psutil.Process(process)
    while not stop.wait(1):
        try:
            sizes.append(report.memory_info().rss)
        except psutil.Error:
            return


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, MockEndpoint(Behaviour(slots=8)) as mock:
        if sys.argv[1:2] == ["class"]:
            run_class(Path(folder), mock, int(sys.argv[2]))
        else:
            compare_with_papermill(Path(folder), mock)
            compare_workers(Path(folder), mock)
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
