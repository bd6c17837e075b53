"""Which models an endpoint lists, in every dialect, and which of them a name means."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from labkit import Connection, Source, stream_sync
from labkit.errors import EndpointError, ModelError
from labkit.listing import certificate, certificate_fix, is_loopback, list_models, resolve, shown
from tests.conftest import Asked, Reply, without_proxies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]

SMOL = "smollm2-135m-instruct-generic-cpu:1"
PHI_CPU, PHI_GPU = "Phi-4-mini-instruct-generic-cpu:5", "Phi-4-mini-instruct-cuda-gpu:5"

DIALECTS: dict[str, dict[str, Any]] = {
    "Foundry Local 2.2.1": {
        "data": [{"created": 1767225600, "id": SMOL, "object": "model", "owned_by": "local"}],
        "object": "list",
    },
    "Foundry Local 1.2.4": {
        "data": [
            {
                "id": "smollm2-135m-instruct-generic-cpu",
                "object": "model",
                "created": 1767225600,
                "owned_by": "Microsoft",
                "vision": False,
                "toolCalling": False,
                "maxInputTokens": 8192,
            }
        ],
        "isDelta": False,
        "Successful": True,
        "HttpStatusCode": 0,
        "object": "list",
    },
    "llama.cpp": {
        "models": [{"name": "models/SmolLM2.gguf", "model": "models/SmolLM2.gguf", "capabilities": ["completion"]}],
        "object": "list",
        "data": [{"id": "models/SmolLM2.gguf", "object": "model", "owned_by": "llamacpp", "meta": {"n_vocab": 49152}}],
    },
    "vLLM": {
        "object": "list",
        "data": [{"id": "HuggingFaceTB/SmolLM2-135M", "object": "model", "root": "x", "permission": [{"id": "p"}]}],
    },
    "LiteLLM": {"data": [{"id": "ollama/smollm2:135m"}, {"id": "azure/gpt"}]},
    "nothing loaded": {"object": "list", "data": []},
}
OTHER_LISTS = [
    ([], ()),
    ({"data": None}, ()),
    ({"data": ["a", "b"]}, ("a", "b")),
    ([{"id": "a"}], ("a",)),
    ({"models": [{"name": "a:latest", "model": "a:latest"}]}, ("a:latest",)),
    ({"data": None, "models": [{"name": "a"}]}, ("a",)),
    ({"data": [{"id": "a"}, None, 5, {"id": None}, {"title": "x"}, {"name": "b"}]}, ("a", "b")),
]


@pytest.mark.parametrize(
    ("answer", "ids"),
    [*((answer, tuple(entry["id"] for entry in answer["data"])) for answer in DIALECTS.values()), *OTHER_LISTS],
    ids=[*DIALECTS, *map(str, range(len(OTHER_LISTS)))],
)
def test_models_in_every_dialect(loopback: Serve, answer: object, ids: tuple[str, ...]) -> None:
    """The ids are read and nothing else is needed."""
    server = loopback(Reply.json(answer))
    assert list_models(server.base_url) == ids
    assert server.paths == ["GET /v1/models"]


def test_query_stays_behind_the_path(loopback: Serve) -> None:
    """Azure OpenAI's addresses may end in ?api-version=..."""
    server = loopback(Reply.models("a"))
    assert list_models(f"{server.base_url}?api-version=preview") == ("a",)
    assert server.paths == ["GET /v1/models?api-version=preview"]


def test_key_is_sent(loopback: Serve) -> None:
    """An endpoint that wants a key gets it."""
    server = loopback(
        lambda asked: Reply.models("a") if asked.headers["authorization"] == "Bearer k" else Reply(status=401)
    )
    assert list_models(server.base_url, "k") == ("a",)


def test_key_that_no_header_can_carry(loopback: Serve) -> None:
    """A stray character from a word processor is an error of the same tree."""
    with pytest.raises(EndpointError, match="The key for http"):
        list_models(loopback(Reply.models("a")).base_url, "k–1")


