"""The same requests to the real runtime and to the mock: what a client can see must be the same.

Compared are status, headers that matter, keys and types, constant values, the order of a stream's events and
the words in an error that a client could look for. Texts, counts and times are not. Where the mock differs
on purpose, INTENDED says how and why.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from foundry_mock import Behaviour, MockEndpoint
from labkit import foundry
from labkit._smollm.layout import EMBEDDED
from tests.support.doubles import wait_until
from tests.support.raw import CHAT, EMBEDDINGS, RawResponse, ask, connect, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

MODEL, ALIAS = EMBEDDED.id, EMBEDDED.alias
SKY = [{"role": "user", "content": "Why is the sky blue?"}]
TOOLS = [{"type": "function", "function": {"name": "clock", "parameters": {}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "anything", "schema": {"type": "object"}}}
LEFT_OUT = object()


@dataclass(frozen=True)
class Case:
    """One request; a body that is a function is asked for with the endpoint's address."""

    name: str
    method: str
    path: str
    body: bytes | Callable[[str], bytes] | None = None

    def ask(self, base_url: str) -> RawResponse:
        """Send it."""
        return ask(base_url, self.method, self.path, self.body(base_url) if callable(self.body) else self.body)


def get(path: str, method: str = "GET") -> Case:
    """A request without a body."""
    return Case(f"{method} {path}", method, path)


def request(defaults: dict[str, object], changes: dict[str, object]) -> bytes:
    """A body from the usual fields and what is different in this one."""
    return json.dumps({key: value for key, value in (defaults | changes).items() if value is not LEFT_OUT}).encode()


def chat_body(**changes: object) -> bytes:
    """A chat request that is answered with two tokens, with changes."""
    return request({"model": MODEL, "messages": SKY, "max_tokens": 2, "temperature": 0}, changes)


def chat(name: str, **changes: object) -> Case:
    """A chat request with changes."""
    return Case(name, "POST", CHAT, chat_body(**changes))


def said(*contents: object, role: object = "user") -> list[dict[str, object]]:
    """Messages of one role."""
    return [{"role": role, "content": content} for content in contents]


def vectors(name: str, **changes: object) -> Case:
    """A request for embeddings with changes."""
    return Case(name, "POST", EMBEDDINGS, request({"model": MODEL, "input": "hello"}, changes))


def post(name: str, body: bytes, path: str = CHAT) -> Case:
    """A body that no client would make."""
    return Case(name, "POST", path, body)


def as_long_as_the_answer(base_url: str) -> bytes:
    """A request whose limit is exactly the length of the answer."""
    question = said("Say one word.")
    whole = ask(base_url, "POST", CHAT, chat_body(messages=question, max_tokens=400)).json()
    return chat_body(messages=question, max_tokens=whole["usage"]["completion_tokens"])


def text_parts(*kinds: str) -> list[dict[str, str]]:
    """A content of several parts."""
    return [{"type": kind, "text": "Hello."} for kind in kinds]


