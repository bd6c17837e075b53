"""The process of one run: executes the notebook of `task.json` with papermill, and leaves files that tell how it went.

All that it writes may have been changed by the notebook, which runs as the same user: who reads it must not trust it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from coursekit.report.job import Status

START_SECONDS = 120


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client that notes which cell runs, and ends the kernel when there is too much output."""

    most_output = 0
    progress = Path()
    written = at = total = 0

    def papermill_execute_cells(self) -> None:
        """Count the cells first; the one that papermill adds is not the notebook's."""
        self.total = sum(map(_counts, self.nb.cells))
        self.on_cell_start = self._note
        super().papermill_execute_cells()

    def _note(self, cell: Any, **_: Any) -> None:
        self.at += _counts(cell)
        self.progress.write_text(f"{self.at}/{self.total}", encoding="utf-8")

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Weigh a message; after too much nothing is kept, and the kernel is killed, which ends the cell."""
        if msg["msg_type"] in {"stream", "display_data", "update_display_data", "execute_result", "error"}:
            self.written += sum(map(_weight, msg["content"].values()))
        if self.written <= self.most_output:
            return super().process_message(msg, cell, cell_index)
        if self.km is not None and self.km.provisioner is not None and self.km.provisioner.process is not None:
            self.km.provisioner.process.kill()
        return None


def main() -> int:
    """Execute; the exit status is 0 whatever the notebook did, and `outcome.json` says what that was."""
    place = Path.cwd().parent
    task = json.loads((place / "task.json").read_text(encoding="utf-8"))
    made: list[Client] = []

    class Engine(NBClientEngine):  # type: ignore[misc]
        """papermill's engine with our client."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            """Execute the cells."""
            client = Client(nb_man, kernel_name=kernel_name, timeout=task["cell_seconds"], **_ours(options))
            client.most_output, client.progress = task["output"], place / "out" / "progress"
            made.append(client)
            return client.execute()

    papermill_engines.register("labkit", Engine)
    status, detail = execute(task, place / "out" / "executed.ipynb")
    cell = made[0].at if made else 0
    if made and made[0].written > task["output"]:
        status, detail = Status.STOPPED, f"more than {task['output'] / 2**20:.0f} MB of output"
    outcome = {"status": status, "detail": detail, "cell": cell}
    (place / "out" / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    return 0


def execute(task: dict[str, Any], target: Path) -> tuple[Status, str]:
    """Run one notebook; how it ended, and why."""
    try:
        papermill.execute_notebook(
            task["notebook"],
            f"../out/{target.name}",  # papermill notes both names in the notebook: no place of this machine
            parameters=task["parameters"],
            kernel_name="python3",
            language="python",
            engine_name="labkit",
            progress_bar=False,
        )
    except PapermillExecutionError as error:
        return Status.FAILED, f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        return Status.TIMED_OUT, f"more than {task['cell_seconds']:g} s for one cell"
    except DeadKernelError:
        return Status.DIED, "the kernel ended by itself"
    except Exception as error:  # a file that is no notebook, a kernel that does not start
        return Status.LOST, f"{type(error).__name__}: {error}"
    return Status.PASSED, ""


def _ours(options: dict[str, Any]) -> dict[str, Any]:
    """What of papermill's options our client takes, and how streams are kept: one output, not one for each flush."""
    kept = {name: options[name] for name in ("log_output", "stdout_file", "stderr_file") if name in options}
    observed = ["--InteractiveShellApp.extra_extensions=coursekit.sidecar"]
    return kept | {"startup_timeout": START_SECONDS, "coalesce_streams": True, "extra_arguments": observed}


def _counts(cell: Any) -> bool:
    """Whether a cell is one of the notebook's own that runs."""
    tags = cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and "injected-parameters" not in tags


def _weight(value: object) -> int:
    """About the bytes that a part of a message takes."""
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, str) else 8


if __name__ == "__main__":
    sys.exit(main())
