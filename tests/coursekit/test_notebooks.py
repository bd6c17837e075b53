"""What every notebook declares. Strict nbval and the walk of the report run them from top to bottom."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PARAMETERS = {"model": "str", "base_url": "str", "seed": "int"}


def test_there_are_notebooks() -> None:
    """An empty folder would otherwise pass everything below."""
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_declared(path: Path) -> None:
    """One tagged cell declares the three parameters, each with its type and a word of help."""
    tagged = [cell for cell in nbformat.read(path, as_version=4).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    declared = papermill.inspect_notebook(str(path))
    assert PARAMETERS.items() <= {name: item["inferred_type_name"] for name, item in declared.items()}.items()
    assert all(declared[name]["help"] for name in PARAMETERS)
