"""Strict comparison of the notebooks' outputs, and the proof that it notices what it should."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import nbformat
import pytest

from coursekit import open_webui
from coursekit.copies import lessons
from foundry_mock import Behaviour, MockEndpoint
from labkit.chat_view import final
from labkit.events import End, Trace
from tests.support.nbval import nbval

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from labkit.streaming import Answer

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [item.original for item in lessons()]
SHARE = 0.6


def cell(source: str, output: str | None, *tags: str) -> nbformat.NotebookNode:
    """A code cell that has run and printed a text; None: it never ran."""
    made: nbformat.NotebookNode = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})
    if output is not None:
        made.execution_count = 1
        made.outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)] if output else []
    return made


def displayed(source: str, text: str, picture: str = "") -> nbformat.NotebookNode:
    """A code cell that has run and displayed a text, or a picture (base64) with this description."""
    made = cell(source, "")
    data = {"text/plain": text} | ({"image/png": picture} if picture else {})
    made.outputs = [nbformat.v4.new_output("display_data", data=data)]
    return made


def of_notebook_01(before: str, after: str) -> nbformat.NotebookNode:
    """One cell of notebook 01 with a word of its output changed."""
    cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
    found: nbformat.NotebookNode
    [found] = [item for item in cells if item.cell_type == "code" and "normalize_base_url" in item.source]
    assert before in found.outputs[0].text
    found.outputs[0].text = found.outputs[0].text.replace(before, after)
    return found


def long_answer(last: int) -> nbformat.NotebookNode:
    """An answer of 10,000 tokens in a ChatView, which is said to end with a number."""
    text = " ".join(str(number) for number in range(1, last + 1))
    answer = SimpleNamespace(text=text, reasoning="", trace=Trace(ended=End.FINISHED))
    made = cell(LONG, "")
    made.outputs = [
        nbformat.v4.new_output("display_data", data={"text/plain": ""}),
        nbformat.v4.new_output("display_data", data=final("Count to 10000.", cast("Answer", answer))),
    ]
    return made


LONG = """from labkit import ChatView, connect
from foundry_mock import Behaviour, MockEndpoint
mock = MockEndpoint(Behaviour(first_token=0, rate=5000, context=100000)).start()
lab = connect(base_url=mock.base_url, say=lambda _: None)
answer = await ChatView(lab, max_tokens=20000).ask('Count to 10000.')"""
CLEAR = "from IPython.display import clear_output\nprint('a')\nclear_output({})\n"
UPDATE = """from IPython.display import display
shown = display({'text/plain': 'a'}, raw=True, display_id='x')
shown.update({'text/plain': 'b'}, raw=True)"""
FIGURE = "from IPython.display import display\ndisplay({{'text/plain': '{}', 'image/png': 'bmV3'}}, raw=True)"
ADDRESS = "print('http://127.0.0.1:5' + '1234/v1')"
# Each case is a notebook of one cell: its name, the cell, and whether strict nbval is to be content.
CASES: dict[str, tuple[Callable[[], nbformat.NotebookNode], bool]] = {
    "same": (lambda: cell("print(2 + 2)", "4\n"), True),
    "tampered": (lambda: cell("print(2 + 2)", "5\n"), False),
    "raises": (lambda: cell("1 / 0", ""), False),
    "never_run": (lambda: cell("print(4)", None), False),
    "warned": (lambda: cell("import sys; print('beware of ' + 'the dog', file=sys.stderr)", ""), False),
    "real": (lambda: of_notebook_01("example.com", "example.com"), True),
    "real_tampered": (lambda: of_notebook_01("example.com", "example.org"), False),
    "other_port": (lambda: cell(ADDRESS, "http://127.0.0.1:40001/v1\n"), True),
    "other_path": (lambda: cell(ADDRESS, "http://127.0.0.1:40001/v2\n"), False),
    "cleared": (lambda: cell(CLEAR.format("") + "print('b')", "b\n"), True),
    "cleared_late": (lambda: cell(CLEAR.format("wait=True") + "print('b')", "b\n"), True),
    "cleared_for_nothing": (lambda: cell(CLEAR.format("wait=True"), "a\n"), True),
    "not_cleared": (lambda: cell(CLEAR.format("") + "print('b')", "a\nb\n"), False),
    "updated": (lambda: displayed(UPDATE, "b"), True),
    "not_updated": (lambda: displayed(UPDATE, "a"), False),
    "long": (lambda: long_answer(10_000), True),
    "long_but_one": (lambda: long_answer(9_999), False),
    # Of a figure only its description is compared: the picture has a footer with the machine and its load.
    "other_footer": (lambda: displayed(FIGURE.format("two bars"), "two bars", "b2xk"), True),
    "other_description": (lambda: displayed(FIGURE.format("two bars"), "three bars", "b2xk"), False),
    "ignored": (lambda: cell("print(5)", "6\n", "nbval-ignore-output"), True),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """All cases in one run, beside the real conftest and sanitize file."""
    folder = tmp_path_factory.mktemp("nbval")
    for name in ("conftest.py", "sanitize.cfg"):
        shutil.copy(ROOT / "notebooks" / name, folder)
    for name, (make, _) in CASES.items():
        nbformat.write(nbformat.v4.new_notebook(cells=[make()]), folder / f"{name}.ipynb")
    return nbval(folder, base_url="")


@pytest.mark.live
@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_on_the_live_runtime(path: Path, served: tuple[str, str], own_cache: Path) -> None:
    if path.stem == "06_open_webui":
        open_webui.install(own_cache, open_webui.SLIM)
    done = nbval(ROOT / "notebooks", base_url=served[0], name=path.name)
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout[-6000:]
    assert done.stdout.count("cells with output are compared") == 1


# The others bring endpoints of their own, so that another BASE_URL changes little in them.
@pytest.mark.live  # the tour of the SDK in notebook 01 runs the runtime in its kernel in any case
@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", [NOTEBOOKS[0], NOTEBOOKS[1], NOTEBOOKS[3]], ids=lambda path: path.stem)
def test_notebook_on_the_mock(path: Path) -> None:
    with MockEndpoint(Behaviour(first_token=0.02, rate=500)) as mock:
        done = nbval(ROOT / "notebooks", base_url=mock.base_url, name=path.name)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_most_output_is_compared(path: Path) -> None:
    cells = [item for item in nbformat.read(path, as_version=4).cells if item.cell_type == "code" and item.outputs]
    compared = [item for item in cells if "nbval-ignore-output" not in item.metadata.get("tags", [])]
    assert len(compared) >= SHARE * len(cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_code_cell_was_run_in_order(path: Path) -> None:
    cells = [item for item in nbformat.read(path, as_version=4).cells if item.cell_type == "code"]
    assert [item.execution_count for item in cells] == list(range(1, len(cells) + 1))
    assert not [output for item in cells for output in item.outputs if output.output_type == "error"]


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_strict_comparison(name: str, judged: subprocess.CompletedProcess[str]) -> None:
    """Content with what may vary, and not with what may not."""
    failed = re.search(rf"^(FAILED|ERROR) {name}\.ipynb::", judged.stdout, re.MULTILINE)
    assert bool(failed) is not CASES[name][1], judged.stdout[-3000:]


@pytest.mark.e2e
def test_each_failure_says_why(judged: subprocess.CompletedProcess[str]) -> None:
    assert "Cell outputs differ" in judged.stdout
    assert "this cell was never executed" in judged.stdout
    assert "stderr: beware of the dog" in judged.stdout
    assert "ZeroDivisionError" in judged.stdout
    assert "plugin exception" not in judged.stdout


@pytest.mark.e2e
def test_the_share_counts_each_cell_once(judged: subprocess.CompletedProcess[str]) -> None:
    assert "same.ipynb: 1 of 1 cells with output are compared (100%)" in judged.stdout
    assert "ignored.ipynb: 0 of 1 cells with output are compared (0%)" in judged.stdout
