"""From what was asked for to jobs: which notebooks, with which parameters, on which endpoint and model."""

from __future__ import annotations

import contextlib
import re
from ast import literal_eval
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from coursekit.copies import ROOT, lesson, lessons
from coursekit.errors import WorkbookError
from coursekit.report.job import Job, Limits
from labkit.listing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coursekit.report.matrix import Row
    from labkit.connection import Connection


def choose(names: Sequence[str], root: Path = ROOT) -> list[Path]:
    """The notebooks of these numbers, names or paths; all lessons for none. Raises WorkbookError."""
    return [_notebook(name, root) for name in names] or [item.original for item in lessons(root)]


def _notebook(name: str, root: Path) -> Path:
    if name.isdigit():
        return lesson(name, root).original
    known = {each: item.original for item in lessons(root) for each in (item.original.name, item.original.stem)}
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    if name in known:
        return known[name]
    numbers = ", ".join(item.number for item in lessons(root))
    raise WorkbookError(f"there is no notebook {name}", fix=f"choose one of {numbers}, or give the path of an .ipynb")


class Parameters:
    """What the parameters cells of the course's notebooks declare; each is read once."""

    def __init__(self) -> None:
        self._declared: dict[Path, dict[str, str]] = {}

    def declared(self, notebook: Path) -> dict[str, str]:
        """The names in a notebook's parameters cell, with their types."""
        if notebook not in self._declared:
            self._declared[notebook] = _declared(notebook)
        return self._declared[notebook]

    def given(self, notebooks: Sequence[Path], texts: dict[str, Any], where: str = "") -> dict[Path, dict[str, Any]]:
        """For each notebook the parameters that it declares, with their types.

        Raises WorkbookError, which begins with `where`, for one that none of them declares, or a value of a wrong type.
        """
        for name in texts:
            if not any(name in self.declared(path) for path in notebooks):
                known = ", ".join(sorted({each for path in notebooks for each in self.declared(path)}))
                what = f"{where}no notebook that is to run has a parameter {name!r}"
                raise WorkbookError(what, fix=f"choose one of {known}" if known else "leave it out")
        return {
            path: {
                name: _typed(name, value, self.declared(path)[name], where)
                for name, value in texts.items()
                if name in self.declared(path)
            }
            for path in notebooks
        }


def _declared(notebook: Path) -> dict[str, str]:
    """What papermill reads from the cell tagged `parameters`; a notebook that names no kernel counts as Python's."""
    import nbformat
    from papermill.translators import papermill_translators

    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # whatever is in a file that is no notebook
        raise WorkbookError(
            f"{notebook.name} is no notebook ({error})", fix="open it in JupyterLab and look"
        ) from error
    translator = papermill_translators.find_translator("python3", "python")
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])][:1]
    return {each.name: each.inferred_type_name for cell in tagged for each in translator.inspect(cell)}


def parse(pairs: Sequence[str]) -> dict[str, str]:
    """`name=value` each. Raises WorkbookError for what is no pair."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise WorkbookError(f"{pair!r} is no parameter", fix="write it as name=value, for example -p seed=7")
        found[name] = value
    return found


def _typed(name: str, value: Any, kind: str, where: str) -> Any:
    """A value as its parameter's type wants it."""
    if not isinstance(value, str) or kind == "str":
        wanted = {"str": str, "int": int, "float": int | float, "bool": bool}.get(kind, object)
        if isinstance(value, wanted) and (kind == "bool" or not isinstance(value, bool)):
            return value
        raise _wrong(name, value, kind, where)
    if kind == "bool" and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if kind in {"int", "float"}:
        with contextlib.suppress(ValueError):
            return int(value) if kind == "int" else float(value)
    if kind not in {"int", "float", "bool"}:  # no type is declared: Python's own notation, else the text as it is
        try:
            return literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    raise _wrong(name, value, kind, where)


def _wrong(name: str, value: Any, kind: str, where: str) -> WorkbookError:
    return WorkbookError(f"{where}parameter {name!r} is {value!r}, which is no {kind}", fix="give another value")


