# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""What must be true before the app serves anybody: its folder, its settings, its guard, and pages that stay at home."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import chainlit.config
import chainlit.server

from apps.chat.chainlit_fixes import fix_chainlit, in_own_folder
from apps.chat.device import Device, patience, width
from apps.chat.guard import Guard, host_label, refuse_unguarded, users
from apps.chat.hooks import Hooks
from apps.chat.store import open_file
from labkit import LabError, Source
from labkit.files import secret
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

# Without the other variables: where one of those makes no sense, the page says so.
FILES = Settings.from_environment({"LABKIT_CACHE": os.environ.get("LABKIT_CACHE", "")}).cache / "chat"


def launch() -> Hooks:
    """Set the app up; ends the process with one clear message where it may not start.

    Once in a process: `apps.chat_prod` has done it in its own way before, and `-w` imports the app again.
    """
    state = chainlit.server.app.state
    if not hasattr(state, "hooks"):
        in_own_folder()
        try:
            state.hooks = read_settings(chainlit.config.config.run.host)
        except LabError as error:
            sys.exit(f"chat: {error}")
        protect()
    hooks: Hooks = state.hooks
    return hooks


def read_settings(host: str) -> Hooks:
    """The parts as CHAT_USERS, CHAT_PATIENCE, MAX_CONCURRENCY and CLOUD_* want them. Raises LabError."""
    known = users()
    refuse_unguarded(host, known)
    width(Source.BASE_URL)  # a wrong MAX_CONCURRENCY is told now, and not to the first visitor
    return Hooks(
        device=Device(),
        threads=open_file(FILES / "threads.db"),
        users=known,
        patience=patience(),
        cloud=bool(os.environ.get("CLOUD_BASE_URL", "").strip()),
    )


def protect(hosts: Sequence[str] = (), session_secret: str = "") -> None:
    """Put the guard before Chainlit's server and sign its logins with a secret; `hosts` are further names for it."""
    run = chainlit.config.config.run
    os.environ["CHAINLIT_AUTH_SECRET"] = session_secret or secret(FILES / "session-secret")
    chainlit.server.app.add_middleware(Guard, port=run.port, hosts=(*hosts, host_label(run.host)))
    fix_chainlit()
