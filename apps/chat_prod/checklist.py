"""Whether the app may serve others from here, as JSON: `python -m apps.chat_prod.checklist`, run by `lab.py doctor`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from apps.chat.guard import is_loopback
from apps.chat_prod.configuration import Configuration, examine
from apps.chat_prod.database import Database
from apps.chat_prod.readiness import ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVERYWHERE = ("0.0.0.0", "::")
PATIENCE = 10.0  # seconds for a database that may have to wake up first


@dataclass(frozen=True)
class Line:
    """One thing that was looked at. `ok` is None where nothing is wrong and something is worth knowing."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


def look(environ: Mapping[str, str], host: str) -> list[Line]:
    """The settings as production would read them, and the database."""
    made, mistakes, _ = examine({**environ, "CHAT_ENV": "production"}, host)
    found = [Line(each.variable, False, each.wrong, each.fix) for each in mistakes]
    if environ.get("CHAT_ENV", "").strip() != "production":
        found.insert(0, Line("CHAT_ENV", False, "CHAT_ENV is not production", "set CHAT_ENV=production"))
    wrong = {line.name for line in found}
    found += [line for line in settings(made, host) if line.name not in wrong]
    if "DATABASE_URL" not in wrong:
        found.append(store(made))
    return found


def settings(made: Configuration, host: str) -> Iterator[Line]:
    """What is set, and nothing of a secret. A line is left out where its variable is wrong."""
    count = len(made.users)
    yield Line("CHAT_USERS", True if count else None, f"{count} may log in" if count else "no login, on this machine")
    own = "set" if made.session_secret else "a key of this machine, which a second copy of the app does not have"
    yield Line("CHAINLIT_AUTH_SECRET", True if made.session_secret else None, own)
    yield Line("CHAT_LOG", True, str(made.log))
    yield Line("CHAT_RATE", True, f"{made.rate} for each user, {made.queue} in line")
    yield Line("CHAT_DRAIN", True, f"{made.drain:g} s for the answers under way")
    token = "wanted from everybody" if made.metrics_token else "not set: /metrics answers this machine only"
    yield Line("CHAT_METRICS_TOKEN", True if made.metrics_token else None, token)
    if host in EVERYWHERE and not made.hosts:
        fix = "set CHAT_HOSTS to the address that users type"
        yield Line("Address", False, f"listens on {host}, and would refuse everybody: no host is named", fix)
    elif not is_loopback(host):
        fix = "leave --host at 127.0.0.1 and put a proxy with TLS before it"
        yield Line("Address", None, f"listens on {host}, where passwords travel unencrypted without a proxy", fix)
    elif made.hosts:
        yield Line("Address", True, f"this machine only, for a proxy that calls it {', '.join(made.hosts)}")
    else:
        yield Line("Address", None, "this machine only, and no proxy is named", "set CHAT_HOSTS to the proxy's name")


def store(made: Configuration) -> Line:
    """Whether the database is there, with its tables."""
    database = Database.at(made.database_url or made.settings.cache / "chat" / "threads.db")

    async def asked() -> Line:
        engines: list[AsyncEngine] = []

        def opened() -> AsyncEngine:
            engines.append(create_async_engine(database.url, connect_args=database.options))
            return engines[0]

        seen = await ask(opened, PATIENCE)
        for engine in engines:
            await engine.dispose()
        fix = "" if seen.ok else "start the app once, which makes its tables; or start the server of DATABASE_URL"
        return Line("Database", seen.ok, f"{database.url.get_backend_name()} {seen.reason}", fix)

    return asyncio.run(asked())


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="where the app would listen")
    print(json.dumps([asdict(line) for line in look(os.environ, parser.parse_args().host)]))


if __name__ == "__main__":
    main()