LONG = said("word " * 9000)
CASES = [
    get("/v1/models"),
    get("/v1/models?limit=1"),
    get("/v1/models/"),
    get(f"/v1/models/{MODEL}"),
    get(f"/v1/models/{MODEL.replace(':', '%3A')}"),
    get(f"/v1/models/{ALIAS}"),
    get("/v1/models/nope"),
    get("/status"),
    get("/models/loaded"),
    get(f"/models/load/{ALIAS}"),
    get(f"/models/load/{MODEL}"),
    get("/models/load/nope"),
    get("/models/unload/nope"),
    get("/models/load"),
    # addresses that do not exist, or not with this method
    get("/"),
    get("/v1"),
    get("/nope"),
    get("/nope", "POST"),
    get("/openai/status"),
    get("/foundry/list"),
    get("/mock"),
    get(CHAT),
    get(CHAT, "OPTIONS"),
    get(CHAT, "PUT"),
    get(CHAT, "DELETE"),
    get("/v1/models", "POST"),
    get("/v1/models", "HEAD"),
    get("/status", "HEAD"),
    get(CHAT, "HEAD"),
    get("/models/loaded", "POST"),
    # answers
    chat("whole"),
    chat("stream", stream=True),
    chat("stream with usage", stream=True, stream_options={"include_usage": True}),
    chat("stream without usage", stream=True, stream_options={"include_usage": False}),
    chat("whole with include_usage", stream_options={"include_usage": True}),
    chat("stream of another type", stream="yes"),
    chat("stream of one token", stream=True, max_tokens=1),
    chat("include_usage of another type", stream=True, stream_options={"include_usage": "yes"}),
    chat("max_completion_tokens", max_tokens=LEFT_OUT, max_completion_tokens=2),
    chat("max_completion_tokens before max_tokens", max_tokens=40, max_completion_tokens=3),
    chat("max_tokens of another type", max_tokens="2", stop=" "),
    Case("max_tokens as long as the answer", "POST", CHAT, as_long_as_the_answer),
    chat("stop", stop=" ", max_tokens=40),
    chat("stop, streamed", stop=[" "], max_tokens=40, stream=True, stream_options={"include_usage": True}),
    chat("stop that does not come", stop=["@@@@", "####"]),
    chat("stop that is empty", stop=""),
    chat("stop that is empty, streamed", stop="", stream=True),
    chat("stop of another type", stop=1),
    chat("stops of another type", stop=[5]),
    chat("stops of another type, streamed", stop=[5], stream=True),
    chat("five stops", stop=["@1", "@2", "@3", "@4", "@5"]),
    chat("n is ignored", n=2),
    chat("n is ignored in a stream", n=2, stream=True),
    chat("logprobs are ignored", logprobs=True, top_logprobs=2),
    chat("unknown fields are ignored", surprise=1, user="me", seed=1),
    chat("response_format", response_format=SCHEMA),
    chat("response_format, streamed", response_format=SCHEMA, stream=True),
    chat("response_format without its schema", response_format={"type": "json_schema"}),
    chat("tools", tools=TOOLS),
    chat("tools, streamed", tools=TOOLS, stream=True),
    chat("tools that may not be used", tools=TOOLS, tool_choice="none"),
    chat("no tools", tools=[]),
    # models
    chat("unknown model", model="nope"),
    chat("unknown model, streamed", model="nope", stream=True),
    chat("alias", model=ALIAS),
    chat("id without its version", model=MODEL.partition(":")[0]),
    chat("model missing", model=LEFT_OUT),
    chat("model empty", model=""),
    chat("model of another type", model=1),
    chat("unknown model before a bad temperature", model="nope", temperature=3),
    chat("no messages before an unknown model", model="nope", messages=[]),
    # messages
    chat("messages missing", messages=LEFT_OUT),
    chat("messages empty", messages=[]),
    chat("messages empty, streamed", messages=[], stream=True),
    chat("messages of another type", messages="hello"),
    chat("a message of another type", messages=["hello"]),
    chat("a message without a role", messages=[{"content": "hello"}]),
    chat("a role of another type", messages=said("hello", role=1)),
    chat("an unknown role", messages=said("hello", role="bogus")),
    chat("the developer", messages=[*said("Be brief.", role="developer"), *SKY]),
    chat("the system alone", messages=said("Be brief.", role="system")),
    chat("a tool's result", messages=[*SKY, {"role": "tool", "tool_call_id": "1", "content": "12:00"}]),
    chat("a message without content", messages=[{"role": "user"}]),
    chat("a message without content, streamed", messages=[{"role": "user"}], stream=True),
    chat("a message without content beside another", messages=[{"role": "user"}, *SKY]),
    chat("content empty", messages=said("")),
    chat("content null", messages=said(None)),
    chat("content of another type", messages=said(1)),
    chat("text parts", messages=said(text_parts("text", "text"))),
    chat("an unknown part", messages=said(text_parts("bogus"))),
    chat("an unknown part beside text", messages=said(text_parts("bogus", "text"))),
    chat("a text part of another type", messages=said([{"type": "text", "text": 1}])),
    chat("unicode", messages=said("Åsa säger 你好 🌊")),
    chat("unicode, streamed", messages=said("Åsa säger 你好 🌊"), max_tokens=12, stream=True),
    # numbers
    chat("temperature too high", temperature=3),
    chat("temperature too high, streamed", temperature=3, stream=True),
    chat("temperature below zero", temperature=-1),
    chat("temperature at its limit", temperature=2),
    chat("temperature of another type", temperature="hot"),
    chat("top_p too high", top_p=2),
    chat("top_p of zero", top_p=0),
    chat("max_tokens of zero", max_tokens=0),
    chat("max_tokens of zero, streamed", max_tokens=0, stream=True),
    chat("max_tokens below zero", max_tokens=-1),
    chat("frequency_penalty", frequency_penalty=0.5),
    chat("frequency_penalty, streamed", frequency_penalty=0.5, stream=True),
    chat("frequency_penalty of zero", frequency_penalty=0, presence_penalty=0),
    chat("presence_penalty before an unknown model", model="nope", presence_penalty=1),
    # too long
    chat("overflow", messages=LONG),
    chat("overflow, streamed", messages=LONG, stream=True),
    chat("overflow by max_tokens", max_tokens=100_000),
    chat("overflow by max_tokens, streamed", max_tokens=100_000, stream=True),
    chat("a huge message", messages=said("word " * 300_000)),
    chat("a huge field that is ignored", surprise="x" * 5_000_000),
    # bodies
    post("bad JSON", b"{bad"),
    post("JSON with something after it", chat_body() + b" x"),
    post("a key twice", b'{"model": "nope", ' + chat_body()[1:]),
    post("not a number", chat_body()[:-1] + b', "top_p": NaN}'),
    post("half a surrogate pair", chat_body(messages=said("\ud800 x"))),
    post("not UTF-8", chat_body(messages=said("Åsa")).replace(rb"\u00c5", b"\xc5")),
    post("a byte order mark", b"\xef\xbb\xbf" + chat_body()),
    post("empty body", b""),
    get(CHAT, "POST"),
    post("white space", b"  "),
    post("a list", b"[]"),
    post("null", b"null"),
    # embeddings
    vectors("embedding"),
    vectors("two embeddings", input=["hello", "you"]),
    vectors("an embedding of nothing", input=""),
    vectors("embeddings: unknown model", model="nope"),
    vectors("embeddings: model missing", model=LEFT_OUT),
    vectors("embeddings: input missing", input=LEFT_OUT),
    vectors("embeddings: input missing before an unknown model", input=LEFT_OUT, model="nope"),
    vectors("embeddings: input empty", input=[]),
    vectors("embeddings: input of another type", input=1),
    vectors("embeddings: tokens", input=[1, 2]),
    vectors("embeddings: too long", input="word " * 9000),
    post("embeddings: bad JSON", b"{bad", EMBEDDINGS),
    post("embeddings: empty body", b"", EMBEDDINGS),
    post("embeddings: a list", b"[]", EMBEDDINGS),
    Case("responses", "POST", "/v1/responses", request({"model": MODEL, "input": "hello", "max_output_tokens": 2}, {})),
]

