"""connect() on the live runtime: which endpoint serves, why, and what a connection can do."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from labkit import connect, listing
from labkit._smollm.layout import EMBEDDED
from labkit.connection import RETRIES, TIMEOUT, Connection, Source, foundry_service
from labkit.endpoints import publish
from labkit.errors import EndpointError, ModelError, SettingsError
from tests.conftest import Asked, Loopback, Reply, without_proxies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]

SMOL = EMBEDDED.id


@pytest.fixture
def foundry_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a `foundry` command on the path that says what it is told to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def say(text: str) -> None:
        if sys.platform == "win32":
            (folder / "foundry.cmd").write_text(f"@echo {text}\n", encoding="utf-8")
        else:
            (folder / "foundry").write_text(f"#!/bin/sh\necho '{text}'\n", encoding="utf-8")
            (folder / "foundry").chmod(0o755)

    return say


def running(base_url: str) -> str:
    """What `foundry service status` says of a service at an address."""
    host = urlsplit(base_url).netloc
    return f"Model management service is running on http://{host}/openai/status"


@pytest.mark.live
def test_base_url_comes_first(
    served: tuple[str, str],
    loopback: Serve,
    own_cache: Path,
    foundry_command: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chosen endpoint is used, and no other one is asked."""
    other = loopback(Reply.models(SMOL))
    foundry_command(running(other.base_url))
    monkeypatch.setenv("BASE_URL", served[0])
    with publish(own_cache, other.base_url, SMOL), connect() as lab:
        assert (lab.source, lab.base_url, lab.model) == (Source.BASE_URL, *served)
    assert lab.passed == ()
    assert other.asked == []


@pytest.mark.live
def test_shared_endpoint_comes_second(
    served: tuple[str, str], loopback: Serve, own_cache: Path, foundry_command: Callable[[str], None]
) -> None:
    """Seven notebooks share what `python lab.py` runs."""
    other = loopback(Reply.models(SMOL))
    foundry_command(running(other.base_url))
    with publish(own_cache, served[0], SMOL), connect() as lab:
        assert (lab.source, lab.base_url, lab.model) == (Source.SHARED, *served)
    assert lab.passed == ("BASE_URL is not set",)
    assert other.asked == []


@pytest.mark.live
def test_service_of_this_machine_comes_third(served: tuple[str, str], foundry_command: Callable[[str], None]) -> None:
    """Somebody else's Foundry Local is used where the course runs none of its own."""
    foundry_command(running(served[0]))
    with connect() as lab:
        assert (lab.source, lab.base_url, lab.model) == (Source.SERVICE, *served)
    assert lab.passed == ("BASE_URL is not set", "python lab.py runs no endpoint here")


@pytest.mark.live
def test_this_process_comes_last() -> None:
    """The runtime starts here, says why, answers, and ends with the block."""
    said: list[str] = []
    with connect(say=said.append) as lab:
        assert (lab.source, lab.model) == (Source.IN_PROCESS, SMOL)
        assert lab.passed == (
            "BASE_URL is not set",
            "python lab.py runs no endpoint here",
            "no other Foundry Local service was found",
        )
        assert all(reason in said[0] for reason in (SMOL, lab.base_url, Source.IN_PROCESS, *lab.passed))
        assert "MODEL=phi-4-mini" in said[1]
        answer = lab.client.chat.completions.create(
            model=lab.model, messages=[{"role": "user", "content": "Why is the sky blue?"}], max_tokens=3
        )
        assert answer.choices[0].message.content
    assert not lab.health().ok


@pytest.mark.live
def test_second_connection_of_one_process_joins_the_first() -> None:
    """A cell that runs twice starts nothing twice, and the end of the second connection leaves the first."""
    with connect() as first:
        with connect() as second:
            assert (second.base_url, second.model) == (first.base_url, first.model)
            assert second.source is Source.IN_PROCESS
        assert first.health().ok
        with pytest.raises(ModelError, match="'another-model'") as caught:
            connect("another-model")
        assert "restart the kernel" in caught.value.fix


@pytest.mark.live
def test_the_runtime_ends_with_the_last_connection_that_uses_it() -> None:
    """Whatever the order in which they are closed."""
    first, second = connect(), connect()
    first.close()
    first.close()
    assert second.health().ok
    second.close()
    assert not second.health().ok


def test_model_of_the_environment_does_not_follow_to_an_address_given_in_code(
    monkeypatch: pytest.MonkeyPatch, loopback: Serve
) -> None:
    server = loopback(Reply.models("another-model"))
    monkeypatch.setenv("MODEL", "a-name-that-it-does-not-have")
    assert connect(base_url=server.base_url).model == "another-model"
    monkeypatch.setenv("BASE_URL", server.base_url)
    assert connect().model == "a-name-that-it-does-not-have"


