"""History: what fits, and sizes that follow the endpoint's counts."""

from __future__ import annotations

import asyncio

import pytest

from coursekit.checks import nb02
from foundry_mock import Behaviour, MockEndpoint
from labkit.chat_view import ChatView
from labkit.connection import Connection, Source
from labkit.history import History, estimate


def test_it_passes_the_check_of_the_trim_exercise() -> None:
    assert nb02.trim.check(lambda messages, sizes, budget: History(list(messages), list(sizes)).within(budget)) is None


def test_without_a_budget_all_messages_are_sent() -> None:
    history = History()
    for number in range(50):
        history.add("user" if number % 2 == 0 else "assistant", "word " * 1000)
    assert history.within(None) == history.messages


def test_estimates_are_rather_too_large() -> None:
    assert estimate("") > 0
    assert estimate("a text of some words, in plain English") >= 9


@pytest.mark.parametrize("system", ["", "Be brief."])
def test_sizes_follow_the_counts_of_the_endpoint(system: str) -> None:
    """After any number of turns the sizes of what was sent add up to the prompt that was counted."""

    async def talk() -> None:
        with MockEndpoint(Behaviour(first_token=0, rate=5000)) as mock:
            lab = Connection(mock.base_url, mock.model, Source.BASE_URL)
            view = ChatView(lab, system=system, context=140, max_tokens=30)
            for _ in range(6):
                answer = await view.ask("Count to 20.")
                assert answer.trace.prompt_tokens is not None
                assert answer.trace.prompt_tokens + 30 <= 140
                assert view.sent[-1]["content"] == "Count to 20."
                assert bool(system) is (view.sent[0]["role"] == "system")
            assert len(view.sent) < len(view.messages)
            await lab.aclose()

    asyncio.run(talk())
