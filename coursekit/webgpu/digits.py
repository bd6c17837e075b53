"""The network for handwritten digits in Python: the very file that a browser runs, and how long a run takes."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from coursekit.copies import ROOT
from coursekit.errors import WorkbookError
from labkit.errors import FoundryError
from labkit.notebook import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Images = np.ndarray[Any, np.dtype[np.float32]]

FOLDER = ROOT / "apps" / "webgpu"
PIXELS = 28 * 28


@dataclass(frozen=True)
class Timing:
    """How long the runs of one backend with one batch size took, in ms; the first run apart, since it compiles."""

    backend: str
    batch: int
    first: float
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the runs after the first."""
        return median(self.runs)


@dataclass(frozen=True)
class Race:
    """What was timed in one place: a browser with its adapter, or Python."""

    where: str
    timings: tuple[Timing, ...]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Race:
        """From the JSON of the page's Download button. Raises WorkbookError where it is something else."""
        try:
            machine, runs = told["machine"], told["runs"]
            timings = [
                Timing(run["backend"], run["batch"], run["first_ms"], tuple(map(float, run["ms"]))) for run in runs
            ]
            if not all(timing.runs for timing in timings):
                raise TypeError("a timing without runs")
            adapter = f"{machine['adapter']}{' (software)' if machine['software'] else ''}"
            return cls(f"{_browser(str(machine['userAgent']))}, adapter: {adapter or 'none'}", tuple(timings))
        except (KeyError, TypeError, ValueError) as error:
            raise WorkbookError(
                f"This is not a race of the digit page ({error!r})", fix="download it again with the page's button"
            ) from error


def _browser(agent: str) -> str:
    """The name and version in a browser's own long description."""
    parts = dict(part.split("/", 1) for part in agent.split() if "/" in part)
    for name in ("Edg", "Firefox", "HeadlessChrome", "Chrome", "Version"):
        if name in parts:
            shown = {"Edg": "Edge", "HeadlessChrome": "Chrome", "Version": "Safari"}.get(name, name)
            return f"{shown} {parts[name].split('.')[0]}"
    return "a browser"


class Digits:
    """The network in Python's onnxruntime, on one thread of the processor as in the browser."""

    def __init__(self, file: Path = FOLDER / "digits.onnx") -> None:
        """Raises FoundryError where onnxruntime has no build for this machine."""
        try:
            import onnxruntime
        except ImportError as error:
            raise FoundryError(
                f"The package onnxruntime is not installed here ({error}). It has no build for Intel Macs",
                fix="read the committed notebook; the page itself works in your browser: python lab.py webgpu",
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])

    def logits(self, images: Images) -> Images:
        """Logits [n, 10] of images [n, 784]: 28 rows of 28 pixels, 0 for paper and 1 for ink."""
        [logits] = self._session.run(["logits"], {"image": images.reshape(-1, 1, 28, 28).astype(np.float32)})
        return np.asarray(logits)

    def signature(self) -> Table:
        """What goes in and what comes out: names, types and shapes."""
        ends = [("input", self._session.get_inputs()), ("output", self._session.get_outputs())]
        rows = [(end, each.name, each.type, str(each.shape)) for end, found in ends for each in found]
        return Table(("", "name", "type", "shape"), tuple(rows))

    def race(self, batches: Sequence[int] = (1, 8, 64), *, budget: float = 0.5) -> Race:
        """Time runs of each batch size for `budget` seconds, at least three."""
        images, _ = samples()
        return Race("Python", tuple(_timed(self.logits, images[:batch], budget) for batch in batches))


def samples(file: Path = FOLDER / "samples.json") -> tuple[Images, list[int]]:
    """64 images of MNIST's test set [64, 784], from 0 (paper) to 1 (ink), and the digits that they show."""
    told = json.loads(file.read_text(encoding="utf-8"))
    raw = np.frombuffer(base64.b64decode(told["pixels"]), dtype=np.uint8)
    return raw.reshape(-1, PIXELS).astype(np.float32) / np.float32(255), told["labels"]


def _timed(run: Callable[[Images], object], images: Images, budget: float) -> Timing:
    taken: list[float] = []
    start = time.perf_counter()
    while len(taken) < 4 or time.perf_counter() - start < budget:
        begin = time.perf_counter()
        run(images)
        taken.append(1000 * (time.perf_counter() - begin))
    return Timing("Python", len(images), taken[0], tuple(taken[1:]))
