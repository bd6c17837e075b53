"""Every variable that the app reads, read once and checked together; what is wrong is said in one message."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from apps.chat.device import patience, width
from apps.chat.guard import refuse_unguarded, users
from apps.chat_prod.limits import Rate
from apps.chat_prod.logs import Style
from apps.chat_prod.reading import MAKE, Mistake, Reading
from labkit import SettingsError, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labkit.settings import Settings

SECRET, PASSWORD, TOKEN = 32, 12, 16


class Env(StrEnum):
    """Where the app runs: on your own machine for yourself, or for others."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


@dataclass(frozen=True)
class Configuration:
    """What the environment says. The secrets are not shown when the value is."""

    settings: Settings
    env: Env
    users: Mapping[str, str] = field(repr=False)
    hosts: tuple[str, ...]
    concurrency: int | None
    patience: float
    rate: Rate | None
    queue: int
    drain: float
    log: Style
    metrics_token: str = field(repr=False)
    database_url: str | None = field(repr=False)
    session_secret: str = field(repr=False)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, *, host: str = "127.0.0.1", watch: bool = False
    ) -> Configuration:
        """Read and check all of it. Raises one SettingsError that names each mistake."""
        made, mistakes, _ = examine(environ, host, watch=watch)
        if len(mistakes) == 1:
            raise SettingsError(mistakes[0].wrong, fix=mistakes[0].fix)
        if mistakes:
            raise SettingsError("\n- ".join([f"{len(mistakes)} settings are wrong", *map(str, mistakes)]))
        return made


def examine(
    environ: Mapping[str, str], host: str, *, watch: bool = False
) -> tuple[Configuration, list[Mistake], list[Mistake]]:
    """The configuration with defaults in the place of what is wrong, the mistakes, and what production wants too."""
    reading = Reading(environ)
    env = reading.one_of("CHAT_ENV", Env, Env.DEVELOPMENT)
    production = env is Env.PRODUCTION
    nobody: dict[str, str] = {}
    known = reading.attempt("CHAT_USERS", lambda: users(environ), nobody)
    concurrency = reading.attempt("MAX_CONCURRENCY", lambda: width(Source.BASE_URL, environ), 1)
    rate = reading.text("CHAT_RATE") or ("20/min" if production else "")
    made = Configuration(
        settings=reading.settings(),
        env=env,
        users=known,
        hosts=reading.hosts("CHAT_HOSTS"),
        concurrency=concurrency if reading.text("MAX_CONCURRENCY") else None,
        patience=reading.attempt("CHAT_PATIENCE", lambda: patience(environ), 1.0),
        rate=reading.attempt("CHAT_RATE", lambda: Rate.parse(rate), None) if rate else None,
        queue=reading.whole("CHAT_QUEUE", 100),
        drain=reading.whole("CHAT_DRAIN", 20),
        log=reading.one_of("CHAT_LOG", Style, Style.JSON if production else Style.TEXT),
        metrics_token=reading.secret("CHAT_METRICS_TOKEN", TOKEN),
        database_url=reading.database(),
        session_secret=reading.secret("CHAINLIT_AUTH_SECRET", SECRET),
    )
    if all(mistake.variable != "CHAT_USERS" for mistake in reading.mistakes):
        reading.attempt("CHAT_USERS", lambda: refuse_unguarded(host, known), None)
    reading.misspelt()
    named = {mistake.variable for mistake in reading.mistakes}
    wanted = [mistake for mistake in demands(made, watch=watch) if mistake.variable not in named]
    return made, [*reading.mistakes, *(wanted if production else [])], [] if production else wanted


def demands(made: Configuration, *, watch: bool) -> list[Mistake]:
    """What production refuses, and development only recommends."""
    found = []
    if any(len(password) < PASSWORD for password in made.users.values()):
        wrong = f"CHAT_USERS has a password under {PASSWORD} characters"
        found.append(Mistake("CHAT_USERS", wrong, "give each user a longer one"))
    if made.database_url and not made.session_secret:
        wrong = "CHAINLIT_AUTH_SECRET is not set, so each copy of the app would sign logins with a key of its own"
        fix = f"set it to what {MAKE} gives, the same for all copies"
        found.append(Mistake("CHAINLIT_AUTH_SECRET", wrong, fix))
    if made.log is not Style.JSON:
        found.append(Mistake("CHAT_LOG", "CHAT_LOG is text, which no program can read", "set CHAT_LOG=json"))
    if made.rate is None:
        found.append(Mistake("CHAT_RATE", "CHAT_RATE is not set", "set it to 20/min, or what your users need"))
    if watch:
        found.append(Mistake("WATCH", "the app would load changed files while it serves", "start it without -w"))
    return found
