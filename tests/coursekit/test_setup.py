"""lab.py: its version check and its set-up, on a project of two lines; and in full on each Python of this machine."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coursekit.cli import SIDE_BY_SIDE
from tests.support.clone import ROOT, Clone, environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILES = (ROOT / "lab.py", ROOT / "lab_setup.py")
BIN, EXE = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")
SUPPORTED = [(3, 11), (3, 12), (3, 13)]


def run(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], seconds: float = 120) -> tuple[int, str]:
    """The exit status of a command and what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace", timeout=seconds, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


# The version check


@pytest.mark.parametrize("version", ["2.7.18", "3.10.13", "3.14.0"])
def test_other_pythons_are_turned_away_with_the_cure(version: str, tmp_path: Path) -> None:
    """One sentence says which Python this is and which are wanted; nothing is set up."""
    shutil.copy(FILES[0], tmp_path)
    numbers = (*map(int, version.split(".")), "final", 0)
    fake = f"import runpy, sys; sys.version, sys.version_info = '{version} (fake)', {numbers}; "
    code = fake + "runpy.run_path('lab.py', run_name='__main__')"
    status, said = run([sys.executable, "-c", code], tmp_path, environment(tmp_path / "home"))
    assert status == 1
    assert f"This is Python {version}, and the workbook needs 3.11, 3.12 or 3.13" in said
    assert "Fix: install one of them" in said
    assert not (tmp_path / ".venv").exists()


@pytest.mark.e2e
def test_real_other_pythons_are_turned_away(tmp_path: Path) -> None:
    """lab.py is read by the older Python itself, down to 2.7."""
    shutil.copy(FILES[0], tmp_path)
    for version, python in pythons().items():
        if version not in SUPPORTED:
            status, said = run([python, "lab.py"], tmp_path, environment(tmp_path / "home"))
            assert (status, len(said.splitlines())) == (1, 2), f"{version}: {said}"
            assert f"This is Python {version[0]}.{version[1]}." in said


# The file


def test_lab_is_short_and_needs_nothing_but_python() -> None:
    """Under 80 lines each, and every import is of the standard library."""
    texts = [file.read_text(encoding="utf-8") for file in FILES]
    assert all(len(text.splitlines()) < 80 for text in texts)
    imported = set()
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "a relative import").partition(".")[0])
    assert imported
    assert imported <= {*sys.stdlib_module_names, "lab_setup"}


# The set-up, without a network: labkit is a wheel of one file here. Making an environment takes long, so what
# throws one away is in the slow lane.


@dataclass
class Project:
    """A folder with lab.py, a lock and a `labkit` that prints its version and its arguments."""

    root: Path
    env: dict[str, str]

    @classmethod
    def make(cls, root: Path) -> Project:
        """A project that was never set up."""
        root.mkdir()
        for file in FILES:
            shutil.copy(file, root)
        (root / "pyproject.toml").touch()
        # No index and no settings of this machine: what is not in the project cannot be had, uv included.
        offline = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": root.as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_OFFLINE": "1",
        }
        project = cls(root, environment(root.with_name("home"), **offline))
        project.lock("1.0")
        return project

    @property
    def venv(self) -> Path:
        """Where lab.py makes its environment."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.venv / BIN / f"python{EXE}"

    @property
    def stamps(self) -> dict[str, int]:
        """The marks of a finished set-up, and when they were written."""
        return {path.name: path.stat().st_mtime_ns for path in self.venv.glob("*.sha256")}

    def lock(self, version: str) -> None:
        """Pin a version of labkit, and have it in the project."""
        code = f"import sys; print('coursekit {version}:', *sys.argv[1:]); sys.exit(7 if 'seven' in sys.argv else 0)"
        self.wheel("coursekit", version, code)
        for name in ("requirements.txt", "requirements-dev.txt"):
            (self.root / name).write_text(f"# the lock\ncoursekit=={version}\n", encoding="utf-8")

    def wheel(self, name: str, version: str, code: str) -> None:
        """A package whose `python -m` runs `code`."""
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}/__main__.py": code,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(self.root / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            for path, text in (files | {f"{info}/RECORD": record}).items():
                archive.writestr(path, text)

    def start(self, *arguments: str, python: str | Path = sys.executable) -> tuple[int, str]:
        """Run lab.py."""
        return run([python, self.root / "lab.py", *arguments], self.root, self.env)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project; whoever uses it starts it first, so the set-up is paid once."""
    return Project.make(tmp_path_factory.mktemp("setup") / "a folder with spaces, å")


@pytest.fixture
def ready(project: Project) -> Project:
    """The project, set up, with version 1.0 locked."""
    project.lock("1.0")
    if project.start()[0]:  # an earlier test has failed halfway
        shutil.rmtree(project.venv)
        status, said = project.start()
        assert status == 0, said
    return project


@pytest.mark.e2e
def test_second_start_only_hands_over(ready: Project) -> None:
    """What follows lab.py reaches coursekit as it is, its exit status comes back, and nothing is installed."""
    before = ready.stamps
    assert ready.start("reset", "a b", "--port", "1") == (0, "coursekit 1.0: reset a b --port 1\n")
    assert ready.start("seven")[0] == 7
    assert ready.stamps == before
    assert before


@pytest.mark.e2e
def test_changed_lock_is_installed(ready: Project) -> None:
    """A new version in the lock arrives at the next start."""
    ready.lock("2.0")
    status, said = ready.start()
    assert (status, said.splitlines()[-1]) == (0, "coursekit 2.0:")
    assert "Setting up" in said


