"""The list of a class and the jobs that come of it; a mistake is reported with its line before anything runs."""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coursekit.copies import lessons
from coursekit.errors import WorkbookError
from coursekit.report import class_list, plan
from coursekit.report.job import Job, RunLimits
from labkit.connection import Connection, Source
from tests.support import reports

if TYPE_CHECKING:
    from pathlib import Path

ORIGINALS = [item.original for item in lessons()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for lists, with two students beside it."""
    for name in ("anna", "bo"):
        (tmp_path / "class" / name).mkdir(parents=True)
    return tmp_path / "class"


def rows(home: Path, text: str, extension: str = "csv") -> list[class_list.Row]:
    path = home / f"list.{extension}"
    path.write_bytes(text.encode())
    return class_list.read(path)


def connect(model: str | None, endpoint: str | None) -> Connection:
    """A connection that asks no endpoint."""
    return Connection(endpoint or "http://127.0.0.1:9/v1", model or "model", Source.BASE_URL)


def jobs(rows: list[class_list.Row], notebooks: list[Path] = ORIGINALS, **parameters: Any) -> list[Job]:
    return plan.plan_jobs(rows, notebooks, parameters, connect, RunLimits())


def test_csv_and_yaml_give_the_same_rows(home: Path) -> None:
    """Excel's line ends and byte-order mark are fine; U+2028 in a name does not end a line."""
    table = (
        "student,folder,notebook,model,endpoint,parameters.seed\r\nAn\u2028na,anna,01,m,http://h:1/v1,3\r\n,bo,,,,\r\n"
    )
    mapping = """
- {student: "An\\Lna", folder: anna, notebook: "01", model: m, endpoint: "http://h:1/v1", parameters: {seed: "3"}}
- folder: bo
"""
    first, second = rows(home, "\ufeff" + table)
    assert (first.student, first.folder, first.notebook, first.model) == ("An\u2028na", home / "anna", "01", "m")
    assert (first.endpoint, first.parameters) == ("http://h:1/v1", {"seed": "3"})
    assert (second.student, second.folder, second.notebook, second.parameters) == ("bo", home / "bo", None, {})
    assert (first.where, second.where) == ("list.csv, line 2", "list.csv, line 3")
    same = rows(home, mapping, "yaml")
    assert [row.where for row in same] == ["list.yaml, line 2", "list.yaml, line 3"]
    assert [replace(row, where="") for row in same] == [replace(row, where="") for row in (first, second)]


@pytest.mark.parametrize(
    ("text", "extension", "message"),
    [
        ("folder\nanna\nclara\n", "csv", "line 3: there is no folder clara"),
        ("folder\n../elsewhere\n", "csv", "line 2: the folder ../elsewhere is outside"),
        ("folder\n/etc\n", "csv", "line 2: the folder /etc is outside"),
        ("folder\n.\n", "csv", "line 2: the folder . is outside"),
        ("folder\nlink\n", "csv", "line 2: the folder link is outside"),
        ("folder,modell\nanna,x\n", "csv", "line 2 has an unknown column 'modell'"),
        ("folder\nanna,x\n", "csv", "line 2 has more values"),
        ("folder\nanna\nanna\n", "csv", "line 3 is the same as list.csv, line 2"),
        ("student,folder\n,\n", "csv", "line 2 has no student, folder or model"),
        ("folder\n", "csv", "has no rows"),
        ('folder\n"anna\n', "csv", "is not CSV"),
        ("- folder: anna\n- folder: [bo]\n", "yaml", "line 2: folder is"),
        ("- folder: anna\n  parameters: 3\n", "yaml", "line 1: parameters is not a mapping"),
        ("- anna\n", "yaml", "line 1 is not a mapping"),
        ("folder: anna\n", "yaml", "is not a list"),
        ("- {", "yaml", "is not YAML"),
        ("- !!python/object/apply:os.system [ls]\n", "yaml", "is not YAML"),
        ("folder\nanna\n", "txt", "neither YAML nor CSV"),
    ],
)
def test_a_mistake_in_the_list_is_reported_with_its_line(home: Path, text: str, extension: str, message: str) -> None:
    (home / "link").symlink_to(home.parent)
    with pytest.raises(WorkbookError) as caught:
        rows(home, text, extension)
    assert message in str(caught.value)
    assert caught.value.fix


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("- &a [*a]", "yaml")
@example("- ? {}\n  : 1", "yaml")
@example("\0", "csv")
@given(st.text(alphabet=st.sampled_from("ab:,-\n \"'{}[]&*?!#|>\0é0"), max_size=60), st.sampled_from(["csv", "yaml"]))
def test_any_text_gives_rows_or_a_workbook_error(home: Path, text: str, extension: str) -> None:
    with contextlib.suppress(WorkbookError):
        assert rows(home, text, extension)


def test_a_row_runs_the_students_copy_untrusted_or_the_courses_notebook(home: Path) -> None:
    table = "student,folder,notebook,model,parameters.seed\nAnna,anna,01,m,3\nBo,bo,02_streaming,m,\n,,01,other,\n"
    anna, bo, own = jobs(rows(home, table), ORIGINALS[:1], seed="9")
    assert (anna.notebook, anna.folder) == (str(home / "anna" / ORIGINALS[0].name), str(home / "anna"))
    assert anna.parameters == {"base_url": "http://127.0.0.1:9/v1", "model": "m", "seed": 3}
    assert (bo.notebook, bo.parameters["seed"]) == (str(home / "bo" / ORIGINALS[1].name), 9)
    assert (own.notebook, own.student) == (str(ORIGINALS[0]), "")
    assert [job.trusted for job in (anna, bo, own)] == [False, False, True]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("folder,notebook\nanna,../secret.ipynb\n", "line 2: ../secret.ipynb is a path"),
        ("folder,notebook\nanna,99\n", "here is no notebook 99"),
        ("folder,parameters.sed\nanna,1\n", "line 2: No notebook that is to run has a parameter 'sed'"),
        ("folder,parameters.seed\nanna,x\n", "line 2: Parameter 'seed' is 'x', which is not of type int"),
        ("folder,endpoint\nanna,http://bob:hush@h:9/v1\n", "line 2: The address http://h:9/v1 contains a password"),
        ("folder,endpoint\nanna,http://hush@h:9/v1\n", "line 2: The address http://h:9/v1 contains a password"),
        ("folder,endpoint\nanna,http://h:9/v1?key=hush\n", "line 2: The address http://h:9/v1 contains a password"),
    ],
)
def test_a_row_that_cannot_run_is_reported_with_its_line(home: Path, table: str, message: str) -> None:
    """A student's code could read an address, so it may have no password; the message does not show it."""
    with pytest.raises(WorkbookError) as caught:
        jobs(rows(home, table))
    assert message in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_address_with_a_password_is_a_variable_only(home: Path) -> None:
    """Of the course's own notebooks; pages show parameters. Another spelling of an address is not a password."""
    secret = "http://bob:hush@127.0.0.1:9/v1"
    (own,) = jobs(rows(home, f"model,endpoint\nm,{secret}\n"), ORIGINALS[:1])
    assert (own.base_url, own.parameters) == (secret, {"model": "m"})
    (anna,) = jobs(rows(home, "folder,endpoint\nanna,http://LocalHost:80/v1\n"), ORIGINALS[:1])
    assert anna.base_url == "http://LocalHost:80/v1"


