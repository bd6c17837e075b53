"""The capstone's check: a student's app in a process of its own, over the mock endpoint, drill by drill."""

from coursekit.capstone.check import check, examine
from coursekit.capstone.verdict import Result, Verdict

__all__ = ["Result", "Verdict", "check", "examine"]
