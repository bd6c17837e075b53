"""Open WebUI on a workbook's endpoint: set up from the Python package index, and run on this machine only."""

from coursekit.open_webui.packages import FOLDER, FULL, SLIM, VERSION, Kind, find_python, install, installed
from coursekit.open_webui.page import first_message
from coursekit.open_webui.process import Server, environment, running, variables

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
