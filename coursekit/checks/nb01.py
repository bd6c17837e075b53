"""Checks of notebook 01. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from coursekit.exercises import compare, exercise
from foundry_mock import Behaviour, LocalServer, MockEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    Messages = list[dict[str, str]]

_QUICK = Behaviour(first_token=0, rate=5000)


def _dead_address() -> str:
    """An address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@contextlib.contextmanager
def _listing(*models: str) -> Iterator[str]:
    """The address of an endpoint that lists these models; the mock always lists one."""

    async def every(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": model, "object": "model"} for model in models]})

    async def one(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        return JSONResponse({"id": name, "object": "model"}, 200 if name in models else 404)

    server = LocalServer(Starlette(routes=[Route("/v1/models", every), Route("/v1/models/{name}", one)]))
    address = server.start()
    try:
        yield f"{address}/v1"
    finally:
        server.stop()


@contextlib.contextmanager
def _always(response: Response) -> Iterator[str]:
    """The address of a server that gives one answer to every request."""

    async def answer(_: Request) -> Response:
        return response

    server = LocalServer(Starlette(routes=[Route("/{path:path}", answer)]))
    address = server.start()
    try:
        yield f"{address}/v1"
    finally:
        server.stop()


@exercise(
    "Ask for the list of models with client.models.list(), and compare the id of each entry. A request that fails "
    "raises openai.APIError. A web page instead of a list raises AttributeError. Catch both.",
    "In the `with` block: try: return any(entry.id == model for entry in client.models.list()). "
    "Then: except (openai.APIError, AttributeError): return False.",
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
            (mock.base_url, mock.model[2:], False, "the end of a listed id, which is not a listed id"),
            (mock.base_url, mock.model + "0", False, "a listed id with one more digit (version 10, and 1 is listed)"),
            (_dead_address(), mock.model, False, "an address on which nothing listens"),
            (mock.base_url.removesuffix("/v1") + "/nowhere", mock.model, False, "an address with a wrong path"),
        ]
        if missing := compare(answer, cases, judge, accept=Exception):
            return missing
        if mock.counters.started:
            return "It made the endpoint generate. The list of models is enough."
    three = ("a-generic-cpu:1", "b-generic-cpu:2", "c-generic-cpu:3")
    with _listing(*three) as many, _listing() as none:
        cases = [(many, model, True, f"model {at} of the three that are listed") for at, model in enumerate(three, 1)]
        cases.append((many, "d-generic-cpu:4", False, "a fourth model where three are listed"))
        cases.append((none, "a-generic-cpu:1", False, "an endpoint that lists no model at all"))
        if missing := compare(answer, cases, judge, accept=Exception):
            return missing
    with _always(HTMLResponse("<h1>Welcome</h1>")) as page, _always(JSONResponse({"detail": "Welcome"})) as other:
        cases = [
            (page, "a-generic-cpu:1", False, "a web page that answers every request with status 200"),
            (other, "a-generic-cpu:1", False, "a server whose JSON is not a list of models"),
        ]
        return compare(answer, cases, judge, accept=Exception)


@exercise(
    "First remove the version (rpartition(':')), then the last two words (rsplit('-', 2)). Compare versions as "
    "numbers: int('10') is more than int('9').",
    "An id fits if model.rpartition(':')[0].rsplit('-', 2)[0] == name. Collect these ids in a list, fitting. If it is "
    "empty, raise LookupError(name). Otherwise return max(fitting, key=lambda model: int(model.rpartition(':')[2])).",
)
def full_id(answer: Callable[[str, list[str]], str]) -> str | None:
    """01.2: from a name to the full id."""
    listed = [
        "phi-4-mini-reasoning-generic-cpu:3",
        "phi-4-mini-instruct-generic-cpu:9",
        "phi-4-mini-instruct-generic-cpu:10",
        "phi-4-generic-cpu:1",
        "Qwen2.5-0.5B-Instruct-generic-cpu:4",
        "phi-3.5-mini-cuda-gpu:1",
        "phi-3-5-mini-cuda-gpu:2",
        "mistral-7b-cuda-gpu:2",
        "mistral-7b-openvino-npu:3",
        "mistral-7b-generic-cpu:1",
    ]
    right = {
        "phi-4-mini-instruct": "phi-4-mini-instruct-generic-cpu:10",
        "phi-4": "phi-4-generic-cpu:1",
        "Qwen2.5-0.5B-Instruct": "Qwen2.5-0.5B-Instruct-generic-cpu:4",
        "phi-3.5-mini": "phi-3.5-mini-cuda-gpu:1",
        "mistral-7b": "mistral-7b-openvino-npu:3",
    }
    unlisted = {
        "no-such-model": "a name that is not listed",
        "phi": "the beginning of a name",
        "mini-instruct": "the end of a name",
    }

    def judge(given: Any, expected: str | None, what: str, name: str, *_: object) -> str | None:
        if isinstance(given, LookupError) if expected is None else given == expected:
            return None
        did = f"raised {type(given).__name__}" if isinstance(given, Exception) else f"gave {given!r}"
        if expected is None:
            return f"For {what} ({name!r}) it {did}. Raise LookupError: a guess would fail much later."
        if isinstance(given, Exception):
            return f"For {name!r} it {did}, but {expected} is listed."
        if given not in listed:
            return f"For {name!r} it {did}; it should give a full id from the list."
        if given.rpartition(":")[0].rsplit("-", 2)[0] != name:
            return f"For {name!r} it took {given}. That is another model, with a similar name."
        if given.endswith(":9"):
            return f"For {name!r} it took version 9 and there is a 10. Versions are numbers: compare them as numbers."
        return f"For {name!r} it took {given}, but {expected} has the highest version. The build does not matter."

    orders = (listed, listed[::-1])
    cases: list[tuple[str, list[str], str | None, str]]
    cases = [(name, order, model, "") for name, model in right.items() for order in orders]
    cases += [(name, order, None, what) for name, what in unlisted.items() for order in orders]
    cases.append(("phi-4", [], None, "a name and an empty list"))
    return compare(answer, cases, judge, accept=Exception)


@exercise(
    "The length and the last character of the text do not say it. One field of answer.choices[0] does.",
    "Return answer.choices[0].finish_reason == 'stop'.",
)
def is_whole(answer: Callable[[Any], bool]) -> str | None:
    """01.3: whole, or cut off."""
    import openai

    kinds: list[tuple[int, str, str | None, str | None, bool, str]] = [
        (5, "none", None, "length", False, "an answer that was cut off at max_tokens"),
        (400, "none", None, "stop", True, "a whole answer"),
        (20, " 20", None, "stop", True, "a whole answer that is exactly as long as max_tokens"),
        (400, "none", "", "stop", True, "a whole answer without any text"),
        (5, "none", "The sky is blue.", "length", False, "an answer that was cut off just after a full stop"),
        (400, "none", None, "content_filter", False, "an answer that a content filter ended"),
        (400, "none", None, None, False, "an answer without a finish_reason"),
    ]
    cases = []
    with (
        MockEndpoint(_QUICK) as mock,
        openai.OpenAI(base_url=mock.base_url, api_key="not-needed", timeout=3, max_retries=0) as client,
    ):
        for limit, ending, text, reason, expected, what in kinds:
            question = "Count to 30." if ending == "none" else "Count to 25."
            reply = client.chat.completions.create(
                model=mock.model,
                messages=[{"role": "user", "content": question}],
                max_tokens=limit,
                stop=[ending],
            )
            reply.choices[0].finish_reason = reason  # type: ignore[assignment]
            if text is None:
                tokens = reply.usage.completion_tokens if reply.usage else 0
                what = f"{what} ({tokens} tokens, max_tokens={limit})"
            else:
                reply.choices[0].message.content = text
            cases.append((reply, expected, what))
    return compare(answer, cases, "For {what} it returned {given!r}; expected {expected}.")


@exercise(
    "[*history, a, b] is a new list: everything in history, then a and b.",
    "Return [*history, {'role': 'user', 'content': question}, {'role': 'assistant', 'content': reply}].",
)
def next_messages(answer: Callable[[Messages, str, str], Messages]) -> str | None:
    """01.4: a conversation that grows."""
    question, reply = "What is an API?", "A way to ask."
    exchange = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    system = {"role": "system", "content": "You are brief."}
    before = [system, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    def judge(given: Any, expected: Messages, what: str, history: Messages, *_: str) -> str | None:
        if given == expected:
            return None
        if given is None:
            return "It returned None. Return the new list."
        if not isinstance(given, list):
            return f"It returned a value of type {type(given).__name__}. Return a list, as the history is."
        if len(given) != len(expected):
            return f"With {what}: from {len(history)} messages it made {len(given)}; an exchange adds two."
        number, wrong, right = next(
            (at, *pair) for at, pair in enumerate(zip(given, expected, strict=True), 1) if pair[0] != pair[1]
        )
        if isinstance(wrong, dict) and wrong.get("role") != right["role"]:
            roles = [message.get("role") for message in given if isinstance(message, dict)]
            return f"With {what}: the roles are {roles}; expected {[message['role'] for message in expected]}."
        return f"With {what}: message {number} is {wrong!r}; expected {right!r}."

    again = [*before, *exchange]
    cases = [
        ([], question, reply, "an empty history"),
        ([system], question, reply, "a system message alone"),
        (before, question, reply, "one exchange before"),
        (again, question, reply, "a question that was asked before"),
        (again * 6, question, reply, "a long history"),
        (before, " Vad är ett API?\n", "Ett sätt\natt fråga. ", "spaces and line ends, which belong to the text"),
        (before, question, "", "an empty reply, which is a reply too"),
    ]
    filled = [
        (
            history,
            asked,
            said,
            [*history, {"role": "user", "content": asked}, {"role": "assistant", "content": said}],
            what,
        )
        for history, asked, said, what in cases
    ]
    changed = "It changed the list that it was given. Make a new list: other parts of the app may still use that one."
    return compare(answer, filled, judge, changed=changed)
