"""Students work on copies, which no update takes from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat import v4

from coursekit import copies
from coursekit.errors import WorkbookError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course of two lessons."""
    write(tmp_path, "02_second.ipynb", "2")
    write(tmp_path, "01_first.ipynb", "1")
    (tmp_path / "notebooks" / "notes.ipynb").write_text("no lesson", encoding="utf-8")
    return tmp_path


def write(root: Path, name: str, source: str) -> None:
    """A lesson of one text and one code cell, which has been run."""
    (root / "notebooks").mkdir(exist_ok=True)
    output = v4.new_output("stream", text="an output")
    cells = [v4.new_markdown_cell("# A lesson"), v4.new_code_cell(source, outputs=[output], execution_count=7)]
    nbformat.write(v4.new_notebook(cells=cells), root / "notebooks" / name)


def work_on(path: Path, source: str) -> None:
    """Change a copy as a student does."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = source
    nbformat.write(notebook, path)


def source(path: Path) -> str:
    """What the code cell of a notebook says."""
    return str(nbformat.read(path, as_version=4).cells[1].source)


@pytest.fixture
def mine(course: Path) -> Path:
    """The copy of the first lesson, made and then changed by the student."""
    copies.refresh(course)
    copy = course / "work" / "01_first.ipynb"
    work_on(copy, "mine")
    return copy


def test_lessons_in_reading_order(course: Path) -> None:
    """Only a notebook whose name begins with a number is one; its number may lack the zero."""
    found = [(item.number, item.copy.name) for item in copies.lessons(course)]
    assert found == [("01", "01_first.ipynb"), ("02", "02_second.ipynb")]
    assert copies.lesson("1", course) == copies.lesson("01", course) == copies.lessons(course)[0]


@pytest.mark.parametrize("number", ["3", "x", ""])
def test_unknown_number(course: Path, number: str) -> None:
    """The error names the lessons, and no copy is made."""
    with pytest.raises(WorkbookError, match=f"There is no notebook {number}") as caught:
        copies.reset(number, course)
    assert "01, 02" in caught.value.fix
    assert not (course / "work").exists()


def test_copies_have_no_outputs(course: Path) -> None:
    """A student guesses first; everything else is as in the lesson. A second start leaves the copies alone."""
    assert copies.refresh(course) == []
    for item in copies.lessons(course):
        original, copy = (nbformat.read(path, as_version=4) for path in (item.original, item.copy))
        assert (copy.cells[1].outputs, copy.cells[1].execution_count) == ([], None)
        assert [(cell.id, cell.source) for cell in copy.cells] == [(cell.id, cell.source) for cell in original.cells]
        assert original.cells[1].outputs
    before = [item.copy.stat() for item in copies.lessons(course)]
    assert copies.refresh(course) == []
    assert [item.copy.stat() for item in copies.lessons(course)] == before


def test_untouched_copy_follows_its_lesson(course: Path) -> None:
    """Also one that was deleted."""
    copies.refresh(course)
    write(course, "01_first.ipynb", "updated")
    copies.lesson("2", course).copy.unlink()
    assert copies.refresh(course) == []
    assert [source(item.copy) for item in copies.lessons(course)] == ["updated", "2"]


def test_work_is_kept_and_an_updated_lesson_is_offered(course: Path, mine: Path) -> None:
    """The offer says how to get the lesson; the other lesson is not in it."""
    assert copies.refresh(course) == []
    write(course, "01_first.ipynb", "updated")
    for _ in range(2):
        (offer,) = copies.refresh(course)
        assert "python lab.py reset 01" in offer
    assert source(mine) == "mine"


def test_copy_of_unknown_origin_is_kept(course: Path, mine: Path) -> None:
    (course / "work" / copies.ORIGINS).write_text("{", encoding="utf-8")
    assert any("reset 01" in offer for offer in copies.refresh(course))
    assert source(mine) == "mine"


def test_reset_keeps_every_old_copy(course: Path, mine: Path) -> None:
    """Also at once after another reset; the fresh copy follows its lesson again."""
    kept = []
    for number in range(4):
        work_on(mine, f"mine {number}")
        fresh, old = copies.reset("1", course)
        assert (fresh, source(fresh)) == (mine, "1")
        assert old
        assert old.parent == fresh.parent
        kept.append(old)
    assert [source(path) for path in kept] == ["mine 0", "mine 1", "mine 2", "mine 3"]
    write(course, "01_first.ipynb", "updated")
    assert copies.refresh(course) == []
    assert source(mine) == "updated"


def test_reset_without_a_copy(course: Path) -> None:
    fresh, kept = copies.reset("2", course)
    assert (source(fresh), kept) == ("2", None)
