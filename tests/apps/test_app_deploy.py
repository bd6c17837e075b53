"""Two replicas behind a real nginx: who gets in, what sticks, and what a killed replica costs its users, counted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import re
import secrets
import signal
import ssl
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import pytest
import socketio

from coursekit.chainlit_client import PageError
from foundry_mock import Fault, MockEndpoint
from tests.support.chat_app import QUICK, SLOW, Page, endpoint, in_loop, mock, numbers, running
from tests.support.doubles import wait_until
from tests.support.replicas import USERS, browser, cookie_for, leave, log_in, pair, status, tab, visit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.replicas import Pair

__all__ = ["endpoint", "mock", "pair"]
# Two starts of the application, and one more after each replica that is ended: three minutes.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


async def counted(page: Page, most: int) -> None:
    """Wait for the end of a counting answer."""
    await page.until(lambda: page.answer == numbers(most))


async def counting(page: Page, number: int) -> None:
    """Wait until a counting answer has passed a number."""
    await page.until(lambda: f" {number} " in page.answer)


def has_kept(pair: Pair, page: Page, most: int) -> bool:
    """Whether so many messages of a page are in the database."""
    return len(pair.steps(page.thread)) >= most


async def downloaded(page: Page) -> str:
    """Where the newest file that was offered is."""
    await page.until(lambda: any(each["name"] == "chat.md" for each in page.elements.values()))
    (file,) = [each["chainlitKey"] for each in page.elements.values() if each["name"] == "chat.md"]
    return f"{page.app.url}/project/file/{file}?session_id={page.session}"


# Who gets in.


@in_loop
async def test_plain_http_is_sent_to_tls(pair: Pair) -> None:
    plain = f"http://127.0.0.1:{pair.proxy.plain_port}/thread/1?a=b"
    async with aiohttp.ClientSession() as http:
        for headers in ({}, {"Host": "evil.example"}):
            async with http.get(plain, headers=headers, allow_redirects=False) as reply:
                assert (reply.status, reply.headers["Location"]) == (301, f"{pair.proxy.url}/thread/1?a=b")


@in_loop
async def test_tls_its_headers_and_its_cookies(pair: Pair) -> None:
    async with browser(pair) as http:
        async with http.get(pair.proxy.url) as reply:
            assert reply.status == 200
            assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert reply.headers["Server"] == "nginx"
            (given,) = reply.headers.getall("Set-Cookie")
            assert given.startswith("replica=")
            assert given.endswith("Secure; HttpOnly; SameSite=Lax")
            assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        form = {"username": "user1", "password": USERS["user1"]}
        async with http.post(f"{pair.proxy.url}/login", data=form) as reply:
            (login,) = reply.headers.getall("Set-Cookie")  # and no second one for its replica
            told = {part.strip().lower() for part in login.split(";")[1:]}
            assert login.startswith("access_token=")
            assert {"secure", "httponly", "samesite=lax"} <= told
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(aiohttp.ClientConnectorError):
            await status(http, "GET", pair.proxy.url, ssl=old)


@in_loop
async def test_a_page_elsewhere_gets_nothing(pair: Pair) -> None:
    """Neither from the proxy nor, should the proxy be set up wrongly, from the app."""
    socket = "/ws/socket.io/?EIO=4&transport=websocket"
    here = pair.proxy.url
    elsewhere = ("https://evil.example", f"https://127.0.0.1:{pair.proxy.plain_port}", here.replace("s:", ":"), "null")
    async with browser(pair) as http:
        for origin in elsewhere:
            headers = {"Origin": origin}
            for path in ("/", "/login", socket.replace("websocket", "polling")):
                assert await status(http, "POST", here + path, headers=headers) == 403
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                await http.ws_connect(here + socket, headers=headers)
            assert error.value.status == 403
        refused = re.findall(r" 403 (\S+) ", pair.proxy.log)
        assert refused == ["-"] * 4 * len(elsewhere)  # by the proxy: no replica was asked
        assert await status(http, "GET", here, headers={"Host": "evil.example"}) == 421
        async with http.ws_connect(here + socket, headers={"Origin": here}) as opened:
            assert (await opened.receive_str()).startswith("0{")
    straight = f"http://127.0.0.1:{pair.ports[0]}"
    async with aiohttp.ClientSession() as http:
        for host, origin, expected in (
            (pair.proxy.host, here, 101),
            (pair.proxy.host, "https://evil.example", 403),
            ("evil.example", "https://evil.example", 403),
        ):
            headers = {"Host": host, "Origin": origin}
            try:
                async with http.ws_connect(straight + socket, headers=headers):
                    seen = 101
            except aiohttp.WSServerHandshakeError as error:
                seen = error.status
            assert seen == expected, (host, origin)


@in_loop
async def test_what_is_for_those_inside_is_not_shown(pair: Pair) -> None:
    async with browser(pair) as http:
        for path in (
            "/ready",
            "/metrics",
            "//metrics",
            "/%6detrics",
            "/metrics/",
            "/x/../metrics",
            "/docs",
            "/openapi.json",
        ):
            assert await status(http, "GET", pair.proxy.url + path) == 404, path
        assert await status(http, "GET", f"{pair.proxy.url}/health") == 200
        assert await status(http, "POST", f"{pair.proxy.url}/login", data=io.BytesIO(b"x" * 1_100_000)) == 413


@in_loop
async def test_tries_count_for_the_address_they_come_from(pair: Pair) -> None:
    """Behind a proxy all requests come from its address: one guesser would lock everybody out, or nobody."""
    for address in ("127.0.0.2", "127.0.0.1"):  # somebody out there, and somebody on the proxy's own machine
        async with browser(pair, address=address) as guesser:
            statuses = []
            for number in range(6):
                forged = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.0.{number}"}
                forged |= {"Forwarded": f"for=10.0.0.{number}", "Cookie": f"replica={secrets.token_hex(16)}"}
                form = {"username": "user1", "password": "not the right one"}
                statuses.append(await status(guesser, "POST", f"{pair.proxy.url}/login", data=form, headers=forged))
            assert statuses == [401] * 5 + [429]
            assert await log_in(pair, guesser, "user1") == 429
    async with browser(pair, address="127.0.0.3") as another:
        assert await log_in(pair, another, "user1") == 200


@in_loop
async def test_without_a_proxy_nobody_says_where_tries_come_from(mock: MockEndpoint, tmp_path: Path) -> None:
    """By itself uvicorn believes X-Forwarded-For from loopback unless it is told whom to believe."""
    with running(tmp_path, mock.base_url, CHAT_USERS="anna:a-long-password") as alone:
        async with aiohttp.ClientSession() as http:
            form = {"username": "anna", "password": "not the right one"}
            forged = [{"X-Forwarded-For": f"10.0.0.{number}"} for number in range(6)]
            statuses = [await status(http, "POST", f"{alone.url}/login", data=form, headers=each) for each in forged]
    assert statuses == [401] * 5 + [429]


# What sticks.


@in_loop
async def test_buttons_and_files_of_three_tabs_reach_their_chats(pair: Pair, mock: MockEndpoint) -> None:
    """Chainlit's own cookie is overwritten by the next tab; the proxy's is the browser's."""
    for port in pair.ports:
        async with browser(pair, await cookie_for(pair, port)) as http:
            await log_in(pair, http, "user1")
            tabs = [await tab(pair, http) for _ in range(3)]
            for page in tabs:
                mock.fail(Fault.SERVER_ERROR)
                await page.ask("Count to 4.")
                assert "ask again" in page.error
            for page in tabs:
                assert await page.press("retry") == 200
                await counted(page, 4)
                await page.ask("/export")
                assert await status(http, "GET", await downloaded(page)) == 200
                await page.close()


