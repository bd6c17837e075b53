"""The mock by itself: texts, timing, order of service, faults, counters, settings, start and stop."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPException
from logging.handlers import BufferingHandler
from typing import TYPE_CHECKING, Any

import openai
import pytest

from foundry_mock import Behaviour, Counters, Fault, MockEndpoint, Step, scripts
from foundry_mock.answers import Slots, on_time
from foundry_mock.behaviour import State
from foundry_mock.requests import Message
from tests.support.doubles import wait_until
from tests.support.raw import CHAT, EMBEDDINGS, ask, connect, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Behaviour(first_token=0, rate=5000)
SKY = "Why is the sky blue?"
SKY_ANSWER = scripts.answer([Message("user", SKY)])


def chat_body(question: str = SKY, model: str = QUICK.model, **options: object) -> bytes:
    """A chat request as bytes."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": question}]} | options).encode()


def post(mock: MockEndpoint, **options: Any) -> Any:
    """The JSON of a whole answer."""
    return ask(mock.base_url, "POST", CHAT, chat_body(model=mock.model, **options)).json()


@contextmanager
def client(mock: MockEndpoint, read: float = 5, retries: int = 0) -> Iterator[openai.OpenAI]:
    """The openai client with a short patience."""
    patience = openai.Timeout(5, read=read)
    with openai.OpenAI(base_url=mock.base_url, api_key="x", timeout=patience, max_retries=retries) as made:
        yield made


def ended(mock: MockEndpoint, **expected: int) -> None:
    """All requests are over, and these are the counters that are not zero."""
    assert wait_until(lambda: not mock.counters.waiting + mock.counters.running)
    started = sum(expected.values())
    assert wait_until(lambda: mock.counters.ended + mock.counters.aborted + mock.counters.refused == started)
    most = mock.counters.most
    assert mock.counters == Counters(started=started, most=most, **expected)


# Texts.


def random_texts() -> Iterator[str]:
    """Texts of all kinds of signs and white space."""
    chance = random.Random(3)
    for length in range(40):
        yield "".join(chance.choice("ab1 \n\t.,!_-åß你🌊\u0301\u200d") for _ in range(length))


@pytest.mark.parametrize("text", ["", " ", "  x", "x  ", "Grey waves.\nA gull.", "don't 3.14", *random_texts()])
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(scripts.pieces(text)) == text


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["Count to 1."], "1"),
        (["Count to 5000."], " ".join(map(str, range(1, 5001)))),
        (
            [f"Count to {10**12}."],
            "This is a scripted answer of the mock endpoint, not of a model. You wrote: Count to",
        ),
        (["What is my name?"], "You have not told me your name."),
        (["My name is Astrid.", "What is my name?"], "Your name is Astrid."),
    ],
)
def test_the_answer_follows_the_conversation(said: list[str], answer: str) -> None:
    found = scripts.answer([Message("user", text) for text in said])
    assert found.startswith(answer)
    assert answer.startswith("This") or found == answer


@pytest.mark.parametrize(
    ("limit", "stops", "text", "tokens", "finish"),
    [
        (2048, [], "1 2 3 4 5 6 7 8", 8, "stop"),
        (3, [], "1 2 3", 3, "length"),
        (2048, ["5"], "1 2 3 4 ", 5, "stop"),
        (2048, ["1"], "", 1, "stop"),
        (2048, ["3 4", "8"], "1 2 ", 4, "stop"),
        (2048, ["8", "2 3"], "1 ", 3, "stop"),
        (2048, ["4", "3 4"], "1 2 ", 4, "stop"),
        (2, ["5"], "1 2", 2, "length"),
        (2048, ["9"], "1 2 3 4 5 6 7 8", 8, "stop"),
    ],
)
def test_an_answer_is_cut(limit: int, stops: list[str], text: str, tokens: int, finish: str) -> None:
    cut = scripts.script([Message("user", "Count to 8.")], limit, stops)
    assert ("".join(cut.pieces), cut.tokens, cut.finish) == (text, tokens, finish)


def test_the_same_request_has_the_same_answer_to_the_byte() -> None:
    """Only `/status` tells one mock from another, by its port."""
    requests = [
        ("GET", "/v1/models", None),
        ("POST", CHAT, chat_body()),
        ("POST", CHAT, chat_body(stream=True, stream_options={"include_usage": True})),
        ("POST", CHAT, chat_body(max_tokens=0)),
        ("POST", EMBEDDINGS, json.dumps({"model": QUICK.model, "input": ["a", "b"]}).encode()),
        ("GET", "/nope", None),
    ]
    with MockEndpoint(QUICK) as one, MockEndpoint(QUICK) as other:
        for method, path, body in requests:
            answers = [ask(mock.base_url, method, path, body) for mock in (one, one, other)]
            assert answers[0] == answers[1] == answers[2], path
            assert not answers[0].header("date")