@pytest.mark.e2e
def test_interrupted_setup_is_done_again(ready: Project) -> None:
    """An environment without a stamp was never finished: it goes, and a whole one takes its place."""
    for stamp in ready.stamps:
        (ready.venv / stamp).unlink()
    leftover = ready.venv / "leftover"
    leftover.touch()
    status, said = ready.start("test")
    assert status == 0, said
    assert "from requirements-dev.txt" in said
    assert not leftover.exists()
    assert ready.start("test")[1].startswith("coursekit 1.0:")


@pytest.mark.e2e
def test_broken_interpreter_is_replaced(ready: Project) -> None:
    """The Python that the environment was made from has been removed."""
    for path in ready.python.parent.glob("python*"):
        path.unlink()
    if sys.platform != "win32":
        ready.python.symlink_to(ready.root / "no such python")
    status, said = ready.start()
    assert (status, said.splitlines()[-1]) == (0, "coursekit 1.0:"), said


@pytest.mark.e2e
def test_moved_project_is_set_up_again(ready: Project) -> None:
    """Scripts in an environment hold its place, so a project that moved is set up anew."""
    elsewhere = ready.root.with_name("elsewhere")
    ready.root.rename(elsewhere)
    try:
        moved = Project(elsewhere, ready.env | {"PIP_FIND_LINKS": elsewhere.as_uri()})
        status, said = moved.start()
        assert (status, said.splitlines()[-1]) == (0, "coursekit 1.0:"), said
        assert "Setting up" in said
    finally:
        elsewhere.rename(ready.root)


@pytest.mark.e2e
def test_nothing_to_install_from(ready: Project) -> None:
    """Offline before the first set-up: an error and its fix, no traceback, and no stamp."""
    shutil.rmtree(ready.venv)
    for wheel in ready.root.glob("*.whl"):
        wheel.unlink()
    status, said = ready.start()
    assert status == 1
    assert said.splitlines()[-2].startswith("lab.py: The set-up did not finish")
    assert said.splitlines()[-1].startswith("Fix: ")
    assert "Traceback" not in said
    assert not ready.stamps


@pytest.mark.e2e
def test_pip_takes_over_where_uv_fails(project: Project) -> None:
    """Pip's settings are not read by uv, so uv can fail on a network where pip works."""
    project.lock("1.0")
    shutil.rmtree(project.venv, ignore_errors=True)
    project.wheel("uv", "1.0", "import sys; sys.exit('uv: no network')")
    try:
        status, said = project.start()
    finally:
        next(project.root.glob("uv-*.whl")).unlink()
    assert "uv: no network" in said
    assert (status, said.splitlines()[-1]) == (0, "coursekit 1.0:"), said


@pytest.mark.e2e
def test_environment_made_by_hand_is_kept(ready: Project) -> None:
    """`python -m venv .venv`, plain pip, then lab.py from inside: the environment that runs is not torn down."""
    for stamp in ready.stamps:
        (ready.venv / stamp).unlink()
    own = ready.venv / "a person's own"
    own.touch()
    status, said = ready.start(python=ready.python)
    assert (status, said.splitlines()[-1]) == (0, "coursekit 1.0:"), said
    assert own.exists()
    assert ready.stamps


# The real set-up, on each Python of this machine


def pythons() -> dict[tuple[int, int], Path]:
    """The Pythons of this machine by version: pyenv's, and those on the path."""
    found = [
        Path(path)
        for path in (shutil.which(name) for name in ("python2.7", *(f"python3.{minor}" for minor in range(6, 20))))
        if path
    ]
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        found += Path(root, "versions").glob(f"*/bin/python3{EXE}")
    known = {}
    for python in found:
        ask = "import sys; print(sys.executable); print(sys.version_info[0]); print(sys.version_info[1])"
        status, said = run([python, "-c", ask], ROOT, os.environ)
        if status == 0:
            place, major, minor = said.split("\n")[:3]
            known[int(major), int(minor)] = Path(place)
    return known


@pytest.mark.e2e
@pytest.mark.timeout(1500)
def test_units_pass_on_each_python(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """From a fresh copy and an empty home to unit tests that pass, on the versions that this run is not."""
    for version, python in sorted(pythons().items()):
        if version not in SUPPORTED or version == sys.version_info[:2]:
            continue
        with subtests.test(python=".".join(map(str, version))):
            place = tmp_path / f"{version[0]}.{version[1]}"
            place.mkdir()
            # The versions share one download of what they share; everything else is each one's own.
            clone = Clone.make(place, UV_CACHE_DIR=str(tmp_path / "uv"))
            # The newest one runs the whole fast lane; those between it and this one only what students import.
            part = [] if version == SUPPORTED[-1] else ["tests/labkit"]
            lanes = ["-m", "not live and not e2e"]
            status, said = run(
                [python, "lab.py", "test", "--", "-q", *lanes, *SIDE_BY_SIDE, *part], clone.root, clone.env, 700
            )
            assert status == 0, said[-5000:]
            assert " passed" in said
            shutil.rmtree(place)


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_plain_pip_gives_labkit(tmp_path: Path) -> None:
    """`pip install -r requirements.txt` in a bare environment is a whole set-up too."""
    clone = Clone.make(tmp_path)
    run([sys.executable, "-m", "venv", tmp_path / "bare"], tmp_path, clone.env)
    python = tmp_path / "bare" / BIN / f"python{EXE}"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # Byte code is what pip takes longest over. The lock names every package, which the check makes sure of.
    status, said = run(
        [*pip, "install", "--no-compile", "--no-deps", "-r", "requirements.txt"], clone.root, clone.env, 500
    )
    assert status == 0, said
    assert run([*pip, "check"], clone.root, clone.env)[0] == 0
    status, said = run([python, "-c", "import labkit; print(labkit.__file__, labkit.connect)"], tmp_path, clone.env)
    assert (status, str(clone.root) in said) == (0, True), said