@in_loop
async def test_long_polling_works_too(pair: Pair) -> None:
    """For a browser whose network lets no WebSocket through."""
    async with browser(pair) as http:
        await log_in(pair, http, "user1")
        client = socketio.AsyncClient(http_session=http, reconnection=False)
        told = {"clientType": "webapp", "sessionId": str(uuid.uuid4()), "userEnv": "{}", "threadId": ""}
        await client.connect(pair.proxy.url, socketio_path="/ws/socket.io", transports=["polling"], auth=told)
        assert client.transport() == "polling"
        await client.disconnect()
        await client.wait()
        # The client does not read the answers to what it posts; one that has not come yet warns when it is collected.
        await asyncio.sleep(0.5)
        del client
        gc.collect()


# What a killed replica costs.


async def back(page: Page) -> int:
    """Connect again as the page does, each second; after how many tries."""
    await leave(page)
    page.settings.clear()
    page.resumed.clear()
    for number in range(1, 20):
        try:
            await page.open()
        except PageError:
            await asyncio.sleep(1)
        else:
            await page.until(lambda: page.resumed and page.settings)
            return number
    pytest.fail("nobody answers")


@in_loop
async def test_a_killed_replica_loses_no_finished_message(pair: Pair, mock: MockEndpoint) -> None:
    """Twelve users, six at each replica, each with a finished answer and one under way."""
    survivor, victim = pair.ports
    names = list(USERS)
    async with contextlib.AsyncExitStack() as stack:
        pages: dict[int, list[Page]] = {}
        for port, group in ((survivor, names[:6]), (victim, names[6:])):
            cookie = await cookie_for(pair, port)
            pages[port] = [await stack.enter_async_context(visit(pair, name, cookie)) for name in group]
        everybody = [*pages[survivor], *pages[victim]]
        await asyncio.gather(*(page.ask("Count to 7.") for page in everybody))
        mock.state.behaviour = SLOW
        for page in everybody:  # however slow the machine is, those of the killed one are in the middle
            await page.say("Count to 200." if page in pages[survivor] else "Count to 5000.")
        await asyncio.gather(*(counting(page, 60) for page in everybody))
        for page in pages[victim]:  # on a busy machine sixty tokens may come sooner than the first checkpoint
            assert await asyncio.to_thread(wait_until, partial(has_kept, pair, page, 4), 120, 0.5)
        seen = [page.answer for page in pages[victim]]
        pair.kill(victim)
        killed = time.monotonic()

        # Those of the other replica notice nothing.
        whole = [counted(page, 200) for page in pages[survivor]]
        tries = await asyncio.gather(*(back(page) for page in pages[victim]))
        returned = time.monotonic() - killed
        await asyncio.gather(*whole)
        assert tries == [1] * 6
        assert not re.search(r" 50\d \S+ [\d.]+$", pair.proxy.log, re.MULTILINE)  # nginx tried the other one by itself
        assert [page.answer for page in pages[survivor]] == [numbers(200)] * 6
        assert all(page.socket.connected for page in pages[survivor])

        # Those of the killed one have all that was finished, and the unfinished up to the last checkpoint.
        kept = []
        for page in pages[victim]:
            texts = [step["output"] for step in page.resumed[0]["steps"] if "message" in step["type"]]
            assert texts[:3] == ["Count to 7.", numbers(7), "Count to 5000."]
            assert len(texts) == 4
            assert numbers(5000).startswith(texts[3])
            kept.append(texts[3])
            ends = [element["props"]["ended"] for element in page.resumed[0]["elements"]]
            assert ends == ["", "broke off"]
        lost = [len(shown.split()) - len(held.split()) for shown, held in zip(seen, kept, strict=True)]
        mock.state.behaviour = QUICK
        for page in pages[victim]:
            assert await page.ask("Count to 9.") == numbers(9)
        print(f"\ntries {tries}, all back after {returned:.1f} s, tokens shown and not kept {lost}")
        for page in everybody:
            held = pair.steps(page.thread)
            assert held[:2] == [("user_message", "Count to 7."), ("assistant_message", numbers(7))]
            assert held[2][0] == "user_message"
    pair.revive(victim)
    assert "available at" in pair.replicas[victim].log.read_text()


