"""ruff and mypy over everything, notebooks included; names and sentences that must not be committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from labkit.workbook import export

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
# A home, a temporary folder or a drive of one machine.
PLACES = re.compile(r"(/home/|/Users/|/root/|/tmp/|C:\\\\Users)[\w.-]+")


@pytest.mark.lane
@pytest.mark.parametrize(
    "arguments", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=["lint", "format", "types"]
)
def test_tools_are_content(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.lane
def test_tools_see_the_apps() -> None:
    """In the notebooks they skip what is exported."""
    apps = {path for path in (ROOT / "apps").rglob("*.py") if not {"vendor", ".files"} & set(path.parts)}
    command = [sys.executable, "-m", "ruff", "check", "--show-files", "."]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert apps <= set(map(Path, seen))
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"]
    assert [path for path in apps if not any(path.is_relative_to(ROOT / folder) for folder in folders)] == []


def layers() -> dict[str, int]:
    """The rows of the table in CONTRIBUTING.md: a module or a folder, and its place from above."""
    rows = re.findall(r"^\| (`labkit/.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = [(name, place) for place, row in enumerate(rows) for name in re.findall(r"`([^`]+)`", row)]
    return {f"labkit/{name.removeprefix('labkit/')}": place for name, place in named}


LAYERS = layers()
# These two stand for the whole package.
MODULES = [
    path for path in sorted((ROOT / "labkit").rglob("*.py")) if path.parent.name != "labkit" or "__" not in path.name
]


def layer(path: Path) -> int:
    """The row of a module: its own, or that of the nearest folder that has one."""
    name = path.relative_to(ROOT).as_posix()
    places = [name, *(f"{folder.as_posix()}/" for folder in Path(name).parents)]
    return next(LAYERS[place] for place in places if place in LAYERS)


def imported(path: Path) -> set[Path]:
    """The modules of the package that a module imports when it runs, at its top or later."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    checked = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    typing = {id(node) for each in checked for node in ast.walk(each)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typing and (node.module or "").startswith("labkit"):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                place = ROOT / str(name).replace(".", "/")
                found |= {each for each in (place.with_suffix(".py"), place / "__init__.py") if each in MODULES}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_below_imports_from_above(path: Path) -> None:
    assert [other.name for other in imported(path) if layer(other) > layer(path)] == []


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
