"""The capstone's check: a student's app in a process of its own, over the mock endpoint, drill by drill."""

from coursekit.capstone.check import check, examine
from coursekit.capstone.report import DrillReport, DrillResult

__all__ = ["DrillReport", "DrillResult", "check", "examine"]
