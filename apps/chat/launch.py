# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""What must be true before the app serves anybody: its folder, its settings, its guard, and pages that stay at home."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chainlit as cl
import chainlit.config
import chainlit.server
import chainlit.socket
from chainlit.auth import get_current_user, reuseable_oauth
from chainlit.data import get_data_layer
from chainlit.session import BaseSession, WebsocketSession
from fastapi import Depends

from apps.chat.device import Device
from apps.chat.guard import Guard, host_label
from apps.chat.store import acting_user
from apps.chat_prod import metrics, readiness
from apps.chat_prod.configuration import Configuration, Env
from apps.chat_prod.drain import AT_ONCE, Drain
from apps.chat_prod.limits import Buckets
from apps.chat_prod.logs import set_up
from apps.chat_prod.operations import Operations
from labkit import LabError
from labkit.files import secret
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labkit import Connection, Router

# Without the other variables: where one of those makes no sense, the page says so.
FILES = Settings.from_environment({"LABKIT_CACHE": os.environ.get("LABKIT_CACHE", "")}).cache / "chat"
_OUTSIDE = re.compile(r"<(?:link|script)\b[^>]*\b(?:href|src)=\"https?://[^>]*>(?:\s*</script>)?", re.IGNORECASE)
# Without it the header of a page 390 pixels wide pushes the user's menu over the edge.
_NARROW = "<style>@media (max-width: 480px) { #readme-button { padding-inline: 0.25rem } }</style>"


def launch(routes: Mapping[Any, Connection | Router]) -> Operations:
    """Set all of it up; ends the process with one clear message where the app may not start."""
    in_own_folder()
    # uvicorn would let any program of this machine say for whom its tries at the login count.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    run, app = chainlit.config.config.run, chainlit.server.app
    try:
        told = Configuration.from_environment(host=run.host, watch=bool(run.watch))
    except LabError as error:
        sys.exit(f"chat: {error}")
    # The page's third choice, which Chainlit's settings file does not know.
    chainlit.config.config.ui.default_theme = "system"
    os.environ["CHAINLIT_AUTH_SECRET"] = told.session_secret or secret(FILES / "session-secret")
    if app.middleware_stack is None:  # `-w` imports the app again, when it serves already
        set_up(told.log)
        app.add_middleware(Guard, port=run.port, hosts=(*told.hosts, host_label(run.host)))
        own_files()
        name_the_user()
        app.state.operations = made = assemble(told)
        watch = readiness.Readiness(made.device, made.drain, lambda: get_data_layer().engine)
        made.metrics.registry.register(metrics.Now(made.device, watch, routes))
        # Ahead of Chainlit's own routes, which answer every unknown path with the page.
        app.router.routes[:0] = [readiness.page(watch), metrics.page(made.metrics, watch, told.metrics_token)]
        stay_at_home()
        cl.on_app_startup(made.started)
    kept: Operations = app.state.operations
    return kept


def assemble(told: Configuration) -> Operations:
    """One of each part."""
    interrupt = min(AT_ONCE, told.drain) if told.env is Env.DEVELOPMENT else told.drain

    async def settle() -> None:
        await get_data_layer().settled()

    return Operations(
        told,
        Device(concurrency=told.concurrency, most=told.queue),
        metrics.Metrics(),
        Drain(told.drain, interrupt, settle),
        Buckets(told.rate) if told.rate else None,
    )


def in_own_folder() -> None:
    """Chainlit reads its settings where it was started: start it again for the app's folder, if that is another."""
    target = chainlit.config.config.run.module_name
    if target is None:  # tried in a notebook
        return
    here = Path(target).resolve().parent
    if Path(chainlit.config.APP_ROOT).resolve() == here:
        return
    command = [sys.executable, "-m", "chainlit", *sys.argv[1:]]
    environ = os.environ | {"CHAINLIT_APP_ROOT": str(here)}
    if os.name != "nt":
        os.execve(sys.executable, command, environ)
    try:
        sys.exit(subprocess.run(command, env=environ, check=False).returncode)
    except KeyboardInterrupt:
        sys.exit(130)


def own_files() -> None:
    """Keep what chats hand out as files in a folder of this process, which only its user may read.

    Chainlit has one folder for all processes, which the first to end removes. In it the id of a session, which the
    page chooses, would be a path: a folder of that name would be removed with the session.
    """
    folder = Path(tempfile.mkdtemp(prefix="chat-"))
    chainlit.server.FILES_DIRECTORY = folder  # type: ignore[attr-defined] # removed at the end

    def own(session: BaseSession) -> Path:
        return folder / hashlib.sha256(session.id.encode(errors="backslashreplace")).hexdigest()

    BaseSession.files_dir = property(own)  # type: ignore[assignment,method-assign]


def name_the_user() -> None:
    """Tell the store for whom an HTTP request writes, and give a chat that cannot be resumed an id of its own.

    Chainlit 2.12 keeps the id that the page asked for, which may be another user's link.
    """
    resume = chainlit.socket.resume_thread

    async def known(token: str = Depends(reuseable_oauth)) -> Any:
        user = await get_current_user(token)
        acting_user.set(user.identifier if user else None)
        return user

    async def resume_or_begin(session: WebsocketSession) -> Any:
        thread = await resume(session)
        if thread is None:
            session.thread_id = str(uuid.uuid4())
        return thread

    chainlit.server.app.dependency_overrides[get_current_user] = known
    chainlit.socket.resume_thread = resume_or_begin


def stay_at_home() -> None:
    """Take the links to fonts and styles of other hosts out of Chainlit's page; its header then fits a phone too."""
    made: Callable[[str], str] = chainlit.server.get_html_template

    def at_home(root_path: str) -> str:
        return _OUTSIDE.sub("", made(root_path)).replace("</head>", f"{_NARROW}</head>")

    chainlit.server.get_html_template = at_home
