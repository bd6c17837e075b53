"""What the drills found, as a table, as JSON and in sentences."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.notebook import Table

SCHEMA = "foundry-local-workbook/capstone/1"
_WIDTH = 110


class DrillError(Exception):
    """What a drill saw that should not be: a sentence for the student."""


@dataclass(frozen=True)
class DrillResult:
    """One drill: what was seen, what to do where it failed, and the notebook that teaches it."""

    name: str
    title: str
    passed: bool
    seen: str
    fix: str
    lesson: str

    def __str__(self) -> str:
        state = "passed" if self.passed else "FAILED"
        lines = [f"{state}  {self.name:10}  {self.title}: {self.seen}"]
        if not self.passed:
            told = f"Fix: {self.fix} (notebook {self.lesson})"
            lines += textwrap.wrap(told, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
        return "\n".join(lines)


@dataclass(frozen=True)
class DrillReport:
    """All drills of one app. As JSON: `schema`, `folder`, `passed`, and `results` with the fields of DrillResult."""

    folder: str
    results: tuple[DrillResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every drill passed; an app that no drill has tried has not."""
        return bool(self.results) and not self.failed

    @property
    def failed(self) -> frozenset[str]:
        """The names of the drills that failed."""
        return frozenset(result.name for result in self.results if not result.passed)

    @property
    def summary(self) -> str:
        """The last line."""
        passed = len(self.results) - len(self.failed)
        return f"{passed} of {len(self.results)} drills passed: {Path(self.folder).name}"

    def as_json(self) -> str:
        """The report for programs."""
        found = {"folder": self.folder, "passed": self.passed, "results": [asdict(each) for each in self.results]}
        return json.dumps({"schema": SCHEMA} | found, indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.results), "", self.summary])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            (each.title, "passed" if each.passed else "failed", each.seen, *(("", "") if each.passed else _help(each)))
            for each in self.results
        ]
        return Table(("drill", "", "what was seen", "fix", "notebook"), tuple(rows))._repr_html_()


def _help(result: DrillResult) -> tuple[str, str]:
    return result.fix, result.lesson