EVERYTHING = frozenset({"status", "headers", "shape", "constants", "lines"})
CONTENT = frozenset({"status", "shape", "constants", "words", "tokens"})
# The one place for differences: aspects in which the mock differs on purpose. A row that is no longer true fails too.
INTENDED: dict[str, frozenset[str]] = {
    "GET /v1/models/": EVERYTHING,  # Starlette redirects to the address without the slash; clients follow
    "GET /mock": EVERYTHING,  # how the mock is looked at and changed
    "responses": EVERYTHING,  # the lessons use chat; what they do not use is not played
    # The runtime fails over its own error message; the mock says that the JSON is invalid.
    "not UTF-8": EVERYTHING | {"words"},
    # The answers differ in length, and so do their limits; that both end with length is compared.
    "max_tokens as long as the answer": frozenset({"tokens"}),
    "response_format without its schema": CONTENT,  # the mock does not look at response_format
    "a tool's result": CONTENT,  # the mock makes no tool calls and remembers none, so it takes the result for a message
}

HEADERS = ("content-type", "cache-control", "transfer-encoding", "retry-after", "location")
CONSTANTS = ("object", "role", "type", "finish_reason", "index", "owned_by", "model", "status", "id")
WORDS = (
    "Model not found",
    "Model not loaded",
    "Invalid JSON",
    "Invalid request",
    "Inference failed",
    "Empty request body",
    "Missing required field: model",
    "Missing required field: messages",
    "Unsupported parameter",
    "maximum context length",
    "nothing to generate from",
    "must be in the range",
    "must be >= 1",
    "must not be empty",
    "supports at most",
    "key 'model' not found",
    "key 'messages' not found",
    "key 'role' not found",
    "key 'input' not found",
)


