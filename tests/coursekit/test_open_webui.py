"""Open WebUI beside the workbook: the choice of a Python, what is set, what is said; and the real one in a browser."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from coursekit import cli, open_webui, ports
from coursekit.open_webui import FULL, SLIM, Kind, packages, process
from coursekit.ports import free_port
from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.errors import EndpointError, FetchError, SettingsError
from tests.conftest import start
from tests.support import browser
from tests.support.jupyterlab import OUR_HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, FilePayload, Page

LAB = Connection("http://127.0.0.1:51299/v1", "a-model:1", Source.SHARED, "a-key")
LOCKS = [FULL, SLIM]


def test_this_python_is_taken_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PYTHONS", (sys.version_info[:2],))
    monkeypatch.setattr(packages, "_uv", lambda: pytest.fail("uv is not needed"))
    assert open_webui.find_python() == sys.executable


# What uv answers: with `fetched` there is a Python of uv's own only after `uv python install`.
UV = """import pathlib, sys
case, here, words = {case!r}, pathlib.Path({here!r}), sys.argv[1:]
if words[:2] == ["python", "install"] and case == "fetched":
    (here / "fetched").touch()
elif words[1] == "find" and ((case == "system" and "--system" in words)
        or ("--managed-python" in words and (case == "managed" or (here / "fetched").exists()))):
    print(here / "python")
else:
    sys.exit("error: no Python")
