"""The commands of `python lab.py`, in processes of their own where they run one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import nbformat
import openai
import pytest

from coursekit import cli, copies, jupyter, ports, serving
from coursekit.webgpu import npm, pages
from foundry_mock import MockEndpoint
from labkit import endpoints
from labkit._smollm.layout import EMBEDDED
from labkit.listing import list_models
from tests.conftest import ROOT, serve, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Nothing listens on the port of this registry.
NO_REGISTRY = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9"}
# What ends a process in the foreground: Windows has no SIGTERM, and Ctrl-C reaches every process there.
if sys.platform == "win32":
    SIGNALS = [signal.CTRL_BREAK_EVENT]
else:
    SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """A port that nothing uses."""
    return ports.free_port()


@pytest.mark.live
def test_ready_line_names_what_is_served(served: tuple[str, str]) -> None:
    """Address and full id, as other programs read them from the first line."""
    base_url, model = served
    assert base_url.startswith("http://127.0.0.1:")
    assert list_models(base_url) == (model,) == (EMBEDDED.id,)


@pytest.mark.live
@pytest.mark.parametrize(
    ("end", "busy"),
    [
        (SIGNALS[0], True),
        (SIGNALS[-1], False),
        # Foundry Local's own service has this route; the SDK's close never returns after it.
        pytest.param("/shutdown", False, marks=pytest.mark.e2e),
    ],
)
def test_endpoint_ends_in_good_order(own_cache: Path, free_port: int, end: signal.Signals | str, busy: bool) -> None:
    """It was published; the exit status is 0, and no file and no traceback stay behind, also while a client streams."""
    with serve(own_cache, "--port", str(free_port)) as serving, contextlib.ExitStack() as stack:
        (endpoint,) = endpoints.published(own_cache)
        assert (endpoint.base_url, endpoint.model) == (serving.base_url, serving.model)
        assert (endpoint.base_url, endpoint.pid) == (f"http://127.0.0.1:{free_port}/v1", serving.process.pid)
        client = stack.enter_context(openai.OpenAI(base_url=serving.base_url, api_key="-", max_retries=0))
        if busy:
            stream = client.chat.completions.create(
                model=serving.model,
                messages=[{"role": "user", "content": "Count to 500."}],
                max_tokens=4000,
                stream=True,
            )
            next(iter(stack.enter_context(stream)))
        if isinstance(end, str):
            with contextlib.suppress(openai.APIConnectionError):  # it may end before it has answered
                client.post(serving.base_url.removesuffix("/v1") + end, cast_to=object)
        else:
            serving.process.send_signal(end)
        assert serving.process.wait(20) == 0
    assert list((own_cache / "endpoints").iterdir()) == []
    assert "Traceback" not in (own_cache / "serve.log").read_text(encoding="utf-8")


@pytest.fixture
def with_packages(own_cache: Path) -> Path:
    """A cache in which the packages of the pages lie, as far as can be told."""
    for package in (pages.ONNXRUNTIME, pages.WLLAMA):
        place = npm.folder(package, own_cache)
        place.mkdir(parents=True)
        for file in package.files:
            (place / file.rpartition("/")[2]).touch()
    return own_cache


@pytest.mark.parametrize("number", SIGNALS)
def test_pages_are_served_until_a_signal(with_packages: Path, free_port: int, number: signal.Signals) -> None:
    """At the address that is printed; the exit status is 0, without a complaint, and the port is free again."""
    arguments = ("webgpu", "--no-browser", "--port", str(free_port))
    with start(*arguments, cache=with_packages, stderr=subprocess.PIPE) as process:
        assert process.stdout
        address = f"http://127.0.0.1:{free_port}"
        printed = [process.stdout.readline() for _ in range(3)]
        assert printed == ["The pages are at\n", f"  {address}\n", "Press Ctrl-C here to end.\n"]
        with httpx2.Client(base_url=address, trust_env=False) as client:
            for path, words in (("/", "<title>"), ("/chat.html", "<title>"), ("/main.js", "import")):
                reply = client.get(path)
                assert (reply.status_code, reply.headers["content-security-policy"]) == (200, pages.POLICY)
                assert words in reply.text
            process.send_signal(number)  # while a connection is open
            said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, ("", ""))
    assert ports.is_free(free_port)


def test_pages_take_another_port_where_theirs_is_taken(with_packages: Path) -> None:
    """Unless one was asked for."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else has it already: as good
            stack.enter_context(socket.create_server(("127.0.0.1", serving.PAGES_PORT)))
        process = stack.enter_context(start("webgpu", "--no-browser", cache=with_packages))
        assert process.stdout
        process.stdout.readline()
        address = process.stdout.readline().strip()
        assert address != f"http://127.0.0.1:{serving.PAGES_PORT}"
        assert httpx2.get(address, trust_env=False).status_code == 200


