"""%%export in a notebook: a cell runs like any other, and its names can be imported."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from nbformat import v4
from traitlets.config import Config

from coursekit import magics
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = "[name for name in vars(x1) if not name.startswith('__')]"
COLOURS = re.compile(r"\x1b\[[\d;]*m")
GUARD = """%%export apps/chat/guard.py
class Guard:
    limit = 3


def make() -> Guard:
    return Guard()


LIMIT, _private = 5, 6
make().limit + LIMIT"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython in this process, with the extension loaded and nothing left behind afterwards."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    before = dict(sys.modules)
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        run(made, "%load_ext coursekit.magics")
        yield made
    finally:
        InteractiveShell.clear_instance()
        for name, module in list(sys.modules.items()):
            package, _, own = name.rpartition(".")
            if magics.MARK in vars(module):
                del sys.modules[name]
                delattr(sys.modules[package], own)
            if name in before and before[name] is not module:  # another test has imported the app's own module
                sys.modules[name] = before[name]
                if package:
                    setattr(sys.modules[package], own, before[name])


def run(shell: InteractiveShell, source: str) -> object:
    """Run a cell that must succeed; gives its last expression."""
    result = shell.run_cell(source, store_history=True)
    result.raise_error()
    return result.result


def fail(shell: InteractiveShell, source: str) -> tuple[str, BaseException]:
    """Run a cell that must fail; gives what is shown, without colours, and the error."""
    shell.run_line_magic("colors", "nocolor")
    with capture_output() as shown:
        result = shell.run_cell(source)
    error = result.error_before_exec or result.error_in_exec
    assert error is not None
    return shown.stdout + shown.stderr, error


def test_what_is_for_the_program_alone_does_not_run(shell: InteractiveShell) -> None:
    """A cell's own main block; and the lines after it keep their numbers."""
    block = "if __name__ == '__main__':\n    ran.append(1)\n    ran.append(2)"
    source = f"%%export apps/chat/guard.py\nran = []\n{block}\nlast = 3"
    run(shell, source)
    assert run(shell, "ran, last") == ([], 3)
    _, error = fail(shell, f"{source}\n1 / 0")
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_next is not None
    assert error.__traceback__.tb_next.tb_lineno == 7


def test_cell_runs_and_can_be_imported(shell: InteractiveShell) -> None:
    """Its names are the notebook's and the module's; the module has no others."""
    run(shell, "other = 1")
    assert run(shell, GUARD) == 8
    assert run(shell, "LIMIT") == 5
    assert (
        run(shell, "from apps.chat.guard import Guard as Same, make\nSame is Guard and isinstance(make(), Same)")
        is True
    )
    names = {name for name in vars(sys.modules["apps.chat.guard"]) if not name.startswith("__")}
    assert names == {"Guard", "make", "LIMIT", "_private"}


def test_parts_make_one_module(shell: InteractiveShell) -> None:
    """A later part adds to it, uses the earlier one, and a cell that runs again renews its names in it."""
    run(shell, GUARD)
    run(shell, "from apps.chat import guard")
    run(shell, "%%export apps/chat/guard.py\nimport re as regex\n\nfor each in [LIMIT]:\n    total = each + 1")
    assert run(shell, "guard.LIMIT, guard.total, guard.each, guard.regex.__name__") == (5, 6, 5, "re")
    run(shell, "%%export apps/chat/guard.py\nLIMIT = 7")
    assert run(shell, "from apps.chat.guard import LIMIT\nLIMIT, guard.total") == (7, 6)


def test_error_has_its_traceback_and_line(shell: InteractiveShell) -> None:
    """Lines are counted as in the cell; what failed is not importable."""
    shown, error = fail(shell, "%%export apps/x3.py\nx = 1\nx / 0\n")
    assert isinstance(error, ZeroDivisionError)
    assert "----> 3 x / 0" in shown
    assert "apps.x3" not in sys.modules
    shown, error = fail(shell, "%%export apps/x3.py\nx = 1\nx = = 2\n")
    assert isinstance(error, SyntaxError)
    assert error.lineno == 3


def test_output_is_displayed_as_usual(shell: InteractiveShell) -> None:
    """The last expression, and not when a semicolon ends it."""
    with capture_output() as shown:
        run(shell, "%%export apps/x4.py\nprint('said')\n1 + 1")
        run(shell, "%%export apps/x4.py\n3 + 4;")
    assert shown.stdout.splitlines()[0] == "said"
    assert shown.stdout.endswith("2\n")


@pytest.mark.parametrize(
    ("cell", "expression", "value"),
    [
        ("apps/x2.py\nimport asyncio\nvalue = await asyncio.sleep(0, 4)", "x2.value", 4),
        ("apps/x5.py\nfrom __future__ import annotations\n\n\ndef f(x: Unknown) -> int:\n    return 5", "x5.f(0)", 5),
        # what is not made by the cell is not in its module: another cell's name, a caught exception, a local name
        (
            "apps/x1.py\nprint(used)\ntry:\n    1 / 0\nexcept Exception as gone:\n    pass\ndef f(): local = 1",
            NAMES,
            ["f"],
        ),
    ],
    ids=["await", "future", "names"],
)
def test_a_cell_is_a_module(shell: InteractiveShell, cell: str, expression: str, value: object) -> None:
    run(shell, "used = 1")
    run(shell, f"%%export {cell}")
    assert run(shell, f"from apps import {cell[5:7]}\n{expression}") == value


