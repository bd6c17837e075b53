"""`%load_ext coursekit.magics`: a cell `%%export PATH` is tried in the notebook; it writes nothing.

A .py cell runs like any other, and what it defines can then be imported as the app imports it. The functions
stay the notebook's own: they look up names there, not in the module. A block `if __name__ == "__main__"` is for
the file alone and does not run here.
"""

from __future__ import annotations

import ast
import dis
import importlib.util
import sys
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand

from coursekit.errors import WorkbookError
from coursekit.export import fault, parse

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

MARK = "__exported_as__"


class ExportError(WorkbookError):
    """A cell %%export that cannot be one; shown in one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"WorkbookError: {self}"]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Make %%export known to a notebook."""

    def publish(result: ExecutionResult | None) -> None:
        if result is not None and result.info is not None and result.success:
            _publish(ipython.user_ns, result.info.raw_cell, result.info.transformed_cell)

    ipython.magics_manager.register_function(_show, "cell", "export")
    # A magic is not awaited, so a Python cell is none: its first line becomes a comment, and it runs like any other.
    ipython.input_transformers_cleanup.append(_as_python)
    ipython.events.register("post_run_cell", publish)


def _as_python(lines: list[str]) -> list[str]:
    """Turn the first line of a Python cell into a comment; a cell with a mistake goes on to the magic, which tells."""
    cell = parse("".join(lines))
    if cell and cell[0].endswith(".py") and not _mistake(*cell):
        return [f"# {lines[0]}", *_without_main(lines[1:])]
    return lines


def _without_main(lines: list[str]) -> list[str]:
    """The lines of a module, those that only run where it is the program left empty; their numbers stay."""
    try:
        body = ast.parse("".join(lines)).body
    except SyntaxError:
        return lines  # of which Python itself tells
    for part in body:
        if isinstance(part, ast.If) and ast.unparse(part.test) == "__name__ == '__main__'":
            count = (part.end_lineno or part.lineno) - part.lineno + 1
            lines = [*lines[: part.lineno - 1], *["\n"] * count, *lines[part.lineno - 1 + count :]]
    return lines


@no_var_expand
def _show(line: str, text: str) -> None:
    """Say which file a cell is that is not Python, its text being above already; or what is wrong with the cell."""
    path, _ = parse(f"%%export {line}\n{text}") or ("", "")
    mistake = _mistake(path, text)
    if mistake:
        raise mistake
    count = len(text.strip().splitlines())
    print(f"{path} ({count} line{'s' * (count != 1)}): the app has this file already")


def _mistake(path: str, text: str) -> ExportError | None:
    """What is wrong with a cell: its path, its emptiness, or a module of another that it would hide."""
    problem = fault(path, text)
    if problem:
        return ExportError(problem.message, fix=problem.fix)
    name = PurePosixPath(path).stem
    if path.endswith(".py") and _importable(name) and _taken(name, path):
        fix = f"give the file another name, for example {PurePosixPath(path).with_stem(f'my_{name}')}"
        return ExportError(f"{path} would hide the module {name!r}, which is installed here", fix=fix)
    return None


def _importable(name: str) -> bool:
    """Whether a file of this name is a module that another imports, which __init__.py and __main__.py are not."""
    return name.isidentifier() and not name.startswith("__")


def _taken(name: str, path: str) -> bool:
    """Whether a module of this name exists that is neither from a cell nor the exported file itself."""
    module = sys.modules.get(name)
    if module is not None and MARK in vars(module):
        return False
    if module is not None:
        return not Path(getattr(module, "__file__", None) or "").as_posix().endswith(f"/{path}")
    spec = importlib.util.find_spec(name)
    return spec is not None and not Path(spec.origin or "").as_posix().endswith(f"/{path}")


def _publish(names: dict[str, Any], source: str, transformed: str) -> None:
    """Make what a cell has defined importable as a module with the name of its file."""
    path = (parse(source) or ("", ""))[0]
    name = PurePosixPath(path).stem
    if not path.endswith(".py") or not _importable(name):
        return
    module = sys.modules.get(name)
    if module is None or vars(module).get(MARK) != path:  # the file of another app may have the same name
        module = sys.modules[name] = ModuleType(name)
        setattr(module, MARK, path)
    code = compile(transformed, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME" and step.argval in names:
            setattr(module, step.argval, names[step.argval])
