"""The figures: each has a description, a footer, and (where it shows measured values) the same values as a table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.image import imread
from matplotlib.text import Text

from coursekit import figures
from coursekit.capacity import Capacity, Measured
from coursekit.webgpu.digits import Race, Timing
from labkit import plots
from labkit.connection import Connection, Source
from labkit.events import End, Trace
from labkit.latency import Run
from labkit.notebook import Table
from labkit.plots.picture import BLUE, GREEN, INK, ORANGE
from labkit.routing.evaluation import Interval, evaluate
from labkit.routing.resilience import Breaker
from labkit.routing.scorers import Recorded, WordCount
from tests.support.doubles import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.plots import Picture

LAB = Connection("http://127.0.0.1:9/v1", "some-model", Source.BASE_URL)
TRACE = Trace(10.0, 10.01, [10.1, 10.12, 10.15], 10.2, 7, 3, End.FINISHED)
RUN = Run([TRACE, TRACE], [], 1, 0.5)
PROMPTS = ["a", "b b", "c c c", "d d d d"]
JUDGED = evaluate(WordCount(), PROMPTS, [1, 0, 1, 0], [1, 1, 1, 1], resamples=20)
BEST = evaluate(Recorded(dict(zip(PROMPTS, (0.5, 1.0, 0.5, 1.0), strict=True))), PROMPTS, [1, 0, 1, 0], [1] * 4)


def opened() -> Breaker:
    """A breaker that has opened after two seconds."""
    times = iter([0.0, 2.0, 2.0])
    watched = Breaker(failures=1, clock=lambda: next(times))
    fail(watched)
    return watched


SOURCE = "some-model, recorded"
RACES = [
    Race("some-model in Chrome", (Timing("wasm", 1, 9.0, (1.0, 2.0, 3.0)), Timing("wasm", 8, 12.0, (7.0, 8.0, 9.0)))),
    Race("Python", (Timing("Python", 1, 3.0, (0.25, 0.5, 0.75)),)),
]
FIGURES: dict[str, tuple[Callable[[], Picture], tuple[str, ...]]] = {
    "samples": (lambda: plots.samples({"warm": [1.0, 2.0, 9.0]}, "ms", "Wait", LAB), ("warm", "3", "2", "1", "9")),
    "waterfall": (lambda: plots.waterfall(TRACE, LAB), ("request to headers", "10")),
    "ecdf": (lambda: plots.ecdf({"gap": [1.0, 2.0, 3.0]}, "ms", "gaps", LAB), ("gap", "3", "2", "2.8", "2.98")),
    "first_token_by_prompt": (lambda: plots.first_token_by_prompt([TRACE, TRACE], LAB), ("7", "2", "100")),
    "concurrency": (lambda: plots.concurrency([RUN], LAB), ("1", "2", "25.0", "12")),
    "streamed_or_whole": (lambda: plots.streamed_or_whole(TRACE, 0.15, LAB), ("streamed", "0.10", "0.15")),
    "buckets": (
        lambda: figures.buckets([(0.5, 2.0), (1.0, 5.0), (float("inf"), 5.0)], "s", "First token", SOURCE),
        ("0 to 0.5", "2"),
    ),
    "line": (lambda: figures.line([(0.0, 1.0, 0.0), (0.1, 2.0, 4.0)], SOURCE), ("under way", "2")),
    "tradeoff": (
        lambda: plots.tradeoff({"words": JUDGED}, BEST, "dollars", SOURCE, threshold=("words", 0.02)),
        ("words", str(JUDGED.apgr), str(JUDGED.cpt50), str(JUDGED.cpt80)),
    ),
    "recovered": (
        lambda: plots.recovered({"json": {"words": Interval(0.4, 0.3, 0.5)}, "facts": {"other": JUDGED.apgr}}, SOURCE),
        ("json", "0.40 [0.30, 0.50]", ""),
    ),
    "shares": (lambda: plots.shares({"json": (3, 4)}, "right", SOURCE), ("json", "75 %", "4", "30 to 95 %")),
    "breaker": (
        lambda: plots.breaker(opened(), [(0.5, "local"), (1.0, "cloud")], 3.0, "the cloud", SOURCE),
        ("0.0", "closed"),
    ),
    "capacity": (
        lambda: figures.capacity([Measured(3, 4.0, 80, (0.1, 0.3), (1.0, 2.0))], Capacity(1.0, 2, 2.0), LAB),
        ("3", "2", "20", "0.20", "0.29", "1.50", "1.06"),
    ),
    "race": (lambda: figures.race(RACES), ("wasm", "1", "9", "2", "1.5 to 2.5", "3")),
    "timeline": (
        lambda: plots.timeline({"A": [(0.0, 0.25), (0.5, 0.75)], "B": [(0.1, 0.1), (0.4, 0.4)]}, SOURCE),
        ("A", "2", "0.00", "0.75", "250"),
    ),
    "running": (lambda: plots.running([(0.0, 1), (1.0, 1), (1.25, 0)], 1.0, LAB), ("Stop", "1.0")),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_says_what_it_shows(name: str) -> None:
    draw, first_row = FIGURES[name]
    picture = draw()
    assert len(picture.alt) > 30
    assert "some-model" in picture.get_supxlabel()
    assert all(axes.get_xlabel() for axes in picture.axes)
    assert picture.png().startswith(b"\x89PNG")
    assert isinstance(picture.table, Table)
    assert picture.table.rows[0] == first_row


def test_every_figure_is_tried() -> None:
    others = {"Picture", "machine", "architecture", "containers", "digits", "pieces"}
    drawn = {*plots.__all__, *figures.__all__} - others
    assert drawn == set(FIGURES)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#111111"])
def test_colours_can_be_seen_in_the_light_and_in_the_dark_theme(ground: str) -> None:
    """A text wants 4.5, which no colour has on both: the most is the root of the contrast of the two grounds, 4.34."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#111111") ** 0.5 < 4.35
    assert contrast(INK, ground) >= 4.3
    assert min(contrast(colour, ground) for colour in (BLUE, ORANGE, GREEN)) >= 3


