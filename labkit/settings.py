"""The environment variables of labkit, read once into one frozen value; errors that name a wrong variable."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import platformdirs

from labkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

APP = "foundry-local-workbook"
# The model of the lessons, where this machine has it; elsewhere the embedded model is used.
PREFERRED = "phi-4-mini"


@dataclass(frozen=True)
class Settings:
    """BASE_URL, MODEL, API_KEY, LABKIT_CACHE and CLOUD_*; an unset or empty variable is None or has its default.

    `base_url` ends in the API's root (`.../v1`, or the path that was given) without a last slash; so does
    `cloud_base_url`. The keys are not shown when the value is.
    """

    base_url: str | None
    model: str | None
    api_key: str = field(repr=False)
    cache: Path
    cloud_base_url: str | None = None
    cloud_model: str | None = None
    cloud_api_key: str = field(default="not-needed", repr=False)

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        model: str | None = None,
        base_url: str | None = None,
    ) -> Settings:
        """Read the variables; a `model` or `base_url` that is given and not empty is used instead of its variable.

        MODEL belongs to BASE_URL or to this machine, so it is not read for a `base_url` that is given.
        Raises one SettingsError that names every wrong address and a cache that cannot be a folder.
        """

        def text(name: str) -> str:
            return environ.get(name, "").strip()

        given = (base_url or "").strip()
        address = given or text("BASE_URL")
        cloud = text("CLOUD_BASE_URL")
        folder = text("LABKIT_CACHE")
        problems: list[SettingsError] = []

        def checked(check: Callable[[str, str], T], value: str, variable: str) -> T | None:
            try:
                return check(value, variable) if value else None
            except SettingsError as error:
                problems.append(error)
                return None

        settings = cls(
            base_url=checked(normalize_base_url, address, "BASE_URL"),
            model=(model or "").strip() or (text("MODEL") if not given else "") or None,
            api_key=text("API_KEY") or "not-needed",
            cache=checked(_folder, folder, "LABKIT_CACHE") or platformdirs.user_cache_path(APP, False),
            cloud_base_url=checked(normalize_base_url, cloud, "CLOUD_BASE_URL"),
            cloud_model=text("CLOUD_MODEL") or None,
            cloud_api_key=text("CLOUD_API_KEY") or "not-needed",
        )
        if problems:
            raise SettingsError(
                "; ".join(problem.message for problem in problems), fix="; ".join(problem.fix for problem in problems)
            )
        return settings


def _folder(named: str, variable: str) -> Path:
    try:
        path = Path(named).expanduser().resolve()
        usable = next((place.is_dir() for place in (path, *path.parents) if place.exists()), True)
    except (OSError, RuntimeError):  # an unknown user; links in a circle
        usable = False
    if not usable:
        fix = f"set {variable} to the full path of a folder, or leave it unset to use this user's cache folder"
        raise SettingsError(f"{variable} is {named!r}, which cannot be a folder", fix=fix)
    return path


def normalize_base_url(address: str, variable: str = "BASE_URL") -> str:
    """The address of an API's root: `/v1` is added to an address without a path.

    Raises SettingsError for anything but an http(s) address with a host.
    """
    example = {"CLOUD_BASE_URL": ("https://NAME.openai.azure.com/openai/v1", "simulate a cloud")}
    form, otherwise = example.get(variable, ("http://127.0.0.1:51211/v1", "use Foundry Local on this machine"))
    fix = f"write it as {form}, or leave {variable} unset to {otherwise}"
    try:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(letter.isspace() for letter in address):
        # A user's name and password, a query or a fragment may be secret.
        told = "" if set("@?#") & set(address) else f" {address!r}, which is"
        raise SettingsError(f"{variable} is{told} not the address of an endpoint", fix=fix)
    path = parts.path.rstrip("/") or "/v1"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{path}{query}"


_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@contextlib.contextmanager
def named_network_errors() -> Iterator[None]:
    """Turn httpx2's errors about a proxy or certificates into a SettingsError that names the variable.

    Make an HTTP client in this block. The values are not shown, since a proxy's address may contain a password.
    """
    import httpx2

    try:
        yield
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        socks = isinstance(error, ImportError)
        names = [name for name in _set(_PROXIES) if not socks or os.environ[name].lower().startswith("socks")]
        where = " or ".join(names) or "The proxy of this system's settings"
        fault = "is a SOCKS proxy, which needs another package" if socks else "is not the address of a proxy"
        raise SettingsError(f"{where} {fault}", fix=f"write {where} as http://HOST:PORT, or unset it") from None
    except OSError as error:
        if not (names := _set(_CERTIFICATES)):
            raise
        where = names[0]  # the second is ignored where the first is set
        raise SettingsError(
            f"{where} contains no readable certificates ({error.strerror or type(error).__name__})",
            fix=f"set {where} to certificates in PEM form, or unset it",
        ) from None


def _set(names: tuple[str, ...]) -> list[str]:
    """Which of these are set, in capitals or not."""
    return [each for name in names for each in os.environ if each.upper() == name and os.environ[each].strip()]
