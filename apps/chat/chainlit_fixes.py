"""Where the app does what Chainlit 2.12 does not: each with its reason. Notebook 04 shows the app without them."""

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

import chainlit.config
import chainlit.server
import chainlit.socket
from chainlit.auth import get_current_user, reuseable_oauth
from chainlit.session import BaseSession, WebsocketSession
from fastapi import Depends

from apps.chat.store import acting_user

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent
_OUTSIDE = re.compile(r"<(?:link|script)\b[^>]*\b(?:href|src)=\"https?://[^>]*>(?:\s*</script>)?", re.IGNORECASE)
# Without it the header of a page 390 pixels wide pushes the user's menu over the edge.
_NARROW = "<style>@media (max-width: 480px) { #readme-button { padding-inline: 0.25rem } }</style>"


def fix_chainlit() -> None:
    """All of them but `in_own_folder`, once in a process."""
    # The page's third choice, which Chainlit's settings file does not know.
    chainlit.config.config.ui.default_theme = "system"
    # uvicorn would let any program of this machine say for whom its tries at the login count.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    own_files()
    name_the_user()
    stay_at_home()


def in_own_folder() -> None:
    """Chainlit reads its settings and its pages where it was started: start it again for the app's folder.

    A copy of that folder is enough. A server has one for each process, since Chainlit writes there.
    """
    if chainlit.config.config.run.module_name is None:  # tried in a notebook
        return
    if Path(chainlit.config.APP_ROOT, "public", "names.js").is_file():
        return
    command = [sys.executable, "-m", "chainlit", *sys.argv[1:]]
    environ = os.environ | {"CHAINLIT_APP_ROOT": str(FOLDER)}
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