DRAWINGS = {"architecture": figures.architecture, "containers": figures.containers}


@pytest.mark.parametrize(
    "draw", [*(draw for draw, _ in FIGURES.values()), *DRAWINGS.values()], ids=[*FIGURES, *DRAWINGS]
)
def test_a_figure_follows_the_theme(draw: Callable[[], Picture]) -> None:
    """Its background is transparent, and every text is in ink."""
    picture = draw()
    image = imread(io.BytesIO(picture.png()))
    assert image[0, 0, 3] == image[-1, -1, 3] == 0
    assert (image[..., 3] == 0).mean() > 0.5
    texts = [
        each for each in picture.findobj(Text) if isinstance(each, Text) and each.get_visible() and each.get_text()
    ]
    assert {to_hex(each.get_color()) for each in texts} == {INK.lower()}


def test_a_race_has_a_line_for_each_backend_with_its_quartiles() -> None:
    picture = figures.race(RACES)
    assert "wasm, Python" in picture.alt
    assert "some-model in Chrome; Python" in picture.get_supxlabel()
    [axes] = picture.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "8"]
    lines = {bars.get_label(): bars.lines for bars in axes.containers if isinstance(bars, ErrorbarContainer)}
    assert {name: np.asarray(line.get_xydata()).tolist() for name, (line, _, _) in lines.items()} == {
        "wasm": [[1, 2], [8, 8]],
        "Python": [[1, 0.5]],
    }
    [bars] = lines["wasm"][2]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[1.5, 2.5], [7.5, 8.5]]
    assert picture.table
    assert [row[:2] for row in picture.table.rows] == [("wasm", "1"), ("wasm", "8"), ("Python", "1")]
    assert picture.table.measured


def test_small_pictures_of_a_digit() -> None:
    """Ink is dark on light paper, each from 0 to 1 whatever it holds, and each says what it is."""
    images = {"drawn": np.linspace(0, 0.5, 100 * 100, dtype=np.float32), "prepared": np.eye(28, dtype=np.float32)}
    picture = figures.digits(images)
    assert picture.alt == "Small pictures of a digit: drawn; prepared."
    assert picture.png().startswith(b"\x89PNG")
    assert picture.table is None
    assert [axes.get_title() for axes in picture.axes] == list(images)
    for axes, image in zip(picture.axes, images.values(), strict=True):
        [shown] = axes.images
        side = round(image.size**0.5)
        assert np.array_equal(np.asarray(shown.get_array()), image.reshape(side, side))
        assert (shown.get_clim(), shown.get_cmap().name) == ((0, 1), "gray_r")
        assert not axes.get_xticks().size
        assert not axes.get_yticks().size


def test_stop_that_was_never_seen_is_said() -> None:
    table = plots.running([(0.0, 1), (2.0, 1)], 1.0, LAB).table
    assert table is not None
    assert table.rows[1] == ("the endpoint runs nothing", "not seen")


def test_the_mark_of_a_budget_lies_on_its_curve() -> None:
    """The scores from 0.02 up are two of four: half of the calls, and a quarter of the answers gained."""
    threshold = sorted(JUDGED.scores)[2]
    axes = plots.tradeoff({"words": JUDGED}, BEST, "dollars", SOURCE, threshold=("words", threshold)).axes[0]
    [mark] = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.array_equal(mark.get_xydata(), [[0.5, 75.0]])


def test_measured_cells_are_marked_and_described() -> None:
    measured, plain = Table(("a", "b"), (("x<", "1"),), measured=True), Table(("a", "b"), (("x<", "1"),))
    assert measured._repr_html_().count('<td class="measured">') == 2
    assert "x&lt;" in measured._repr_html_()
    assert "measured" not in plain._repr_html_()
    assert "1" not in repr(measured)
    assert repr(plain).split() == ["a", "b", "x<", "1"]
