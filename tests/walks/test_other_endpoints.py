"""Walk: endpoints that are not ours behind BASE_URL. llama.cpp's server, and a LiteLLM proxy before the mock."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from coursekit.copies import ROOT, lessons
from coursekit.simulated_cloud import simulated
from foundry_mock import Behaviour, MockEndpoint
from labkit import Router, RoutingError, connect, stream
from labkit.routing.scorers import Keywords
from tests.support import chat_app as chat
from tests.support import gateways
from tests.support.nbval import nbval

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.live, pytest.mark.timeout(900)]


class Other(NamedTuple):
    """An endpoint, and the mock behind it where it is a proxy."""

    base_url: str
    mock: MockEndpoint | None


@pytest.fixture(scope="module", params=["llama.cpp", "LiteLLM"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gguf_file: Path) -> Iterator[Other]:
    """One of the two."""
    folder = tmp_path_factory.mktemp("gateway")
    log = folder / "server.log"
    if request.param == "llama.cpp":
        python = gateways.install(folder / "venv", gateways.LLAMA_CPP)
        with gateways.llama_cpp(python, gguf_file, "smollm2-135m-instruct", log) as base_url:
            yield Other(base_url, None)
        return
    python = gateways.install(folder / "venv", gateways.LITELLM)
    with (
        MockEndpoint(Behaviour(first_token=0.02, rate=500)) as mock,
        gateways.litellm(python, mock.base_url, mock.model, "behind-a-proxy", log) as base_url,
    ):
        yield Other(base_url, mock)


def test_the_doctor_finds_it_well(other: Other) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "coursekit", "doctor"],
        cwd=ROOT,
        env=os.environ | {"BASE_URL": other.base_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "ok     First token:" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("other", ["LiteLLM"], indirect=True)
@pytest.mark.parametrize("lesson", [item.original for item in lessons()][:3], ids=lambda path: path.stem)
def test_a_lesson_runs_on_it(lesson: Path, other: Other) -> None:
    """Strict nbval; a cell that needs Foundry Local says so in its own output, or is tagged as not compared."""
    done = nbval(ROOT / "notebooks", base_url=other.base_url, name=lesson.name)
    assert done.returncode == 0, done.stdout[-6000:]


@chat.in_loop
async def test_the_chat_answers_and_says_where_a_question_went(other: Other, tmp_path: Path) -> None:
    with chat.running(tmp_path, other.base_url) as app:
        async with chat.visit(app) as page:
            assert await page.ask("Count to 3.")
            await page.until(lambda: page.ended == "")
            (badge,) = page.elements.values()
            assert badge["props"]["name"] == "another server"
            assert badge["props"]["facts"][0] == f"sent to {other.base_url.split('/')[2]}"


def test_private_text_goes_to_nobody(other: Other) -> None:
    """It listens on this machine, and may send everything to a cloud: a router does not believe it to be local."""
    before = other.mock.counters.started if other.mock else 0

    async def ask() -> None:
        with connect(base_url=other.base_url, say=lambda _: None) as lab, simulated(say=lambda _: None)[0] as cloud:
            assert not lab.stays_here
            router = Router(lab, cloud, Keywords())
            try:
                async for _ in stream(router, "Write to anna@example.com, my card is 4111 1111 1111 1111."):
                    pass
            finally:
                await router.aclose()

    with pytest.raises(RoutingError, match="may not leave this machine"):
        asyncio.run(ask())
    assert (other.mock.counters.started if other.mock else 0) == before
