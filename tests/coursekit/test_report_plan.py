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
from coursekit.report import plan
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


def rows(home: Path, text: str, extension: str = "csv") -> list[plan.Row]:
    path = home / f"list.{extension}"
    path.write_bytes(text.encode())
    return plan.read_class(path)


def jobs(rows: list[plan.Row], notebooks: list[Path] = ORIGINALS, **parameters: Any) -> list[Job]:
    def connect(model: str | None, endpoint: str | None) -> Connection:  # asks no endpoint
        return Connection(endpoint or "http://127.0.0.1:9/v1", model or "model", Source.BASE_URL)

    return plan.plan_jobs(rows, notebooks, parameters, connect, RunLimits())


def test_csv_and_yaml_give_the_same_rows(home: Path) -> None:
    """Excel's line ends and byte-order mark are fine; U+2028 in a name does not end a line."""
    table = (
        "\ufeffstudent,folder,notebook,model,endpoint,parameters.seed\r\n"
        "An\u2028na,anna,01,m,http://h:1/v1,3\r\n,bo,,,,\r\n"
    )
    mapping = """
- {student: "An\\Lna", folder: anna, notebook: "01", model: m, endpoint: "http://h:1/v1", parameters: {seed: "3"}}
- folder: bo
"""
    expected = [
        plan.Row("list.csv, line 2", "An\u2028na", home / "anna", "01", "m", "http://h:1/v1", {"seed": "3"}),
        plan.Row("list.csv, line 3", "bo", home / "bo"),
    ]
    assert rows(home, table) == expected
    assert rows(home, mapping, "yaml") == [replace(row, where=row.where.replace("csv", "yaml")) for row in expected]


