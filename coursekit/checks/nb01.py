"""Checks of notebook 01. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise
from foundry_mock import Behaviour, MockEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    Messages = list[dict[str, str]]

_QUICK = Behaviour(first_token=0, rate=5000)


def _dead_address() -> str:
    """An address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@exercise(
    "Ask the endpoint for its list of models. What can go wrong is an openai.APIError; catch that.",
    "with openai.OpenAI(base_url=..., api_key='not-needed', timeout=2, max_retries=0) as client: "
    "compare model with the id of each entry in client.models.list().",
)
def usable(answer: Callable[[str, str], bool]) -> str | None:
    """01.1: test a client configuration."""

    def judge(given: object, expected: bool, what: str, *_: str) -> str | None:
        if given is expected:
            return None
        did = f"raised {type(given).__name__}" if isinstance(given, Exception) else f"returned {given!r}"
        return f"For {what} it {did}; it should return {expected}."

    with MockEndpoint(_QUICK) as mock:
        cases = [
            (mock.base_url, mock.model, True, "an endpoint that answers and lists the model"),
            (mock.base_url, "some-other-model", False, "an endpoint that does not list the model"),
            (mock.base_url, mock.model[:-2], False, "the beginning of a listed id, which is not a listed id"),
            (_dead_address(), mock.model, False, "an address on which nothing listens"),
            (mock.base_url.removesuffix("/v1") + "/nowhere", mock.model, False, "an address with a wrong path"),
        ]
        if missing := compare(answer, cases, judge, accept=Exception):
            return missing
        if mock.counters.started:
            return "It made the endpoint generate. The list of models tells enough."
    return None


@exercise(
    "Cut the version off first (rpartition(':')), then the kind of build and the device: they are the last two words.",
    "A name fits when model.rpartition(':')[0].rsplit('-', 2)[0] == name. Collect those that fit. If there are none, "
    "raise LookupError(name). Otherwise return max(fitting, key=lambda model: int(model.rpartition(':')[2])).",
)
def full_id(answer: Callable[[str, list[str]], str]) -> str | None:
    """01.2: from a name to the full id."""
    listed = [
        "phi-4-mini-reasoning-generic-cpu:3",
        "phi-4-mini-instruct-generic-cpu:9",
        "phi-4-mini-instruct-generic-cpu:10",
        "phi-4-generic-cpu:1",
        "qwen2.5-0.5b-instruct-generic-cpu:4",
        "phi-3.5-mini-cuda-gpu:1",
    ]
    right = {
        "phi-4-mini-instruct": "phi-4-mini-instruct-generic-cpu:10",
        "phi-4": "phi-4-generic-cpu:1",
        "qwen2.5-0.5b-instruct": "qwen2.5-0.5b-instruct-generic-cpu:4",
        "phi-3.5-mini": "phi-3.5-mini-cuda-gpu:1",
    }

    def judge(given: object, expected: str | None, _: str, name: str, *__: object) -> str | None:
        if given == expected or (expected is None and isinstance(given, LookupError)):
            return None
        if expected is None:
            return f"For a name that is not listed it gave {given!r}. Raise LookupError: a guess would fail much later."
        if isinstance(given, LookupError):
            return f"For {name!r} it raised LookupError, but {expected} is listed."
        if isinstance(given, str) and given.endswith(":9"):
            return f"For {name!r} it took version 9 and there is a 10. Versions are numbers: compare them as numbers."
        if given in listed:
            return f"For {name!r} it took {given}. That is another model, whose name only begins the same way."
        return f"For {name!r} it gave {given!r}; a full id from the list was expected."

    cases = [(name, order, model, "") for name, model in right.items() for order in (listed, listed[::-1])]
    return compare(answer, [*cases, ("no-such-model", listed, None, "")], judge, accept=LookupError)


@exercise(
    "Neither the length nor the last sign of the text tells it. One field of the first choice does.",
    "Compare answer.choices[0].finish_reason with 'stop'.",
)
def is_whole(answer: Callable[[Any], bool]) -> str | None:
    """01.3: whole, or cut off."""
    import openai

    kinds: list[tuple[int, str, str | None, bool, str]] = [
        (5, "none", "length", False, "an answer that was cut off at max_tokens"),
        (400, "none", "stop", True, "a whole answer"),
        (20, " 20", "stop", True, "a whole answer that is exactly as long as max_tokens"),
        (400, "none", "content_filter", False, "an answer that a content filter ended"),
        (400, "none", None, False, "an answer without a finish_reason"),
    ]
    cases = []
    with (
        MockEndpoint(_QUICK) as mock,
        openai.OpenAI(base_url=mock.base_url, api_key="not-needed", timeout=3, max_retries=0) as client,
    ):
        for limit, ending, reason, expected, what in kinds:
            question = "Count to 30." if ending == "none" else "Count to 25."
            reply = client.chat.completions.create(
                model=mock.model,
                messages=[{"role": "user", "content": question}],
                max_tokens=limit,
                stop=[ending],
            )
            reply.choices[0].finish_reason = reason  # type: ignore[assignment]
            tokens = reply.usage.completion_tokens if reply.usage else 0
            cases.append((reply, expected, f"{what} ({tokens} tokens, max_tokens={limit})"))
    return compare(answer, cases, "For {what} it returned {given!r}; expected {expected}.")


@exercise(
    "A list with a star in front of it can be put into a new list: [*history, ...].",
    "Return [*history, {'role': 'user', 'content': question}, {'role': 'assistant', 'content': reply}].",
)
def next_messages(answer: Callable[[Messages, str, str], Messages]) -> str | None:
    """01.4: a conversation that grows."""
    question, reply = "What is an API?", "A way to ask."
    exchange = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    system = {"role": "system", "content": "You are brief."}
    before = [system, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    def judge(given: Messages | None, expected: Messages, _: str, history: Messages, *__: str) -> str | None:
        if given is None:
            return "It returned None. Return the new list."
        if list(given) == expected:
            return None
        roles = [message.get("role") for message in given]
        if len(given) != len(expected):
            return f"From {len(history)} messages it made {len(given)}; an exchange adds two, and none is lost."
        return f"The roles are {roles}; expected {[message['role'] for message in expected]}, each with its text."

    cases = [(history, question, reply, [*history, *exchange], "") for history in ([], [system], before)]
    changed = "It changed the list that it was given. Make a new one: another part of the app may hold the old."
    return compare(answer, cases, judge, changed=changed)
