"""What nbval 0.11.0 lacks: display updates, cleared outputs, stderr, cells that were never run, the share compared.

Used by `pytest --nbval notebooks`. nbval's own internals are patched here and nowhere else; its version is pinned.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

if TYPE_CHECKING:
    from collections.abc import Iterable

_read = IPyNbFile.get_kernel_message
_compare = IPyNbCell.compare_outputs
_OUTPUTS = {"display_data", "execute_result", "stream", "error"}


def fold(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Apply display updates and clear_output to a cell's messages, as a front end does."""
    kept: list[dict[str, Any]] = []
    clear_next = False
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            clear_next = True
            if not content.get("wait"):
                kept, clear_next = [item for item in kept if item["msg_type"] not in _OUTPUTS], False
            continue
        if kind == "update_display_data":
            name = content["transient"]["display_id"]
            for item in kept:
                if item["content"].get("transient", {}).get("display_id") == name:
                    item["content"] |= {"data": content["data"], "metadata": content["metadata"]}
            continue
        if clear_next and kind in _OUTPUTS:
            kept, clear_next = [item for item in kept if item["msg_type"] not in _OUTPUTS], False
        kept.append(message)
    return kept


def _get_kernel_message(self: IPyNbFile, timeout: float | None = None, stream: str = "iopub") -> dict[str, Any]:
    """The next message of a cell, after all of them were read and folded."""
    queue: deque[dict[str, Any]] = self.__dict__.setdefault("_folded", deque())
    if not queue:
        read = [_read(self, timeout, stream)]
        while not _ends_cell(read[-1]):
            read.append(_read(self, timeout, stream))
        queue.extend(fold(read))
    return queue.popleft()


def _ends_cell(message: dict[str, Any]) -> bool:
    idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
    return idle and message["parent_header"].get("msg_type") == "execute_request"


IPyNbFile.get_kernel_message = _get_kernel_message


def _await_idle(*_: Any) -> None:
    """Do not wait after an error: all messages of the cell were read already, its "idle" too.

    nbval would wait for nothing, and then hide the cell's own exception behind one of its own.
    """


RunningKernel.await_idle = _await_idle


def _compare_outputs(self: IPyNbCell, test: list[Any], *others: Any) -> bool:
    """Compare as nbval does; where that fails, say what came on stderr, of which nbval names only the field."""
    same: bool = _compare(self, test, *others)
    if not same:
        self.comparison_traceback += [f"stderr: {item['text']}" for item in test if item.get("name") == "stderr"]
    return same


IPyNbCell.compare_outputs = _compare_outputs


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A code cell without an execution count would be compared with nothing, and be green."""
    if isinstance(item, IPyNbCell) and item.cell.source.strip() and item.cell.execution_count is None:
        pytest.fail("this cell was never executed: run `python lab.py regenerate`", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much of each notebook is compared and not tagged away."""
    shares: dict[str, list[bool]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            compared = dict(getattr(report, "user_properties", ())).get("compared")
            if compared and report.when == "call":
                shares.setdefault(report.nodeid.split("::")[0], []).append(compared == "yes")
    for name, cells in sorted(shares.items()):
        line = f"{name}: {sum(cells)} of {len(cells)} cells with output are compared ({sum(cells) / len(cells):.0%})"
        terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each cell with output whether it is compared."""
    for item in items:
        if isinstance(item, IPyNbCell) and item.cell.outputs:
            item.user_properties.append(("compared", "yes" if item.options["check"] else "no"))