def test_help_has_a_line_about_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert len(cli.lab.commands) == 14
    for name, command in cli.lab.commands.items():
        assert command.help
        assert f"  {name} " in shown
        assert cli.main([name, "--help"]) == 0
        assert f"Usage: lab.py {name}" in capsys.readouterr().out
    assert cli.LAST_LINE in " ".join(shown.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port", "9", "doctor"], "'doctor' has no option --port"),
        (["--no-browser", "serve"], "'serve' has no option --no-browser"),
        (["chat", "--prot", "9"], "--prot"),
        (["chat", "--port", "nine"], "nine"),
        (["chatt"], "chatt"),
        (["reset"], "NN"),
        (["backup", "--check", "a", "--restore", "b"], "--check and --restore"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    [line] = shown.err.splitlines()
    assert line.startswith("lab.py: ")
    assert expected in line.partition(" Fix: ")[0]
    assert "--help" in line.partition(" Fix: ")[2]


@pytest.mark.parametrize(
    ("arguments", "variables", "message", "fix"),
    [
        (["serve", "--port", "{taken}"], {}, "Port {taken} on 127.0.0.1 is taken", "--port"),
        (["webgpu", "--port", "{taken}"], {}, "Port {taken} on 127.0.0.1 is taken", "--port"),
        (["serve", "--port", "65536"], {}, "65536", "--port"),
        (["serve"], {"BASE_URL": "http://a b"}, "BASE_URL is 'http://a b'", "BASE_URL"),
        (["webgpu", "--no-browser"], NO_REGISTRY, "onnxruntime-web@1.30.0 could not be fetched", "NPM_CONFIG_REGISTRY"),
    ],
    ids=["port taken", "pages' port taken", "no port", "bad variable", "no registry"],
)
def test_error_is_one_line_with_its_fix(
    own_cache: Path, taken_port: int, arguments: list[str], variables: dict[str, str], message: str, fix: str
) -> None:
    """The exit status is 1, stdout stays empty for the programs that read it, and nothing was fetched."""
    command = [sys.executable, "-m", "coursekit", *(argument.format(taken=taken_port) for argument in arguments)]
    environment = os.environ | variables
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    line = done.stderr.splitlines()[-1]
    assert line.startswith("lab.py: ")
    assert message.format(taken=taken_port) in line.partition("Fix: ")[0]
    assert fix in line.partition("Fix: ")[2]
    assert not list(own_cache.rglob("*.mjs"))


@pytest.mark.parametrize(("place", "fix"), [("--out", "an option"), ("LABKIT_CACHE", "LABKIT_CACHE")])
def test_path_that_cannot_be_is_one_line_with_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, fix: str
) -> None:
    """A folder below a file, wherever it was named."""
    file = tmp_path / "file"
    file.touch()
    with MockEndpoint() as mock:
        monkeypatch.setenv("BASE_URL", mock.base_url)
        if place == "--out":
            status = cli.main(["report", "1", "--out", str(file / "report")])
        else:
            monkeypatch.setenv("LABKIT_CACHE", str(file / "cache"))
            status = cli.main(["webgpu", "--no-browser"])
    line = capsys.readouterr().err.splitlines()[-1]
    assert status == 1
    assert line.startswith("lab.py: ")
    assert str(file) in line.partition("Fix: ")[0]
    assert fix in line.partition("Fix: ")[2]


@pytest.mark.parametrize("command", ["serve", "chat", "webgpu", "openwebui"])
def test_options_may_be_before_the_command_or_after_it(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    received: list[tuple[int | None, bool]] = []

    def run(port: int | None, *_: str, no_browser: bool = False, **__: bool) -> int:
        received.append((port, no_browser))
        return 0

    monkeypatch.setattr(serving, command, run)
    options = ["--port", "9", *([] if command == "serve" else ["--no-browser"])]
    for words in ([*options, command], [command, *options], [command]):
        assert cli.main(words) == 0
    assert received == [(9, command != "serve")] * 2 + [(None, False)]


def test_ctrl_c_gets_through_while_the_workbook_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows lets nothing through to a wait without an end, so JupyterLab is asked again and again."""

    class Process:
        asked = 0

        def poll(self) -> None:
            self.asked += 1
            if self.asked > 1:
                raise KeyboardInterrupt

        def wait(self) -> None:
            pytest.fail("a wait that nothing interrupts")

    process = Process()
    monkeypatch.setattr(jupyter, "jupyterlab", lambda *_: contextlib.nullcontext((process, "http://127.0.0.1/{name}")))
    monkeypatch.setattr(jupyter, "wait_until_up", lambda *_: None)
    monkeypatch.setattr(copies, "refresh", list)
    monkeypatch.setattr(serving, "_endpoint", contextlib.nullcontext)
    monkeypatch.setattr(serving, "_first_answer", lambda _: None)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["--no-browser"]) == 0
    assert process.asked == 2
    assert signal.getsignal(signal.SIGTERM) is before


def run_in(course: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command in a course of its own; gives the exit status, stdout and stderr."""
    command = [sys.executable, "-m", "coursekit", *arguments]
    environment = os.environ | {"PYTHONPATH": str(course)}
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course of one lesson, which exports one file."""
    course = tmp_path / "course"
    for package in ("labkit", "coursekit"):
        shutil.copytree(ROOT / package, course / package, ignore=shutil.ignore_patterns("__pycache__"))
    (course / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell("%%export apps/chat/a.py\nx = 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), course / "notebooks" / "01_first.ipynb")
    return course


def test_reset_gives_a_fresh_copy(course: Path) -> None:
    """The old copy stays beside the new one, and both are named."""
    (course / "work").mkdir()
    (course / "work" / "01_first.ipynb").write_text("my work", encoding="utf-8")
    status, shown, _ = run_in(course, "reset", "1")
    [old] = [path for path in (course / "work").glob("*.ipynb") if path.name != "01_first.ipynb"]
    assert old.read_text(encoding="utf-8") == "my work"
    first, second = shown.splitlines()
    assert (status, first) == (0, f"01_first.ipynb is fresh. Your old one is {old.name}, beside it.")
    assert "Reload Notebook from Disk" in second
    assert re.fullmatch(r"01_old_\d{4}-\d\d-\d\d-\d{6}_first\.ipynb", old.name)


def test_export_checks_and_writes(course: Path) -> None:
    """--check shows what differs and writes nothing, and after an export nothing differs."""
    status, shown, error = run_in(course, "export", "--check")
    assert (status, error) == (1, "lab.py: apps/chat/a.py is missing. Fix: python lab.py export\n")
    assert shown.startswith("--- /dev/null\n")
    assert shown.endswith("+x = 1\n")
    assert not (course / "apps").exists()
    assert run_in(course, "export") == (0, "written    apps/chat/a.py\n", "")
    assert run_in(course, "export") == (0, "unchanged  apps/chat/a.py\n", "")
    assert run_in(course, "export", "--check") == (0, "", "")
    (course / "apps" / "new.py").touch()
    assert [run_in(course, "export", *options)[0] for options in ([], ["--check"])] == [1, 1]


def test_kernel_is_registered_for_this_python(tmp_path: Path) -> None:
    """Under the name that notebooks and editors look for."""
    command = [sys.executable, "-m", "coursekit", "kernel"]
    environment = os.environ | {"JUPYTER_DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    place = tmp_path / "kernels" / "foundry-local"
    kernel = json.loads((place / "kernel.json").read_text(encoding="utf-8"))
    assert kernel["display_name"] == "Foundry Local"
    assert kernel["argv"][0] == sys.executable
    assert str(place) in done.stdout


SKIPS = """
import pytest

def test_skip():
    pytest.skip("no reason")

@pytest.mark.xfail(reason="a bug")
def test_known():
    raise AssertionError

@pytest.mark.e2e
def test_slow():
    pass
"""


@pytest.mark.parametrize(
    ("option", "variable", "outcome"),
    [
        ([], "", {"skipped", "xfailed", "deselected"}),
        (["--all"], "", {"failed", "passed"}),
        ([], "true", {"failed", "passed"}),
    ],
    ids=["ordinary", "--all", "CI"],
)
def test_lanes(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: list[str],
    variable: str,
    outcome: set[str],
) -> None:
    """An ordinary run leaves the slow lane out; with --all or CI set it runs, and a skip is a failure."""
    monkeypatch.setenv("CI", variable)
    shutil.copy2(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_skips.py").write_text(SKIPS, encoding="utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "-p", "no:nbval"]
    status = cli.main(["test", *option, "--", *settings, str(tmp_path)])
    last = capfd.readouterr().out.splitlines()[-1]
    assert {word for word in ("passed", "failed", "skipped", "xfailed", "deselected") if f" {word}" in last} == outcome
    assert status == (1 if "failed" in outcome else 0)


@pytest.mark.skipif(os.name == "nt", reason="there the app is a child and not this process")
@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_chat_says_where_it_starts(
    host: str, shown: str, free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def becomes(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", becomes)
    with pytest.raises(SystemExit):
        cli.main(["chat", "--no-browser", "--host", host, "--port", str(free_port)])
    assert f"http://{shown}:{free_port}\n" in capsys.readouterr().out
