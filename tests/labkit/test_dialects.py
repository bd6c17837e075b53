"""Endpoints that are not ours: what they send and refuse, read as openai-python reads it and told as a person wants."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from labkit import ChatView, Connection, LabError, Source, connect, stream, stream_sync
from labkit.chat_view import ending, final, status
from labkit.dialects import ThinkTags
from labkit.errors import EndpointError, ModelError, RequestError, StreamError
from labkit.events import End, FirstToken, Reasoning
from labkit.latency import time_to_reasoning, tpot, ttft
from labkit.listing import resolve, some
from labkit.routing.resilience import advise
from labkit.streaming import _Body
from labkit.words import is_quota
from tests.conftest import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.conftest import Loopback

    Serve = Callable[[Reply | Callable[[Asked], Reply]], Loopback]

SSE = "text/event-stream"
DONE = b"data: [DONE]\n\n"


def chunk(delta: object, finish: object = None, **more: object) -> bytes:
    """One chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}, ensure_ascii=False).encode() + b"\n\n"


def text(*pieces: object) -> bytes:
    """Chunks of text."""
    return b"".join(chunk({"content": piece}) for piece in pieces)


def end(reason: object = "stop") -> bytes:
    """The chunk that ends an answer."""
    return chunk({}, reason)


def thought(*pieces: object, name: str = "reasoning_content") -> bytes:
    """Chunks of reasoning."""
    return b"".join(chunk({name: piece}) for piece in pieces)


def answered(serve: Serve, body: bytes, kind: str = SSE) -> tuple[str, str, End, str]:
    """Text, reasoning, end and error of an answer with this body; the async and the plain reader must agree."""
    lab = Connection(serve(Reply(body, kind=kind)).base_url, "m", Source.BASE_URL, retries=0)

    async def read() -> tuple[str, str, End, str]:
        answer = stream(lab, "Hi")
        try:
            async for _ in answer:
                pass
        except LabError as error:
            return answer.text, answer.reasoning, answer.trace.ended, str(error)
        return answer.text, answer.reasoning, answer.trace.ended, ""

    found = asyncio.run(read())
    plain: list[Any] = []
    with pytest.raises(LabError) if found[3] else nullcontext() as caught:
        plain.extend(stream_sync(lab, "Hi"))
    assert found[3] == (str(caught.value) if caught else "")
    assert "".join(event.text for event in plain) == found[0]
    assert "".join(event.thought for event in plain if isinstance(event, Reasoning)) == found[1]
    lab.close()
    return found