@pytest.mark.usefixtures("mock")
@in_loop
async def test_what_was_seen_to_end_is_in_the_database(pair: Pair) -> None:
    """The kill comes at any moment: twelve users ask short questions without a pause, until it does."""
    victim = pair.ports[1]
    cookie = await cookie_for(pair, victim)
    ended: dict[str, list[str]] = {}  # by the session of the page
    enough, gone = asyncio.Event(), asyncio.Event()

    async def chatter(page: Page) -> None:
        for number in range(3, 500):
            asking = asyncio.create_task(page.ask(f"Count to {number}."))
            stop = asyncio.create_task(gone.wait())
            await asyncio.wait({asking, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not asking.done():
                asking.cancel()
                return
            if page.answer == numbers(number):
                ended.setdefault(page.session, []).append(page.answer)
            if sum(map(len, ended.values())) >= 36:
                enough.set()

    async with contextlib.AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(visit(pair, name, cookie)) for name in USERS]
        chatting = [asyncio.create_task(chatter(page)) for page in pages]
        await enough.wait()
        pair.kill(victim)
        gone.set()
        await asyncio.gather(*chatting)
        told = sum(map(len, ended.values()))
        held = {page.session: [text for _, text in pair.steps(page.thread)] for page in pages}
        lost = [text for session, answers in ended.items() for text in answers if text not in held[session]]
        print(f"\n{told} answers seen to end, {len(lost)} lost")
        assert lost == []
    pair.revive(victim)


@in_loop
async def test_a_replica_that_is_stopped_ends_its_answers_first(pair: Pair, mock: MockEndpoint) -> None:
    """What a new version is put in place with, one replica after the other."""
    victim = pair.ports[1]
    cookie = await cookie_for(pair, victim)
    async with contextlib.AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(visit(pair, name, cookie)) for name in list(USERS)[:4]]
        mock.state.behaviour = SLOW
        for page in pages:
            await page.say("Count to 120.")
        await asyncio.gather(*(counting(page, 20) for page in pages))
        pair.replicas[victim].process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(counted(page, 120) for page in pages))
        await asyncio.gather(*(page.socket.wait() for page in pages))  # until it is cut
        await asyncio.gather(*(back(page) for page in pages))
        mock.state.behaviour = QUICK
        for page in pages:
            texts = [step["output"] for step in page.resumed[0]["steps"] if "message" in step["type"]]
            assert texts == ["Count to 120.", numbers(120)]
            assert await page.ask("Count to 9.") == numbers(9)
    assert await asyncio.to_thread(pair.replicas[victim].process.wait, 60) == 0
    pair.revive(victim)