"""


@pytest.mark.parametrize(
    ("case", "fetch", "found"),
    [
        ("system", False, True),
        ("managed", False, True),
        ("fetched", True, True),
        ("fetched", False, False),
        ("none", True, False),
    ],
)
def test_another_python_is_found_or_fetched_by_uv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str, fetch: bool, found: bool
) -> None:
    (tmp_path / "python").touch()
    (tmp_path / "uv.py").write_text(UV.format(case=case, here=str(tmp_path)), encoding="utf-8")
    monkeypatch.setattr(packages, "PYTHONS", ())
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "no pyenv"))
    monkeypatch.setattr(packages, "_uv", lambda: [sys.executable, str(tmp_path / "uv.py")])
    if found:
        assert open_webui.find_python(fetch=fetch) == str(tmp_path / "python")
    else:
        with pytest.raises(SettingsError, match=r"needs Python 3\.11 or 3\.12\. This is 3\..*install Python 3\.12"):
            open_webui.find_python(fetch=fetch)


@pytest.mark.skipif(os.name == "nt", reason="a script that is a program")
def test_the_newest_python_of_pyenv_that_works_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version, answer in (("3.10.9", "echo"), ("3.11.2", "echo"), ("3.12.1", "exit 1"), ("3.13.0", "echo")):
        python = tmp_path / "versions" / version / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\n{answer} Python {version}\n")
        python.chmod(0o755)
    monkeypatch.setattr(packages, "PYTHONS", ())
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert open_webui.find_python() == str(tmp_path / "versions/3.11.2/bin/python")


def test_the_environment_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text("# why\nA=b\n\nC=d=e\nEMPTY=\n")
    assert open_webui.variables(file) == {"A": "b", "C": "d=e", "EMPTY": ""}


@pytest.mark.parametrize("line", ["A b", "export A=b", "=b", " # why", "A-B=c"])
def test_what_is_no_variable_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.env").write_text(f"A=b\n{line}\n")
    with pytest.raises(SettingsError, match=r"Line 2 of a\.env"):
        open_webui.variables(tmp_path / "a.env")


def test_each_variable_of_ours_has_its_reason() -> None:
    """And none of them is an address or a secret."""
    lines = (open_webui.FOLDER / "open_webui.env").read_text(encoding="utf-8").splitlines()
    blocks = "\n".join(lines).split("\n\n")
    assert all(block.startswith("# ") for block in blocks)
    assert not re.search(r"^\w*(URL|KEY|SECRET|PASSWORD|PORT)=", "\n".join(lines), re.MULTILINE)
    assert open_webui.variables()["ENABLE_PERSISTENT_CONFIG"] == "false"


def test_the_process_gets_nothing_that_was_set_for_others(tmp_path: Path) -> None:
    around = {"PATH": "p", "DATABASE_URL": "x", "OPENAI_API_KEY": "theirs", "CLOUD_API_KEY": "y", "no_proxy": "inside"}
    got = open_webui.environment(LAB, 3000, tmp_path, "signs", SLIM, around)
    assert got["PATH"] == "p"
    assert {"DATABASE_URL", "CLOUD_API_KEY"}.isdisjoint(got)
    assert (got["OPENAI_API_BASE_URL"], got["OPENAI_API_KEY"]) == (LAB.base_url, "a-key")
    assert got["NO_PROXY"] == "127.0.0.1,localhost,inside"
    assert got["USE_SLIM_DOCKER"] == "true"
    assert "USE_SLIM_DOCKER" not in open_webui.environment(LAB, 3000, tmp_path, "signs", FULL, around)
    assert "*" not in got["CORS_ALLOW_ORIGIN"]
    assert open_webui.variables().items() <= got.items()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Nothing is installed: what would have been run; each command works, and makes the Python that it should."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        if "venv" in command:
            place = Path(command[-1])
            python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            shutil.rmtree(place, ignore_errors=True)
            python.parent.mkdir(parents=True)
            python.touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages, "find_python", lambda **_: "a-python")
    monkeypatch.setattr(subprocess, "run", run)
    return asked


@pytest.mark.parametrize("kind", LOCKS, ids=str)
def test_the_size_is_said_first_and_a_second_time_nothing_is_done(
    own_cache: Path, commands: list[list[str]], kind: Kind
) -> None:
    said: list[str] = []
    assert open_webui.installed(own_cache) is None
    open_webui.install(own_cache, kind, say=said.append)
    assert open_webui.installed(own_cache) is kind
    assert f"{kind.fetched} MB" in said[0]
    assert f"{kind.kept} MB on disk" in said[0]
    assert ("--no-deps" in commands[-1]) is not kind.whole
    done = len(commands)
    said.clear()
    open_webui.install(own_cache, kind, say=said.append)
    assert said == [f"{kind} is set up already."]
    assert len(commands) == done


def test_an_environment_that_was_not_finished_is_made_again(own_cache: Path, commands: list[list[str]]) -> None:
    python = open_webui.install(own_cache, SLIM)
    (python.parents[1] / "installed.sha256").write_text("of another lock")
    assert open_webui.installed(own_cache) is None
    done = len(commands)
    open_webui.install(own_cache, SLIM)
    assert len(commands) > done


@pytest.mark.usefixtures("commands")
def test_a_full_disk_is_said_before_anything_is_fetched(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 100_000_000))
    with pytest.raises(SettingsError, match=r"100 MB left.*--slim"):
        open_webui.install(own_cache, FULL)


def test_packages_that_cannot_be_had_are_an_error(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First uv is tried, where it is, and then pip; nothing is taken for installed."""
    monkeypatch.setattr(packages, "find_python", lambda **_: "a-python")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", ""))
    with pytest.raises(FetchError, match="could not be installed"):
        open_webui.install(own_cache, SLIM)
    assert list(own_cache.rglob("installed.sha256")) == []


def child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Run this in place of Open WebUI."""
    monkeypatch.setattr(process, "_CHILD", code)


def test_one_that_ends_at_once_is_an_error_with_its_last_line(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "raise SystemExit('no such thing')")
    with (
        pytest.raises(EndpointError, match=r"has ended \(no such thing\).*open-webui\.log"),
        open_webui.running(Path(sys.executable), LAB, own_cache, free_port()),
    ):
        pytest.fail("it was not ready")


SERVES = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Ready).serve_forever()
"""