def describe(answer: RawResponse) -> dict[str, object]:
    """What a client can depend on, aspect by aspect."""
    kind = answer.header("content-type")
    seen: dict[str, object] = {"status": answer.status, "headers": headers(answer), "words": []}
    if kind.startswith("text/event-stream"):
        return seen | stream_aspects(answer)
    if kind == "application/json":
        return seen | document_aspects(answer.json())
    lines = [line.partition("=") for line in answer.body.decode().splitlines()]
    return seen | {"lines": [(name, value if name in ("code", "description") else "") for name, _, value in lines]}


def headers(answer: RawResponse) -> dict[str, object]:
    """The headers that matter. HTTP/1.1 keeps a connection unless told to close it."""
    found: dict[str, object] = {name: [v for key, v in answer.headers if key == name] for name in HEADERS}
    found["length"] = bool(answer.header("content-length"))
    found["closes"] = "close" in [value.lower() for key, value in answer.headers if key == "connection"]
    return found


def document_aspects(document: Any) -> dict[str, object]:
    """The keys and types, the constant values and the words of a JSON document; the tokens, if there was a limit."""
    seen = {"shape": shape(document), "constants": constants(document), "words": words(document)}
    if isinstance(document, dict) and "usage" in document and "choices" in document:
        limited = document["choices"][0]["finish_reason"] == "length"
        seen["tokens"] = document["usage"]["completion_tokens"] if limited else None
    return seen


def stream_aspects(answer: RawResponse) -> dict[str, object]:
    """The order and the kinds of a stream's events; comments, which come when the runtime is slow, are left out."""
    frames = [frame for frame in answer.frames() if frame != ": keep-alive"]
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames), frames
    events = [frame.removeprefix("data: ") for frame in frames]
    documents = [json.loads(event) for event in events if event != "[DONE]"]
    kinds = [event_kind(event) for event in events]
    order = [name for number, name in enumerate(kinds) if number == 0 or name != kinds[number - 1]]
    return {
        "order": order,
        "shape": {name: shape(json.loads(event)) for name, event in zip(kinds, events, strict=True) if name != "DONE"},
        "constants": sorted({str(constants(document)) for document in documents}),
        "ids": len({document.get("id") for document in documents}),
        "words": [words(document) for document in documents if "error" in document],
    }


def event_kind(event: str) -> str:
    """What an event of a stream is for."""
    if event == "[DONE]":
        return "DONE"
    document = json.loads(event)
    if "error" in document:
        return "error"
    if not document["choices"]:
        return "usage"
    (choice,) = document["choices"]
    if choice["finish_reason"]:
        return "finish"
    return "role" if "role" in choice["delta"] else "content"