def test_streamed_and_whole_answer_have_the_same_text_and_id() -> None:
    with MockEndpoint(QUICK) as mock:
        whole = post(mock)
        stream = ask(mock.base_url, "POST", CHAT, chat_body(stream=True))
        other = post(mock, question="What is an API?")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in stream.frames()[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == SKY_ANSWER
    assert whole["choices"][0]["message"]["content"] == SKY_ANSWER
    assert {chunk["id"] for chunk in chunks} == {whole["id"]}
    assert whole["id"] != other["id"]


def test_embeddings_of_texts_that_share_words_are_similar() -> None:
    texts = ["the sky is blue", "Blue is the sky", "the sky is grey", "count my money"]
    with MockEndpoint(QUICK) as mock:
        body = json.dumps({"model": mock.model, "input": texts}).encode()
        rows = [row["embedding"] for row in ask(mock.base_url, "POST", EMBEDDINGS, body).json()["data"]]
    near = [sum(a * b for a, b in zip(rows[0], row, strict=True)) for row in rows]
    assert near[0] == pytest.approx(1)
    assert near[1] == pytest.approx(1)
    assert 0.5 < near[2] < 0.9
    assert near[3] < 0.3


# Faults, as the openai client sees them.

PART = "".join(scripts.pieces(SKY_ANSWER)[:3])
FAILURES: list[tuple[Fault, bool, type[Exception] | None, str, str]] = [
    (Fault.NONE, False, None, SKY_ANSWER, "ended"),
    (Fault.NONE, True, None, SKY_ANSWER, "ended"),
    (Fault.RATE_LIMIT, False, openai.RateLimitError, "", "refused"),
    (Fault.RATE_LIMIT, True, openai.RateLimitError, "", "refused"),
    (Fault.SERVER_ERROR, False, openai.InternalServerError, "", "refused"),
    (Fault.SERVER_ERROR, True, openai.InternalServerError, "", "refused"),
    (Fault.DROP, False, openai.APIConnectionError, "", "aborted"),
    (Fault.DROP, True, openai.APIConnectionError, PART, "aborted"),
    (Fault.TRUNCATE, False, None, PART, "aborted"),
    (Fault.TRUNCATE, True, None, PART, "aborted"),
    (Fault.HANG, False, openai.APITimeoutError, "", "aborted"),
    (Fault.HANG, True, openai.APITimeoutError, "", "aborted"),
    (Fault.HANG_FIRST, False, openai.APITimeoutError, "", "aborted"),
    (Fault.HANG_FIRST, True, openai.APITimeoutError, "", "aborted"),
    (Fault.HANG_MIDDLE, False, openai.APITimeoutError, "", "aborted"),
    (Fault.HANG_MIDDLE, True, openai.APITimeoutError, PART, "aborted"),
    (Fault.OVERFLOW, False, openai.BadRequestError, "", "refused"),
    (Fault.OVERFLOW, True, openai.APIError, "", "refused"),
    (Fault.SLOW_LORIS, False, None, SKY_ANSWER, "ended"),
]


@pytest.mark.parametrize(("fault", "stream", "error", "text", "end"), FAILURES)
def test_each_fault_raises_its_error_after_its_text_and_is_counted(
    fault: Fault, stream: bool, error: type[Exception] | None, text: str, end: str
) -> None:
    """The next request is answered as usual."""
    got, finish, raised = "", None, None
    # Short only where the endpoint is silent: a busy machine may be slow to send.
    with MockEndpoint(QUICK) as mock, client(mock, read=0.3 if error is openai.APITimeoutError else 20) as asking:
        mock.fail(fault)
        try:
            reply: Any = asking.chat.completions.create(
                model=mock.model, messages=[{"role": "user", "content": SKY}], stream=stream
            )
            for part in reply if stream else [reply]:
                (choice,) = part.choices
                got += (choice.delta if stream else choice.message).content or ""
                finish = choice.finish_reason or finish
        except openai.OpenAIError as failure:
            raised = failure
        ended(mock, **{end: 1})
        assert post(mock)["choices"][0]["finish_reason"] == "stop"
    assert type(raised) is (error or type(None))
    assert got == text
    assert finish == ("stop" if end == "ended" else None)


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.TRUNCATE, Fault.HANG_MIDDLE])
def test_a_short_answer_is_broken_off_too(fault: Fault) -> None:
    """Also an answer of two tokens; `after` sets the number of tokens before the fault."""
    for question, after, text in (("Say hello in Swedish.", 3, "Hej"), (SKY, 1, "Air"), (SKY, 0, "")):
        with MockEndpoint(QUICK) as mock, closing(connect(mock.base_url, 0.2)) as connection:
            mock.fail(Step(fault, after=after))
            connection.request("POST", CHAT, chat_body(question, stream=True))
            lines = []
            with connection.getresponse() as response, suppress(OSError, HTTPException):
                while line := response.readline():
                    lines.append(line.decode())
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == text


