# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""Who may use the app: from which address, from which page, with which password; and what its pages may load."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import time
from collections import deque
from typing import TYPE_CHECKING

from labkit import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# 'unsafe-eval' is for Chainlit's custom elements, which it compiles in the page. Nothing comes from elsewhere, so an
# image in an answer tells nobody that it was read. A notebook on this machine may show the app in a frame. {host} is
# put in for each request: some browsers do not count a WebSocket as 'self'.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws://{host} wss://{host}",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' http://127.0.0.1:* http://localhost:* vscode-webview:",
    )
)
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}
FORBIDDEN_ORIGIN = b"This page may not talk to this app. Its owner can add the name in the address to CHAT_HOSTS."


LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def host_label(host: str) -> str:
    """A bind address as a browser names it."""
    return f"[{host}]" if ":" in host else host.lower()


def is_loopback(host: str) -> bool:
    """Whether a bind address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def users(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Names and passwords in CHAT_USERS, as `anna:long-password,bo:another-one`. Raises SettingsError, showing none."""
    told = environ.get("CHAT_USERS", "").strip()
    pairs = [pair.strip().partition(":") for pair in told.split(",")] if told else []
    if any(not name or len(password) < 8 for name, _, password in pairs):
        raise SettingsError(
            "CHAT_USERS has an entry without a name or with a password under 8 characters",
            fix="write it as anna:long-password,bo:another-one",
        )
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise SettingsError("CHAT_USERS has a name twice", fix="give each name once, with one password")
    if told.encode(errors="ignore").decode() != told:
        raise SettingsError("CHAT_USERS contains a character that is not UTF-8", fix="type it again in UTF-8")
    return {name: password for name, _, password in pairs}


def refuse_unguarded(host: str, known: Mapping[str, str]) -> None:
    """Raise SettingsError where the app would listen on a network without a login."""
    if not known and not is_loopback(host):
        raise SettingsError(
            f"the app would listen on {host}, for everybody there, without a password",
            fix="set CHAT_USERS=NAME:SECRET, with words of your own, or leave --host at 127.0.0.1",
        )


def matches(known: Mapping[str, str], name: str, password: str) -> bool:
    """Whether a name has this password; takes as long for a name that nobody has."""
    expected = known.get(name, secrets.token_hex(16))
    return hmac.compare_digest(expected.encode(), password.encode()) and name in known


class Throttle:
    """At most `most` tries of each key within `seconds`."""

    def __init__(self, most: int = 5, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self.clock = most, seconds, clock
        self._tries: dict[str, deque[float]] = {}

    def allows(self, key: str) -> bool:
        """Count a try, and say whether it may go on. Keys whose tries are over are forgotten."""
        now = self.clock()
        self._tries = {name: tries for name, tries in self._tries.items() if tries and now - tries[-1] < self.seconds}
        tries = self._tries.setdefault(key, deque(maxlen=self.most + 1))
        while tries and now - tries[0] >= self.seconds:
            tries.popleft()
        tries.append(now)
        return len(tries) <= self.most

    def forgive(self, key: str) -> None:
        """Take the last try back, since it was a right one."""
        if tries := self._tries.get(key):
            tries.pop()


class Guard:
    """ASGI middleware before everything: this host only, pages of this origin only, on HTTP and on the WebSocket.

    A page elsewhere could otherwise drive an app on localhost through its visitor's browser (DNS rebinding, cross-site
    WebSocket hijacking). `hosts` are further names by which the app may be called, behind a proxy without its port.
    """

    def __init__(self, app: ASGIApp, port: int, hosts: tuple[str, ...] = (), throttle: Throttle | None = None) -> None:
        self.app = app
        names = {*LOOPBACK_NAMES, *hosts}
        # A browser leaves the port out where it is the usual one; so does a proxy.
        self.hosts = {f"{name}:{port}" for name in names} | (names if port == 80 else names.difference(LOOPBACK_NAMES))
        self.throttle = throttle or Throttle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if not self._trusted(scope):
            await _refuse(scope, receive, send, 403, FORBIDDEN_ORIGIN)
            return
        policy = POLICY.format(host=_header(scope, b"host")[0])
        client = (scope.get("client") or ("?",))[0]
        # Wherever --root-path puts it.
        login = scope.get("method") == "POST" and scope.get("path", "").endswith("/login")
        if login and not self.throttle.allows(client):
            await _refuse(scope, receive, send, 429, b"Too many tries. Wait a minute.")
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                if login and message["status"] == 200:
                    self.throttle.forgive(client)
                ours = HEADERS | {b"content-security-policy": policy.encode("latin-1")}
                own = [(name, value) for name, value in message["headers"] if name.lower() not in ours]
                message = {**message, "headers": [*own, *ours.items()]}
            await send(message)

        await self.app(scope, receive, with_headers)

    def _trusted(self, scope: Scope) -> bool:
        """Whether the Host is one of ours, and the Origin is absent or that very host."""
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        if len(host) != 1 or host[0] not in self.hosts or len(origin) > 1:
            return False
        return not origin or origin[0] in (f"http://{host[0]}", f"https://{host[0]}")


def _header(scope: Scope, name: bytes) -> list[str]:
    """All values of a header of a request, in small letters."""
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key.lower() == name]


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