def test_it_is_ready_runs_once_and_is_gone_afterwards(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, SERVES)
    port, said = free_port(), list[str]()
    with open_webui.running(Path(sys.executable), LAB, own_cache, port, say=said.append) as server:
        assert server.address == f"http://127.0.0.1:{port}"
        assert "first time" in said[0]
        with (
            pytest.raises(EndpointError, match="runs already"),
            open_webui.running(Path(sys.executable), LAB, own_cache, free_port()),
        ):
            pytest.fail("two over one database")
        server.process.kill()
        with pytest.raises(EndpointError, match="has ended"):
            server.wait()
    assert ports.is_free(port)


def test_a_taken_port_is_said_before_anything_is_set_up(capsys: pytest.CaptureFixture[str], own_cache: Path) -> None:
    with MockEndpoint() as taken:
        port = str(urlsplit(taken.base_url).port)
        assert cli.main(["openwebui", "--port", port, "--no-browser"]) == 1
    assert f"Port {port} on 127.0.0.1 is taken" in capsys.readouterr().err
    assert not (own_cache / "openwebui").exists()


@pytest.mark.parametrize("kind", LOCKS, ids=str)
def test_the_locks_are_whole_and_name_no_registry(kind: Kind) -> None:
    text = (open_webui.FOLDER / kind.lock).read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if not line.startswith("#")]
    assert f"open-webui=={open_webui.VERSION}" in pins
    assert all(re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.+]+( ; .+)?", pin) for pin in pins)
    assert "psutil" in text  # the process that follows its parent needs it


