"""Walks of an instructor: the report of the whole course, and of a small class, as the README types them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from coursekit.copies import lessons
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.live, pytest.mark.timeout(1500)]

MODEL = "smollm2-135m-instruct"  # the README's variable; no mock inside the lessons has a model of this name
RIGHT = "def is_whole(answer):\n    return answer.choices[0].finish_reason == 'stop'\n\n\ncheck('01.3', is_whole)\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Clone:
    """The project itself with an empty home; the model is in its cache already."""
    return Clone.make(tmp_path_factory.mktemp("an instructor"), LABKIT_CACHE=str(cache))


def results(folder: Path) -> list[dict[str, object]]:
    """The rows of a report."""
    rows: list[dict[str, object]] = json.loads((folder / "results.json").read_text(encoding="utf-8"))["results"]
    return rows


def test_the_whole_course_passes_with_model_set(course: Clone) -> None:
    status, said = course.lab("report", "--out", "report", MODEL=MODEL, seconds=1400)
    rows = results(course.root / "report")
    assert [(row["notebook"], row["status"]) for row in rows] == [(item.original.stem, "passed") for item in lessons()]
    assert status == 0, said
    index = (course.root / "report" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']https?://""", index)
    assert str(course.root) not in index


def test_a_class_of_three_is_told_apart(course: Clone) -> None:
    """One has solved an exercise, one has an error, one has handed in the untouched copy."""
    folder = course.root / "class"
    for name, answer in {"anna": RIGHT, "bo": "1 / 0", "cy": ""}.items():
        (folder / name).mkdir(parents=True)
        notebook = json.loads((course.root / "notebooks" / "01_client_setup.ipynb").read_text(encoding="utf-8"))
        [cell] = [each for each in notebook["cells"] if "exercise-01.3" in each["metadata"].get("tags", [])]
        cell["source"] = answer or cell["source"]
        (folder / name / "01_client_setup.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "list.csv").write_text("student,folder\nAnna,anna\nBo,bo\nCy,cy\n", encoding="utf-8")
    status, said = course.lab("report", "01", "--matrix", "class/list.csv", "--out", "class-report", seconds=900)
    rows = {str(row["student"]): row for row in results(course.root / "class-report")}
    assert {name: row["status"] for name, row in rows.items()} == {"Anna": "passed", "Bo": "failed", "Cy": "passed"}
    assert "ZeroDivisionError" in str(rows["Bo"]["detail"])
    assert status == 1
    assert "2 of 3 passed" in said
