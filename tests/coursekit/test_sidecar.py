"""The sidecar of a run: a line for each answer and each check, without their text."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from coursekit import check, sidecar
from foundry_mock import Fault, MockEndpoint
from labkit.connection import Connection, Source
from labkit.errors import StreamError
from labkit.streaming import stream_sync

if TYPE_CHECKING:
    from pathlib import Path


def test_the_sidecar_has_a_line_for_each_answer_and_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or broken; none without the variable; a sidecar that cannot be written disturbs nothing."""
    answers = logging.getLogger("labkit.answers")
    for name in ("handlers", "level", "propagate"):
        monkeypatch.setattr(answers, name, getattr(answers, name))  # the end of the test puts them back
    answers.handlers = []
    sidecar.load_ipython_extension(None)
    file = tmp_path / "side.jsonl"
    with MockEndpoint() as endpoint, Connection(endpoint.base_url, endpoint.model, Source.BASE_URL) as lab:
        list(stream_sync(lab, "Count to 5."))
        assert list(tmp_path.glob("*.jsonl")) == []
        monkeypatch.setenv(sidecar.VARIABLE, str(file))
        list(stream_sync(lab, "Count to 5."))
        endpoint.fail(Fault.DROP)
        with pytest.raises(StreamError):
            list(stream_sync(lab, "Count to 5."))
        check("01.3", None)
        monkeypatch.setenv(sidecar.VARIABLE, str(tmp_path))
        list(stream_sync(lab, "Count to 5."))
    whole, broken, checked = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (whole["kind"], whole["ended"], whole["counted"]) == ("answer", "finished", "tokens")
    assert (whole["base_url"], whole["model"]) == (endpoint.base_url, endpoint.model)
    assert 0 < whole["ttft"] < whole["e2e"]
    assert broken["ended"] == "dropped"
    assert {"kind", "base_url", "model", "ttft", "e2e", "tokens", "counted", "ended"} == set(whole) == set(broken)
    assert (checked["kind"], checked["exercise"], checked["passed"]) == ("check", "01.3", False)