@pytest.mark.parametrize(
    ("extension", "text", "message"),
    [
        ("csv", "folder\nanna\nclara\n", "line 3: There is no folder clara"),
        ("csv", "folder\n../elsewhere\n", "line 2: The folder ../elsewhere is outside"),
        ("csv", "folder\n/etc\n", "line 2: The folder /etc is outside"),
        ("csv", "folder\n.\n", "line 2: The folder . is outside"),
        ("csv", "folder\nlink\n", "line 2: The folder link is outside"),
        ("csv", "folder,modell\nanna,x\n", "line 2: 'modell' is an unknown column"),
        ("csv", "folder\nanna,x\n", "line 2: There are more values"),
        ("csv", "folder\nanna\nanna\n", "line 3: It is the same as list.csv, line 2"),
        ("csv", "student,folder\n,\n", "line 2: There is no student, folder or model"),
        ("csv", "folder\n", "has no rows"),
        ("csv", 'folder\n"anna\n', "line 1 is not CSV"),
        ("yaml", "- folder: anna\n- folder: [bo]\n", "line 2: folder is"),
        ("yaml", "- folder: anna\n  parameters: 3\n", "line 1: parameters is not a mapping"),
        ("yaml", "- anna\n", "line 1: This is not a mapping"),
        ("yaml", "folder: anna\n", "is not a list"),
        ("yaml", "- {", "is not YAML"),
        ("yaml", "- !!python/object/apply:os.system [ls]\n", "is not YAML"),
        ("txt", "folder\nanna\n", "neither YAML nor CSV"),
        ("csv", "folder,notebook\nanna,../secret.ipynb\n", "line 2: ../secret.ipynb is a path"),
        ("csv", "folder,notebook\nanna,99\n", "here is no notebook 99"),
        ("csv", "folder,parameters.sed\nanna,1\n", "line 2: No notebook that is to run has a parameter 'sed'"),
        ("csv", "folder,parameters.seed\nanna,x\n", "line 2: Parameter 'seed' is 'x', which is not of type int"),
        *[
            ("csv", f"folder,endpoint\nanna,http://{address}\n", "line 2: The address http://h:9/v1 contains")
            for address in ("bob:hush@h:9/v1", "hush@h:9/v1", "h:9/v1?key=hush")
        ],
    ],
)
def test_a_mistake_in_the_list_is_reported_with_its_line(home: Path, extension: str, text: str, message: str) -> None:
    """A student's code could read an address, so it may have no password; the message does not show it."""
    (home / "link").symlink_to(home.parent)
    with pytest.raises(WorkbookError) as caught:
        jobs(rows(home, text, extension))
    assert message in str(caught.value)
    assert caught.value.fix
    assert "hush" not in str(caught.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("- &a [*a]", "yaml")
@example("- ? {}\n  : 1", "yaml")
@example("- {folder: bo, parameters: &p {x: *p}}\n- {folder: bo, parameters: &p {x: *p}}", "yaml")
@example("\0", "csv")
@given(st.text(alphabet=st.sampled_from("ab:,-\n \"'{}[]&*?!#|>\0é0"), max_size=60), st.sampled_from(["csv", "yaml"]))
def test_any_text_gives_rows_or_a_workbook_error(home: Path, text: str, extension: str) -> None:
    with contextlib.suppress(WorkbookError):
        assert rows(home, text, extension)


def test_a_row_runs_the_students_copy_untrusted_or_the_courses_notebook(home: Path) -> None:
    """Another spelling of an address is not a password."""
    table = (
        "student,folder,notebook,model,endpoint,parameters.seed\n"
        "Anna,anna,01,m,,3\nBo,bo,02_streaming,m,http://LocalHost:80/v1,\n,,01,other,,\n"
    )
    anna, bo, own = jobs(rows(home, table), ORIGINALS[:1], seed="9")
    assert (anna.notebook, anna.folder) == (str(home / "anna" / ORIGINALS[0].name), str(home / "anna"))
    assert anna.parameters == {"base_url": "http://127.0.0.1:9/v1", "model": "m", "seed": 3}
    assert (bo.notebook, bo.parameters["seed"]) == (str(home / "bo" / ORIGINALS[1].name), 9)
    assert bo.base_url == "http://LocalHost:80/v1"
    assert (own.notebook, own.student) == (str(ORIGINALS[0]), "")
    assert [job.trusted for job in (anna, bo, own)] == [False, False, True]


def test_an_address_with_a_password_is_a_variable_only(home: Path) -> None:
    """Of the course's own notebooks; pages show parameters."""
    secret = "http://bob:hush@127.0.0.1:9/v1"
    (own,) = jobs(rows(home, f"model,endpoint\nm,{secret}\n"), ORIGINALS[:1])
    assert (own.base_url, own.parameters) == (secret, {"model": "m"})


DECLARED = "seed: int = 1\nshare: float = 0.5\nname: str = ''\nfast: bool = False\nfree = None\na = b = 2"


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
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: dict[str, Any], converted: dict[str, Any] | None
) -> None:
    """For the notebooks that declare them. Papermill's warnings about lines that it cannot parse are not shown."""
    notebook = reports.write(tmp_path / "a.ipynb", "1", parameters=DECLARED)
    other = reports.write(tmp_path / "b.ipynb", "1")
    if converted is None:
        with pytest.raises(WorkbookError, match="which is not "):
            plan.convert_parameters([notebook, other], given)
    else:
        assert plan.convert_parameters([notebook, other], given) == {notebook: converted, other: {}}
    assert caplog.messages == []


def test_the_key_of_a_job_ignores_the_port_of_an_endpoint_on_this_machine() -> None:
    """So a report that was killed continues, although its own endpoint has another port now."""

    def key(port: int, source: Source) -> str:
        base_url = f"http://127.0.0.1:{port}/v1"
        return Job("01.ipynb", base_url, "a-model", source, parameters={"base_url": base_url, "seed": 7}).find_key()

    assert key(1, Source.IN_PROCESS) == key(2, Source.IN_PROCESS)
    assert key(1, Source.BASE_URL) != key(2, Source.BASE_URL)
    assert key(1, Source.IN_PROCESS) != key(1, Source.SHARED)
