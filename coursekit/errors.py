"""Errors of the course's tools, below labkit's LabError."""

from labkit.errors import LabError


class BrowserError(LabError):
    """A browser was found, and failed at its task."""


class WorkbookError(LabError):
    """A notebook, or a student's copy of one, is missing or cannot be used."""
