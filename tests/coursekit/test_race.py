"""The digit network in Python, its timings, and a race that the page has saved."""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from coursekit.errors import WorkbookError
from coursekit.webgpu import digits
from coursekit.webgpu.digits import Digits, Race, Timing, samples
from labkit.errors import FoundryError
from tests.support.doubles import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from coursekit.webgpu.digits import Images

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
# As "Download as JSON" gives it.
PAGE: dict[str, Any] = {
    "machine": {"adapter": "google swiftshader", "software": True, "userAgent": CHROME, "cores": 2},
    "stopped": False,
    "runs": [
        {
            "backend": "wasm",
            "batch": 1,
            "first_ms": 4.5,
            "ms": [1.0, 4.0, 1.5],
            "median_ms": 1.5,
            "q1_ms": 1.25,
            "q3_ms": 2.75,
        },
        {
            "backend": "webgpu",
            "batch": 8,
            "first_ms": 900,
            "ms": [30, 20, 40, 10],
            "median_ms": 25,
            "q1_ms": 17.5,
            "q3_ms": 32.5,
        },
    ],
}


def test_the_page_s_own_file() -> None:
    race = Race.read(json.loads(json.dumps(PAGE)))
    assert race.where == "Chrome 141, adapter: google swiftshader (software)"
    assert race.timings == (
        Timing("wasm", 1, 4.5, (1.0, 4.0, 1.5)),
        Timing("webgpu", 8, 900, (30, 20, 40, 10)),
    )
    assert [timing.median for timing in race.timings] == [run["median_ms"] for run in PAGE["runs"]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.clear(),
        lambda told: told.pop("machine"),
        lambda told: told.pop("runs"),
        lambda told: told.update(runs=None),
        lambda told: told.update(runs=[1]),
        lambda told: told.update(machine="this one"),
        *(lambda told, name=name: told["machine"].pop(name) for name in ("adapter", "software", "userAgent")),
        *(lambda told, name=name: told["runs"][1].pop(name) for name in ("backend", "batch", "first_ms", "ms")),
        lambda told: told["runs"][0].update(ms=3),
    ],
)
def test_what_is_no_race(spoil: Callable[[dict[str, Any]], object]) -> None:
    told = deepcopy(PAGE)
    spoil(told)
    with pytest.raises(WorkbookError, match="This is not a race of the digit page") as caught:
        Race.read(told)
    assert "download it again" in caught.value.fix


@pytest.mark.parametrize("told", [[], None, "text", 3])
def test_what_is_no_object(told: Any) -> None:
    with pytest.raises(WorkbookError, match="This is not a race of the digit page"):
        Race.read(told)


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0.7390.55 Safari/537.36": "Chrome 141",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge 140",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/142.0.0.0 Safari/537.36": "Chrome 142",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/139.0.0.0 Mobile Safari/537.36": "Chrome 139",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0": "Firefox 143",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Safari/605.1.15": "Safari 26",
    "curl": "a browser",
    "": "a browser",
}


@pytest.mark.parametrize(
    ("adapter", "software", "agent", "where"),
    [
        ("nvidia ampere", False, CHROME, "Chrome 141, adapter: nvidia ampere"),
        ("llvmpipe", True, CHROME, "Chrome 141, adapter: llvmpipe (software)"),
        *(("", False, agent, f"{name}, adapter: none") for agent, name in AGENTS.items()),
    ],
)
def test_where_it_was(adapter: str, software: bool, agent: str, where: str) -> None:
    machine = {"adapter": adapter, "software": software, "userAgent": agent}
    assert Race.read({"machine": machine, "runs": []}) == Race(where, ())


def test_the_samples_are_read_as_what_they_show() -> None:
    images, labels = samples()
    assert (images.shape, images.dtype.name) == ((64, 784), "float32")
    assert (images.min(), images.max()) == (0, 1)
    assert len(labels) == 64
    assert set(labels) == set(range(10))
    assert (Digits().logits(images).argmax(axis=1) == labels).mean() > 0.95


def test_logits_of_rows_and_of_squares() -> None:
    images, _ = samples()
    network = Digits()
    logits = network.logits(images)
    assert (logits.shape, logits.dtype.name) == ((64, 10), "float32")
    assert np.array_equal(network.logits(images.reshape(-1, 28, 28)), logits)
    assert network.logits(images[:1]).shape == (1, 10)
    assert network.logits(images[:1].astype(np.float64)) == pytest.approx(logits[:1], abs=1e-4)


def test_what_goes_in_and_what_comes_out() -> None:
    assert Digits().signature().rows == (
        ("input", "image", "tensor(float)", "['batch', 1, 28, 28]"),
        ("output", "logits", "tensor(float)", "['batch', 10]"),
    )


class Timed(Digits):
    """A run takes a 16th of a second, and the first one of each batch size a quarter."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.seen: list[int] = []

    def logits(self, images: Images) -> Images:
        self.clock.now += 0.0625 if len(images) in self.seen else 0.25
        self.seen.append(len(images))
        return super().logits(images)


@pytest.mark.parametrize(("budget", "runs"), [(0, 3), (1, 12)])
def test_a_race_in_python(monkeypatch: pytest.MonkeyPatch, budget: float, runs: int) -> None:
    """The first run stands apart; there are three more even where the time is up, and as many as it allows."""
    network = Timed(Clock())
    monkeypatch.setattr(digits, "time", SimpleNamespace(perf_counter=network.clock))
    assert network.race(budget=budget) == Race(
        "Python", tuple(Timing("Python", batch, 250, (62.5,) * runs) for batch in (1, 8, 64))
    )
    assert network.seen == [batch for batch in (1, 8, 64) for _ in range(runs + 1)]


def test_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FoundryError, match="onnxruntime is not installed here") as caught:
        Digits()
    assert "python lab.py webgpu" in caught.value.fix
