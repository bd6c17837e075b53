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


def test_lessons_in_reading_order(course: Path) -> None:
    """Only what begins with a number is one."""
    assert [(item.number, item.copy.name) for item in copies.lessons(course)] == [
        ("01", "01_first.ipynb"),
        ("02", "02_second.ipynb"),
    ]


@pytest.mark.parametrize("number", ["1", "01"])
def test_lesson_by_its_number(course: Path, number: str) -> None:
    """With or without its zero."""
    assert copies.lesson(number, course).original.name == "01_first.ipynb"


@pytest.mark.parametrize("number", ["3", "x", ""])
def test_unknown_number(course: Path, number: str) -> None:
    """What there is instead is said, and nothing is made."""
    with pytest.raises(WorkbookError, match=f"There is no notebook {number}") as caught:
        copies.reset(number, course)
    assert "01, 02" in caught.value.fix
    assert not (course / "work").exists()


def test_copies_have_no_outputs(course: Path) -> None:
    """A student guesses first; everything else is as in the lesson."""
    assert copies.refresh(course) == []
    for item in copies.lessons(course):
        original, copy = (nbformat.read(path, as_version=4) for path in (item.original, item.copy))
        assert (copy.cells[1].outputs, copy.cells[1].execution_count) == ([], None)
        assert [(cell.id, cell.source) for cell in copy.cells] == [(cell.id, cell.source) for cell in original.cells]
        assert original.cells[1].outputs


def test_nothing_to_do(course: Path) -> None:
    """A second start leaves the copies alone."""
    copies.refresh(course)
    before = [item.copy.stat() for item in copies.lessons(course)]
    assert copies.refresh(course) == []
    assert [item.copy.stat() for item in copies.lessons(course)] == before


def test_work_is_left_alone(course: Path) -> None:
    """Where the lesson is as it was, there is nothing to say about a copy with work in it."""
    copies.refresh(course)
    work_on(course / "work" / "01_first.ipynb", "mine")
    assert copies.refresh(course) == []
    assert source(course / "work" / "01_first.ipynb") == "mine"


def test_untouched_copy_follows_its_lesson(course: Path) -> None:
    """Nothing is lost, so nothing is asked."""
    copies.refresh(course)
    write(course, "01_first.ipynb", "updated")
    assert copies.refresh(course) == []
    assert source(course / "work" / "01_first.ipynb") == "updated"


def test_updated_lesson_is_offered_over_work(course: Path) -> None:
    """The copy is kept, and the offer says how to have the lesson; the other lesson is not in it."""
    copies.refresh(course)
    work_on(course / "work" / "01_first.ipynb", "mine")
    write(course, "01_first.ipynb", "updated")
    for _ in range(2):
        (offer,) = copies.refresh(course)
        assert "python lab.py reset 01" in offer
    assert source(course / "work" / "01_first.ipynb") == "mine"


def test_copy_of_unknown_origin_is_kept(course: Path) -> None:
    """It may be all somebody has, whatever became of our notes about it."""
    copies.refresh(course)
    work_on(course / "work" / "01_first.ipynb", "mine")
    (course / "work" / copies.ORIGINS).write_text("{", encoding="utf-8")
    assert any("reset 01" in offer for offer in copies.refresh(course))
    assert source(course / "work" / "01_first.ipynb") == "mine"


def test_deleted_copy_comes_again(course: Path) -> None:
    """The simplest way to begin anew."""
    copies.refresh(course)
    (course / "work" / "01_first.ipynb").unlink()
    assert copies.refresh(course) == []
    assert source(course / "work" / "01_first.ipynb") == "1"


def test_reset_keeps_the_old_copy(course: Path) -> None:
    """It stays beside the fresh one, which follows its lesson again."""
    copies.refresh(course)
    work_on(course / "work" / "01_first.ipynb", "mine")
    fresh, kept = copies.reset("1", course)
    assert source(fresh) == "1"
    assert kept
    assert kept.parent == fresh.parent
    assert source(kept) == "mine"
    write(course, "01_first.ipynb", "updated")
    assert copies.refresh(course) == []
    assert source(fresh) == "updated"


def test_reset_without_a_copy(course: Path) -> None:
    """There is nothing to keep."""
    fresh, kept = copies.reset("2", course)
    assert (source(fresh), kept) == ("2", None)


def test_reset_in_one_breath(course: Path) -> None:
    """An impatient second reset does not take what the first one kept."""
    copies.refresh(course)
    kept = []
    for number in range(4):
        work_on(course / "work" / "01_first.ipynb", f"mine {number}")
        kept.append(copies.reset("1", course)[1])
    assert [source(path) for path in kept if path] == ["mine 0", "mine 1", "mine 2", "mine 3"]
