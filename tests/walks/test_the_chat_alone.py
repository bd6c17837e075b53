"""Walk: the application of notebook 04 as its student has it, in a folder where `apps/chat_prod` is not."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import httpx2
import pytest

from coursekit.copies import ROOT
from foundry_mock import Behaviour, MockEndpoint
from tests.support import chat_app as chat

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.mark.parametrize("with_server_parts", [False, True])
@chat.in_loop
async def test_it_answers_and_keeps_the_thread(tmp_path: Path, *, with_server_parts: bool) -> None:
    """It chats, keeps the conversation and stops; the server's own pages are there only with `apps/chat_prod`."""
    course = tmp_path / "course"
    ignored = shutil.ignore_patterns("__pycache__", *([] if with_server_parts else ["chat_prod"]))
    shutil.copytree(ROOT / "apps", course / "apps", ignore=ignored)
    shutil.copytree(ROOT / "labkit", course / "labkit", ignore=ignored)
    target = course / "apps" / ("chat_prod" if with_server_parts else "chat") / "app.py"
    with (
        MockEndpoint(Behaviour(first_token=0.01, rate=100)) as mock,
        chat.started(target, tmp_path, mock.base_url, {"PYTHONPATH": str(course)}) as app,
    ):
        async with chat.visit(app) as page:
            assert await page.ask("Count to 5.") == "1 2 3 4 5"
            await page.say("Count to 500.")
            await page.until(lambda: page.answer.startswith("1 2 3 4 5 6"))
            await page.stop()
            await page.until(lambda: page.ended == "stopped")
            thread = page.thread
        async with chat.visit(app, thread=thread) as page:
            await page.until(lambda: page.resumed)
            assert "1 2 3 4 5" in [step["output"] for step in page.resumed[0]["steps"]]
        ready = httpx2.get(f"{app.url}/ready", trust_env=False)
        assert ready.headers["content-type"].startswith("application/json") is with_server_parts
    with closing(sqlite3.connect(app.cache / "chat" / "threads.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert ("schema_version" in tables) is with_server_parts
