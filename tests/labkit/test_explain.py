"""Exceptions of the openai client become sentences with a fix; `expect` shows errors on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

from foundry_mock import Behaviour, Fault, MockEndpoint, Step
from labkit.errors import EndpointError, LabError, ModelError, RequestError
from labkit.explain import expect, explain

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


def failure(mock: MockEndpoint, *, model: str | None = None, stream: bool = False, seconds: float = 20) -> LabError:
    """How one request at the mock fails, explained."""
    with openai.OpenAI(base_url=mock.base_url, api_key="x", timeout=seconds, max_retries=0) as client:

        def ask() -> None:
            list(client.chat.completions.create(model=model or mock.model, messages=HELLO, stream=stream))

        with pytest.raises(openai.OpenAIError) as caught:
            ask()
    return explain(caught.value)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.RATE_LIMIT, RequestError, "wait 2 s"),
        (Fault.SERVER_ERROR, EndpointError, "failed inside"),
        (Fault.DROP, EndpointError, "broke off"),
        (Fault.HANG_FIRST, EndpointError, "in time"),
        (Fault.OVERFLOW, RequestError, "fewer or shorter"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_fault_has_a_fix(fault: Fault, kind: type[LabError], words: str, stream: bool) -> None:
    with MockEndpoint(Behaviour(first_token=0)) as mock:
        mock.fail(Step(fault, retry_after=2))
        told = failure(mock, stream=stream, seconds=0.3 if fault is Fault.HANG_FIRST else 20)
    assert type(told) is kind
    assert words in str(told)
    assert told.fix


def test_a_wrong_model_name_differs_from_an_unloaded_model() -> None:
    with MockEndpoint() as mock:
        wrong = failure(mock, model="mock-model")
        mock.state.loaded = False
        unloaded = failure(mock)
    assert isinstance(wrong, ModelError)
    assert "lab.model" in wrong.fix
    assert "not loaded" in unloaded.message


def test_a_closed_port_says_how_to_start_the_server(closed_port: int) -> None:
    mock = MockEndpoint()
    mock.base_url = f"http://127.0.0.1:{closed_port}/v1"
    assert "python lab.py serve" in str(failure(mock))


def test_other_errors_keep_what_they_say() -> None:
    error = ModelError("gone", fix="look")
    assert explain(error) is error
    assert str(explain(ValueError("first\nsecond"))) == "ValueError: first"


def test_expect_shows_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with expect(LabError):
        raise ModelError("no such model", fix="choose another")
    assert capsys.readouterr().out == "ModelError: no such model. Fix: choose another\n"


def test_expect_names_the_kind_once(capsys: pytest.CaptureFixture[str]) -> None:
    with expect(KeyError):
        raise KeyError("choices")
    assert capsys.readouterr().out == "KeyError: 'choices'\n"


def test_expect_wants_an_error_of_its_kind() -> None:
    with pytest.raises(AssertionError, match="nothing went wrong"), expect(ValueError):
        pass
    with pytest.raises(KeyError), expect(ValueError):
        raise KeyError("other")
