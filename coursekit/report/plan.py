"""From the options of a report to its jobs: which notebooks, with which parameters, on which endpoint and model."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
from ast import literal_eval
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from coursekit.copies import ROOT, lesson, lessons
from coursekit.errors import WorkbookError
from coursekit.report.job import Job, RunLimits
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coursekit.report.class_list import Row
    from labkit.connection import Connection

    Connect = Callable[[str | None, str | None], Connection]  # from model and endpoint

TYPES = {"bool": bool, "int": int, "float": float, "str": str}


def find_notebooks(names: Sequence[str], root: Path = ROOT) -> list[Path]:
    """The notebooks with these numbers, names or paths; all lessons for none. Raises WorkbookError."""
    return [_find_notebook(name, root) for name in names] or [item.original for item in lessons(root)]


def _find_notebook(name: str, root: Path) -> Path:
    if name.isdigit():
        return lesson(name, root).original
    known = {each: item.original for item in lessons(root) for each in (item.original.name, item.original.stem)}
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    if name in known:
        return known[name]
    numbers = ", ".join(item.number for item in lessons(root))
    raise WorkbookError(f"There is no notebook {name}", fix=f"choose one of {numbers}, or give the path of an .ipynb")


@functools.cache
def read_parameters(notebook: Path) -> dict[str, str]:
    """The names in the cell tagged `parameters`, with their types, as papermill reads them. Raises WorkbookError.

    Not with papermill.inspect_notebook: that refuses a notebook without a kernel's name, as other editors save it.
    """
    import nbformat
    from papermill.translators import papermill_translators

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of each line that it cannot parse
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # the file may contain anything
        fix = "open it in JupyterLab and save it again"
        raise WorkbookError(f"{notebook.name} is not a notebook ({error})", fix=fix) from error
    translator = papermill_translators.find_translator("python3", "python")
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])][:1]
    return {each.name: each.inferred_type_name for cell in tagged for each in translator.inspect(cell)}


def convert_parameters(notebooks: Sequence[Path], given: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """For each notebook the values of the parameters that it declares, converted to their types.

    Raises WorkbookError for a name that no notebook declares, and for a value of a wrong type.
    """
    declared = {path: read_parameters(path) for path in notebooks}
    known = sorted({name for names in declared.values() for name in names})
    for name in given:
        if name not in known:
            fix = f"choose one of {', '.join(known)}" if known else "leave it out"
            raise WorkbookError(f"No notebook that is to run has a parameter {name!r}", fix=fix)
    return {
        path: {name: _convert(name, value, names[name]) for name, value in given.items() if name in names}
        for path, names in declared.items()
    }


def parse_parameters(pairs: Sequence[str]) -> dict[str, str]:
    """Read `name=value` pairs. Raises WorkbookError."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise WorkbookError(f"{pair!r} is not a parameter", fix="write it as name=value, for example -p seed=7")
        found[name] = value
    return found


def _convert(name: str, value: Any, kind: str) -> Any:
    """A value as its declared type: text from the command line or CSV is parsed, a value from YAML must fit."""
    from pydantic import JsonValue, TypeAdapter, ValidationError

    if kind not in TYPES and isinstance(value, str):  # no declared type: a JSON-like value of Python, or the text
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return json.loads(json.dumps(literal_eval(value)))
    adapter: TypeAdapter[Any] = TypeAdapter(TYPES.get(kind, JsonValue))
    try:
        if isinstance(value, str):
            return adapter.validate_strings(value)
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        expected = f"of type {kind}" if kind in TYPES else "a JSON value"
        message = f"Parameter {name!r} is {value!r}, which is not {expected}"
        raise WorkbookError(message, fix="give another value") from error


def plan_jobs(
    rows: Sequence[Row], notebooks: Sequence[Path], given: Mapping[str, Any], connect: Connect, limits: RunLimits
) -> list[Job]:
    """The jobs for some rows: the student's own copy of each notebook, or the course's for a row without a folder.

    Parameters are looked up in the course's notebook of the same name, since a student's copy may contain anything.
    Raises WorkbookError, with the row, for a parameter or a notebook that does not exist, and for a student's endpoint
    with a password in its address; and what `connect` raises.
    """
    jobs = []
    for row in rows:
        try:
            chosen = [_notebook_of_row(row.notebook, notebooks)] if row.notebook else list(notebooks)
            values = convert_parameters(chosen, {**given, **row.parameters})
            lab = connect(row.model, row.endpoint)
            if row.folder:
                _refuse_password(lab.base_url)
        except WorkbookError as error:
            where = f"{row.where}: " if row.where else ""
            raise WorkbookError(f"{where}{error.message}", fix=error.fix) from error
        jobs += [
            Job(
                str(row.folder / path.name if row.folder else path),
                lab.base_url,
                lab.model,
                lab.source,
                student=row.student,
                folder=str(row.folder or ""),
                parameters=_endpoint_parameters(read_parameters(path), lab) | values[path],
                limits=limits,
                trusted=row.folder is None,
            )
            for path in chosen
        ]
    return jobs


def _refuse_password(base_url: str) -> None:
    """Raise WorkbookError for an address that may contain a secret: students' code can read BASE_URL."""
    if shown(base_url) != str(httpx2.URL(base_url)):  # both normalized: the text itself may be spelled otherwise
        raise WorkbookError(
            f"The address {shown(base_url)} contains a password or a query, which the students' code could read",
            fix="put a proxy in between that adds it, and give the proxy's address",
        )


def _notebook_of_row(name: str, notebooks: Sequence[Path]) -> Path:
    """A notebook of the report or the course by its number or name; a list from elsewhere cannot give a path."""
    chosen = {each: path for path in notebooks for each in (path.name, path.stem)}
    if name in chosen:
        return chosen[name]
    if Path(name).name != name:
        raise WorkbookError(f"{name} is a path", fix="give a notebook's number or name")
    return _find_notebook(Path(name).stem, ROOT)


def _endpoint_parameters(declared: Mapping[str, str], lab: Connection) -> dict[str, Any]:
    """The endpoint as parameters, where a notebook declares them; the variables BASE_URL and MODEL are always set."""
    values = {"model": lab.model}
    if shown(lab.base_url) == lab.base_url:  # the pages show parameters, so not one with a password
        values["base_url"] = lab.base_url
    return {name: value for name, value in values.items() if name in declared}


def file_name(job: Job, number: int) -> str:
    """A file name for a job's page and notebook, safe in every file system and in a link."""
    words = "-".join(filter(None, [job.student, job.name, job.model.partition(":")[0]]))
    return f"{number:03d}-{re.sub(r'[^A-Za-z0-9._-]+', '_', words)[:100]}"