DECLARED = "seed: int = 1\nshare: float = 0.5\nname: str = ''\nfast: bool = False\nfree = None"


@pytest.mark.parametrize(
    ("given", "converted"),
    [
        ({"seed": "3", "share": "1", "name": "3"}, {"seed": 3, "share": 1.0, "name": "3"}),
        ({"fast": "true", "free": "[1, 2]"}, {"fast": True, "free": [1, 2]}),
        ({"seed": 3, "share": 1, "fast": False, "free": True}, {"seed": 3, "share": 1.0, "fast": False, "free": True}),
        *[({"free": value}, {"free": value}) for value in ("a b", "{1, 2}", "(" * 10_000, {"a": [None]})],
        ({"free": datetime.date(2026, 1, 1)}, None),  # as YAML reads 2026-01-01
        *[({name: value}, None) for name, value in [("seed", "3.5"), ("seed", ""), ("fast", "maybe"), ("share", "x")]],
        *[({name: value}, None) for name, value in [("seed", True), ("seed", 1.5), ("name", 3), ("fast", 1)]],
    ],
)
def test_parameters_are_converted_to_their_declared_types(
    tmp_path: Path, given: dict[str, Any], converted: dict[str, Any] | None
) -> None:
    notebook = reports.write(tmp_path / "a.ipynb", "1", parameters=DECLARED)
    if converted is None:
        with pytest.raises(WorkbookError, match="which is not "):
            plan.convert_parameters([notebook], given)
    else:
        assert plan.convert_parameters([notebook], given) == {notebook: converted}


def test_a_parameter_goes_to_the_notebooks_that_declare_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Papermill's warnings about lines that it cannot parse are not shown."""
    one = reports.write(tmp_path / "a.ipynb", "1", parameters="seed: int = 1\na = b = 2")
    two = reports.write(tmp_path / "b.ipynb", "1")
    assert plan.convert_parameters([one, two], {"seed": "3"}) == {one: {"seed": 3}, two: {}}
    assert caplog.messages == []


def test_the_key_of_a_job_ignores_the_port_of_an_endpoint_on_this_machine() -> None:
    """So a report that was killed continues, although its own endpoint has another port now."""

    def key(port: int, source: Source) -> str:
        base_url = f"http://127.0.0.1:{port}/v1"
        return Job("01.ipynb", base_url, "a-model", source, parameters={"base_url": base_url, "seed": 7}).key()

    assert key(1, Source.IN_PROCESS) == key(2, Source.IN_PROCESS)
    assert key(1, Source.BASE_URL) != key(2, Source.BASE_URL)
    assert key(1, Source.IN_PROCESS) != key(1, Source.SHARED)