def shape(value: Any) -> Any:
    """Keys and types, recursively; of a list the different shapes in it."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json.loads(text) for text in sorted({json.dumps(shape(item), sort_keys=True) for item in value})]
    return type(value).__name__


def constants(value: Any) -> list[tuple[str, object]]:
    """The values that do not depend on the model's answer; an answer's id counts by its form."""
    if isinstance(value, list):
        return [pair for item in value for pair in constants(item)] if any(isinstance(i, dict) for i in value) else []
    if not isinstance(value, dict):
        return []
    found: list[tuple[str, object]] = []
    for key, item in value.items():
        if isinstance(item, dict | list):
            found += [(f"{key}.{name}", constant) for name, constant in constants(item)]
            found += [(f"len({key})", len(item))] if key in ("embedding", "choices", "data") else []
        elif key in CONSTANTS:
            found.append((key, re.sub(r"^chatcmpl-[0-9a-f]{12,}$", "chatcmpl-HEX", str(item))))
    if "total_tokens" in value and "completion_tokens" in value:
        found.append(("adds up", value["total_tokens"] == value["prompt_tokens"] + value["completion_tokens"]))
    return sorted(found, key=str)


def words(document: Any) -> list[str]:
    """What a client could look for in an error."""
    error = document.get("error") if isinstance(document, dict) else None
    return [word for word in WORDS if word in error["message"]] if error else []


@pytest.fixture(scope="module")
def real(served: tuple[str, str]) -> str:
    """The runtime's address. It is shared: its model stays loaded."""
    assert served[1] == MODEL
    return served[0]


@pytest.fixture(scope="module")
def mock() -> Iterator[MockEndpoint]:
    """A mock that plays the same model."""
    with MockEndpoint(Behaviour(model=MODEL, first_token=0, rate=10_000)) as endpoint:
        yield endpoint


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_mock_answers_as_the_runtime_does(case: Case, real: str, mock: MockEndpoint) -> None:
    """Every aspect is the same, except for those in INTENDED, and those are not."""
    theirs, ours = describe(case.ask(real)), describe(case.ask(mock.base_url))
    differ = {aspect for aspect in theirs.keys() | ours.keys() if theirs.get(aspect) != ours.get(aspect)}
    intended = INTENDED.get(case.name, frozenset())
    shown = {aspect: (theirs.get(aspect), ours.get(aspect)) for aspect in sorted(differ ^ intended)}
    assert differ == intended, f"runtime and mock: {shown}"


def test_each_case_and_each_row_has_its_own_name() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert INTENDED.keys() <= set(names)
    assert all(INTENDED.values())


def test_a_model_that_is_not_loaded(own_cache: Path, mock: MockEndpoint) -> None:
    """Unloading and loading, and what is refused in between; in a runtime of its own."""
    steps = [
        get(f"/models/unload/{ALIAS}"),
        get(f"/models/unload/{ALIAS}"),
        get("/models/loaded"),
        get("/v1/models"),
        get(f"/v1/models/{MODEL}"),
        chat("whole"),
        chat("streamed", stream=True),
        chat("no messages come first", messages=[]),
        chat("a bad temperature comes later", temperature=3),
        chat("an unknown model", model="nope"),
        vectors("embedding"),
        get(f"/models/load/{ALIAS}"),
        get(f"/models/load/{ALIAS}"),
        get("/models/loaded"),
        chat("whole again"),
    ]
    running = foundry.start(own_cache)
    theirs = [describe(step.ask(running.base_url)) for step in steps]
    ours = [describe(step.ask(mock.base_url)) for step in steps]
    for step, real_one, mock_one in zip(steps, theirs, ours, strict=True):
        assert mock_one == real_one, step.name
    assert theirs[6]["words"] == ["Model not loaded"]


