"""The list of a class: what it may say, and that a mistake is named with its line before anything runs."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coursekit.copies import lessons
from coursekit.errors import WorkbookError
from coursekit.report import matrix, plan
from coursekit.report.job import Job, Limits
from labkit.connection import Connection, Source
from tests.support import reports

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for lists, with two students beside it."""
    for name in ("anna", "bo"):
        (tmp_path / "class" / name).mkdir(parents=True)
    return tmp_path / "class"


def rows(home: Path, text: str, ending: str = "csv") -> list[matrix.Row]:
    path = home / f"list.{ending}"
    path.write_text(text, encoding="utf-8")
    return matrix.read(path)


def test_csv_and_yaml_say_the_same(home: Path) -> None:
    table = "student,folder,notebook,model,endpoint,parameters.seed\nAnna,anna,01,m,http://h:1/v1,3\n,bo,,,,\n"
    mapping = """
- {student: Anna, folder: anna, notebook: "01", model: m, endpoint: "http://h:1/v1", parameters: {seed: "3"}}
- folder: bo
"""
    first, second = rows(home, "\ufeff" + table)
    assert (first.student, first.folder, first.notebook, first.model) == ("Anna", home / "anna", "01", "m")
    assert (first.endpoint, first.parameters) == ("http://h:1/v1", {"seed": "3"})
    assert (second.student, second.folder, second.notebook, second.parameters) == ("bo", home / "bo", None, {})
    told = [(row.student, row.folder, row.notebook, row.model, row.endpoint, row.parameters) for row in (first, second)]
    again = rows(home, mapping, "yaml")
    assert told == [(row.student, row.folder, row.notebook, row.model, row.endpoint, row.parameters) for row in again]
    assert [row.where for row in (first, second, *again)] == [
        "list.csv, line 2",
        "list.csv, line 3",
        "list.yaml, line 2",
        "list.yaml, line 3",
    ]


@pytest.mark.parametrize(
    ("text", "ending", "said"),
    [
        ("folder\nanna\nclara\n", "csv", "line 3: there is no folder clara"),
        ("folder\n../elsewhere\n", "csv", "line 2: the folder ../elsewhere lies outside"),
        ("folder\n/etc\n", "csv", "line 2: the folder /etc lies outside"),
        ("folder\n.\n", "csv", "line 2: the folder . lies outside"),
        ("folder,modell\nanna,x\n", "csv", "line 2 has an unknown column 'modell'"),
        ("folder\nanna,x\n", "csv", "line 2 has more values"),
        ("folder\nanna\nanna\n", "csv", "line 3 says the same as list.csv, line 2"),
        ("student,folder\n,\n", "csv", "line 2 names neither"),
        ("folder\n", "csv", "has no rows"),
        ('folder\n"anna\n', "csv", "is no CSV"),
        ("- folder: anna\n- folder: [bo]\n", "yaml", "line 2: folder is"),
        ("- folder: anna\n  parameters: 3\n", "yaml", "line 1: parameters is no mapping"),
        ("- anna\n", "yaml", "line 1 is no mapping"),
        ("folder: anna\n", "yaml", "is no list"),
        ("- {", "yaml", "is no YAML"),
        ("- !!python/object/apply:os.system [ls]\n", "yaml", "is no YAML"),
        ("folder\nanna\n", "txt", "neither YAML nor CSV"),
    ],
)
def test_mistakes(home: Path, text: str, ending: str, said: str) -> None:
    with pytest.raises(WorkbookError) as caught:
        rows(home, text, ending)
    assert said in str(caught.value)
    assert caught.value.fix


def test_link_out_of_the_class(home: Path) -> None:
    """A folder that is a link counts as what it leads to."""
    (home / "clara").symlink_to(home.parent)
    with pytest.raises(WorkbookError, match="outside"):
        rows(home, "folder\nclara\n")


def test_file_that_is_not_there(home: Path) -> None:
    with pytest.raises(WorkbookError, match="cannot be read"):
        matrix.read(home / "nothing.csv")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("- &a [*a]", "yaml")
@example("- ? {}\n  : 1", "yaml")
@example("\0", "csv")
@given(st.text(alphabet=st.sampled_from("ab:,-\n \"'{}[]&*?!#|>\0é0"), max_size=60), st.sampled_from(["csv", "yaml"]))
def test_any_text(home: Path, text: str, ending: str) -> None:
    """Rows, or a WorkbookError; nothing else comes out."""
    with contextlib.suppress(WorkbookError):
        assert rows(home, text, ending)


def endpoints(asked: list[tuple[str | None, str | None]]) -> plan.Endpoints:
    """Connections that ask nobody."""

    def connect(model: str | None, endpoint: str | None) -> Connection:
        asked.append((model, endpoint))
        return Connection(endpoint or "http://127.0.0.1:9/v1", model or "model", Source.BASE_URL)

    return plan.Endpoints(connect)