def test_a_connection_breaks_when_the_next_token_would_be_due() -> None:
    """A client that throws away unread text when the connection breaks has time to read the tokens before it."""
    with MockEndpoint(Behaviour(first_token=0, rate=0.01)) as mock:  # the second token would be due after 100 s
        mock.fail(Step(Fault.DROP, after=1))
        with closing(connect(mock.base_url, 10)) as connection:
            connection.request("POST", CHAT, chat_body(SKY, stream=True))
            with connection.getresponse() as response:
                while not (line := response.readline()).startswith(b": keep-alive"):
                    assert line, "the connection broke at once"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_tokens": 30}, "maximum context length of 30 tokens"), ({"stop": [5]}, "array of strings")],
)
def test_an_error_in_a_stream_is_its_only_event(options: dict[str, Any], message: str) -> None:
    """Status 200, an error, and nothing after it."""
    with MockEndpoint(Behaviour(first_token=0, context=30)) as mock:
        answer = ask(mock.base_url, "POST", CHAT, chat_body(stream=True, **options))
        assert answer.status == 200
        (frame,) = answer.frames()
        assert message in json.loads(frame.removeprefix("data: "))["error"]["message"]
        assert ask(mock.base_url, "POST", CHAT, chat_body(stream=True, max_tokens=20)).frames()[-1] == "data: [DONE]"
        ended(mock, refused=1, ended=1)


def test_a_slow_loris_sends_a_few_bytes_at_a_time() -> None:
    """The whole answer comes, in pieces that are far shorter than a line."""
    with MockEndpoint(QUICK) as mock:
        mock.fail(Fault.SLOW_LORIS)
        with exchange(mock.base_url, "POST", CHAT, chat_body(stream=True, max_tokens=2)) as response:
            pieces = list(iter(response.read1, b""))
            assert max(map(len, pieces)) <= 16
            assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
        ended(mock, ended=1)


@pytest.mark.parametrize("slow", [Fault.NONE, Fault.HANG_FIRST])
def test_a_waiting_stream_sends_comments_and_a_hanging_one_is_silent(slow: Fault) -> None:
    with MockEndpoint(Behaviour(first_token=30)) as mock:
        mock.fail(slow)
        with exchange(
            mock.base_url, "POST", CHAT, chat_body(stream=True), timeout=20 if slow is Fault.NONE else 0.6
        ) as response:
            if slow is Fault.NONE:
                assert [response.readline() for _ in range(4)] == [b": keep-alive\n", b"\n"] * 2
            else:
                with pytest.raises(TimeoutError):
                    response.readline()


# Timing and slots.


def test_delays_do_not_add_up() -> None:
    """Each sleep is too long by 30 ms, and yet no token is later than that, nor any too early."""
    now = 100.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + 0.03

    async def play() -> list[float]:
        due = Behaviour(first_token=0.5, rate=20).due
        return [now - 100 async for _ in on_time(50, due, clock=lambda: now, sleep=sleep)]

    assert asyncio.run(play()) == pytest.approx([0.5 + number / 20 + 0.03 for number in range(50)])


def test_a_free_slot_goes_to_the_first_in_the_queue() -> None:
    """Not to a request that arrives at that moment."""
    served: list[int] = []
    doors = [asyncio.Event() for _ in range(9)]

    async def guest(slots: Slots, number: int) -> None:
        async with slots.one():
            served.append(number)
            await doors[number].wait()

    async def evening() -> None:
        state = State(Behaviour(slots=2))
        slots = Slots(state)
        async with asyncio.TaskGroup() as guests:
            for number in range(8):
                guests.create_task(guest(slots, number))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert (served, state.counters.waiting, state.counters.running) == ([0, 1], 6, 2)
            doors[1].set()
            guests.create_task(guest(slots, 8))
            for number in (0, *range(2, 9)):
                await asyncio.sleep(0.001)
                assert state.counters.running <= 2
                doors[number].set()
        assert state.counters == Counters(most=2)

    asyncio.run(evening())
    assert served == list(range(9))


