"""What the environment says of the way into the network, named where no HTTP client can be made with it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import httpx2

from labkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Make a client in this block: a proxy or certificates that it cannot use are a SettingsError with their variable.

    The values are not shown, since a proxy's may hold a password.
    """
    try:
        yield
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        socks = isinstance(error, ImportError)
        names = [name for name in _set(_PROXIES) if not socks or os.environ[name].lower().startswith("socks")]
        where = " or ".join(names) or "the proxy of this system's settings"
        what = "names a SOCKS proxy, which needs a package that is not here" if socks else "is no address of a proxy"
        raise SettingsError(f"{where} {what}", fix=f"write {where} as http://HOST:PORT, or unset it") from None
    except OSError as error:
        if not (names := _set(_CERTIFICATES)):
            raise
        where = names[0]  # the second is not looked at where the first is set
        raise SettingsError(
            f"{where} has no certificates that can be read ({error.strerror or type(error).__name__})",
            fix=f"let {where} name what has them, in PEM, or unset it",
        ) from None


def _set(names: tuple[str, ...]) -> list[str]:
    """Which of these are set, in capitals or not."""
    return [each for name in names for each in os.environ if each.upper() == name and os.environ[each].strip()]
