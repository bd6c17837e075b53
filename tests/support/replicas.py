"""Two replicas of the application with one PostgreSQL behind a real nginx, and the browsers of their users."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from coursekit.chainlit_app import running_app
from coursekit.ports import free_port
from tests.support import postgres
from tests.support.chat_app import TARGET, App, Page, copy, environment
from tests.support.nginx import Proxy, proxied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from foundry_mock import MockEndpoint

USERS = {f"user{number}": f"password-of-{number}" for number in range(1, 13)}
LONG = 60.0


@dataclass
class Site(App):
    """The application as its users see it: behind the proxy."""

    proxy: Proxy

    @property
    def url(self) -> str:
        """The address of the proxy."""
        return self.proxy.url


@dataclass
class Tab(Page):
    """A page with more patience: many of them share this machine with all the rest."""

    async def until(
        self, condition: Callable[[], object], seconds: float = LONG, otherwise: str = "it did not happen"
    ) -> None:
        """Wait for something that the page shows."""
        await super().until(condition, seconds, otherwise)


@dataclass
class Pair:
    """Two replicas, their proxy, and what they share."""

    folder: Path
    endpoint: str
    ports: tuple[int, int]
    variables: dict[str, str]
    replicas: dict[int, App]
    proxy: Proxy
    database: postgres.Server
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def steps(self, thread: str) -> list[tuple[str, str]]:
        """Kind and text of each message of a thread."""
        row = """json_build_array("type", "output")"""
        where = f"""WHERE "threadId" = '{uuid.UUID(thread)}' AND "type" <> 'run' ORDER BY "createdAt\""""
        rows = self.database.sql(self.variables["DATABASE_URL"], f"SELECT {row} FROM steps {where}")
        return [(kind, text) for kind, text in map(json.loads, rows)]

    @property
    def site(self) -> Site:
        """What the users see."""
        some = self.replicas[self.ports[0]]
        return Site(self.proxy.port, some.log, some.process, some.cache, self.proxy)

    def start(self, port: int) -> None:
        """Start a replica, or start it again, and wait until it serves."""
        code, cache = copy(self.folder / f"chat-{port}"), self.folder / "cache"
        environ = environment(cache, self.endpoint, CHAINLIT_APP_ROOT=str(code), **self.variables)
        log = self.folder / f"{port}-{uuid.uuid4().hex}.log"
        serving = running_app(TARGET, log, port=port, seconds=240, cwd=self.folder, env=environ)
        self.replicas[port] = App(**vars(self.stack.enter_context(serving)), cache=cache)

    def kill(self, port: int) -> None:
        """End a replica as a crash would."""
        self.replicas[port].process.kill()
        self.replicas[port].process.wait()

    def revive(self, port: int) -> None:
        """Start it again, and wait until nginx sends it requests again."""
        self.start(port)
        self.cookie_for(port)

    def cookie_for(self, port: int) -> str:
        """A cookie that nginx takes for this replica: found as a browser finds it, by asking."""
        tls = urllib.request.HTTPSHandler(context=self.proxy.tls())
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls)
        while True:
            value, path = secrets.token_hex(16), f"/health/{uuid.uuid4().hex}"
            request = urllib.request.Request(self.proxy.url + path, headers={"Cookie": f"replica={value}"})
            with contextlib.suppress(urllib.error.HTTPError), direct.open(request, timeout=LONG):
                pass
            if self.proxy.first(path) == f"127.0.0.1:{port}":
                return value


@pytest.fixture(scope="module")
def pair(endpoint: MockEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two replicas behind nginx for all tests here; a test that kills one starts it again."""
    folder = tmp_path_factory.mktemp("deploy")
    ports = (free_port(), free_port())
    with postgres.serving() as database, proxied(folder / "nginx", ports) as proxy:
        told = ",".join(f"{name}:{password}" for name, password in USERS.items())
        variables = {"CHAT_USERS": told, "CHAT_HOSTS": proxy.host, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
        variables |= {"DATABASE_URL": database.create(), "CHAINLIT_AUTH_SECRET": secrets.token_hex(32)}
        variables |= {"CHAT_ENV": "production", "CHAT_LOG": "json", "CHAT_RATE": "1000/min"}
        made = Pair(folder, endpoint.base_url, ports, variables, {}, proxy, database)
        with made.stack:
            for port in ports:
                made.start(port)
            yield made


@contextlib.asynccontextmanager
async def browser(
    pair: Pair, replica: str = "", address: str = "127.0.0.9", **headers: str
) -> AsyncIterator[aiohttp.ClientSession]:
    """What a browser holds: its cookies, the one of its replica among them, and the address it comes from."""
    connector = aiohttp.TCPConnector(ssl=pair.proxy.tls(), local_addr=(address, 0))
    jar = aiohttp.CookieJar(unsafe=True)
    cookies = {"replica": replica} if replica else {}
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, cookies=cookies, headers=headers) as http:
        yield http


@contextlib.asynccontextmanager
async def visit(pair: Pair, user: str, replica: str = "") -> AsyncIterator[Page]:
    """A user who logs in and opens the chat."""
    async with browser(pair, replica) as http:
        await log_in(pair, http, user)
        page = await tab(pair, http)
        try:
            yield page
        finally:
            await leave(page)


async def leave(page: Page) -> None:
    """Close a tab, also one whose server is gone: what aiohttp keeps of that connection, it would complain of later."""
    await page.close()


async def log_in(pair: Pair, http: aiohttp.ClientSession, user: str, password: str = "") -> int:
    """The login form; its status."""
    form = {"username": user, "password": password or USERS[user]}
    async with http.post(f"{pair.proxy.url}/login", data=form) as reply:
        await reply.read()
        return reply.status


async def tab(pair: Pair, http: aiohttp.ClientSession) -> Page:
    """One more tab of a browser that is logged in."""
    page = Tab(pair.site.url, http, app=pair.site)
    await page.open()
    await page.until(lambda: page.settings and not page.busy)
    return page


async def cookie_for(pair: Pair, port: int) -> str:
    """The same for a test in an event loop."""
    return await asyncio.to_thread(pair.cookie_for, port)


async def status(http: aiohttp.ClientSession, method: str, url: str, **sent: Any) -> int:
    """The status of one request."""
    async with http.request(method, url, allow_redirects=False, **sent) as reply:
        await reply.read()
        return reply.status
