"""The cloud of a router: which one the environment means, what it costs, and that its key is never shown."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from coursekit.simulated_cloud import SIMULATED_PRICE, cloud, simulated
from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Source
from labkit.errors import EndpointError, LabError, SettingsError
from labkit.events import End, Trace
from labkit.listing import is_loopback, list_models
from labkit.routing.cloud import Cloud, Price
from labkit.settings import Settings
from labkit.streaming import Answer, stream
from tests.conftest import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Asked, Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]

KEY = "k-7f3a-never-shown"
QUICK = Behaviour(first_token=0.001, rate=2000, model="quick-cloud-generic-cpu:1")


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cloud of this machine reaches a test."""
    for name in ("CLOUD_BASE_URL", "CLOUD_API_KEY", "CLOUD_MODEL"):
        monkeypatch.delenv(name, raising=False)


def environment(monkeypatch: pytest.MonkeyPatch, base_url: str = "", model: str = "", key: str = "") -> None:
    for name, value in (("CLOUD_BASE_URL", base_url), ("CLOUD_MODEL", model), ("CLOUD_API_KEY", key)):
        monkeypatch.setenv(name, value)


def ask(cloud: Cloud, question: str = "Count to 5.") -> Answer:
    async def once() -> Answer:
        answer = stream(cloud.connection, question)
        with suppress(LabError):
            async for _ in answer:
                pass
        await cloud.connection.aclose()
        return answer

    return asyncio.run(once())


@pytest.mark.parametrize("price", [None, Price(1.5, 6.0)])
def test_without_variables_it_is_simulated_and_says_so(price: Price | None) -> None:
    said: list[str] = []
    with cloud(price, say=said.append) as found:
        assert found.simulated
        assert found.name == "simulated cloud"
        assert found.price == (price or SIMULATED_PRICE)
        assert found.connection.source is Source.SIMULATED
        assert found.connection.model.startswith("simulated-")
        assert is_loopback(found.connection.base_url)
        assert list_models(found.connection.base_url) == (found.connection.model,)
    assert len(said) == 1
    assert "a simulated cloud" in said[0]
    assert "invented" in said[0]


def test_a_simulated_cloud_answers_at_a_price_until_it_is_closed(capsys: pytest.CaptureFixture[str]) -> None:
    with simulated(Price(2.0, 8.0), QUICK)[0] as found:
        answer = ask(found)
        assert (answer.text, answer.trace.ended) == ("1 2 3 4 5", End.FINISHED)
        # 4 words and signs and 4 tokens around them; 5 numbers
        assert found.price == Price(2.0, 8.0)
        assert found.price.of(answer.trace) == pytest.approx((2.0 * 8 + 8.0 * 5) / 1_000_000)
    assert "a simulated cloud" in capsys.readouterr().out
    with pytest.raises(EndpointError, match="Nothing listens"):
        list_models(found.connection.base_url)


def test_price_of_a_trace() -> None:
    """Tokens by the endpoint's count; without one, the chunks of the answer and nothing for the prompt."""
    price = Price(3.0, 15.0)
    assert price.of(Trace(prompt_tokens=1000, completion_tokens=200, chunks=[1.0])) == pytest.approx(0.006)
    assert price.of(Trace(chunks=[1.0, 2.0])) == pytest.approx(0.00003)
    assert price.of(Trace()) == 0


def test_a_real_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, "https://NAME.openai.azure.com/openai/v1/", "gpt-small", KEY)
    said: list[str] = []
    found = cloud(say=said.append)
    assert not found.simulated
    assert found.name == "cloud"
    assert found.price is None
    assert found.connection.source is Source.CLOUD
    assert found.connection.base_url == "https://NAME.openai.azure.com/openai/v1"
    assert found.connection.model == "gpt-small"
    assert found.connection.api_key == KEY
    assert found.connection.retries == 0
    assert said == [str(found.connection)]
    assert "simulated" not in said[0]
    found.close()
    with cloud(Price(1, 2), say=said.append) as priced:
        assert priced.price == Price(1, 2)


@pytest.mark.parametrize(
    ("base_url", "model", "key", "said", "fix"),
    [
        # Some of the variables are set: that means a real cloud, and a simulated one would be a surprise.
        ("https://host/v1", "", "", "CLOUD_MODEL is not", ""),
        ("https://host/v1", "", KEY, "CLOUD_MODEL is not", ""),
        ("", "gpt-small", "", "CLOUD_BASE_URL is not", ""),
        ("", "gpt-small", KEY, "CLOUD_BASE_URL is not", ""),
        ("", "", KEY, "CLOUD_BASE_URL is not", ""),
        # No key is sent unencrypted over a network.
        ("http://cloud.example/v1", "gpt-small", KEY, "unencrypted", "https"),
        ("HTTP://10.0.0.7:8000", "gpt-small", KEY, "unencrypted", "https"),
        ("cloud.example:443", "gpt-small", KEY, "unencrypted", "https"),
        ("ftp://host", "gpt-small", KEY, "CLOUD_BASE_URL is 'ftp://host'", "simulate a cloud"),
    ],
)
def test_settings_that_are_refused(
    monkeypatch: pytest.MonkeyPatch, base_url: str, model: str, key: str, said: str, fix: str
) -> None:
    environment(monkeypatch, base_url, model, key)
    with pytest.raises(SettingsError, match=said) as caught:
        cloud()
    assert caught.value.fix
    assert fix in caught.value.fix
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_needs_no_encryption(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A real endpoint that runs here can stand in for a cloud; it is called one, not a simulation."""
    with MockEndpoint(QUICK) as mock:
        port = mock.base_url.split(":")[2]
        environment(monkeypatch, f"http://{host}:{port}", mock.model, KEY)
        with cloud(say=lambda _: None) as found:
            assert not found.simulated
            assert ask(found).text == "1 2 3 4 5"


def test_the_key_is_sent_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, loopback: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Reply(b'{"error": {"message": "Incorrect API key provided: ' + KEY.encode() + b'"}}', 401)
    server = loopback(refused)
    environment(monkeypatch, server.base_url, "gpt-small", KEY)
    with cloud() as found:
        answer = ask(found)
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    error = answer.trace.error
    assert error is not None
    settings = Settings.from_environment()
    assert settings.cloud_api_key == KEY
    shown = [repr(found), str(found), repr(found.connection), str(found.connection), repr(settings)]
    shown += [str(error), repr(error), error.fix, capsys.readouterr().out]
    assert [text for text in shown if KEY in text] == []
