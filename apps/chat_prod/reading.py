"""Reading variables of the environment: each by itself, and a mistake is noted instead of ending at the first."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from apps.chat_prod.database import Database
from labkit import SettingsError
from labkit.routing.cloud import chosen
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

    T = TypeVar("T")
    Word = TypeVar("Word", bound=StrEnum)

VARIABLES = (
    *("BASE_URL", "MODEL", "API_KEY", "LABKIT_CACHE", "CLOUD_BASE_URL", "CLOUD_MODEL", "CLOUD_API_KEY"),
    *("CHAT_ENV", "CHAT_USERS", "CHAT_HOSTS", "CHAT_PATIENCE", "CHAT_RATE", "CHAT_QUEUE", "CHAT_DRAIN", "CHAT_LOG"),
    *("CHAT_METRICS_TOKEN", "MAX_CONCURRENCY", "DATABASE_URL", "CHAINLIT_AUTH_SECRET"),
)
# Other programs have variables that look like our short ones; and Chainlit has some of its own.
LONG, ALIKE, ALIKE_OURS = 10, 0.9, 0.8
_HOST = re.compile(r"(?:[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
# A command that makes a secret, in every terminal.
MAKE = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'


@dataclass(frozen=True)
class Mistake:
    """One variable, what is wrong with it (never its value, where that is a secret) and how to fix it."""

    variable: str
    wrong: str
    fix: str

    def __str__(self) -> str:
        return f"{self.wrong}. Fix: {self.fix}"


class Reading:
    """One look at the environment, which collects its mistakes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[Mistake] = []

    def text(self, name: str) -> str:
        """A variable without the spaces around it; empty where it is not set."""
        return self.environ.get(name, "").strip()

    def note(self, name: str, wrong: str, fix: str) -> None:
        """A mistake."""
        self.mistakes.append(Mistake(name, wrong, fix))

    def attempt(self, name: str, read: Callable[[], T], otherwise: T) -> T:
        """What `read` gives; a SettingsError of it is noted."""
        try:
            return read()
        except SettingsError as error:
            # An address may hold a name and a password.
            self.note(name, f"{name} is not an address" if "@" in self.text(name) else error.message, error.fix)
            return otherwise

    def settings(self) -> Settings:
        """The variables that the notebooks have too; each address by itself, so that two mistakes are two."""
        kept = dict(self.environ)
        for name in ("BASE_URL", "CLOUD_BASE_URL"):
            if self.attempt(name, partial(Settings.from_environment, {name: self.text(name)}), None) is None:
                kept.pop(name)
        found = Settings.from_environment(kept)
        if "CLOUD_BASE_URL" in kept or not self.text("CLOUD_BASE_URL"):
            self.attempt("CLOUD_BASE_URL", lambda: chosen(found), None)
        return found

    def hosts(self, name: str) -> tuple[str, ...]:
        """Names of hosts between commas."""
        told = tuple(host.strip().lower() for host in self.text(name).split(",") if host.strip())
        if any(not _HOST.fullmatch(host) for host in told):
            self.note(name, f"{name} is {self.text(name)!r}", "write names between commas, as chat.example,10.0.0.5")
        return told

    def one_of(self, name: str, kind: type[Word], otherwise: Word) -> Word:
        """A word of an enumeration."""
        told = self.text(name)
        if told and told not in list(kind):
            self.note(name, f"{name} is {told!r}", f"set it to {' or '.join(kind)}, or unset it")
            return otherwise
        return kind(told) if told else otherwise

    def whole(self, name: str, otherwise: int, most: int = 3600) -> int:
        """A whole number."""
        told = self.text(name)
        if told and not (told.isascii() and told.isdecimal() and len(told) < 6 and int(told) <= most):
            self.note(name, f"{name} is {told!r}", f"set it to a whole number from 0 to {most}, or unset it")
            return otherwise
        return int(told) if told else otherwise

    def secret(self, name: str, least: int) -> str:
        """A secret; short ones can be guessed."""
        told = self.text(name)
        if told and len(told) < least:
            self.note(name, f"{name} has under {least} characters", f"{MAKE} gives one that is long enough")
        return told

    def database(self) -> str | None:
        """The address of the database; who has not set it gets a file of this machine."""
        told = self.text("DATABASE_URL")
        if told:
            try:
                Database.at(told)
            except SettingsError as error:  # its text has nothing of the address but its scheme
                self.note("DATABASE_URL", error.message, error.fix)
        return told or None

    def misspelt(self) -> None:
        """Variables that look like ours, where the right one is not set: they would do nothing."""
        for name in sorted(set(self.environ) - set(VARIABLES)):
            ours = name.startswith("CHAT_")
            likely = [right for right in VARIABLES if (ours or len(right) >= LONG) and not self.text(right)]
            for right in difflib.get_close_matches(name, likely, 1, ALIKE_OURS if ours else ALIKE):
                self.note(name, f"{name} is not a variable of the app", f"write {right}, or unset {name}")
