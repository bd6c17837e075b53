"""ruff, mypy and typos over everything, notebooks included; names and sentences that must not be committed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from coursekit import export
from tests.conftest import ROOT
from tests.support.places import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("labkit", "foundry_mock", "coursekit", "apps", "benchmarks", "training", "notebooks/solutions")
# A poem for the mock to recite; words of other applications.
QUOTED = (ROOT / "foundry_mock/scripts.py", ROOT / "coursekit/capstone/rules.py")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
AVOID: dict[str, str] = tomllib.loads((ROOT / "tests/data/plain_english.toml").read_text(encoding="utf-8"))["instead"]


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
def test_spelling() -> None:
    """By typos, which is a program, not a module of Python; `[tool.typos]` in pyproject.toml says where it looks."""
    typos = Path(sys.executable).with_name("typos")
    done = subprocess.run([typos, "--format", "brief"], cwd=ROOT, capture_output=True, text=True, check=False)
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


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in (
            *NOTEBOOKS,
            *(ROOT / "notebooks/glossary.md", ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
            ROOT / "coursekit/guesses.toml",
            *(path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))),
        )
        if path not in QUOTED
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_english_is_plain(path: Path) -> None:
    found = [f"{why}: {words}" for text in prose(path) for words, why in not_plain(text)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "The names that stand in it.",
        "Ask.\nWho comes first waits.",
        "- What it costs is time.",
        "It fell. Nor did it\nfall back.",
        "A port that\nis no number.",
    ],
)
def test_what_is_not_plain(text: str) -> None:
    assert not_plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "We understand it.",
        "Who answers?",
        "## What to remember",
        "There is no model.",
        "| What |",
        "It is no longer here.",
    ],
)
def test_what_is_plain(text: str) -> None:
    assert not_plain(text) == []


def prose(path: Path) -> Iterator[str]:
    """What a reader reads: all cells, all of a module, Markdown without its code, English without Swedish."""
    if path.suffix == ".ipynb":
        texts = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    else:
        texts = [path.read_text(encoding="utf-8")]
    for text in texts:
        if path.name == "glossary.md":
            text = re.sub(r"^(\|[^|]*\|)[^|]*", r"\1", text, flags=re.MULTILINE)
        yield re.sub(r"```.*?```|`[^`\n]*`", "`code`", text, flags=re.DOTALL)


def not_plain(text: str) -> list[tuple[str, str]]:
    """The words of a text that the table avoids, with what to write instead."""
    text = re.sub(r"\n(?=\w)", " ", text)  # a line that was wrapped
    return [
        (" ".join(text[max(0, found.start() - 30) : found.end() + 30].split()), instead)
        for pattern, instead in AVOID.items()
        for found in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE)
    ]


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