def test_redirection_is_followed(loopback: Serve) -> None:
    """Chat follows one, so the list does too."""
    target = loopback(Reply.models("a"))
    server = loopback(Reply(status=307, headers={"Location": f"{target.base_url}/models"}))
    assert list_models(server.base_url) == ("a",)


def test_the_words_of_a_refusal_are_kept_without_the_key(loopback: Serve) -> None:
    for status in (401, 403, 429, 500):
        server = loopback(Reply.json({"error": {"message": "No list for KEY-4711"}}, status))
        with pytest.raises(EndpointError, match=r"\(No list for \[key\]\)"):
            list_models(server.base_url, "KEY-4711")


REFUSALS = {
    "401": (Reply.json({"error": {"message": "no"}}, 401), "refuses the key", "API_KEY"),
    "403": (Reply.json({"error": {"message": "no"}}, 403), "answers 403", "address"),
    "404": (Reply(b"Not Found", 404, "text/plain"), "answers 404", "/v1"),
    "500": (Reply.json({"error": {"message": "broken"}}, 500), "answers 500", "address"),
}


@pytest.mark.parametrize(("reply", "message", "fix"), REFUSALS.values(), ids=REFUSALS)
def test_refusal(loopback: Serve, reply: Reply, message: str, fix: str) -> None:
    """It is asked once, and the error says what came and what helps."""
    server = loopback(reply)
    with pytest.raises(EndpointError, match=message) as caught:
        list_models(server.base_url)
    assert server.base_url in caught.value.message
    assert fix in caught.value.fix
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<!doctype html><title>Router</title>", kind="text/html"),
        Reply(b"", kind="text/html"),
        Reply(b""),
        Reply(b'{"data": [{"id": "a"}'),
        Reply(b"\xff\xfe"),
        Reply.json(None),
        Reply.json("a"),
        Reply.json({"status": "ok"}),
        Reply.json({"data": "abc"}),
        Reply.json({"data": [{"title": "a"}]}),
        Reply.json({"data": [{"id": None}]}),
        Reply.json({"data": [5]}),
        Reply.json({"error": {"message": "No"}}),
        Reply(b"[" * 100_000),
    ],
    ids=lambda reply: f"{reply.kind} {reply.body!r}",
)
def test_something_else_listens(loopback: Serve, reply: Reply) -> None:
    """A server of another kind is not taken for an endpoint without models."""
    with pytest.raises(EndpointError, match="answers, but not as an OpenAI-compatible API"):
        list_models(loopback(reply).base_url)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "LOCALHOST.", "0.0.0.0"])
def test_every_way_to_write_this_machine(host: str) -> None:
    assert is_loopback(f"http://{host}:1/v1")


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "[2001:db8::1]", "localhost.example", "a.localhost", "127.0.0.1.example", "example"]
)
def test_another_machine(host: str) -> None:
    assert not is_loopback(f"http://{host}:1/v1")


