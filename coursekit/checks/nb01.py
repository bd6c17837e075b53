"""Checks of notebook 01. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import socket
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from coursekit.exercises import Exercise
from foundry_mock import Behaviour, MockEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import OpenAI

    Messages = list[dict[str, str]]

_QUICK = Behaviour(first_token=0, rate=5000)


def _client(base_url: str) -> OpenAI:
    import openai

    return openai.OpenAI(base_url=base_url, api_key="not-needed", timeout=3, max_retries=0)


def _dead_address() -> str:
    """An address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def usable(answer: Callable[[str, str], bool]) -> str | None:
    """01.1: whether an endpoint answers and lists the model."""
    with MockEndpoint(_QUICK) as mock:
        cases = [
            ((mock.base_url, mock.model), True, "an endpoint that answers and lists the model"),
            ((mock.base_url, "some-other-model"), False, "an endpoint that does not list the model"),
            ((mock.base_url, mock.model[:-2]), False, "the beginning of a listed id, which is not a listed id"),
            ((_dead_address(), mock.model), False, "an address on which nothing listens"),
            ((mock.base_url.removesuffix("/v1") + "/nowhere", mock.model), False, "an address with a wrong path"),
        ]
        for arguments, expected, what in cases:
            try:
                given = answer(*arguments)
            except Exception as error:
                return f"For {what} it raised {type(error).__name__}; it should return {expected}."
            if given is not expected:
                return f"For {what} it returned {given!r}; it should return {expected}."
        if mock.counters.started:
            return "It made the endpoint generate. The list of models tells enough."
    return None


def full_id(answer: Callable[[str, list[str]], str]) -> str | None:
    """01.2: the full id of the highest version for an alias."""
    listed = [
        "phi-4-mini-reasoning-generic-cpu:3",
        "phi-4-mini-instruct-generic-cpu:9",
        "phi-4-mini-instruct-generic-cpu:10",
        "phi-4-generic-cpu:1",
        "qwen2.5-0.5b-instruct-generic-cpu:4",
        "phi-3.5-mini-cuda-gpu:1",
    ]
    cases = {
        "phi-4-mini-instruct": "phi-4-mini-instruct-generic-cpu:10",
        "phi-4": "phi-4-generic-cpu:1",
        "qwen2.5-0.5b-instruct": "qwen2.5-0.5b-instruct-generic-cpu:4",
        "phi-3.5-mini": "phi-3.5-mini-cuda-gpu:1",
    }
    for name, expected in cases.items():
        for order in (listed, listed[::-1]):
            try:
                given = answer(name, list(order))
            except LookupError:
                return f"For {name!r} it raised LookupError, but {expected} is listed."
            if given == expected:
                continue
            if isinstance(given, str) and given.endswith(":9"):
                return (
                    f"For {name!r} it took version 9 and there is a 10. Versions are numbers: compare them as numbers."
                )
            if given in listed:
                return f"For {name!r} it took {given}. That is another model, whose name only begins the same way."
            return f"For {name!r} it gave {given!r}; a full id from the list was expected."
    try:
        given = answer("no-such-model", list(listed))
    except LookupError:
        return None
    return f"For a name that is not listed it gave {given!r}. Raise LookupError there: a guess would fail much later."


def is_whole(answer: Callable[[Any], bool]) -> str | None:
    """01.3: whether an answer is whole."""
    with MockEndpoint(_QUICK) as mock, _client(mock.base_url) as client:
        cases: list[tuple[int, str, str | None, bool, str]] = [
            (5, "none", "length", False, "an answer that was cut off at max_tokens"),
            (400, "none", "stop", True, "a whole answer"),
            (20, " 20", "stop", True, "a whole answer that is exactly as long as max_tokens"),
            (400, "none", "content_filter", False, "an answer that a content filter ended"),
            (400, "none", None, False, "an answer without a finish_reason"),
        ]
        for limit, ending, reason, expected, what in cases:
            question = "Count to 30." if ending == "none" else "Count to 25."
            reply = client.chat.completions.create(
                model=mock.model,
                messages=[{"role": "user", "content": question}],
                max_tokens=limit,
                stop=[ending],
            )
            reply.choices[0].finish_reason = reason  # type: ignore[assignment]
            given = answer(reply)
            if given is not expected:
                tokens = reply.usage.completion_tokens if reply.usage else 0
                return f"For {what} ({tokens} tokens, max_tokens={limit}) it returned {given!r}; expected {expected}."
    return None


def next_messages(answer: Callable[[Messages, str, str], Messages]) -> str | None:
    """01.4: the history with one exchange more."""
    system = {"role": "system", "content": "You are brief."}
    for history in (
        [],
        [system],
        [system, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
    ):
        before = deepcopy(history)
        given = answer(history, "What is an API?", "A way to ask.")
        if history != before:
            return "It changed the list that it was given. Make a new one: another part of the app may hold the old."
        if given is None:
            return "It returned None. Return the new list."
        expected = [
            *before,
            {"role": "user", "content": "What is an API?"},
            {"role": "assistant", "content": "A way to ask."},
        ]
        if list(given) == expected:
            continue
        roles = [message.get("role") for message in given]
        if len(given) != len(expected):
            return f"From {len(before)} messages it made {len(given)}; an exchange adds two, and none is lost."
        return f"The roles are {roles}; expected {[message['role'] for message in expected]}, each with its text."
    return None


EXERCISES = [
    Exercise(
        "01.1",
        "test a client configuration",
        (
            "Ask the endpoint for its list of models. What can go wrong is an openai.APIError; catch that.",
            "with openai.OpenAI(base_url=..., api_key='not-needed', timeout=2, max_retries=0) as client: "
            "compare model with the id of each entry in client.models.list().",
        ),
        usable,
    ),
    Exercise(
        "01.2",
        "from a name to the full id",
        (
            "Cut the version off first (rpartition(':')), then the kind of build and the device: "
            "they are the last two words.",
            "A name fits when model.rpartition(':')[0].rsplit('-', 2)[0] == name. Among those that fit take "
            "max(fitting, key=lambda model: int(model.rpartition(':')[2])).",
        ),
        full_id,
    ),
    Exercise(
        "01.3",
        "whole, or cut off",
        (
            "Neither the length nor the last sign of the text tells it. One field of the first choice does.",
            "Compare answer.choices[0].finish_reason with 'stop'.",
        ),
        is_whole,
    ),
    Exercise(
        "01.4",
        "a conversation that grows",
        (
            "A list with a star in front of it can be put into a new list: [*history, ...].",
            "Return [*history, {'role': 'user', 'content': question}, {'role': 'assistant', 'content': reply}].",
        ),
        next_messages,
    ),
]
