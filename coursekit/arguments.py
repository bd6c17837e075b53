"""What may stand after `python lab.py`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

CHAT_PORT = 8080
PAGES_PORT = 5173
WEBUI_PORT = 3000
JUPYTER_PORT = 8888
EPILOG = "Without a command: set up, start the endpoint, and open the workbook in JupyterLab."


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; `command` is the name of the function that is to run."""
    whole = argparse.ArgumentParser(prog="lab.py", description="The Foundry Local chat workbook.", epilog=EPILOG)
    whole.add_argument("--port", type=int, help="JupyterLab's port (default: 8888, or a free one)")
    whole.add_argument("--no-browser", action="store_true", help="print JupyterLab's address and open nothing")
    whole.set_defaults(command="open_workbook")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for group in (_students, _servers, _instructors, _authors):
        group(commands)
    return whole


def _students(commands: Commands) -> None:
    """What a student uses: the tests, the kernel, copies, exercises, the doctor."""
    tested = commands.add_parser("test", help="run the tests that this machine can run")
    tested.add_argument("--all", action="store_true", help="run every lane, and let nothing be skipped")
    tested.add_argument("pytest", nargs="*", help="what follows -- goes to pytest")
    tested.set_defaults(command="test")

    registered = commands.add_parser("kernel", help='register the kernel "Foundry Local" for VS Code and others')
    registered.set_defaults(command="kernel")

    fresh = commands.add_parser("reset", help="a fresh copy of one notebook; the old one is kept beside it")
    fresh.add_argument("number", metavar="NN", help="the notebook's number, 01 to 07")
    fresh.set_defaults(command="reset")

    stood = commands.add_parser("progress", help="which exercises you have passed")
    stood.set_defaults(command="progress")

    looked = commands.add_parser("doctor", help="look for what is wrong on this machine")
    looked.add_argument("--json", action="store_true", help="the same for programs")
    looked.add_argument("--production", action="store_true", help="whether the chat may serve others from here")
    looked.add_argument("--host", default="127.0.0.1", help="with --production: where the chat would listen")
    looked.set_defaults(command="doctor")

    tried = commands.add_parser("capstone", help="run the capstone's drills on your app, or on the worked example")
    tried.add_argument("folder", nargs="?", type=Path, help="where its app.py is (default: the worked example)")
    tried.add_argument("--json", action="store_true", help="the same for programs")
    tried.set_defaults(command="capstone")


def _servers(commands: Commands) -> None:
    """What runs until Ctrl-C, and the backup of what one of them keeps."""
    served = commands.add_parser("serve", help="run the endpoint until Ctrl-C")
    _port(served, "the endpoint's port (default: 51211, or a free one)")
    served.add_argument("--mock", action="store_true", help="a scripted endpoint instead of a model, for tests")
    served.set_defaults(command="serve")

    chatting = commands.add_parser("chat", help="the chat application of notebook 04, in your browser")
    _port(chatting, f"its port (default: {CHAT_PORT}, or a free one)")
    chatting.add_argument("--host", default="127.0.0.1", help="where it listens; elsewhere it wants CHAT_USERS")
    _no_browser(chatting)
    chatting.set_defaults(command="chat")

    saved = commands.add_parser("backup", help="save the chat's threads, and check the copy by restoring it")
    chosen = saved.add_mutually_exclusive_group()
    chosen.add_argument("--check", metavar="FILE", help="restore a backup on trial and compare all of it")
    chosen.add_argument("--restore", metavar="FILE", help="put a backup in the place of the threads, which are kept")
    saved.set_defaults(command="backup")

    paged = commands.add_parser("webgpu", help="the pages of notebook 05: models that run inside your browser")
    _port(paged, f"their port (default: {PAGES_PORT}, or a free one)")
    _no_browser(paged)
    paged.set_defaults(command="webgpu")

    fuller = commands.add_parser("openwebui", help="Open WebUI on this machine's model; sets it up the first time")
    _port(fuller, f"its port (default: {WEBUI_PORT}, or a free one)")
    _no_browser(fuller)
    fuller.add_argument("--slim", action="store_true", help="a fourth of the size: chat and plain text files")
    fuller.set_defaults(command="openwebui")


# The whole command line has these two as well: a default here would overwrite what stands before the command.
def _port(command: argparse.ArgumentParser, told: str) -> None:
    command.add_argument("--port", type=int, default=argparse.SUPPRESS, help=told)


def _no_browser(command: argparse.ArgumentParser) -> None:
    told = "print the address instead of opening it"
    command.add_argument("--no-browser", action="store_true", default=argparse.SUPPRESS, help=told)


def _instructors(commands: Commands) -> None:
    """Reports."""
    told = commands.add_parser(
        "report", help="for instructors: run notebooks, one's own or a class's, and tell how it went"
    )
    named = "numbers or names of the course's own, or paths of others (default: all lessons)"
    told.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help=named)
    told.add_argument("-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    told.add_argument("--model", dest="models", action="append", default=[], help="a model; several are compared")
    told.add_argument("--out", default="report", help="the folder of the report (default: report)")
    told.add_argument("--code", action="store_true", help="show the code in the pages too")
    told.add_argument("--matrix", metavar="FILE", help="the list of a class, YAML or CSV")
    told.add_argument("--fresh", action="store_true", help="run a class again from the start")
    told.add_argument("--workers", type=int, default=1, metavar="N", help="runs at once on this machine (default: 1)")
    told.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster that is to do the work")
    told.add_argument(
        "--per-endpoint", type=int, default=2, metavar="N", help="runs at once on an endpoint (default: 2)"
    )
    told.add_argument("--cell-seconds", type=float, default=120, metavar="S", help="the most for a cell (default: 120)")
    told.add_argument(
        "--seconds", type=float, default=1800, metavar="S", help="the most for a notebook (default: 1800)"
    )
    told.add_argument(
        "--memory", type=int, default=2048, metavar="MB", help="the most for a student's run (default: 2048)"
    )
    told.set_defaults(command="report")


def _authors(commands: Commands) -> None:
    """What makes the workbook."""
    made = commands.add_parser("regenerate", help="for authors: make the outputs of the notebooks again")
    made.add_argument("numbers", nargs="*", metavar="NN", help="the notebooks' numbers (default: all)")
    made.set_defaults(command="regenerate")

    exported = commands.add_parser("export", help="for authors: write the files of the apps from the notebooks")
    exported.add_argument("--check", action="store_true", help="write nothing; show what differs and what is wrong")
    exported.set_defaults(command="export")