def test_a_proxy_that_refuses_is_named(loopback: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", loopback(Reply(status=407)).base_url.removesuffix("/v1"))
    with pytest.raises(EndpointError, match=r"The proxy before https://far\.example/v1 refuses") as caught:
        list_models("https://far.example/v1")
    assert type(caught.value) is EndpointError
    lab = Connection("https://far.example/v1", "m", Source.BASE_URL, retries=0)
    with lab, pytest.raises(EndpointError, match="The proxy before the endpoint refuses"):
        list(stream_sync(lab, "Hi"))


def test_https_where_http_is_spoken(loopback: Serve) -> None:
    with pytest.raises(EndpointError, match="does not speak https"):
        list_models(loopback(Reply.models("a")).base_url.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("told", "wrong", "fix"),
    [
        ("self-signed certificate", "self-signed certificate", "SSL_CERT_FILE"),
        ("Hostname mismatch, certificate is not valid for 'a'.", "Hostname mismatch", "use the name"),
        ("certificate has expired", "certificate has expired", "renewed"),
    ],
)
def test_a_certificate_says_what_is_wrong_with_it(told: str, wrong: str, fix: str) -> None:
    said = certificate(OSError(f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {told} (_ssl.c:1006)"))
    assert said.startswith(wrong)
    assert fix in certificate_fix(said)


def test_nothing_listens(closed_port: int) -> None:
    """The error has the command that starts an endpoint."""
    with pytest.raises(EndpointError, match=f"Nothing listens on http://127.0.0.1:{closed_port}/v1") as caught:
        list_models(f"http://127.0.0.1:{closed_port}/v1")
    assert "python lab.py serve" in caught.value.fix


def test_what_an_address_hides_is_not_shown(closed_port: int) -> None:
    with pytest.raises(EndpointError) as caught:
        list_models(f"http://bob:hush-hush@127.0.0.1:{closed_port}/v1?api-key=hush-hush")
    assert caught.value.message == f"Nothing listens on http://127.0.0.1:{closed_port}/v1"
    assert shown("http://[::1") == "the address"


def test_host_that_cannot_be() -> None:
    """A name that no host can have is an error of the same tree."""
    with pytest.raises(EndpointError):
        list_models("http://☃.example/v1")


LIMIT = 0.3


@contextlib.contextmanager
def answers_too_late() -> Iterator[threading.Event]:
    """Expect the error of a list that is not complete in time; set the event that the slow side waits for."""
    released = threading.Event()
    start = time.perf_counter()
    try:
        with pytest.raises(EndpointError, match="does not answer in time"):
            yield released
    finally:
        released.set()
    assert time.perf_counter() - start < 5  # the slow side alone would take eight


def test_a_host_name_whose_look_up_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time-out of a client ends the look-up of a name, which takes long where the network is half there."""
    without_proxies(monkeypatch)
    with answers_too_late() as released:

        def look_up(*_: object, **__: object) -> None:
            released.wait(8)
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        list_models("http://far.example/v1", seconds=LIMIT)


def test_headers_without_end() -> None:
    """One now and then, so that no read takes long."""
    with socket.create_server(("127.0.0.1", 0)) as server, answers_too_late() as released:

        def trickle() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                for _ in range(160):
                    released.wait(0.05)
                    connection.sendall(b"A: b\r\n")

        threading.Thread(target=trickle, daemon=True).start()
        list_models(f"http://127.0.0.1:{server.getsockname()[1]}/v1", seconds=LIMIT)


@pytest.mark.parametrize("way", ["silent", "trickling", "redirecting"])
def test_an_endpoint_that_hangs(loopback: Serve, way: str) -> None:
    with answers_too_late() as released:

        def wait(_: Asked) -> Reply:
            released.wait(8)
            return Reply()

        def trickle() -> Iterator[bytes]:
            for _ in range(160):
                released.wait(0.05)
                yield b" "

        def redirect(_: Asked) -> Reply:
            released.wait(0.1)
            return Reply(status=307, headers={"Location": "/v1/models"})

        answers = {"silent": wait, "trickling": lambda _: Reply(trickle()), "redirecting": redirect}
        list_models(loopback(answers[way]).base_url, seconds=LIMIT)


@pytest.mark.parametrize(
    ("wanted", "listed", "expected"),
    [
        pytest.param("smollm2-135m-instruct", [SMOL], SMOL, id="alias"),
        pytest.param(SMOL, [SMOL], SMOL, id="id"),
        pytest.param("smollm2-135m-instruct-generic-cpu", [SMOL], SMOL, id="id without version"),
        pytest.param("phi-4-mini", [SMOL, PHI_CPU], PHI_CPU, id="alias without -instruct"),
        pytest.param("phi-4-mini-instruct", [SMOL, PHI_CPU], PHI_CPU, id="alias with -instruct"),
        pytest.param("Phi-4-mini-instruct-generic-cpu", [PHI_GPU, PHI_CPU], PHI_CPU, id="one device of two"),
        pytest.param("PHI-4-MINI", [PHI_CPU], PHI_CPU, id="alias in another case"),
        pytest.param(SMOL.upper(), [SMOL], SMOL, id="id in another case"),
        pytest.param(
            "a-generic-cpu", ["a-generic-cpu:9", "a-generic-cpu:10"], "a-generic-cpu:10", id="highest version"
        ),
        pytest.param("a-generic-cpu:9", ["a-generic-cpu:9", "a-generic-cpu:10"], "a-generic-cpu:9", id="that version"),
        pytest.param("a", ["a-generic-cpu:9", "A-generic-cpu:10"], "A-generic-cpu:10", id="highest of any case"),
        pytest.param("a-generic-cpu", ["a-generic-cpu"], "a-generic-cpu", id="1.2.4 has no versions"),
        pytest.param("A", ["a", "A"], "A", id="the same case first"),
        pytest.param("models/a.gguf", ["models/a.gguf"], "models/a.gguf", id="llama.cpp"),
        pytest.param("org/A-instruct", ["org/A", "org/A-instruct"], "org/A-instruct", id="vLLM"),
        pytest.param("ollama/a:8b", ["ollama/a", "ollama/a:8b"], "ollama/a:8b", id="LiteLLM"),
        pytest.param("bedrock/a-v2:1", ["bedrock/a-v2:0", "bedrock/a-v2:1"], "bedrock/a-v2:1", id="LiteLLM, digits"),
        pytest.param("a:2", iter(["a:1", "a:2"]), "a:2", id="an iterator"),
        pytest.param(None, ["a:1", SMOL, PHI_CPU], PHI_CPU, id="nothing wanted: phi-4-mini"),
        pytest.param(None, ["a:1", SMOL], SMOL, id="nothing wanted: the embedded model"),
        pytest.param(None, ["org/a"], "org/a", id="nothing wanted: the only one"),
        pytest.param(None, ["org/a", "org/*", "org/a"], "org/a", id="nothing wanted: the only name"),
        pytest.param("OpenAI/x", ["openai/*"], "OpenAI/x", id="a wildcard in another case"),
        pytest.param("Org/A:online", ["org/a"], "Org/A:online", id="a variant in another case"),
        pytest.param("a:²", ["a:²"], "a:²", id="a digit that is no number"),
    ],
)
def test_name_means_a_listed_model(wanted: str | None, listed: list[str], expected: str) -> None:
    """Chat takes the full id only, people write what they remember."""
    assert resolve(wanted, listed, "here") == expected


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        pytest.param("phi-4", [PHI_CPU], id="the beginning of an alias"),
        pytest.param("a:2", ["a:1"], id="another version"),
        pytest.param("a", ["a:8b"], id="a tag is no version"),
        pytest.param("A-gguf", ["org/A-gguf"], id="the end of an id"),
        pytest.param("a", [], id="nothing listed"),
    ],
)
def test_name_that_means_none(wanted: str, listed: list[str]) -> None:
    """Nothing like it is taken instead; what is listed is said."""
    with pytest.raises(ModelError, match=f"here has no model '{wanted}'") as caught:
        resolve(wanted, listed, "here")
    assert (", ".join(listed) or "none") in caught.value.message


@pytest.mark.parametrize(
    ("listed", "message", "fix"),
    [
        (
            ["org/b", "org/a"],
            "here lists 2 models and none was chosen: org/a, org/b",
            r"set MODEL.*connect\(model=",
        ),
        ([], "here lists no model", "load a model"),
        (["*"], "here lists no model", "load a model"),
    ],
)
def test_nothing_wanted_and_no_single_choice(listed: list[str], message: str, fix: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        resolve(None, listed, "here")
    assert re.search(fix, caught.value.fix)