def test_the_compose_file_says_what_the_command_does() -> None:
    content = yaml.safe_load((open_webui.FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    assert set(content["services"]) == {"desktop", "linux"}
    for service in content["services"].values():
        assert service["image"].endswith(f":v{open_webui.VERSION}")
        assert service["env_file"] == "open_webui.env"
        assert "?" in service["environment"]["WEBUI_SECRET_KEY"]
        assert "/ready" in service["healthcheck"]["test"][-1]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert content["services"]["linux"]["environment"]["HOST"] == "127.0.0.1"


# The real one, of the slim set, in a real browser.

QUICK = Behaviour(first_token=0.02, rate=400)
SLOW = Behaviour(first_token=0.02, rate=20)


@contextlib.contextmanager
def command(cache: Path, base_url: str, *further: str) -> Iterator[tuple[str, list[str], psutil.Process]]:
    """`python lab.py openwebui --slim` until the block ends: its address, what it said and its process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASE_URL", base_url)
        said: list[str] = []
        arguments = ("openwebui", "--slim", "--no-browser", "--port", str(free_port()), *further)
        with start(*arguments, cache=cache, stderr=subprocess.STDOUT) as process:
            assert process.stdout
            for line in process.stdout:
                said.append(line.strip())
                if line.startswith("Press Ctrl-C"):
                    break
            else:
                pytest.fail("\n".join(said))
            below = psutil.Process(process.pid).children()
            yield said[-2], said, psutil.Process(process.pid)
            if process.poll() is None:
                process.terminate()
                assert process.wait(20) == 0 or sys.platform == "win32"
            assert psutil.wait_procs(below, 10)[1] == []


@contextlib.contextmanager
def opened(chromium: Browser, address: str) -> Iterator[Page]:
    """Its page in a fresh profile; nothing may be asked of another host."""
    asked: set[str] = set()
    context = chromium.new_context(viewport={"width": 1100, "height": 800}, locale="en-US")
    context.on("request", lambda request: asked.add(request.url))
    page = context.new_page()
    page.on("websocket", lambda socket: asked.add(socket.url))
    page.set_default_timeout(20_000)
    try:
        page.goto(address)
        yield page
    finally:
        context.close()
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} <= OUR_HOSTS


def say(page: Page, text: str) -> None:
    """Type a message and send it."""
    page.locator("#chat-input").click()
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def until(true: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for what the mock counts."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache in which the slim set is installed; the tests here share it, and what they leave in it."""
    folder = tmp_path_factory.mktemp("open webui")
    open_webui.install(folder, SLIM)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_the_real_one_from_the_first_account_to_another_endpoint(slim: Path) -> None:
    """Administrator, model, a growing answer, Stop, a file; then a restart with the endpoint elsewhere."""
    path = browser.find()
    if path is None:
        pytest.skip("no Chrome, Edge or Chromium is installed, and Playwright has none")
    with sync_playwright() as playwright, browser.launch(playwright, path) as chromium:
        with MockEndpoint(QUICK) as mock, command(slim, mock.base_url) as (address, said, _):
            assert any("set up already" in line for line in said)
            with opened(chromium, address) as page:
                page.get_by_role("button", name="Get started").click()
                page.locator("#name").fill("Ada")
                log_in(page, "Create Admin Account")
                page.get_by_role("button", name="Okay").click()  # the news of this version
                choose(page, mock.model)
                say(page, "What is an API?")
                expect(page.get_by_text("An API is an agreed way")).to_be_visible()
                stopped(page, mock)
                attached(page, mock)
                # One request a message: a title, tags and follow-ups would have been asked for after the first answer.
                until(lambda: mock.counters.ended == 2)
                assert mock.counters.started == 3
                conversation = page.url
            key = (slim / "openwebui" / "secret-key").read_text()
        assert mock.counters.running == 0
        with (
            MockEndpoint(QUICK) as other,
            command(slim, other.base_url) as (address, _, process),
            opened(chromium, address) as page,
        ):
            assert other.base_url != mock.base_url
            assert page.request.post(f"{address}/api/v1/auths/signup", data=STRANGER).status == 403
            log_in(page, "Sign in")
            choose(page, other.model)
            page.goto(address + urlsplit(conversation).path)
            expect(page.get_by_text("An API is an agreed way")).to_be_visible()
            say(page, "What is the capital of Sweden?")
            expect(page.get_by_text("The capital of Sweden is Stockholm.")).to_be_visible()
            assert other.counters.started == 1
            assert (slim / "openwebui" / "secret-key").read_text() == key
            served = process.children()
            process.kill()  # and what it started ends too, once somebody has taken note of that
            process.wait()
            assert psutil.wait_procs(served, 15)[1] == []


ADA = ("ada@example.com", "a-long-password")
STRANGER = {"name": "Eve", "email": "eve@example.com", "password": "a-long-password"}


def log_in(page: Page, button: str) -> None:
    """Give e-mail and password, and wait for the page behind them."""
    page.locator("#email").fill(ADA[0])
    page.locator("#password").fill(ADA[1])
    page.get_by_role("button", name=button).click()
    expect(page.locator("#chat-input")).to_be_visible()


def choose(page: Page, model: str) -> None:
    """Take the model out of the list."""
    page.locator("#model-selector-model-button").click()
    page.get_by_role("option", name=model).click()
    expect(page.locator("#model-selector-model-button")).to_contain_text(model)


def stopped(page: Page, mock: MockEndpoint) -> None:
    """An answer grows, Stop ends it, and the endpoint is free again."""
    mock.state.behaviour = SLOW
    say(page, "Count to 300.")
    expect(page.get_by_text(re.compile(r"1 2 3 4 5"))).to_be_visible()
    before = counted(page)
    until(lambda: counted(page) > before + 5)
    page.get_by_label("Stop", exact=True).click()
    until(lambda: mock.counters.running == 0)
    assert mock.counters.aborted == 1
    assert before < counted(page) < 300
    mock.state.behaviour = QUICK


def counted(page: Page) -> int:
    """How far the counting answer has come."""
    text = page.get_by_text(re.compile(r"1 2 3 4 5")).last.inner_text()
    return int(re.findall(r"\d+", text)[-1])


def attached(page: Page, mock: MockEndpoint) -> None:
    """A text file goes to the model in the one request."""
    before = mock.counters.started
    note: FilePayload = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"The heron stands in the reeds."}
    with page.expect_response(lambda reply: "/api/v1/files/" in reply.url and "/process/status" in reply.url) as status:
        page.locator("input[type=file]").first.set_input_files(files=[note])
    status.value.finished()
    expect(page.get_by_text("note.txt")).to_be_visible()
    say(page, "Answer in one word.")
    expect(page.get_by_text("Yes.", exact=True)).to_be_visible()
    assert mock.counters.started == before + 1
