"""The list of a class, from YAML or CSV: student, folder, notebook, parameters, model, endpoint.

In CSV the first line names the columns; a parameter has its own column, `parameters.seed`. YAML is a list of mappings,
where `parameters` is a mapping. A mistake is reported with its line before anything runs.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coursekit.errors import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = ("student", "folder", "notebook", "parameters", "model", "endpoint")
PREFIX = "parameters."


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


def read(path: Path) -> list[Row]:
    """The rows of a list. Raises WorkbookError for a file that cannot be read, and for the first wrong row."""
    parsers = {".csv": _parse_csv, ".yaml": _parse_yaml, ".yml": _parse_yaml}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise WorkbookError(f"{path.name} is neither YAML nor CSV", fix="name it .yaml or .csv")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkbookError(f"{path} cannot be read ({error})", fix="check the name; save the file as UTF-8") from error
    rows = [_row(where, values, path.resolve().parent) for where, values in parse(text, path.name)]
    if not rows:
        raise WorkbookError(f"{path.name} has no rows", fix="write a row for each student")
    seen: dict[tuple[object, ...], str] = {}
    for row in rows:
        content = (row.student, row.folder, row.notebook, row.model, row.endpoint, str(row.parameters))
        if content in seen:
            raise WorkbookError(f"{row.where} is the same as {seen[content]}", fix="remove one of them")
        seen[content] = row.where
    return rows


def _parse_csv(text: str, file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    # newline="" leaves line ends to csv: str.splitlines would also split at U+2028, for example.
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    try:
        for values in reader:
            where = f"{file}, line {reader.line_num}"
            if "" in values:
                raise WorkbookError(f"{where} has more values than the first line has names", fix="check its commas")
            found: dict[str, Any] = {name.strip(): (value or "").strip() for name, value in values.items()}
            parameters = {name: found.pop(name) for name in list(found) if name.startswith(PREFIX)}
            found["parameters"] = {name.removeprefix(PREFIX): value for name, value in parameters.items() if value}
            yield where, found
    except csv.Error as error:
        raise WorkbookError(f"{file}, line {reader.line_num} is not CSV ({error})", fix="check its quotes") from error


def _parse_yaml(text: str, file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    import yaml

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
            raise WorkbookError(f"{where} is not a mapping", fix=fix)
        yield where, {str(name): value for name, value in each.items()}


def _row(where: str, values: dict[str, Any], home: Path) -> Row:
    unknown = [name for name in values if name not in COLUMNS]
    if unknown:
        names = f"{', '.join(COLUMNS)} (in CSV {PREFIX}NAME)"
        raise WorkbookError(f"{where} has an unknown column {unknown[0]!r}", fix=f"the columns are {names}")
    parameters = values.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise WorkbookError(f"{where}: parameters is not a mapping of names to values", fix="write name: value")
    text = {name: _text(where, name, values.get(name)) for name in COLUMNS if name != "parameters"}
    folder = _folder(where, text["folder"], home) if text["folder"] else None
    student = text["student"] or (folder.name if folder else "")
    if not student and not text["model"] and not text["endpoint"]:
        raise WorkbookError(f"{where} has no student, folder or model", fix="fill it in or remove it")
    return Row(where, student, folder, text["notebook"], text["model"], text["endpoint"], parameters)


def _text(where: str, name: str, value: Any) -> str | None:
    """A value as text; YAML reads some of them as numbers."""
    if value is None or isinstance(value, str | int):
        return str(value).strip() or None if value is not None else None
    raise WorkbookError(f"{where}: {name} is {value!r}, which is not text", fix='put it in quotes: "..."')


def _folder(where: str, name: str, home: Path) -> Path:
    """A student's folder. It must be below the list's own folder, so that a list from elsewhere cannot name any path.

    A link counts as the folder that it leads to.
    """
    folder = (home / name).resolve()
    if folder == home or not folder.is_relative_to(home):
        fix = f"put the students' folders beside the list, below {home.name}"
        raise WorkbookError(f"{where}: the folder {name} is outside the list's own folder", fix=fix)
    if not folder.is_dir():
        fix = "check its name; it is looked up beside the list"
        raise WorkbookError(f"{where}: there is no folder {name}", fix=fix)
    return folder
