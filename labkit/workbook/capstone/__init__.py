"""The capstone's check: a student's app in a process of its own, over the mock endpoint, drill by drill."""

from labkit.workbook.capstone.check import check, examine
from labkit.workbook.capstone.verdict import Result, Verdict

__all__ = ["Result", "Verdict", "check", "examine"]