WHOLE = json.dumps({"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}, indent=1)
MISTRAL = {"type": "thinking", "thinking": [{"type": "text", "text": "Well"}]}


@dataclass(frozen=True)
class Case:
    """A body, and what it is read as."""

    body: bytes
    text: str
    reasoning: str = ""
    ended: End = End.FINISHED


ENDED = end() + DONE
STREAMS: dict[str, Case] = {
    "separators in the JSON": Case(text("a\u2028b\u2029c\x85d") + ENDED, "a\u2028b\u2029c\x85d"),
    "no finish_reason": Case(text("Hel", "lo") + DONE, "Hello"),
    "no [DONE]": Case(text("Hello") + end(), "Hello"),
    "no blank line after [DONE]": Case(text("Hello") + end() + b"data: [DONE]", "Hello"),
    "[DONE] in a text": Case(text("say data: [DONE]", "\n", "data: [DONE]") + end(), "say data: [DONE]\ndata: [DONE]"),
    "empty data": Case(b"data:\n\n" + text("Hel") + b"data: \n\n" + text("lo") + ENDED, "Hello"),
    "comments and fields": Case(b": hi\nid: 1\nretry: 5\nevent: x\n" + text("Hello") + ENDED, "Hello"),
    "a byte-order mark": Case(b"\xef\xbb\xbf" + text("Hello") + ENDED, "Hello"),
    "several data lines": Case(b'data: {"choices": [{"delta":\ndata: {"content": "Hi"}}]}\n\n' + ENDED, "Hi"),
    "bytes that are no UTF-8": Case(text("Hello").replace(b"Hello", b"H\xffi") + ENDED, "H\ufffdi"),
    "one piece, no stream": Case(WHOLE.encode(), "Hello"),
    "an empty first chunk": Case(b'data: {"choices": [], "prompt_filter_results": []}\n\n' + text("Hi") + ENDED, "Hi"),
    "no delta": Case(b'data: {"choices": [{"index": 0, "delta": null}], "usage": null}\n\n' + text("Hi") + DONE, "Hi"),
    "text after [DONE]": Case(text("Hi") + DONE + text("more"), "Hi"),
    "another choice": Case(text("A") + b'data: {"choices": [{"index": 1, "delta": {"content": "B"}}]}\n\n' + DONE, "A"),
    "the limit": Case(text("Hi") + end("length") + DONE, "Hi", "", End.LENGTH),
    "the limit of another": Case(text("Hi") + end("MAX_TOKENS") + DONE, "Hi", "", End.LENGTH),
    "a tool": Case(end("tool_calls") + DONE, ""),
    "a filter": Case(text("First you") + end("content_filter") + DONE, "First you", "", End.FILTERED),
    "a filter at once": Case(end("content_filter") + DONE, "", "", End.FILTERED),
    "a filter of another": Case(end("SAFETY") + DONE, "", "", End.FILTERED),
    "a filter and why": Case(text("A") + end("content_filter: PROHIBITED_CONTENT") + DONE, "A", "", End.FILTERED),
    "a filter in capitals": Case(text("A") + end("FinishReason.IMAGE_SAFETY") + DONE, "A", "", End.FILTERED),
    "the window": Case(text("A") + end("max_new_tokens") + DONE, "A", "", End.LENGTH),
    "an end in words that is none": Case(chunk({"content": "A"}, "null") + text("B") + ENDED, "AB"),
    "a refusal as a part": Case(text([{"type": "refusal", "refusal": "No."}]) + ENDED, "No.", "", End.DECLINED),
    "a refusal": Case(chunk({"refusal": "I"}) + chunk({"refusal": " cannot."}) + ENDED, "I cannot.", "", End.DECLINED),
    "parts of text": Case(text([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]) + DONE, "Hello"),
    "parts of thinking": Case(text([MISTRAL], [{"type": "text", "text": "Hello"}]) + DONE, "Hello", "Well"),
    "reasoning_content": Case(thought("We", "ll") + text("Hello") + ENDED, "Hello", "Well"),
    "reasoning": Case(thought("Well", name="reasoning") + text("Hello") + DONE, "Hello", "Well"),
    "both names": Case(chunk({"reasoning": "Well", "reasoning_content": "Well"}) + text("Hi") + DONE, "Hi", "Well"),
    "reasoning up to the limit": Case(thought("The", " user") + end("length") + DONE, "", "The user", End.LENGTH),
    "tags": Case(text("<th", "ink>\nWell", "</thi", "nk>\n", "\nHello") + DONE, "Hello", "\nWell"),
    "tags in one piece": Case(text("\n<think></think>Hello") + DONE, "Hello"),
    "thoughts": Case(text("<thou", "ght>Well</thought>", "Hello") + ENDED, "Hello", "Well"),
    "brackets": Case(text("[TH", "INK]Well[/THI", "NK]Hello") + ENDED, "Hello", "Well"),
    "channels": Case(
        text("<|channel|>analysis<|message|>Well<|end|><|start|>", "assistant<|channel|>final<|message|>Hello") + ENDED,
        "Hello",
        "Well",
    ),
    "two thoughts": Case(text("<think>We</think>\n<think>ll</think>\nHello") + ENDED, "Hello", "Well"),
    "reasoning_details": Case(
        chunk({"reasoning_details": [{"type": "reasoning.text", "text": "Well"}]}) + text("Hello") + ENDED,
        "Hello",
        "Well",
    ),
    "reasoning in one piece": Case(
        WHOLE.replace('"content"', '"reasoning": "Well", "content"').encode(), "Hello", "Well"
    ),
    "tags in one piece, no stream": Case(WHOLE.replace("Hello", "<think>Well</think>Hello").encode(), "Hello", "Well"),
    "a tag that is never closed": Case(text("<think>", "Well", " <") + DONE, "", "Well <"),
    "a tag in the text": Case(text("Write `", "<think>", "` first.") + DONE, "Write `<think>` first."),
    "almost a tag": Case(text("<", "th", "en>") + DONE, "<then>"),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_dialect_is_read(name: str, loopback: Serve) -> None:
    case = STREAMS[name]
    assert answered(loopback, case.body) == (case.text, case.reasoning, case.ended, "")


BROKEN: dict[str, tuple[bytes, str, End]] = {
    "nothing": (b"", "broke off", End.DROPPED),
    "no end": (text("Hello"), "broke off", End.DROPPED),
    "no JSON": (b"data: hello\n\n", "not JSON", End.DROPPED),
    "a number": (b"data: 5\n\n", "not a part of an answer", End.DROPPED),
    "a list": (b"data: [1]\n\n", "not a part of an answer", End.DROPPED),
    "choices of another form": (b'data: {"choices": {"a": 1}}\n\n', "another form", End.DROPPED),
    "a delta of another form": (b'data: {"choices": [{"delta": "Hello"}]}\n\n', "another form", End.DROPPED),
    "a page": (b"<!doctype html><p>Blocked", "web page", End.DROPPED),
    "a failing end": (text("Hello") + end("error") + DONE, "failed in the middle", End.DROPPED),
    "an error": (text("Hello") + b'data: {"error": {"message": "It broke", "code": 500}}\n\n', "It broke", End.REFUSED),
    "an aborted end": (text("Hello") + end("abort") + DONE, "failed in the middle", End.DROPPED),
    "no resources": (text("Hello") + end("insufficient_system_resource") + DONE, "insufficient_system", End.DROPPED),
    "an empty end": (text("Hello") + end("null"), "broke off", End.DROPPED),
    "an error in a list": (b'data: [{"error": {"message": "It broke"}}]\n\n', "It broke", End.REFUSED),
    "an error of a choice": (
        b'data: {"choices": [{"error": {"code": 502, "message": "It broke"}, "finish_reason": "error"}]}\n\n',
        "It broke",
        End.REFUSED,
    ),
    "an error without its name": (text("Hello") + b'data: {"detail": "It broke"}\n\n' + DONE, "It broke", End.REFUSED),
    "an error as a field": (text("Hello") + b'error: {"message": "It broke"}\n\n', "It broke", End.REFUSED),
    "an error between events": (text("Hello") + b'{"error": {"message": "It broke"}}\n', "It broke", End.REFUSED),
    "an event of an error in words": (b"event: error\ndata: It broke\n\n", "It broke", End.REFUSED),
    "words in place of JSON": (b"data: It broke\n\n", "not JSON (It broke)", End.DROPPED),
    "a document of another kind": (b'{"status": "ok"}', "not a part of an answer", End.DROPPED),
    "a document of an error": (b'{"detail": "It broke"}', "It broke", End.REFUSED),
    "an error in words": (b'data: {"error": "It broke"}\n\n', "It broke", End.REFUSED),
    "an error by its kind": (b'data: {"object": "error", "message": "It broke"}\n\n', "It broke", End.REFUSED),
    "an event of an error": (b'event: error\ndata: {"message": "It broke"}\n\n', "It broke", End.REFUSED),
    "an error in one piece": (b'{"error": {"message": "It broke"}}', "It broke", End.REFUSED),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_says_what_is_wrong(name: str, loopback: Serve) -> None:
    body, words, ended = BROKEN[name]
    shown, _, how, error = answered(loopback, body)
    assert (shown, how) == (
        "Hello" if b"Hello" in body and b"choices" in body and b'"delta": "' not in body else "",
        ended,
    )
    assert words in error
    assert "Fix: " in error


LINE_ENDS = st.sampled_from(["\n", "\r", "\r\n"])


@settings(max_examples=150, deadline=None)
@given(
    contents=st.lists(st.text(max_size=20), min_size=1, max_size=5),
    line_end=LINE_ENDS,
    mark=st.booleans(),
    cuts=st.lists(st.integers(1, 400), max_size=12),
)
def test_the_bytes_are_cut_as_the_standard_says(
    contents: list[str], line_end: str, mark: bool, cuts: list[int]
) -> None:
    """Any text, any cut, any line end: the same events as openai's decoder finds in the whole, which has no mark."""
    sent = [json.dumps({"content": each}, ensure_ascii=False) for each in contents]
    whole = "".join(f": note{line_end}data: {each}{line_end}{line_end}" for each in sent).encode("utf-8", "replace")
    body = b"\xef\xbb\xbf" * mark + whole
    places = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
    reader = _Body(silence=60)
    reader.last_event = float("inf")
    pieces = [body[start:stop] for start, stop in pairwise(places)]
    found = [event.data for event in SSEDecoder().iter_bytes(reader.read(iter(pieces)))]
    assert found == [event.data for event in SSEDecoder().iter_bytes(iter([whole]))]


@settings(max_examples=150, deadline=None)
@given(answer=st.text("<>/think abc\n", max_size=30), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_tags_do_not_depend_on_the_cut(answer: str, cuts: list[int]) -> None:
    def split(pieces: Iterable[str]) -> tuple[str, str]:
        tags = ThinkTags()
        found = [piece for each in pieces for piece in tags.feed(each)] + list(tags.end())
        return tuple("".join(piece.text for piece in found if piece.reasoning is kind) for kind in (True, False))  # type: ignore[return-value]

    places = sorted({0, len(answer), *(min(cut, len(answer)) for cut in cuts)})
    cut_up = [answer[start:stop] for start, stop in pairwise(places)]
    assert split(cut_up) == split([answer])
    if not answer.lstrip().startswith("<think>"):
        assert split(cut_up) == ("", answer)


def test_reasoning_has_times_of_its_own_and_goes_nowhere(loopback: Serve) -> None:
    """It is shown folded, it is neither in the history nor among the tokens of the text, and TTFT is the text's."""
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 10}}
    body = thought("<b>We", "ll") + text("Hel", "lo") + chunk({}, "stop", usage=usage) + DONE
    asked: list[Any] = []

    def serve(request: Asked) -> Reply:
        asked.append(json.loads(request.body))
        return Reply(body, kind=SSE)

    lab = Connection(loopback(serve).base_url, "m", Source.BASE_URL)

    async def talk() -> Any:
        view = ChatView(lab)
        answer = await view.ask("Hi")
        await view.ask("And?")
        return answer

    answer = asyncio.run(talk())
    trace = answer.trace
    first, reasoned = ttft(trace), time_to_reasoning(trace)
    assert first is not None
    assert reasoned is not None
    assert 0 < reasoned < first
    assert (trace.tokens, trace.counted, len(trace.chunks)) == (2, "tokens", 2)
    assert tpot(trace) == trace.chunks[1] - trace.chunks[0]
    assert asked[1]["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And?"},
    ]
    shown = final("Hi", answer)
    assert shown["text/plain"] == "You: Hi\nModel: Hello"
    assert "<details><summary>Reasoning</summary>" in shown["text/html"]
    assert "&lt;b&gt;Well" in shown["text/html"]
    assert "reasoning after" in status(trace)
    trace.reasoning_tokens = None  # an endpoint that does not count it apart
    assert (trace.tokens, trace.counted) == (2, "chunks")


def test_each_end_is_told_apart(loopback: Serve) -> None:
    said = set()
    for reason in ("stop", "length", "content_filter", "refusal"):
        lab = Connection(loopback(Reply(text("A") + end(reason) + DONE, kind=SSE)).base_url, "m", Source.BASE_URL)
        answer = asyncio.run(ChatView(lab).ask("Hi"))
        assert answer.trace.error is None
        said.add(ending(answer))
    assert len(said) == 4


def refusing(*names: str, status: int = 400, words: str = "Unsupported parameter: {name}") -> Callable[[Asked], Reply]:
    """An endpoint that takes no request with these names."""

    def answer(request: Asked) -> Reply:
        if request.path.endswith("/models"):
            return Reply.models("m")
        for name in names:
            if name in json.loads(request.body):
                return Reply.json({"error": {"message": words.format(name=f"'{name}'")}}, status)
        return Reply(text("Hello") + end() + DONE, kind=SSE)

    return answer


SERDE = "unknown field `{name}`, expected one of `max_tokens`, `temperature`, `seed`, `messages`"
PYDANTIC = "1 validation error for Request\n{name}\n  Extra inputs are not permitted [type=extra_forbidden]"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stream_options", SERDE),
        ("stream_options", PYDANTIC),
        ("temperature", "`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        ("temperature", "`temperature` may only be set to 1 when thinking is enabled, regardless of the model."),
        ("temperature", "invalid temperature: only 1 is allowed for this model"),
        ("seed", "'seed' is not enabled here. Supported parameters: max_tokens, temperature"),
        ("seed", "seed must be null"),
        ("seed", "This model does not accept seed."),
        ("seed", "Invalid JSON payload received. Unknown name \"seed\": Cannot find field."),
    ],
)  # fmt: skip
def test_only_what_an_error_refuses_is_left_out(name: str, words: str, loopback: Serve) -> None:
    server = loopback(refusing(name, words=words.replace("{name}", name) if "{name}" in words else words))
    with Connection(server.base_url, "m", Source.BASE_URL, retries=0) as lab:
        assert "".join(event.text for event in stream_sync(lab, "Hi", **OPTIONS)) == "Hello"
        assert lab.dialect.refused == {name: ""}


def test_a_parameter_that_is_needed_is_not_mistaken_for_another(loopback: Serve) -> None:
    error = {"message": "Unsupported, unlike temperature", "param": "logit_bias"}
    server = loopback(Reply.json({"error": error}, 400))
    with Connection(server.base_url, "m", Source.BASE_URL, retries=0) as lab, pytest.raises(RequestError):
        list(stream_sync(lab, "Hi", logit_bias={}, **OPTIONS))
    assert len(server.asked) == 1


def test_answers_at_the_same_time_learn_from_each_other(loopback: Serve) -> None:
    """Each was sent before the first refusal came."""
    together = threading.Barrier(4)
    refuse = refusing("stream_options", "max_tokens")

    def serve(asked: Asked) -> Reply:
        if "stream_options" in json.loads(asked.body):
            together.wait(20)
        return refuse(asked)

    lab = Connection(loopback(serve).base_url, "m", Source.BASE_URL, retries=0)

    async def ask() -> str:
        answer = stream(lab, "Hi", max_tokens=9)
        async for _ in answer:
            pass
        return answer.text

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(ask() for _ in range(4)))

    assert asyncio.run(all_of_them()) == ["Hello"] * 4


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 10}}, 2),
        ({"completion_tokens": 2, "total_tokens": 21, "completion_tokens_details": {"reasoning_tokens": 10}}, 2),
        ({"completion_tokens": 12, "reasoning_tokens": 10}, 2),
        ({"completion_tokens": 12, "total_tokens": 21, "completion_tokens_details": {"reasoning_tokens": 0}}, 12),
    ],
)
def test_reasoning_that_is_hidden_is_not_counted_as_text(usage: dict[str, Any], tokens: int, loopback: Serve) -> None:
    body = text("Hel", "lo") + chunk({}, "stop", usage={"prompt_tokens": 9, **usage}) + DONE
    lab = Connection(loopback(Reply(body, kind=SSE)).base_url, "m", Source.BASE_URL)
    answer = asyncio.run(ChatView(lab).ask("Hi"))
    assert (answer.trace.tokens, answer.trace.completion_tokens) == (tokens, 12)


