"""The built wheel in an empty environment: it imports, shows its names, connects, streams, and says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from foundry_mock import MockEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
USE = """
import sys, labkit
loaded = {"openai", "numpy", "matplotlib", "foundry_local_sdk"} & set(sys.modules)
assert not loaded, loaded
assert set(labkit.__all__) <= set(dir(labkit))
with labkit.connect(say=lambda _: None) as lab:
    print("".join(event.text for event in labkit.stream_sync(lab, "Count to 3.")))
"""
LACKING = """
import labkit
for what in ("labkit.Router", "labkit.plots"):
    try:
        exec(f"import {what}" if what == "labkit.plots" else what)
    except ImportError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run Python code where nothing but the wheel and what it asks for is installed."""
    place = tmp_path_factory.mktemp("wheel")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    python = place / "empty" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def call(*command: str | Path, **variables: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            command, cwd=place, env=kept | variables, capture_output=True, text=True, timeout=500, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    call(*uv, "build", "--wheel", "--out-dir", place, ROOT)
    [wheel] = place.glob("labkit-*.whl")
    call(*uv, "venv", "--python", sys.executable, place / "empty")
    call(*uv, "pip", "install", "--python", python, wheel)
    return lambda code, **variables: call(python, "-c", code, **variables)


def test_it_connects_to_the_endpoint_in_base_url_and_streams(run: Callable[..., str]) -> None:
    with MockEndpoint() as mock:
        assert run(USE, BASE_URL=mock.base_url) == "1 2 3\n"


def test_what_needs_an_extra_names_it(run: Callable[..., str]) -> None:
    said = run(LACKING).splitlines()
    assert [line.partition(" needs ")[0] for line in said] == ["labkit.Router", "labkit.plots"]
    assert all('pip install "labkit[' in line for line in said)


def test_its_types_are_marked(run: Callable[..., str]) -> None:
    code = "import labkit, pathlib; print((pathlib.Path(labkit.__file__).parent / 'py.typed').exists())"
    assert run(code) == "True\n"
