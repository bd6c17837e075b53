"""Figures of the lessons that are not for other projects: drawings, the digit network, the chat in operation."""

from coursekit.figures.operated import buckets, line
from coursekit.figures.parts import architecture, containers
from coursekit.figures.pieces import pieces
from coursekit.figures.planned import capacity
from coursekit.figures.raced import digits, race

__all__ = ["architecture", "buckets", "capacity", "containers", "digits", "line", "pieces", "race"]
