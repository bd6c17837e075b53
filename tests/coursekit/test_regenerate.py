"""Recording notebooks: not on a busy machine, and the load is in the figures' footers."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import nbformat
import pytest

from coursekit import cli, copies, regenerate
from labkit.plots import Picture, machine
from labkit.plots.picture import footer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALT = "A small empty figure."
DRAW = f"""from labkit.plots.picture import Picture, footer, machine
picture = Picture(4, 1, {ALT!r})
footer(picture, f'a model · {{machine()}}')
print(picture.get_supxlabel())
picture"""


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the command runs: a notebook of one figure, on no endpoint."""
    path = tmp_path / "01_figure.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DRAW)]), path)
    monkeypatch.setattr(copies, "lesson", lambda _: copies.Lesson(path, path))

    @contextlib.contextmanager
    def endpoint() -> Iterator[str]:
        yield "READY"

    monkeypatch.setattr(regenerate, "endpoint", endpoint)
    return path


def test_a_busy_machine_is_refused_with_words(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(regenerate, "load", lambda: 62.4)
    assert cli.main(["regenerate", "01"]) == 1
    said = capsys.readouterr().err
    for words in ("62 %", f"{regenerate.MOST_LOAD} %", "end the other programs", "--busy"):
        assert words in said
    assert not nbformat.read(recorded, as_version=4).cells[0].outputs


@pytest.mark.e2e
@pytest.mark.parametrize(("percent", "option"), [(3.2, []), (62.4, ["--busy"])])
def test_the_load_is_noted_in_the_footer(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, percent: float, option: list[str]
) -> None:
    """And not in the figure's text, which strict nbval compares."""
    monkeypatch.setattr(regenerate, "load", lambda: percent)
    assert cli.main(["regenerate", *option, "01"]) == 0
    assert "LABKIT_LOAD" not in os.environ
    printed, figure = nbformat.read(recorded, as_version=4).cells[0].outputs
    assert printed.text.strip().endswith(f", load {percent:.0f} %")
    assert figure.data["text/plain"] == ALT
    assert set(figure.data) == {"text/plain", "image/png"}


def test_a_figure_names_the_load_only_while_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "load" not in machine()
    monkeypatch.setenv("LABKIT_LOAD", "3")
    picture = Picture(2, 1, ALT)
    footer(picture, machine())
    assert picture.get_supxlabel().endswith(", load 3 %")


def test_the_load_is_a_share_of_the_processors_time() -> None:
    assert 0 <= regenerate.load() <= 100
