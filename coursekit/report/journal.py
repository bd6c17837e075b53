"""What is finished, a line each, so that a report that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from coursekit.report.job import Result

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """A file of results. A last line that was torn by a kill is passed over, and its job is run again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def finished(self) -> dict[str, Result]:
        """The results so far, by the keys of their jobs."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    result = Result.from_json(json.loads(line))
                    found[result.key] = result
        return found

    def add(self, result: Result) -> None:
        """Note a result, on the disk before this returns."""
        line = json.dumps(result.as_json()).encode()
        with self.path.open("ab") as file:
            torn = file.tell() > 0 and not self._ends_a_line()
            file.write(b"\n" * torn + line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
