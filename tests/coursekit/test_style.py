"""ruff and mypy over everything, notebooks included; names and sentences that must not be committed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from coursekit import export
from tests.support.places import PLACES

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["importlinter.cli", "lint"]],
    ids=["lint", "format", "types", "arrows"],
)
def test_tools_are_content(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.e2e
def test_tools_see_the_apps() -> None:
    """In the notebooks they skip what is exported."""
    apps = {path for path in (ROOT / "apps").rglob("*.py") if not {"vendor", ".files"} & set(path.parts)}
    command = [sys.executable, "-m", "ruff", "check", "--show-files", "."]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert apps <= set(map(Path, seen))
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"]
    assert [path for path in apps if not any(path.is_relative_to(ROOT / folder) for folder in folders)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_reads_well(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if is_code(cell) and export.parse(cell.source) is None]  # a file may be longer
    sizes = sorted(len([line for line in cell.source.splitlines() if line.strip()]) for cell in code)
    assert sizes[len(sizes) // 2] <= 6
    assert sizes[-1] <= 20
    assert "you can" in cells[0].source
    assert "What to remember" in cells[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_names_no_place_of_a_machine(path: Path) -> None:
    assert PLACES.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_has_a_description(path: Path) -> None:
    outputs = [output for cell in nbformat.read(path, as_version=4).cells if is_code(cell) for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    assert all(len(output.metadata["image/png"]["alt"]) > 40 for output in pictures)


def is_code(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.cell_type == "code")