def test_jobs_of_a_class(home: Path) -> None:
    """The student's own copy, untrusted; the course's notebook where no folder is named; each endpoint asked once."""
    table = "student,folder,notebook,model,parameters.seed\nAnna,anna,01,m,3\nBo,bo,02_streaming,m,\n,,01,other,\n"
    asked: list[tuple[str | None, str | None]] = []
    known = [item.original for item in lessons()]
    jobs = plan.of_class(rows(home, table), known[:1], {"seed": "9"}, endpoints(asked), Limits())
    anna, bo, own = jobs
    assert (anna.notebook, anna.folder, anna.trusted) == (str(home / "anna" / known[0].name), str(home / "anna"), False)
    assert anna.parameters == {"base_url": "http://127.0.0.1:9/v1", "model": "m", "seed": 3}
    assert (bo.notebook, bo.parameters["seed"]) == (str(home / "bo" / known[1].name), 9)
    assert (own.notebook, own.trusted, own.student) == (str(known[0]), True, "")
    assert asked == [("m", None), ("other", None)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("folder,notebook\nanna,../secret.ipynb\n", "line 2: ../secret.ipynb is a path"),
        ("folder,notebook\nanna,99\n", "line 2: there is no notebook 99"),
        ("folder,parameters.sed\nanna,1\n", "line 2: no notebook that is to run has a parameter 'sed'"),
        ("folder,parameters.seed\nanna,x\n", "line 2: parameter 'seed' is 'x', which is no int"),
    ],
)
def test_rows_that_cannot_run(home: Path, table: str, said: str) -> None:
    known = [item.original for item in lessons()]
    with pytest.raises(WorkbookError) as caught:
        plan.of_class(rows(home, table), known, {}, endpoints([]), Limits())
    assert said in str(caught.value)


def test_parameters(tmp_path: Path) -> None:
    """By their declared types; each goes to the notebooks that have it."""
    one = reports.write(tmp_path / "a.ipynb", "1", parameters="seed: int = 1\nshare: float = 0.5\nname: str = ''")
    two = reports.write(tmp_path / "b.ipynb", "1", parameters="fast: bool = False\nfree = None\nseed: int = 1")
    given = plan.Parameters().given([one, two], plan.parse(["seed=3", "share=1", "name=3", "fast=true", "free=[1, 2]"]))
    assert given == {one: {"seed": 3, "share": 1.0, "name": "3"}, two: {"seed": 3, "fast": True, "free": [1, 2]}}
    for wrong in ("seed=3.5", "seed=", "fast=1", "share=x"):
        with pytest.raises(WorkbookError, match="which is no"):
            plan.Parameters().given([one, two], plan.parse([wrong]))
    for values in ({"seed": True}, {"seed": 1.5}, {"name": 3}, {"fast": 1}):
        with pytest.raises(WorkbookError, match="which is no"):
            plan.Parameters().given([one, two], values)
    with pytest.raises(WorkbookError, match="'sed'"):
        plan.Parameters().given([one, two], {"sed": "1"})
    with pytest.raises(WorkbookError, match="is no parameter"):
        plan.parse(["seed"])


def test_the_work_is_the_same_at_another_port_of_this_machine() -> None:
    """So that a report that was killed goes on, though its own endpoint has another port now."""

    def key(port: int, source: Source) -> str:
        base_url = f"http://127.0.0.1:{port}/v1"
        return Job("01.ipynb", base_url, "a-model", source, parameters={"base_url": base_url, "seed": 7}).key()

    assert key(1, Source.IN_PROCESS) == key(2, Source.IN_PROCESS)
    assert key(1, Source.BASE_URL) != key(2, Source.BASE_URL)
    assert key(1, Source.IN_PROCESS) != key(1, Source.SHARED)


def test_a_password_in_an_address_is_no_parameter() -> None:
    lab = Connection("http://bob:hush-hush@127.0.0.1:9/v1", "a-model", Source.BASE_URL)
    declared = {"base_url": "str", "model": "str"}
    assert plan._endpoint(declared, lab) == {"model": "a-model"}
    assert plan._endpoint(declared, replace(lab, base_url="http://127.0.0.1:9/v1"))["base_url"]


@pytest.mark.parametrize("secret", ["http://bob:hush-hush@h:9/v1", "http://hush@h:9/v1", "http://h:9/v1?key=hush"])
def test_a_password_in_an_address_is_not_for_students(home: Path, secret: str) -> None:
    """Their code would be given the address; a row that runs the course's own notebook may have it."""
    known = [lessons()[0].original]
    with pytest.raises(WorkbookError) as caught:
        plan.of_class(rows(home, f"folder,endpoint\nbo,\nanna,{secret}\n"), known, {}, endpoints([]), Limits())
    assert "list.csv, line 3: the address http://h:9/v1 holds a password" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "proxy" in caught.value.fix
    (own,) = plan.of_class(rows(home, f"model,endpoint\nm,{secret}\n"), known, {}, endpoints([]), Limits())
    assert (own.base_url, own.trusted) == (secret, True)


def test_an_address_in_another_spelling_holds_no_password(home: Path) -> None:
    known = [lessons()[0].original]
    (anna,) = plan.of_class(
        rows(home, "folder,endpoint\nanna,http://LocalHost:80/v1\n"), known, {}, endpoints([]), Limits()
    )
    assert anna.base_url == "http://LocalHost:80/v1"