def test_one_delta_a_token(real: str, mock: MockEndpoint) -> None:
    """Plain words come one token an event, and the usage counts them."""
    body = chat_body(max_tokens=6, stream=True, stream_options={"include_usage": True})
    for address in (real, mock.base_url):
        events = [json.loads(frame[6:]) for frame in ask(address, "POST", CHAT, body).frames() if '"id"' in frame]
        assert [event_kind(json.dumps(event)) for event in events].count("content") == 6
        assert events[-1]["usage"]["completion_tokens"] == 6


def test_the_connection_is_kept(real: str, mock: MockEndpoint) -> None:
    """After a stream, an error and a whole answer, the next request goes over the same connection."""
    for address in (real, mock.base_url):
        connection = connect(address)
        try:
            for body in (chat_body(stream=True), chat_body(temperature=3), chat_body(), chat_body()):
                connection.request("POST", CHAT, body)
                own = connection.sock
                connection.getresponse().read()
                assert connection.sock is own is not None
        finally:
            connection.close()


def test_comments_while_there_is_no_token(real: str) -> None:
    """Headers come at once, then a comment after each quarter of a second, and the role only with the first token."""
    with MockEndpoint(Behaviour(model=MODEL, first_token=0.7)) as slow:
        for address in (real, slow.base_url):
            for words in (800, 3000, 6000):  # a quick machine needs a longer prompt before it is silent for so long
                start = time.monotonic()
                lines = before_the_first_event(address, "word " * words)
                silence = time.monotonic() - start
                if len(lines) > 1:
                    break
            comments = lines.count(b": keep-alive\n")
            assert lines[:-1] == [b": keep-alive\n", b"\n"] * comments
            assert event_kind(lines[-1].decode().removeprefix("data: ")) == "role"
            assert comments >= 1
            assert silence / 0.25 / 2 - 1 < comments < silence / 0.25 + 1


def before_the_first_event(address: str, text: str) -> list[bytes]:
    """The lines of a stream up to its first event."""
    with exchange(address, "POST", CHAT, chat_body(messages=said(text), stream=True)) as response:
        lines = [response.readline()]
        while not lines[-1].startswith(b"data: "):
            lines.append(response.readline())
            assert lines[-1], lines
    return lines


def test_closing_ends_a_stream_but_not_a_whole_answer(real: str) -> None:
    """Whoever leaves a stream frees the endpoint; a whole answer is generated to its end all the same."""
    process = psutil.Process(ask(real, "GET", "/status").json()["pid"])
    with MockEndpoint(Behaviour(model=MODEL, rate=50)) as slow:
        look_while_leaving(real, "1 2 3 4 5 6 7 8 9 10 11 12", lambda: cpu(process) > 0.1)
        look_while_leaving(slow.base_url, "Count to 400.", lambda: slow.counters.running > 0)
    assert wait_until(lambda: cpu(process) < 0.1, 60)  # the next test finds the runtime at rest


def look_while_leaving(address: str, question: str, busy: Callable[[], bool]) -> None:
    """Ask for an answer of several seconds, leave early, and look how long the endpoint is busy."""
    body = {"messages": said(question), "max_tokens": 400}
    with exchange(address, "POST", CHAT, chat_body(**body, stream=True)) as response:
        while b'"content":"' not in response.readline():
            pass
        assert wait_until(busy, 1)
    assert wait_until(lambda: not busy(), 2)
    connection = connect(address)
    connection.request("POST", CHAT, chat_body(**body))
    assert wait_until(busy, 5)
    connection.close()
    later = time.monotonic() + 0.8
    while time.monotonic() < later:
        assert busy()


def cpu(process: psutil.Process) -> float:
    """How many processors a process uses, measured for a moment."""
    before, start = process.cpu_times(), time.monotonic()
    time.sleep(0.2)
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system) / (time.monotonic() - start)
