"""From the options of a report to its jobs: which notebooks, with which parameters, on which endpoint and model.

The list of a class is YAML or CSV: student, folder, notebook, parameters, model, endpoint. In CSV the first line names
the columns; a parameter has its own column, `parameters.seed`. YAML is a list of mappings, where `parameters` is a
mapping. A mistake is reported with its line before anything runs.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import logging
import re
from ast import literal_eval
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import yaml

from coursekit.copies import lesson, lessons
from coursekit.errors import WorkbookError
from coursekit.report.job import Job, RunLimits
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from labkit.connection import Connection

    Connect = Callable[[str | None, str | None], Connection]  # from model and endpoint

COLUMNS = ("student", "folder", "notebook", "parameters", "model", "endpoint")
PREFIX = "parameters."
TYPES = {"bool": bool, "int": int, "float": float, "str": str}


@dataclass(frozen=True)
class Row:
    """One row; `where` is its place in the list, for messages. Without a list it is empty."""

    where: str = ""
    student: str = ""
    folder: Path | None = None
    notebook: str | None = None
    model: str | None = None
    endpoint: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def read_class(path: Path) -> list[Row]:
    """The rows of a list. Raises WorkbookError for a file that cannot be read, and for the first wrong row."""
    parse = {".csv": _parse_csv, ".yaml": _parse_yaml, ".yml": _parse_yaml}.get(path.suffix.lower())
    if parse is None:
        raise WorkbookError(f"{path.name} is neither YAML nor CSV", fix="name it .yaml or .csv")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkbookError(f"{path} cannot be read ({error})", fix="check the name; save the file as UTF-8") from error
    rows: dict[str, Row] = {}
    for where, values in parse(text, path.name):
        with _located(where):
            row = _row(where, values, path.resolve().parent)
            same = rows.setdefault(str(replace(row, where="")), row)
            if same is not row:
                raise WorkbookError(f"It is the same as {same.where}", fix="remove one of them")
    if not rows:
        raise WorkbookError(f"{path.name} has no rows", fix="write a row for each student")
    return list(rows.values())


@contextlib.contextmanager
def _located(where: str) -> Iterator[None]:
    """Put the place in the list before the message of an error."""
    try:
        yield
    except WorkbookError as error:
        raise WorkbookError(f"{where}: {error.message}" if where else error.message, fix=error.fix) from error


def _parse_csv(text: str, file: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    # newline="" leaves line ends to csv: str.splitlines would also split at U+2028, for example.
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    try:
        for values in reader:
            where = f"{file}, line {reader.line_num}"
            if "" in values:
                raise WorkbookError(f"{where}: There are more values than names in line 1", fix="check its commas")
            found: dict[str, Any] = {name.strip(): (value or "").strip() for name, value in values.items()}
            parameters = {name: found.pop(name) for name in list(found) if name.startswith(PREFIX)}
            found["parameters"] = {name.removeprefix(PREFIX): value for name, value in parameters.items() if value}
            yield where, found
    except csv.Error as error:
        raise WorkbookError(f"{file}, line {reader.line_num} is not CSV ({error})", fix="check its quotes") from error


def _parse_yaml(text: str, file: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    fix = "write a list: - student: ..., folder: ..."
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise WorkbookError(f"{file} is not YAML ({error})", fix=fix) from error
    if not isinstance(values, list) or not isinstance(node, yaml.SequenceNode):
        raise WorkbookError(f"{file} is not a list", fix=fix)
    for each, part in zip(values, node.value, strict=True):
        where = f"{file}, line {part.start_mark.line + 1}"
        if not isinstance(each, dict):
            raise WorkbookError(f"{where}: This is not a mapping", fix=fix)
        yield where, each


def _row(where: str, values: dict[Any, Any], home: Path) -> Row:
    parameters = values.pop("parameters", None) or {}
    if not isinstance(parameters, dict):
        raise WorkbookError("parameters is not a mapping of names to values", fix="write name: value")
    text: dict[str, Any] = {}
    for name, value in values.items():
        if name not in COLUMNS:
            fix = f"the columns are {', '.join(COLUMNS)} (in CSV {PREFIX}NAME)"
            raise WorkbookError(f"{name!r} is an unknown column", fix=fix)
        if not isinstance(value, str | int | None):  # YAML reads some texts as numbers
            raise WorkbookError(f"{name} is {value!r}, which is not text", fix='put it in quotes: "..."')
        text[name] = None if value is None else str(value).strip() or None
    if place := text.get("folder"):
        text["folder"] = _find_folder(place, home)
    text["student"] = text.get("student") or (text["folder"].name if place else "")
    if not any(text.get(name) for name in ("student", "model", "endpoint")):
        raise WorkbookError("There is no student, folder or model", fix="fill it in or remove the row")
    return Row(where, parameters=parameters, **text)


def _find_folder(name: str, home: Path) -> Path:
    """A student's folder. It must be below the list's own folder, so that a list from elsewhere cannot name any path.

    A link counts as the folder that it leads to.
    """
    folder = (home / name).resolve()
    if folder == home or not folder.is_relative_to(home):
        fix = f"put the students' folders beside the list, below {home.name}"
        raise WorkbookError(f"The folder {name} is outside the list's own folder", fix=fix)
    if not folder.is_dir():
        raise WorkbookError(f"There is no folder {name}", fix="check its name; it is looked up beside the list")
    return folder


def find_notebooks(names: Sequence[str]) -> list[Path]:
    """The notebooks with these numbers, names or paths; all lessons for none. Raises WorkbookError."""
    return list(map(_find_notebook, names)) or [item.original for item in lessons()]


def _find_notebook(name: str) -> Path:
    if name.isdigit():
        return lesson(name).original
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    for item in lessons():
        if name in (item.original.name, item.original.stem):
            return item.original
    numbers = ", ".join(item.number for item in lessons())
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
        with _located(row.where):
            chosen = [_notebook_of_row(row.notebook, notebooks)] if row.notebook else list(notebooks)
            values = convert_parameters(chosen, {**given, **row.parameters})
            lab = connect(row.model, row.endpoint)
            # Both normalized: the text itself may be spelled otherwise.
            if row.folder and shown(lab.base_url) != str(httpx2.URL(lab.base_url)):
                message = "contains a password or a query, which the students' code could read"
                fix = "put a proxy in between that adds it, and give the proxy's address"
                raise WorkbookError(f"The address {shown(lab.base_url)} {message}", fix=fix)
        # The pages show parameters, so an address with a password is only in the variable BASE_URL.
        endpoint = {"model": lab.model} | ({"base_url": lab.base_url} if shown(lab.base_url) == lab.base_url else {})
        jobs += [
            Job(
                str(row.folder / path.name if row.folder else path),
                lab.base_url,
                lab.model,
                lab.source,
                student=row.student,
                folder=str(row.folder or ""),
                parameters={name: endpoint[name] for name in read_parameters(path) if name in endpoint} | values[path],
                limits=limits,
                trusted=row.folder is None,
            )
            for path in chosen
        ]
    return jobs


def _notebook_of_row(name: str, notebooks: Sequence[Path]) -> Path:
    """A notebook of the report or the course by its number or name; a list from elsewhere cannot give a path."""
    for path in notebooks:
        if name in (path.name, path.stem):
            return path
    if Path(name).name != name:
        raise WorkbookError(f"{name} is a path", fix="give a notebook's number or name")
    return _find_notebook(Path(name).stem)


def file_name(job: Job, number: int) -> str:
    """A file name for a job's page and notebook, safe in every file system and in a link."""
    words = "-".join(filter(None, [job.student, job.name, job.model.partition(":")[0]]))
    return f"{number:03d}-{re.sub(r'[^A-Za-z0-9._-]+', '_', words)[:100]}"