def test_no_text_of_a_connection_shows_what_may_be_secret() -> None:
    secret = Connection("http://me:word@127.0.0.1:9/v1?key=hidden", "m", Source.BASE_URL, api_key="also-hidden")
    for text in (repr(secret), str(secret), f"{secret}"):
        assert not any(word in text for word in ("me:", "word", "key", "hidden"))
        assert "127.0.0.1:9/v1" in text


@pytest.mark.live
def test_async_client_streams(served: tuple[str, str]) -> None:
    """Both clients ask the same endpoint."""

    async def answer() -> str:
        lab = connect(base_url=served[0])
        stream = await lab.async_client.chat.completions.create(
            model=lab.model,
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
            max_tokens=3,
            stream=True,
        )
        text = ""
        async with stream:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or "" if chunk.choices else ""
        await lab.aclose()
        return text

    assert asyncio.run(answer())


@pytest.mark.live
@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "smollm2-135m-instruct-generic-cpu", SMOL])
def test_model_by_any_of_its_names(served: tuple[str, str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Foundry Local's chat takes the full id only, so that is what a connection has."""
    monkeypatch.setenv("MODEL", name)
    with connect(base_url=served[0]) as lab:
        assert lab.model == SMOL


@pytest.mark.live
def test_health_of_a_live_endpoint(served: tuple[str, str]) -> None:
    """It is ready, lists the model, and says how long the answer took."""
    with connect(base_url=served[0]) as lab:
        health = lab.health()
    assert health.ok
    assert health.models == (SMOL,)
    assert health.detail == "ready"
    assert 0 < health.seconds < 2


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        pytest.param(Reply.models("b"), "a is not listed", id="another model"),
        pytest.param(Reply.json({}, 500), "answers 500", id="an error"),
        pytest.param(Reply(b"<html>", kind="text/html"), "not as an OpenAI-compatible API", id="a page"),
        pytest.param(None, "Nothing listens", id="no server"),
    ],
)
def test_health_never_raises(loopback: Serve, closed_port: int, reply: Reply | None, detail: str) -> None:
    address = loopback(reply).base_url if reply else f"http://127.0.0.1:{closed_port}/v1"
    health = Connection(address, "a", Source.BASE_URL).health()
    assert not health.ok
    assert detail in health.detail


def test_dead_base_url_is_an_error(
    loopback: Serve, closed_port: int, own_cache: Path, foundry_command: Callable[[str], None]
) -> None:
    """Where the chosen endpoint does not answer, no other is asked in its place."""
    other = loopback(Reply.models(SMOL))
    foundry_command(running(other.base_url))
    with publish(own_cache, other.base_url, SMOL), pytest.raises(EndpointError, match=f"127.0.0.1:{closed_port}"):
        connect(base_url=f"http://127.0.0.1:{closed_port}/v1")
    assert other.asked == []


