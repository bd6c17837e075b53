"""Open WebUI on a workbook's endpoint: set up from the Python package index, and run on this machine only."""

from labkit.openwebui.packages import FOLDER, FULL, SLIM, VERSION, Kind, find_python, install, installed
from labkit.openwebui.page import first_message
from labkit.openwebui.process import Server, environment, running, variables

__all__ = [
    "FOLDER",
    "FULL",
    "SLIM",
    "VERSION",
    "Kind",
    "Server",
    "environment",
    "find_python",
    "first_message",
    "install",
    "installed",
    "running",
    "variables",
]
