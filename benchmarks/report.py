"""What a report costs, against the mock: `python benchmarks/report.py [class N]`.

Without words: (a) one notebook by `run`, limits and all, beside papermill's own command, in pairs; (b) eight runs with
one worker, with two, and on two workers of a Dask cluster, beside the ideal. `class N`: N synthetic submissions with
two workers, some of them hostile; every row has to be there, and the memory of the process that leads is watched.
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

from coursekit.report import classroom
from coursekit.report.job import Job
from coursekit.report.run import run
from foundry_mock import Behaviour, MockEndpoint
from labkit.plots import machine

CELLS = [
    "from labkit import check, connect, stream",
    "lab = connect()",
    "answer = stream(lab, 'Count to 20.')\nasync for _ in answer:\n    pass",
    "import time\ntime.sleep(3)",
    "check('01.3', lambda answer: answer.choices[0].finish_reason != 'length')",
    *["sum(range(100_000))"] * 20,
]
ODD = {
    7: "raise ValueError('a student made a mistake')",
    31: "while True:\n    pass",
    57: "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    83: "hoard = []\nwhile True:\n    hoard.append(bytearray(10_000_000))",
    109: "for _ in range(1000):\n    print('x' * 1_000_000)",
    131: "import os\nos._exit(1)",
}
PAIRS, RUNS = 5, 8


def write(path: Path, cells: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata={"kernelspec": kernel})
    nbformat.write(made, path)
    return path


def spent() -> float:
    """Processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def overhead(place: Path, mock: MockEndpoint) -> None:
    """(a) In pairs, in turn; other work on this machine disturbs the wall time more than the processor's."""
    notebook = write(place / "01_a.ipynb", CELLS)
    environ = os.environ | {"BASE_URL": mock.base_url, "MODEL": mock.model}
    wall: dict[str, list[float]] = {"papermill": [], "run": []}
    work: dict[str, list[float]] = {"papermill": [], "run": []}
    for _ in range(PAIRS):
        for name in wall:
            start, before = time.perf_counter(), spent()
            if name == "papermill":
                command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--execution-timeout", "120"]
                output = str(place / "out.ipynb")
                subprocess.run([*command, notebook, output], env=environ, capture_output=True, check=True)
            else:
                job = Job(
                    str(notebook), mock.base_url, mock.model, "mock", trusted=False, target=str(place / "o.ipynb")
                )
                assert run(job).passed
            wall[name].append(time.perf_counter() - start)
            work[name].append(spent() - before)
    for what, values in (("wall", wall), ("processor", work)):
        bare, ours = median(values["papermill"]), median(values["run"])
        ratio = median(after / before for before, after in zip(values["papermill"], values["run"], strict=True))
        print(
            f"(a) {what:9} papermill {bare:6.2f} s   run {ours:6.2f} s   pairs' median ratio {ratio:.3f}   (goal 1.10)"
        )


def together(place: Path, mock: MockEndpoint) -> None:
    """(b) The ideal is the time of one run times their number, through the number of workers."""
    from distributed import LocalCluster

    notebook = write(place / "01_a.ipynb", CELLS)
    jobs = [
        Job(str(notebook), mock.base_url, mock.model, "mock", student=str(number), trusted=False, retries=0)
        for number in range(RUNS)
    ]
    start = time.perf_counter()
    assert run(jobs[0]).passed
    one = time.perf_counter() - start

    def show(name: str, workers: int, seconds: float) -> None:
        ideal = one * RUNS / workers
        print(f"(b) {RUNS} runs, {name:12} {seconds:6.1f} s   ideal {ideal:6.1f} s   ratio {seconds / ideal:.2f}")

    for workers in (1, 2):
        with classroom.here(workers, lambda *_: None) as submit:
            start = time.perf_counter()
            assert all(each.passed for _, each in classroom.finish(jobs, submit, width=workers, per_endpoint=4))
            show(f"{workers} worker{'s' * (workers > 1)}", workers, time.perf_counter() - start)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(place)) as cluster,
        classroom.cluster(cluster.scheduler_address) as (submit, width),
    ):
        start = time.perf_counter()
        assert all(each.passed for _, each in classroom.finish(jobs, submit, width=width, per_endpoint=4))
        show("Dask, 2", 2, time.perf_counter() - start)


def of_class(place: Path, mock: MockEndpoint, count: int) -> None:
    """A class with some hostile rows; the report is a process of its own, whose memory is read once a second."""
    for number in range(1, count + 1):
        write(place / f"s{number:03d}" / "01_a.ipynb", [*CELLS[:3], ODD.get(number, "1"), CELLS[4]])
    names = [f"s{number:03d}" for number in range(1, count + 1)]
    (place / "list.csv").write_text("\n".join(["folder", *names, ""]), encoding="utf-8")
    original, out = write(place / "course" / "01_a.ipynb", CELLS), place / "report"
    command = [sys.executable, "-m", "coursekit", "report", str(original), "--matrix", str(place / "list.csv")]
    command += ["--out", str(out), "--workers", "2", "--cell-seconds", "60"]
    start = time.perf_counter()
    sizes: list[int] = []
    with (
        (place / "log.txt").open("w") as log,
        subprocess.Popen(command, env=os.environ | {"BASE_URL": mock.base_url}, stdout=log) as process,
    ):
        stop = threading.Event()
        threading.Thread(target=_watch, args=(process.pid, sizes, stop), daemon=True).start()
        process.wait()
        stop.set()
    seconds = time.perf_counter() - start
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))["results"]
    print(
        f"class of {count}: {len(results)} rows in {seconds:.0f} s, {dict(Counter(each['status'] for each in results))}"
    )
    tenth = max(1, len(sizes) // 10)
    early, late = median(sizes[tenth : 2 * tenth]), median(sizes[-2 * tenth : -tenth])
    print(f"    memory of the process that leads: {early / 2**20:.0f} MB early, {late / 2**20:.0f} MB late")
    print(f"    rows lost: {count - len(results)}; odd rows: ", end="")
    print({number: results[number - 1]["status"] for number in ODD if number <= count})


def _watch(process: int, sizes: list[int], stop: threading.Event) -> None:
    leader = psutil.Process(process)
    while not stop.wait(1):
        try:
            sizes.append(leader.memory_info().rss)
        except psutil.Error:
            return


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, MockEndpoint(Behaviour(slots=8)) as mock:
        if sys.argv[1:2] == ["class"]:
            of_class(Path(folder), mock, int(sys.argv[2]))
        else:
            overhead(Path(folder), mock)
            together(Path(folder), mock)
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
