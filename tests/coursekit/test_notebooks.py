"""Each notebook from top to bottom on the live runtime, with its parameters set from outside."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest

pytestmark = pytest.mark.notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CELL_SECONDS = 120
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


# The strict comparison runs each of them too, so that an ordinary run shows one this way.
ONE_AND_LANES = [pytest.param(path, marks=[pytest.mark.lane] if index else []) for index, path in enumerate(NOTEBOOKS)]


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", ONE_AND_LANES, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, served: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every code cell runs and none fails, on the endpoint and the model that it is given.

    What a student may leave out is left out here: Open WebUI is not set up.
    """
    base_url, model = served
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # The kernel is this environment's, and nothing is read from or written to this user's Jupyter.
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    result = tmp_path / path.name
    papermill.execute_notebook(
        str(path),
        str(result),
        parameters={"base_url": base_url, "model": model},
        kernel_name="python3",
        cwd=str(tmp_path),
        execution_timeout=CELL_SECONDS,
        progress_bar=False,
    )
    code = [cell for cell in nbformat.read(result, as_version=4).cells if cell.cell_type == "code"]
    assert code
    assert [cell.source for cell in code if not cell.execution_count] == []
    if path.stem == "06_open_webui":
        said = [cell for cell in code if any("not set up here" in str(output) for output in cell.outputs)]
        assert len(said) > 8
    assert any(base_url in cell.source for cell in code if "injected-parameters" in cell.metadata.tags)
