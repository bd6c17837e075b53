"""The process of one run: executes the notebook of `task.json` with papermill, and writes files about it.

The notebook runs as the same user, so it can change all of these files: their reader must not trust them.
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
OUTPUTS = {"stream", "display_data", "update_display_data", "execute_result", "error"}


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client that writes the count of cells, and kills the kernel when there is too much output."""

    most_output = 0
    progress = Path()
    output_bytes = current_cell = cell_count = 0

    def papermill_execute_cells(self) -> None:
        """Count the cells first."""
        self.cell_count = sum(map(_is_own_code, self.nb.cells))
        self.on_cell_start = self._write_progress
        super().papermill_execute_cells()

    def _write_progress(self, cell: Any, **_: Any) -> None:
        self.current_cell += _is_own_code(cell)
        self.progress.write_text(f"{self.current_cell}/{self.cell_count}", encoding="utf-8")

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Count the output; what is too much is not kept, and the kernel is killed, which ends the cell."""
        if msg["msg_type"] in OUTPUTS:
            self.output_bytes += sum(map(_size, msg["content"].values()))
        if self.output_bytes <= self.most_output:
            return super().process_message(msg, cell, cell_index)
        if self.km is not None and self.km.provisioner is not None and self.km.provisioner.process is not None:
            self.km.provisioner.process.kill()
        return None


def main() -> int:
    """Execute the notebook. The exit status is always 0; `outcome.json` says how the notebook ended."""
    folder = Path.cwd().parent
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    clients: list[Client] = []

    class Engine(NBClientEngine):  # type: ignore[misc]
        """papermill's engine with our client."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            """Execute the cells."""
            client = Client(nb_man, kernel_name=kernel_name, timeout=task["cell_seconds"], **_client_options(options))
            client.most_output, client.progress = task["output"], folder / "out" / "progress"
            clients.append(client)
            return client.execute()

    papermill_engines.register("labkit", Engine)
    status, detail = _execute(task)
    if clients and clients[0].output_bytes > task["output"]:
        status, detail = Status.STOPPED, f"more than {task['output'] / 2**20:.0f} MB of output"
    outcome = {"status": status, "detail": detail, "cell": clients[0].current_cell if clients else 0}
    (folder / "out" / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    return 0


def _execute(task: dict[str, Any]) -> tuple[Status, str]:
    """Execute the notebook; returns how it ended, and why."""
    try:
        papermill.execute_notebook(
            task["notebook"],
            "../out/executed.ipynb",  # papermill writes both names into the notebook: no path of this machine
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
    except Exception as error:  # a file that is not a notebook, a kernel that does not start
        return Status.LOST, f"{type(error).__name__}: {error}"
    return Status.PASSED, ""


def _client_options(options: dict[str, Any]) -> dict[str, Any]:
    """Of papermill's options those that our client takes, and ours: one output for a stream, and the sidecar."""
    kept = {name: options[name] for name in ("log_output", "stdout_file", "stderr_file") if name in options}
    extensions = ["--InteractiveShellApp.extra_extensions=coursekit.sidecar"]
    return kept | {"startup_timeout": START_SECONDS, "coalesce_streams": True, "extra_arguments": extensions}


def _is_own_code(cell: Any) -> bool:
    """Whether a cell is code of the notebook itself; papermill adds a cell with the parameters."""
    tags = cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and "injected-parameters" not in tags


def _size(value: object) -> int:
    """About the bytes of a part of a message."""
    if isinstance(value, dict | list):
        return sum(map(_size, value.values() if isinstance(value, dict) else value))
    return len(value) if isinstance(value, str) else 8


if __name__ == "__main__":
    sys.exit(main())
