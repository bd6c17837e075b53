"""`%load_ext coursekit.magics`: a cell `%%export PATH` is tried in the notebook; it writes nothing.

A .py cell runs like any other, and what it defines can then be imported as the app imports it. The functions
stay the notebook's own: they look up names there, not in the module. A block `if __name__ == "__main__"` is for
the file alone and does not run here.
"""

from __future__ import annotations

import ast
import dis
import importlib
import sys
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
    # IPython does not await a magic, so the first line of a Python cell becomes a comment, and the cell runs as usual.
    ipython.input_transformers_cleanup.append(_as_python)
    ipython.events.register("post_run_cell", publish)


def _as_python(lines: list[str]) -> list[str]:
    """Turn the first line of a Python cell into a comment; the magic reports a cell with a mistake."""
    cell = parse("".join(lines))
    if cell and cell[0].endswith(".py") and not _mistake(*cell):
        return [f"# {lines[0]}", *_without_main(lines[1:])]
    return lines


def _without_main(lines: list[str]) -> list[str]:
    """The lines of a module without its main block; empty lines take its place, so that line numbers stay."""
    try:
        body = ast.parse("".join(lines)).body
    except SyntaxError:
        return lines  # Python itself shows the error
    for part in body:
        if isinstance(part, ast.If) and ast.unparse(part.test) == "__name__ == '__main__'":
            count = (part.end_lineno or part.lineno) - part.lineno + 1
            lines = [*lines[: part.lineno - 1], *["\n"] * count, *lines[part.lineno - 1 + count :]]
    return lines


@no_var_expand
def _show(line: str, text: str) -> None:
    """Print which file a cell is that is not Python, or raise an error that says what is wrong with the cell."""
    path, _ = parse(f"%%export {line}\n{text}") or ("", "")
    mistake = _mistake(path, text)
    if mistake:
        raise mistake
    count = len(text.strip().splitlines())
    print(f"{path} ({count} line{'s' * (count != 1)}): the app has this file already")


def _mistake(path: str, text: str) -> ExportError | None:
    """The mistake in a cell: a wrong path, or no text."""
    problem = fault(path, text)
    return ExportError(problem.message, fix=problem.fix) if problem else None


def _module_name(path: str) -> str | None:
    """The name that imports a file, such as apps.chat.guard; None for a file that no other file imports."""
    parts = path.removesuffix(".py").split("/")
    if not path.endswith(".py") or parts[-1].startswith("__") or not all(map(str.isidentifier, parts)):
        return None
    return ".".join(parts)


def _import_package(name: str) -> ModuleType:
    """The package that holds a module: from the disk, or an empty one where a cell is the first file of its folder."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = []
        return package


def _publish(names: dict[str, Any], source: str, transformed: str) -> None:
    """Make what a cell has defined importable as the module that its file is."""
    path = (parse(source) or ("", ""))[0]
    name = _module_name(path)
    if name is None:
        return
    module = sys.modules.get(name)
    if module is None or MARK not in vars(module):
        module = sys.modules[name] = ModuleType(name)
        setattr(module, MARK, path)
        package, _, own = name.rpartition(".")
        setattr(_import_package(package), own, module)
    code = compile(transformed, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME" and step.argval in names:
            setattr(module, step.argval, names[step.argval])