class Endpoints:
    """The connections of a report: one for each endpoint and model, however many rows name it."""

    def __init__(self, connect: Callable[[str | None, str | None], Connection]) -> None:
        self._connect = connect
        self._found: dict[tuple[str | None, str | None], Connection] = {}

    def find(self, model: str | None, endpoint: str | None) -> Connection:
        """The connection to this model there. Raises what `connect` raises."""
        if (model, endpoint) not in self._found:
            self._found[model, endpoint] = self._connect(model, endpoint)
        return self._found[model, endpoint]

    def close(self) -> None:
        """Close all of them, and a runtime that one of them started."""
        for connection in self._found.values():
            connection.close()


def own(
    notebooks: Sequence[Path], texts: dict[str, Any], models: Sequence[str], endpoints: Endpoints, limits: Limits
) -> list[Job]:
    """Jobs for notebooks of one's own, each with each model."""
    parameters = Parameters()
    given = parameters.given(notebooks, texts)
    jobs = []
    chosen: Sequence[str | None] = models or [None]
    for model in chosen:
        lab = endpoints.find(model, None)
        for path in notebooks:
            values = _endpoint(parameters.declared(path), lab) | given[path]
            jobs.append(Job(str(path), lab.base_url, lab.model, lab.source, parameters=values, limits=limits))
    return jobs


def of_class(
    rows: Sequence[Row], notebooks: Sequence[Path], texts: dict[str, Any], endpoints: Endpoints, limits: Limits
) -> list[Job]:
    """Jobs for the rows of a class: the student's own copy of each notebook, or the course's where no folder is named.

    Parameters are looked up in the course's notebook of the same name, as a student's copy may say anything.
    Raises WorkbookError, with the row, for a parameter or a notebook that does not exist, and for a student's endpoint
    with a password in its address.
    """
    parameters = Parameters()
    jobs = []
    for row in rows:
        try:
            chosen = [_of_row(row.notebook, notebooks)] if row.notebook else list(notebooks)
            given = parameters.given(chosen, texts | row.parameters)
            lab = endpoints.find(row.model, row.endpoint)
            if row.folder:
                _refuse_password(lab.base_url)
        except WorkbookError as error:
            raise WorkbookError(f"{row.where}: {error.message}", fix=error.fix) from error
        for path in chosen:
            values = _endpoint(parameters.declared(path), lab) | given[path]
            jobs.append(
                Job(
                    str(row.folder / path.name if row.folder else path),
                    lab.base_url,
                    lab.model,
                    lab.source,
                    student=row.student,
                    folder=str(row.folder or ""),
                    parameters=values,
                    limits=limits,
                    trusted=row.folder is None,
                )
            )
    return jobs


def _refuse_password(base_url: str) -> None:
    """Raise WorkbookError for an address that may hold a secret: it would be a variable of a student's code."""
    if shown(base_url) != str(httpx2.URL(base_url)):  # not the text itself, which may spell the same otherwise
        raise WorkbookError(
            f"the address {shown(base_url)} holds a password or a query, which the students' code would read",
            fix="put a proxy that adds it in between, and name the proxy's address",
        )


def _of_row(name: str, notebooks: Sequence[Path]) -> Path:
    """A notebook of the report or the course by its number or name; a list from elsewhere names no path."""
    chosen = {each: path for path in notebooks for each in (path.name, path.stem)}
    if name in chosen:
        return chosen[name]
    if Path(name).name != name:
        raise WorkbookError(f"{name} is a path", fix="give a notebook's number or name")
    return _notebook(Path(name).stem, ROOT)


def _endpoint(declared: dict[str, str], lab: Connection) -> dict[str, Any]:
    """The endpoint as parameters, where a notebook has them; the variables BASE_URL and MODEL are set in any case."""
    values = {"model": lab.model}
    if shown(lab.base_url) == lab.base_url:  # one with a password is a variable only: parameters stand in the report
        values["base_url"] = lab.base_url
    return {name: value for name, value in values.items() if name in declared}


def slug(job: Job, number: int) -> str:
    """A file name for what comes of a job, without what a file system or a link could take amiss."""
    words = "-".join(filter(None, [job.student, job.name, job.model.partition(":")[0]]))
    return f"{number:03d}-{re.sub(r'[^A-Za-z0-9._-]+', '_', words)[:100]}"