def test_an_answer_that_is_complete_may_end_as_it_will(loopback: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is cut, or left open without a word, or with comments."""
    monkeypatch.setattr("labkit.streaming.GRACE", 0.3)
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        yield text("Hello") + end()
        over.wait(30)

    def chatty() -> Iterator[bytes]:
        yield text("Hello") + end()
        while not over.wait(0.1):
            yield b": wait\n\n"

    cut = Reply(text("Hello") + end(), kind=SSE, headers={"Content-Length": "9999"})
    for reply in (cut, Reply(silent(), kind=SSE), Reply(chatty(), kind=SSE)):
        lab = Connection(loopback(reply).base_url, "m", Source.BASE_URL, retries=0)
        answer = asyncio.run(ChatView(lab).ask("Hi"))
        assert (answer.text, answer.trace.error, answer.trace.ended) == ("Hello", None, End.FINISHED)
    over.set()
    with Connection(loopback(cut).base_url, "m", Source.BASE_URL, retries=0) as lab:
        assert "".join(event.text for event in stream_sync(lab, "Hi")) == "Hello"


OPTIONS = {"max_tokens": 9, "temperature": 0.5, "seed": 3}


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        (("stream_options",), {"max_tokens", "temperature", "seed"}),
        (("max_tokens",), {"max_completion_tokens", "temperature", "seed", "stream_options"}),
        (("max_tokens", "max_completion_tokens"), {"temperature", "seed", "stream_options"}),
        (("temperature", "seed", "stream_options", "max_tokens"), {"max_completion_tokens"}),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_what_is_refused_and_not_needed_is_left_out_and_told_once(
    refused: tuple[str, ...], sent: set[str], status: int, loopback: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = loopback(refusing(*refused, status=status))
    lab = Connection(server.base_url, "m", Source.BASE_URL, retries=0)
    for _ in range(2):
        assert "".join(event.text for event in stream_sync(lab, "Hi", **OPTIONS)) == "Hello"
    last = json.loads(server.asked[-1].body)
    assert set(last) - {"model", "messages", "stream"} == sent
    assert len(server.asked) == len(refused) + 2  # remembered: the second answer took one request
    assert len([each for each in caplog.records if each.name == "labkit"]) == len(refused)
    lab.close()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("{name} must be less than or equal to 2", "temperature"),
        ("{name} exceeds the limit, which is not supported", "max_tokens"),
        ("{name} is too large: 9000. This model supports at most 4096", "max_tokens"),
        ("Unsupported parameter: 'logit_bias'", "temperature"),
        ("Bad request", "seed"),
    ],
)
def test_a_wrong_value_is_not_left_out_in_silence(words: str, name: str, loopback: Serve) -> None:
    server = loopback(refusing(name, words=words))
    with Connection(server.base_url, "m", Source.BASE_URL) as lab, pytest.raises(RequestError):
        list(stream_sync(lab, "Hi", **OPTIONS))
    assert len(server.asked) == 1


def test_a_used_up_quota_is_asked_once(loopback: Serve) -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    server = loopback(Reply.json({"error": {"message": message, "code": "insufficient_quota"}}, 429))
    with Connection(server.base_url, "m", Source.BASE_URL, retries=2) as lab:
        with pytest.raises(RequestError, match="quota") as caught:
            list(stream_sync(lab, "Hi"))
        assert len(server.asked) == 1
        assert "plan and billing" in caught.value.fix
        assert advise(caught.value, End.REFUSED).again is False

        async def ask() -> None:
            await lab.async_client.chat.completions.create(model="m", messages=[])

        with pytest.raises(Exception, match="quota"):
            asyncio.run(ask())
    assert len(server.asked) == 2


# Bodies of a status 429, and whether the quota is used up; the words of other vendors.
QUOTAS: list[tuple[bool, str]] = [
    (True, "Your credit balance is too low. Please go to Plans & Billing"),
    (True, "Rate limit reached on tokens per day (TPD): Limit 500000. Please try again in 1h2m. Visit .../billing"),
    (True, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"),
    (True, "Budget has been exceeded! Current cost: 1.2, Max budget: 1.0"),
    (True, "Free allocated quota exceeded."),
    (True, "You have exceeded your monthly included credits."),
    (True, "insufficient_user_quota: no money"),
    (True, "You have reached your specified API usage limits. You will regain access on 2026-12-01."),
    (True, "Your team has used all available credits or reached its monthly spending limit."),
    (True, "QuotaFailure: GenerateRequestsPerDayPerProject. You exceeded your current quota. Please retry in 26.4s."),
    (False, "Rate limit reached on tokens per minute (TPM): Limit 6000. Need more? Upgrade at .../settings/billing"),
    (False, "Rate limit reached on requests per min (RPM): Limit 3. Add a payment method at .../account/billing"),
    (False, "You exceeded your current quota, please check your plan and billing details. Please retry in 26.4s."),
    (False, "You exceeded the token rate limit. Please retry after 6 seconds. See aka.ms/oai/quotaincrease"),
    (False, "Requests rate limit exceeded"),
    (False, "The engine is currently overloaded"),
]


@pytest.mark.parametrize(("used_up", "message"), QUOTAS)
def test_a_quota_of_other_vendors_is_told_from_a_limit_that_passes(used_up: bool, message: str) -> None:
    assert is_quota(message) is used_up


@pytest.mark.parametrize(
    ("after", "fix"),
    [
        ("7", "wait 7 s and"),
        ("0.5", "wait 1 s and"),
        ("3600", "wait 60 minutes and"),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "wait a little and"),
        ("nan", "wait a little and"),
        ("soon", "wait a little and"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_is_in_words_of_a_person(after: str, fix: str, status: int, loopback: Serve) -> None:
    server = loopback(Reply(b"Slow down", status, "text/plain", {"Retry-After": after}))
    with Connection(server.base_url, "m", Source.BASE_URL, retries=0) as lab, pytest.raises(LabError) as caught:
        list(stream_sync(lab, "Hi"))
    assert caught.value.fix.startswith(fix)


SECRETS = [
    "a/b+c=very-secret",
    "A/B+C=VERY-SECRET",
    "a%2Fb%2Bc%3Dvery-secret",
    "YS9iK2M9dmVyeS1zZWNyZXQ=",
    "hush-hush",
    "query-secret",
    "AIzaSyA1234567890abcdefghijk",
    "xai-abcdefghijkl",
    "ghp_abcdefghijkl",
    '"api_key": "another-secret"',
    "Authorization: Basic enp6OnNlY3JldA==",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_form_of_a_key_is_shown(secret: str, loopback: Serve) -> None:
    server = loopback(Reply.json({"error": {"message": f"Wrong: {secret} (it is)"}}, 400))
    address = server.base_url.replace("//", "//bob:hush-hush@") + "?api-key=query-secret&api-version=2"
    lab = Connection(address, "m", Source.BASE_URL, "a/b+c=very-secret", retries=0)
    with lab, pytest.raises(RequestError, match=r"Wrong: .*\[key\]\"? \(it is\)") as caught:
        list(stream_sync(lab, "Hi"))
    assert secret.split()[-1].strip('"') not in str(caught.value)


ODD_BODIES: list[tuple[bytes, str]] = [
    (b'{"error": true, "msg": "No good"}', "No good"),
    (b'{"error": "Forbidden", "message": "No good"}', "No good"),
    (b'{"error": "invalid_grant", "error_description": "No good"}', "No good"),
    (b'{"error_code": 110, "error_msg": "No good"}', "No good"),
    (b'{"Message": "No good"}', "No good"),
    (b'{"fault": {"faultstring": "No good"}}', "No good"),
    (b'\xef\xbb\xbf{"error": "No good"}', "No good"),
    (b'event: error\ndata: {"error": {"message": "No good"}}\n\n', "No good"),
    (b"<html><head><title>No good</title></head>", "(No good)"),
    (b"<pre>No good</pre>", "(No good)"),
    (b'<?xml version="1.0"?><Error><Message>No good</Message></Error>', "(No good)"),
    (b"<think> is no good", "<think> is no good"),
    (b"\x1b[31mNo good\x1b[0m", "(No good)"),
    (b"No good " + b"x" * 100_000, "No good"),
    (b"[" * 100_000, "[["),
    (b'{"error":' * 900 + b"1" + b"}" * 900, ""),
]


@pytest.mark.parametrize(("body", "words"), ODD_BODIES)
def test_a_body_of_another_shape_keeps_its_words(body: bytes, words: str, loopback: Serve) -> None:
    server = loopback(Reply(body, 400))
    start = time.perf_counter()
    with Connection(server.base_url, "m", Source.BASE_URL, retries=0) as lab, pytest.raises(RequestError) as caught:
        list(stream_sync(lab, "Hi"))
    assert words in caught.value.message
    assert len(caught.value.message) < 320
    assert time.perf_counter() - start < 5


def test_an_answer_that_cannot_be_unpacked_is_an_error_of_the_endpoint(loopback: Serve) -> None:
    for code in (200, 400, 429):
        server = loopback(Reply(b"not packed", code, headers={"Content-Encoding": "gzip"}))
        lab = Connection(server.base_url, "m", Source.BASE_URL, retries=0)
        with lab, pytest.raises(EndpointError, match="cannot be unpacked"):
            list(stream_sync(lab, "Hi"))


KEY = "sk-a-secret-key-4711"
KINDS = {401: EndpointError, 402: EndpointError, 403: EndpointError, 405: EndpointError, 407: EndpointError}
KINDS |= {404: EndpointError, 408: EndpointError, 451: EndpointError}
BODIES: list[tuple[Any, str]] = [
    ({"error": {"message": f"No good, {KEY}", "type": "x", "code": None}}, "No good"),
    ({"error": "No good"}, "No good"),
    ({"detail": "No good"}, "No good"),
    ({"detail": [{"loc": ["body", "x"], "msg": "No good"}]}, "No good"),
    ({"object": "error", "message": {"detail": [{"msg": "No good"}]}}, "No good"),
    ({"message": "No good"}, "No good"),
    ({"errors": [{"title": "No good"}]}, "No good"),
    ({"error": {"status": "x", "details": [], "message": "No good " + "x" * 900}}, "No good"),
    ({"error": {"message": "Provider returned error", "metadata": {"raw": '{"error": "No good"}'}}}, "No good"),
    ({"error": {"message": '{"error": {"message": "No good"}}'}}, "No good"),
    ([{"error": {"code": 5, "message": "No good"}}], "No good"),
    ({"Message": "No good"}, "No good"),
    ({"base_resp": {"status_msg": "No good"}}, "No good"),
    ({"fault": {"faultstring": "No good"}}, "No good"),
    ("1 error\n\nNo good", "1 error No good"),
    ({"error": f"No good at https://x.test/?key=AIzaSyA-{KEY} or {KEY}"}, "No good"),
    ("Bearer authentication is required: No good", "Bearer authentication is required"),
    ("No good", "No good"),
    ("<html><body>Bad gateway</body></html>", ""),
    ("", ""),
    ([], ""),
    (None, ""),
    (5, ""),
]


@pytest.mark.parametrize("status", range(400, 600))
def test_each_status_has_its_class_and_each_body_its_words(status: int, loopback: Serve) -> None:
    """The endpoint's own words are kept and shortened, and never with the key in them."""
    bodies = iter(BODIES)

    def answer(_: Asked) -> Reply:
        body = next(bodies)[0]
        return Reply(body.encode(), status, "text/plain") if isinstance(body, str) else Reply.json(body, status)

    with Connection(loopback(answer).base_url, "m", Source.BASE_URL, KEY, retries=0) as lab:
        for _, words in BODIES:
            with pytest.raises(LabError) as caught:
                list(stream_sync(lab, "Hi"))
            error = caught.value
            assert type(error) is KINDS.get(status, EndpointError if status >= 500 else RequestError), error
            assert words in error.message
            assert KEY not in str(error)
            assert error.fix
            assert len(error.message) < 320
            assert "python lab.py" not in error.fix  # it is not ours


def test_the_fix_depends_on_the_source(loopback: Serve) -> None:
    server = loopback(Reply(b"", 500))
    said = {}
    for source in (Source.SHARED, Source.BASE_URL):
        with Connection(server.base_url, "m", source, retries=0) as lab, pytest.raises(EndpointError) as caught:
            list(stream_sync(lab, "Hi"))
        said[source] = caught.value.fix
    assert "python lab.py serve" in said[Source.SHARED]
    assert "the endpoint's own log" in said[Source.BASE_URL]


def connected(base_url: str, model: str) -> tuple[Connection, str]:
    """A connection, and what was said about it."""
    said: list[str] = []
    return connect(model, base_url, say=said.append), "\n".join(said)


@pytest.mark.parametrize(
    "listed",
    [
        Reply(b"Not Found", 404, "text/plain"),
        Reply.json({"error": "no"}, 403),
        Reply.json({"status": "ok"}),
        Reply.json({"data": None}),
        Reply.models("another", "a-third"),
    ],
    ids=["404", "403", "odd", "empty", "without it"],
)
def test_with_a_model_the_list_is_a_warning_and_the_first_token_decides(listed: Reply, loopback: Serve) -> None:
    answer = Reply(text("Hello") + end() + DONE, kind=SSE)
    server = loopback(lambda request: listed if request.path.endswith("/models") else answer)
    lab, said = connected(server.base_url, "m")
    with lab:
        assert (lab.model, lab.listed, lab.health().ok) == ("m", False, True)
        assert "Warning: " in said
        assert "".join(event.text for event in stream_sync(lab, "Hi")) == "Hello"
    with pytest.raises(LabError):
        connect(base_url=server.base_url, say=lambda _: None)  # without a name there is nothing to ask for


def test_a_slow_list_is_a_warning_too(loopback: Serve) -> None:
    over = threading.Event()

    def serve(asked: Asked) -> Reply:
        if asked.path.endswith("/models"):
            over.wait(60)
        return Reply(text("Hello") + ENDED, kind=SSE)

    lab, said = connected(loopback(serve).base_url, "m")
    with lab:
        assert "does not answer in time" in said
        assert "".join(event.text for event in stream_sync(lab, "Hi")) == "Hello"
    over.set()


def test_a_key_that_is_refused_and_a_closed_port_are_errors(loopback: Serve, closed_port: int) -> None:
    for base_url in (loopback(Reply.json({}, 401)).base_url, f"http://127.0.0.1:{closed_port}/v1"):
        with pytest.raises(EndpointError):
            connect("m", base_url)


def test_a_model_that_is_still_loading_is_waited_for(loopback: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    replies = iter([Reply.json({"error": {"code": 503, "message": "Loading model"}}, 503)] * 2)
    server = loopback(lambda _: next(replies, Reply.models("m")))
    lab, _ = connected(server.base_url, "m")
    assert (lab.model, server.paths.count("GET /v1/models")) == ("m", 3)
    assert "loads its model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "listed", "found"),
    [
        ("llama3", ["llama3:latest", "llama3:8b"], "llama3:latest"),
        ("llama3:8b", ["llama3:latest", "llama3:8b"], "llama3:8b"),
        ("openai/gpt-9", ["openai/*", "m"], "openai/gpt-9"),
        ("vendor/model:online", ["vendor/model"], "vendor/model:online"),
    ],
)
def test_tags_and_wildcards(wanted: str, listed: list[str], found: str) -> None:
    assert resolve(wanted, listed, "there") == found


def test_a_mistyped_name_and_a_long_list() -> None:
    listed = [f"model-{number}" for number in range(63)] + ["phi-4-mini-instruct-generic-cpu:5"]
    with pytest.raises(ModelError) as caught:
        resolve("phi-4-mni", listed, "there")
    assert caught.value.fix.startswith("did you mean phi-4-mini-instruct-generic-cpu:5?")
    assert caught.value.message.count("model-") == 10
    assert "and 54 more" in caught.value.message
    assert some([]) == "none"


def test_one_connection_serves_one_loop_after_the_other(loopback: Serve) -> None:
    lab = Connection(loopback(Reply(text("Hello") + end() + DONE, kind=SSE)).base_url, "m", Source.BASE_URL)

    async def ask() -> str:
        answer = stream(lab, "Hi")
        async for event in answer:
            assert isinstance(event, FirstToken) or not event.text
        await lab.async_client.close()
        return answer.text

    assert [asyncio.run(ask()), asyncio.run(ask())] == ["Hello", "Hello"]


def test_after_close_an_error_is_one_sentence(loopback: Serve) -> None:
    lab = Connection(loopback(Reply.models("m")).base_url, "m", Source.BASE_URL)
    lab.close()
    for use in (lambda: lab.client, lambda: lab.async_client, lambda: list(stream_sync(lab, "Hi"))):
        with pytest.raises(EndpointError, match=r"This connection is closed\. Fix: connect"):
            use()
    lab.close()


def test_a_stream_is_looped_over_with_async_for(loopback: Serve) -> None:
    answer = stream(Connection(loopback(Reply()).base_url, "m", Source.BASE_URL), "Hi")
    with pytest.raises(TypeError, match="async for event in answer"):
        list(answer)

    async def wrong() -> None:
        await answer

    with pytest.raises(TypeError, match="async for event in stream"):
        asyncio.run(wrong())


def test_only_what_is_known_stays_here() -> None:
    def stays(source: Source, *, known: bool = False) -> bool:
        return Connection("http://127.0.0.1:4000/v1", "m", source, known_here=known).stays_here

    here = {Source.SHARED, Source.SERVICE, Source.IN_PROCESS, Source.MOCK}
    assert {source for source in Source if stays(source)} == here
    assert stays(Source.BASE_URL, known=True)
    for source in Source:  # whatever it is called, another machine is another machine
        for address in ("https://far.example/v1", "http://192.0.2.1/v1", "http://[::1"):
            assert not Connection(address, "m", source, known_here=True).stays_here


def test_an_error_broke_off_is_a_stream_error(loopback: Serve) -> None:
    lab = Connection(loopback(Reply(text("Hello"), kind=SSE)).base_url, "m", Source.BASE_URL)
    with lab, pytest.raises(StreamError, match="broke off"):
        list(stream_sync(lab, "Hi"))


@pytest.mark.e2e
def test_a_certificate_is_called_a_certificate_and_proxies_do_not_count_on_loopback(
    loopback: Serve, tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As mkcert or Caddy serve a model on this machine: over https, with a certificate of one's own."""
    files = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files[0], "-out", files[1]]
    subprocess.run(request, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    models, answer = Reply.models("m"), Reply(text("Hello") + ENDED, kind=SSE)
    server = loopback(lambda asked: models if asked.path.endswith("/models") else answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    base_url = server.base_url.replace("http:", "https:")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(EndpointError, match=r"certificate .* is not trusted") as caught:
        connect("m", base_url)
    assert "SSL_CERT_FILE" in caught.value.fix
    lab = Connection(base_url, "m", Source.BASE_URL, retries=0)
    with lab, pytest.raises(EndpointError, match="certificate is not trusted"):
        list(stream_sync(lab, "Hi"))
    monkeypatch.setenv("SSL_CERT_FILE", files[1])
    with connect("m", base_url, say=lambda _: None) as lab:
        assert "".join(event.text for event in stream_sync(lab, "Hi")) == "Hello"