def test_a_request_that_leaves_the_queue_keeps_no_slot() -> None:
    """Neither while it waits nor in the moment when it gets its slot."""

    async def evening() -> None:
        state = State(Behaviour(slots=1))
        slots = Slots(state)

        async def guest(door: asyncio.Event) -> None:
            async with slots.one():
                await door.wait()

        door = asyncio.Event()
        host = asyncio.create_task(guest(door))
        await asyncio.sleep(0)
        leaving, chosen, staying = (asyncio.create_task(guest(door)) for _ in range(3))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0.001)
        assert state.counters.waiting == 2
        host.cancel()
        await asyncio.sleep(0)
        assert state.counters.waiting == 1  # the slot was given on just now
        chosen.cancel()
        door.set()
        async with asyncio.timeout(2):
            await staying
        await asyncio.gather(host, leaving, chosen, return_exceptions=True)
        assert state.counters == Counters(most=1)

    asyncio.run(evening())


def test_sixty_four_clients_at_once_get_their_own_answers() -> None:
    async def visit(asking: openai.AsyncOpenAI, mock: MockEndpoint, name: str) -> str:
        question = f"My name is {name}. What is my name?"
        reply = await asking.chat.completions.create(
            model=mock.model, messages=[{"role": "user", "content": question}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in reply])

    async def all_of_them(mock: MockEndpoint) -> list[str]:
        async with openai.AsyncOpenAI(base_url=mock.base_url, api_key="x", timeout=20, max_retries=0) as asking:
            return await asyncio.gather(*(visit(asking, mock, f"guest{number}") for number in range(64)))

    with MockEndpoint(Behaviour(first_token=1, rate=1000, slots=64)) as mock:
        answers = asyncio.run(all_of_them(mock))
        ended(mock, ended=64)
        assert mock.counters.most == 64
    assert answers == [f"Your name is guest{number}." for number in range(64)]


# Clients that disconnect.


@pytest.mark.parametrize("moment", ["before the first token", "while waiting for a slot", "in the middle"])
def test_a_stream_that_is_closed_is_aborted_at_once(moment: str) -> None:
    behaviour = Behaviour(first_token=0 if moment == "in the middle" else 60, rate=5, slots=1)
    with MockEndpoint(behaviour) as mock, ExitStack() as others:
        waits = moment == "while waiting for a slot"
        if waits:
            others.enter_context(exchange(mock.base_url, "POST", CHAT, chat_body(stream=True)))
            assert wait_until(lambda: mock.counters.running == 1)
        with exchange(mock.base_url, "POST", CHAT, chat_body(stream=True)) as response:
            if moment == "in the middle":
                while b'"content":"' not in response.readline():
                    pass
            assert wait_until(lambda: mock.counters.running == 1 and mock.counters.waiting == waits)
        assert wait_until(lambda: mock.counters.aborted == 1)
        assert (mock.counters.running, mock.counters.waiting) == (waits, 0)
        assert mock.counters.ended == 0


def test_a_whole_answer_is_generated_to_its_end() -> None:
    """As in 2.2.1: nothing is sent while it is made, so nobody notices that the client has gone."""
    with MockEndpoint(Behaviour(first_token=0.2, rate=100)) as mock:
        connection = connect(mock.base_url)
        connection.request("POST", CHAT, chat_body("Count to 20."))
        assert wait_until(lambda: mock.counters.running == 1)
        connection.close()
        ended(mock, ended=1)


# Settings while it runs.


@pytest.fixture(scope="module")
def idle() -> Iterator[MockEndpoint]:
    """A mock that nothing changes."""
    with MockEndpoint() as mock:
        yield mock


