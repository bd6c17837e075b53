"""The process of one run: executes the notebook of `job.json` with papermill, and writes files about it.

The notebook runs as the same user, so it can change all of these files: their reader must not trust them.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from coursekit.report.job import MB, Job, Status

START_SECONDS = 120
OUTPUTS = {"stream", "display_data", "update_display_data", "execute_result", "error"}


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client that writes the count of cells, and kills the kernel when there is too much output."""

    most_output = output_bytes = current_cell = cell_count = 0

    def papermill_execute_cells(self) -> None:
        """Count the cells first."""
        self.cell_count = sum(map(_is_own_code, self.nb.cells))
        self.on_cell_start = self._write_progress
        super().papermill_execute_cells()

    def _write_progress(self, cell: Any, **_: Any) -> None:
        self.current_cell += _is_own_code(cell)
        Path("../out/progress").write_text(f"{self.current_cell}/{self.cell_count}", encoding="utf-8")

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Count the output; what is too much is not kept, and the kernel is killed, which ends the cell."""
        if msg["msg_type"] in OUTPUTS:
            self.output_bytes += len(json.dumps(msg["content"], ensure_ascii=False))
        if self.output_bytes <= self.most_output:
            return super().process_message(msg, cell, cell_index)
        with contextlib.suppress(AttributeError):  # the kernel has ended already
            self.km.provisioner.process.kill()
        return None


class Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine with our client: one output for a stream, and the sidecar."""

    job: Job
    client: Client | None = None

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        """Execute the cells."""
        cls.client = Client(
            nb_man,
            kernel_name=kernel_name,
            timeout=cls.job.limits.cell_seconds,
            startup_timeout=START_SECONDS,
            coalesce_streams=True,
            extra_arguments=["--InteractiveShellApp.extra_extensions=coursekit.sidecar"],
        )
        cls.client.most_output = cls.job.limits.output
        cls.client.execute()


def main() -> int:
    """Execute the notebook. The exit status is always 0; `outcome.json` says how the notebook ended."""
    job = Engine.job = Job.read(Path("../job.json"))
    papermill_engines.register("labkit", Engine)
    status, detail = _execute(job)
    client = Engine.client
    if client and client.output_bytes > job.limits.output:
        status, detail = Status.STOPPED, f"more than {job.limits.output / MB:.0f} MB of output"
    outcome = {"status": status, "detail": detail, "cell": client.current_cell if client else 0}
    Path("../out/outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    return 0


def _execute(job: Job) -> tuple[Status, str]:
    """Execute the notebook; returns how it ended, and why."""
    try:
        papermill.execute_notebook(
            job.notebook,
            "../out/executed.ipynb",  # papermill writes both names into the notebook: no path of this machine
            parameters=job.parameters,
            kernel_name="python3",
            language="python",
            engine_name="labkit",
            progress_bar=False,
        )
    except PapermillExecutionError as error:
        return Status.FAILED, f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        return Status.TIMED_OUT, f"more than {job.limits.cell_seconds:g} s for one cell"
    except DeadKernelError:
        return Status.DIED, "the kernel ended by itself"
    except Exception as error:  # a file that is not a notebook, a kernel that does not start
        return Status.LOST, f"{type(error).__name__}: {error}"
    return Status.PASSED, ""


def _is_own_code(cell: Any) -> bool:
    """Whether a cell is code of the notebook itself; papermill adds a cell with the parameters."""
    tags = cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and "injected-parameters" not in tags


if __name__ == "__main__":
    sys.exit(main())