def test_files_of_one_name_in_two_folders(shell: InteractiveShell) -> None:
    """Each is a module of its own, also in a folder that has no file on the disk."""
    run(shell, "%%export apps/chat/x7.py\na = 1")
    run(shell, "%%export apps/web/x7.py\nb = 2")
    assert run(shell, "from apps.chat import x7\nfrom apps.web import x7 as other\nx7.a, other.b") == (1, 2)


def test_file_that_is_no_module_just_runs(shell: InteractiveShell) -> None:
    """__main__ is the notebook itself."""
    main = sys.modules["__main__"]
    run(shell, "%%export apps/chat/__main__.py\na = 1")
    run(shell, "%%export apps/chat/__init__.py\na = 2")
    run(shell, "%%export apps/chat/two-words.py\na = 3")
    assert sys.modules["__main__"] is main
    assert not {"apps.chat.__init__", "apps.chat.two-words"} & set(sys.modules)


def test_a_cell_comes_before_the_file_on_the_disk(shell: InteractiveShell) -> None:
    """Whether that was imported before or not; an installed module of the same name is another one."""
    run(shell, "import apps.chat.history")
    on_disk = sys.modules["apps.chat.history"], sys.modules["json"]
    try:
        run(shell, "%%export apps/chat/history.py\nanswer = 2")
        run(shell, "%%export apps/chat/json.py\nanswer = 3")
        assert run(shell, "from apps.chat import history, json\nhistory.answer, json.answer") == (2, 3)
        assert sys.modules["json"] is on_disk[1]
        assert not hasattr(on_disk[0], "answer")
    finally:
        sys.modules["apps.chat.history"] = on_disk[0]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%export\nran = 1", "WorkbookError: %%export names no file. Fix: "),
        ("%%export guard.py\nran = 1", "WorkbookError: guard.py is outside apps/. Fix: "),
        ("%%export apps/chat/\nran = 1", "WorkbookError: apps/chat/ is a folder. Fix: "),
        ("%%export guard.css\nran = 1", "WorkbookError: guard.css is outside apps/. Fix: "),
        ("%%export apps/x.py\n  \n", "WorkbookError: the part of apps/x.py is empty. Fix: "),
        ("%%export apps/x.css\n  \n", "WorkbookError: the part of apps/x.css is empty. Fix: "),
        ("%%export apps/x.py", "UsageError: "),  # this one is IPython's own
    ],
)
def test_mistake_is_one_line(shell: InteractiveShell, cell: str, said: str) -> None:
    """Nothing runs, and there is no traceback."""
    shown, _ = fail(shell, cell)
    assert shown.startswith(said)
    assert len(shown.strip().splitlines()) == 1
    assert "ran" not in shell.user_ns


@pytest.mark.parametrize("path", ["apps/chat/theme.css", "apps/chat/Dockerfile", "apps/{red}/theme.css"])
def test_other_kinds_are_named(shell: InteractiveShell, path: str) -> None:
    """Their text stands in the cell already; they are no modules."""
    run(shell, "red = 1")
    with capture_output() as shown:
        run(shell, f"%%export {path}\n.a {{ color: {{red}}; }}\n.b {{}}\n")
    assert shown.stdout == f"{path} (2 lines): the app has this file already\n"
    assert not shown.outputs
    assert not [name for name, module in sys.modules.items() if magics.MARK in vars(module)]


def test_extension_may_be_loaded_again(shell: InteractiveShell) -> None:
    run(shell, "%reload_ext coursekit.magics")
    assert run(shell, GUARD) == 8
    assert run(shell, "from apps.chat.guard import LIMIT\nLIMIT") == 5


def test_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it once in what a student uses, where an event loop is running already."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    sources = [
        "%load_ext coursekit.magics",
        GUARD,
        "%%export apps/chat/guard.py\nimport asyncio\n\nslept = await asyncio.sleep(0.01, 'slept')\nslept",
        "import asyncio\nfrom apps.chat import guard\n\nawait asyncio.sleep(0.01, (guard.make().limit, guard.slept))",
        "%%export apps/chat/theme.css\n.a {}",
        "%%export apps/chat/late.py\nlate = 1\nlate / 0",
        "%%export apps/chat/late.py\nawait asyncio.sleep(0)\nlate / 0",
        "%%export late.py\nlate = 1",
        "import late",
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])
    (tmp_path / "here").mkdir()
    resources = {"metadata": {"path": str(tmp_path / "here")}}
    NotebookClient(notebook, timeout=60, allow_errors=True, kernel_name="python3", resources=resources).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert outputs[0] == []
    assert [output[0].data["text/plain"] for output in outputs[1:4]] == ["8", "'slept'", "(3, 'slept')"]
    assert outputs[4][0].text.startswith("apps/chat/theme.css (1 line)")
    for output in outputs[5:7]:
        assert output[0].ename == "ZeroDivisionError"
        assert re.search(r"-+> 3\b", COLOURS.sub("", "\n".join(output[0].traceback)))
    assert outputs[7][0].traceback == [f"WorkbookError: {outputs[7][0].evalue}"]
    assert outputs[8][0].ename == "ModuleNotFoundError"
    assert list((tmp_path / "here").iterdir()) == []