def test_settings_can_change_while_it_runs() -> None:
    with MockEndpoint() as mock:
        change = {"rate": 5000, "first_token": 0, "model": "other-generic-cpu:2", "context": 5000}
        faults = ["server_error", {"fault": "rate_limit", "retry_after": 7.0}]
        answer = ask(mock.base_url, "PUT", "/mock", json.dumps(change | {"faults": faults}).encode())
        assert answer.status == 200
        assert answer.json()["behaviour"] == {"slots": 4} | change
        assert answer.json()["faults"] == 2
        assert ask(mock.base_url, "GET", "/mock").body == answer.body
        assert ask(mock.base_url, "GET", "/v1/models").json()["data"][0]["id"] == "other-generic-cpu:2" == mock.model
        replies = [ask(mock.base_url, "POST", CHAT, chat_body(model=mock.model)) for _ in range(3)]
        assert [reply.status for reply in replies] == [500, 429, 200]
        assert replies[1].header("retry-after") == "7"
        told = ask(mock.base_url, "GET", "/mock").json()
        assert told["faults"] == 0
        assert Counters(**told["counters"]) == Counters(started=3, ended=1, refused=2, most=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"speed": 3},
        {"slots": 0},
        {"slots": 1.5},
        {"slots": "2"},
        {"slots": True},
        {"rate": 0},
        {"rate": -1},
        {"first_token": -0.1},
        {"context": 0},
        {"model": ""},
        {"model": None},
        {"slots": 2, "rate": None},
        {"slots": 2, "faults": ["no such fault"]},
        {"slots": 2, "faults": "drop"},
        {"slots": 2, "faults": 1},
        {"slots": 2, "faults": ["drop", {"after": 2}]},
        {"slots": 2, "faults": ["drop", {"fault": "drop", "after": -1}]},
        {"slots": 2, "faults": ["drop", {"fault": "drop", "before": 1}]},
        {"slots": 2, "faults": ["drop", 3]},
        [],
        "slots",
        b"",
        b"{",
        b'{"rate": NaN}',
        b'{"first_token": Infinity}',
    ],
    ids=str,
)
def test_settings_that_make_no_sense_change_nothing(settings: object, idle: MockEndpoint) -> None:
    before = ask(idle.base_url, "GET", "/mock")
    body = settings if isinstance(settings, bytes) else json.dumps(settings).encode()
    answer = ask(idle.base_url, "PUT", "/mock", body)
    assert answer.status == 400
    assert answer.json()["error"]["message"]
    assert ask(idle.base_url, "GET", "/mock") == before


def test_more_slots_serve_requests_that_wait_already() -> None:
    with MockEndpoint(Behaviour(first_token=60, slots=1)) as mock, ExitStack() as waiting:
        for number in range(3):
            waiting.enter_context(exchange(mock.base_url, "POST", CHAT, chat_body(stream=True)))
            assert wait_until(lambda number=number: mock.counters.started == number + 1)  # type: ignore[misc]
        assert wait_until(lambda: (mock.counters.running, mock.counters.waiting) == (1, 2))
        ask(mock.base_url, "PUT", "/mock", b'{"slots": 2}')
        assert wait_until(lambda: (mock.counters.running, mock.counters.waiting) == (2, 1))


# Start and stop.


def test_a_taken_port_is_an_error() -> None:
    with MockEndpoint() as mock:
        port = int(mock.base_url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(OSError, match=f"Port {port} on 127.0.0.1 is taken"):
            MockEndpoint(port=port).start()


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.HANG, Fault.HANG_FIRST])
def test_stopping_breaks_open_connections_and_frees_the_port(fault: Fault) -> None:
    mock = MockEndpoint(Behaviour(first_token=0.05, rate=1)).start()
    port = int(mock.base_url.split(":")[2].removesuffix("/v1"))
    with ExitStack() as clients:
        connections = [clients.enter_context(closing(connect(mock.base_url, 5))) for _ in range(4)]
        mock.fail(*[fault] * 4)
        for number, connection in enumerate(connections):
            connection.request("POST", CHAT, chat_body(stream=number % 2 == 0))
        assert wait_until(lambda: mock.counters.running == 4)
        mock.stop()
        for connection in connections:
            with pytest.raises((ConnectionError, HTTPException)):
                connection.getresponse().read()
        assert (mock.counters.running, mock.counters.aborted) == (0, 4)
        with socket.create_server(("127.0.0.1", port)):
            pass
        with MockEndpoint(QUICK, port=port) as again:
            assert post(again)["choices"][0]["message"]["content"] == SKY_ANSWER
    mock.stop()  # a second time does no harm


def test_the_logging_of_the_process_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn's own configuration lets a server that is starting write a line while the next one is made."""
    logger, heard = logging.getLogger("uvicorn"), BufferingHandler(100)
    monkeypatch.setattr(logger, "handlers", [heard])
    with MockEndpoint() as mock:
        assert ask(mock.base_url, "GET", "/v1/models").status == 200
    assert (logger.handlers, heard.buffer) == ([heard], [])


def test_a_second_start_keeps_counters_and_faults() -> None:
    mock = MockEndpoint(QUICK)
    for number in (1, 2):
        mock.fail(Fault.RATE_LIMIT)
        with mock:
            assert ask(mock.base_url, "POST", CHAT, chat_body()).status == 429
        assert mock.counters.refused == number