def test_loopback_is_asked_without_a_proxy(loopback: Serve, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of a company cannot reach this machine's own endpoint."""
    server = loopback(Reply.models("a"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    with connect(base_url=server.base_url) as lab:
        assert [model.id for model in lab.client.models.list()] == ["a"]


@pytest.mark.parametrize(
    ("status", "is_service"),
    [({"pid": os.getpid()}, True), ({"pid": os.getppid()}, False), ({"status": "ok"}, False), (None, False)],
    ids=["of this process", "of another process", "of another kind", "no JSON object"],
)
def test_the_usual_port_is_tried_and_foundry_local_is_recognised(
    loopback: Serve, monkeypatch: pytest.MonkeyPatch, status: object, is_service: bool
) -> None:
    """What lists models there may be a proxy in front of a cloud, unless it names a process that listens here."""
    listed, told = Reply.models("a"), Reply.json(status)
    server = loopback(lambda asked: told if asked.path == "/status" else listed)
    monkeypatch.setattr("labkit.foundry.PORT", server.server_port)
    assert foundry_service() == (server.base_url if is_service else None)
    with connect("a", server.base_url, say=lambda _: None) as lab:
        assert lab.stays_here is is_service


@pytest.mark.parametrize("text", ["Model management service is not running", "", "http://192.0.2.1:5273/openai/status"])
def test_a_foundry_command_that_names_no_address_of_this_machine(
    foundry_command: Callable[[str], None], text: str
) -> None:
    foundry_command(text)
    assert foundry_service() is None


SHARED = {
    # the model that was asked for, what each endpoint lists (None: nothing listens), and where the connection goes
    "any name of a listed model": ("a", ["a:1", "b"], None, Source.SHARED, "a:1", ""),
    "a process that lives and no longer serves": (None, None, [SMOL], Source.SERVICE, SMOL, "Nothing listens on http"),
    "another model": ("b", ["a"], ["b"], Source.SERVICE, "b", "has no model 'b' (it lists: a)"),
}


@pytest.mark.parametrize(("wanted", "shared", "service", "source", "model", "reason"), SHARED.values(), ids=SHARED)
def test_a_shared_endpoint_is_used_or_passed_over(
    loopback: Serve,
    closed_port: int,
    own_cache: Path,
    foundry_command: Callable[[str], None],
    wanted: str | None,
    shared: list[str] | None,
    service: list[str] | None,
    source: Source,
    model: str,
    reason: str,
) -> None:
    """The endpoint's own list decides, not what its file says; the model counts for more than the place."""
    address = loopback(Reply.models(*shared)).base_url if shared else f"http://127.0.0.1:{closed_port}/v1"
    if service:
        foundry_command(running(loopback(Reply.models(*service)).base_url))
    with publish(own_cache, address, SMOL), connect(wanted) as lab:
        assert (lab.source, lab.model) == (source, model)
    assert reason in "".join(lab.passed[1:])


@pytest.mark.parametrize("shared", [False, True])
def test_the_key_is_sent_to_base_url_and_to_no_other_endpoint(
    loopback: Serve, own_cache: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """API_KEY belongs to BASE_URL: the check and the client send it, and no text shows it."""
    server = loopback(Reply.models("a"))
    monkeypatch.setenv("API_KEY", "secret")
    with publish(own_cache, server.base_url, "a"), connect("a", None if shared else server.base_url) as lab:
        lab.client.models.list()
    sent = [asked.headers["authorization"] for asked in server.asked if asked.path == "/v1/models"]
    assert sent == ["Bearer not-needed" if shared else "Bearer secret"] * 2
    assert "secret" not in "".join(asked.headers["authorization"] for asked in server.asked if asked.path == "/status")
    assert "secret" not in f"{lab} {lab!r}"


@pytest.mark.skipif(os.name == "nt", reason="a script that is a program")
@pytest.mark.parametrize(
    "script",
    [
        # 0.10 has `foundry server status`, and `service status` is gone; before it was the other way round.
        b"[ $1 = server ] && echo 'Web URLs ADDRESS' || { echo unknown; exit 2; }",
        b"[ $1 = service ] && echo 'Web URLs ADDRESS' || { echo unknown; exit 2; }",
        b"echo 'Dienst l\xe4uft: ADDRESS/openai/status'",  # in another encoding
        b"echo 'ADDRESS' | sed 's/127.0.0.1:/0.0.0.0:\\x1b[36m/'",  # every address, and in colour
        # No ports, and UTF-16.
        b"echo 'http://127.0.0.1:99999 http://127.0.0.1:0'; echo 'ADDRESS' | sed 's/./&\\x00/g'",
        b"read answer; echo ADDRESS",  # it asks something first
    ],
)
def test_the_foundry_command_is_asked_whatever_its_version_and_encoding(
    script: bytes, loopback: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = loopback(Reply.models("a"))
    command = tmp_path / "bin" / "foundry"
    command.parent.mkdir()
    address = server.base_url.removesuffix("/v1").encode()
    command.write_bytes(b"#!/bin/sh\n" + script.replace(b"ADDRESS", address) + b"\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    assert foundry_service() == server.base_url


@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1"), ("SSL_CERT_FILE", "no such file")])
def test_variable_that_no_client_can_be_made_with(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health says it, and the clients raise it; an endpoint of this machine needs none of it."""
    listing._certificates.cache_clear()
    without_proxies(monkeypatch)
    monkeypatch.setenv(name, value)
    far = Connection("https://192.0.2.1/v1", "a", Source.BASE_URL)
    assert name in far.health().detail
    for client in ("client", "async_client"):
        with pytest.raises(SettingsError, match=name) as caught:
            getattr(far, client)
        assert name in caught.value.fix
    assert Connection("http://127.0.0.1:1/v1", "a", Source.BASE_URL).client


def test_clients_wait_on_purpose(loopback: Serve) -> None:
    """The library's ten minutes and two retries are for another kind of service."""
    with connect(base_url=loopback(Reply.models("a")).base_url) as lab:
        for client in (lab.client, lab.async_client):
            assert (client.timeout, client.max_retries) == (TIMEOUT, RETRIES)
    asyncio.run(lab.aclose())


def test_hint_only_where_the_embedded_model_was_nobodys_choice(
    loopback: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who set MODEL needs no hint."""
    server = loopback(Reply.models(SMOL))
    connect(base_url=server.base_url).close()
    assert "MODEL=phi-4-mini" in capsys.readouterr().out
    connect("smollm2-135m-instruct", server.base_url).close()
    assert "MODEL=phi-4-mini" not in capsys.readouterr().out
