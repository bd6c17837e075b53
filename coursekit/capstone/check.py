"""check(): start the app, run the drills one after another, and say what each has seen."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import httpx2
import socketio

from coursekit.capstone.app import App
from coursekit.capstone.bench import QUICK, Bench, Drill, Limits
from coursekit.capstone.drills import DRILLS
from coursekit.capstone.report import DrillError, DrillReport, DrillResult
from coursekit.chainlit_client import PageError
from coursekit.errors import WorkbookError
from foundry_mock import MockEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SETTLED = 5.0
_NEVER = "not tried, since the app does not start"


def check(
    folder: Path,
    *,
    drills: Sequence[Drill] = DRILLS,
    limits: Limits | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> DrillReport:
    """Try an app; `say` is told each result as it comes. Raises WorkbookError where there is no app."""
    return asyncio.run(examine(folder, drills=drills, limits=limits, say=say))


async def examine(
    folder: Path,
    *,
    drills: Sequence[Drill] = DRILLS,
    limits: Limits | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> DrillReport:
    """The same inside an event loop, as a notebook has one."""
    folder = Path(folder)
    if not (folder / "app.py").is_file():
        raise WorkbookError(
            f"There is no app.py in {folder}", fix="name the folder of your app: lab.py capstone FOLDER"
        )
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="capstone-", ignore_cleanup_errors=True) as place:
        # The port stays the same for every endpoint of the drills, since an app is told it only once.
        with MockEndpoint(QUICK) as mock:
            base_url, model = mock.base_url, mock.model
        key = f"sk-capstone-{secrets.token_hex(16)}"
        told = {"BASE_URL": base_url, "MODEL": model, "API_KEY": key, "CHAT_PATIENCE": f"{limits.patience:g}"}
        app = App(folder, Path(place), told)
        bench = Bench(app, int(base_url.rpartition(":")[2].partition("/")[0]), key, limits)
        results: list[DrillResult] = []
        try:
            dead = await _start(bench)
            for drill in drills:
                result = _result(drill, dead) if dead else await _try(bench, drill)
                dead = dead and _NEVER
                results.append(result)
                say(str(result))
        finally:
            await app.stop()
    return DrillReport(str(folder), tuple(results))


async def _start(bench: Bench) -> str:
    """Start the app while its endpoint is there; returns what went wrong."""
    try:
        async with bench.endpoint():
            await bench.app.start(bench.limits.ready)
    except DrillError as error:
        return str(error)
    return ""


async def _try(bench: Bench, drill: Drill) -> DrillResult:
    """One drill, on an app that answers: one that the drill before has left blocked or ended is started again."""
    if not await bench.app.healthy(_SETTLED):
        await bench.app.stop()
        if dead := await _start(bench):
            return _result(drill, f"{dead}, when it was started again")
    try:
        async with asyncio.timeout(bench.limits.drill):
            return _result(drill, seen=await drill.run(bench))
    except (DrillError, PageError) as error:
        return _result(drill, str(error))
    except TimeoutError:
        return _result(drill, f"it took longer than {bench.limits.drill:.0f} s")
    except (aiohttp.ClientError, httpx2.HTTPError, socketio.exceptions.SocketIOError) as error:
        return _result(drill, f"the connection to the app broke ({type(error).__name__})")


def _result(drill: Drill, wrong: str = "", seen: str = "") -> DrillResult:
    return DrillResult(drill.name, drill.title, not wrong, wrong or seen, drill.fix, drill.lesson)
