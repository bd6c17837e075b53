"""`python lab.py doctor`: what it finds, what it says, its JSON."""

from __future__ import annotations

import json
import socket
import threading
from importlib import metadata
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from coursekit import doctor, ports
from coursekit.cli import main
from foundry_mock import Behaviour, Fault, MockEndpoint
from labkit import foundry
from labkit.errors import FoundryError
from tests.conftest import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from coursekit.doctor import Check, Report
    from tests.conftest import Loopback


def by_name(report: Report) -> dict[str, Check]:
    """The checks of a report."""
    return {check.name: check for check in report.checks}


@pytest.mark.live
def test_a_good_machine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == doctor.SCHEMA
    assert told["ok"] is True
    assert told["source"] == "Foundry Local in this process"
    assert told["base_url"].startswith("http://127.0.0.1:")
    assert told["model"] == "smollm2-135m-instruct-generic-cpu:1"
    assert 0 < told["first_token_s"] < 30
    assert {"name", "ok", "detail", "fix"} == set(told["checks"][0])


@pytest.mark.usefixtures("own_cache")
def test_it_downloads_no_model_of_the_catalog(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not here is said with its size, and the JSON stays JSON."""
    listed = SimpleNamespace(alias="big", variants=[], is_cached=False, info=SimpleNamespace(file_size_mb=3686))
    manager = SimpleNamespace(catalog=SimpleNamespace(list_models=lambda: [listed]), urls=[], close=lambda: None)
    monkeypatch.setattr(foundry, "_manager", lambda: manager)
    monkeypatch.setenv("MODEL", "big")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    [check] = [check for check in told["checks"] if check["name"] == "Endpoint"]
    assert check["ok"] is False
    assert "big is not on this machine yet (3686 MB)" in check["detail"]
    assert "python lab.py serve" in check["fix"]


def test_with_a_dead_address_it_says_the_cure(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BASE_URL", f"http://127.0.0.1:{closed_port}")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "WRONG  Endpoint: Nothing listens" in told
    assert "(from BASE_URL)" in told
    assert "or unset BASE_URL" in told
    assert "Fix: python lab.py serve" in told
    assert "Something is wrong" in told


def test_a_check_is_shown_before_the_next_one_begins() -> None:
    """A slow check must not hide what is known already."""
    shown: list[str] = []

    def second() -> list[Check]:
        assert shown == ["first"]
        return [doctor.Check("second", True, "")]

    with MockEndpoint() as mock, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASE_URL", mock.base_url)
        groups = [lambda: [doctor.Check("first", None, "")], second]
        report = doctor.complete(groups, lambda check: shown.append(check.name))
    assert shown == ["first", "second", "Endpoint", "First token"] == [check.name for check in report.checks]


def test_an_endpoint_that_fails_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with MockEndpoint() as mock:
        mock.fail(Fault.SERVER_ERROR, Fault.SERVER_ERROR)
        monkeypatch.setenv("BASE_URL", mock.base_url)
        report = doctor.examine()
    assert not report.ok
    assert by_name(report)["First token"].fix
    assert report.first_token_s is None


def test_a_machine_without_a_runtime_is_well_with_an_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As an Intel Mac is, for which there is no build."""

    def lacking() -> None:
        raise FoundryError("no build", fix="set BASE_URL")

    monkeypatch.setattr(foundry, "require_sdk", lacking)
    [check] = doctor._models(tmp_path)
    assert (check.ok, check.fix) == (False, "set BASE_URL")
    monkeypatch.setenv("BASE_URL", "http://127.0.0.1:1/v1")
    [check] = doctor._models(tmp_path)
    assert (check.ok, check.fix) == (None, "")


def test_a_package_that_differs_from_the_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text(
        "-e .\nopenai==0.1\nno-such-package==1\nwin==1 ; sys_platform == 'none'\n"
    )
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    [check] = doctor._packages()
    assert check.ok is False
    assert check.detail == f"openai is {metadata.version('openai')}, the lock says ==0.1; no-such-package is missing"
    assert ".venv" in check.fix


def test_a_port_that_is_held_is_told_with_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {port: "a test"})
        [check] = doctor._ports()
        with monkeypatch.context() as patch:  # as if another Python held it
            patch.setattr(ports, "_is_own", lambda _: False)
            [others] = doctor._ports()
    assert (check.ok, check.detail.endswith(ports.OWN)) == (True, True)
    assert others.ok is None
    assert others.detail.endswith("; a test would take another one")
    assert ports.holder(port) == "unknown"


def test_too_little_room_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DISK_GB", 1e9)
    assert next(check.ok for check in doctor.room(tmp_path / "not" / "there")) is False


def test_an_endpoint_that_never_answers_gets_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is shown as soon as it is known, and the silence has an end."""
    shown: list[str] = []
    monkeypatch.setattr(doctor, "FIRST_TOKEN_SECONDS", 0.5)
    with MockEndpoint(Behaviour(first_token=600)) as mock:
        monkeypatch.setenv("BASE_URL", mock.base_url)
        counted: list[int] = []

        def show(check: doctor.Check) -> None:
            shown.append(f"{check.name}: {check.ok}")
            counted.append(mock.counters.started)

        report = doctor.complete([], show)
    assert shown == ["Endpoint: True", "First token: False"]
    assert counted == [0, 1]
    assert "fell silent" in report.checks[-1].detail


def test_chunks_without_a_token_are_no_answer(
    loopback: Callable[..., Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come for ever, so that the endpoint is never silent."""
    over = threading.Event()

    def chunks() -> Iterator[bytes]:
        while not over.wait(0.05):
            yield b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'

    models = Reply.models("m")
    server = loopback(
        lambda asked: models if asked.path.endswith("/models") else Reply(chunks(), kind="text/event-stream")
    )
    monkeypatch.setattr(doctor, "FIRST_TOKEN_SECONDS", 0.3)
    monkeypatch.setenv("BASE_URL", server.base_url)
    report = doctor.complete([], doctor.show_nothing)
    over.set()
    assert "no token" in report.checks[-1].detail


def test_a_reasoning_model_is_not_called_broken(
    loopback: Callable[..., Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first sixteen tokens may all be reasoning."""
    chunk = {"choices": [{"delta": {"reasoning_content": "The user says"}, "finish_reason": "length"}]}
    body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    models, answer = Reply.models("m"), Reply(body, kind="text/event-stream")
    server = loopback(lambda asked: models if asked.path.endswith("/models") else answer)
    monkeypatch.setenv("BASE_URL", server.base_url)
    report = doctor.complete([], doctor.show_nothing)
    assert report.ok
    assert "first reasoning after" in report.checks[-1].detail
