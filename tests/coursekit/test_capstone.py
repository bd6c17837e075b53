"""The capstone's check: which apps pass, which fail and why, and its rules about text."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coursekit.capstone import DrillReport, DrillResult, check
from coursekit.capstone.app import App
from coursekit.capstone.bench import Limits
from coursekit.capstone.drills import DRILLS
from coursekit.capstone.rules import complaint, holding, is_database, literal_keys, open_hosts, outside, short
from coursekit.errors import WorkbookError
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE = ROOT / "apps" / "capstone"
# Patient where an app has to do something, less so where the tests know that it will not.
LIMITS = Limits(patience=5, ready=150, answer=25, complaint=20, ended=10)
FAULTS = {"http_500", "dropped", "hangs", "refused"}

# The app of the course that this one grew from, in short: one blocking client for everybody, made at the first chat,
# a token asked for to see whether the endpoint is well, and nothing caught.
SEED = """
import os

import chainlit as cl
from openai import OpenAI

client = None
name = None


@cl.on_chat_start
async def begin():
    global client, name
    client = OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ.get("API_KEY") or "not-required")
    name = os.environ.get("MODEL", "phi-4-mini")
    client.chat.completions.create(model=name, messages=[{"role": "user", "content": "test"}], max_tokens=1)


@cl.on_message
async def answer(message):
    bubble = cl.Message(content="")
    await bubble.send()
    system = {"role": "system", "content": "You are a helpful AI assistant."}
    question = {"role": "user", "content": message.content}
    for chunk in client.chat.completions.create(model=name, messages=[system, question], stream=True):
        if chunk.choices[0].delta.content:
            await bubble.stream_token(chunk.choices[0].delta.content)
    await bubble.update()
"""


@dataclass(frozen=True)
class Mutant:
    """The worked example with one thing broken: what is replaced by what, in which file, and which drills see it."""

    replaced: str
    by: str
    fails: frozenset[str]
    file: str = "app.py"


def broken(replaced: str, by: str, *fails: str, file: str = "app.py") -> Mutant:
    return Mutant(replaced, by, frozenset(fails), file)


LOOP = """                async for event in answer:
                    if event.text:
                        await shown.stream_token(event.text)
"""
COMPLAINT = "await cl.ErrorMessage(str(error)).send()"
MUTANTS = {
    "answers at once": broken("await shown.stream_token(event.text)", "pass", "streams"),
    "reads on after Stop": broken(
        LOOP,
        """                pieces = asyncio.Queue()

                async def read():
                    async for event in answer:
                        pieces.put_nowait(event.text)
                    pieces.put_nowait(None)

                reading = asyncio.ensure_future(read())
                reading.add_done_callback(lambda task: task.cancelled() or pieces.put_nowait(None))
                answer.aclose = lambda: asyncio.sleep(0)
                while (text := await pieces.get()) is not None:
                    if text:
                        await shown.stream_token(text)
                await reading
""",
        "stops",
        "tab",
    ),
    "does not see a closed tab": broken("@cl.on_chat_end\n", "", "tab"),
    "takes the partial answer away": broken(
        "                await shown.send()\n",
        "                await (shown.send() if answer.trace.ended == 'finished' else shown.remove())\n",
        "stops",
        "dropped",
    ),
    "swallows errors": broken(COMPLAINT, "pass", *FAULTS),
    "says no fix": broken(COMPLAINT, 'await cl.ErrorMessage("Something has gone wrong here, sorry.").send()', *FAULTS),
    "has no patience": broken("timeout=PATIENCE", "timeout=10_000", "hangs"),
    "blocks": broken(
        "                async for event in answer:\n",
        "                from labkit import stream_sync\n"
        "                for event in stream_sync(_connected(), sent, max_tokens=ROOM, timeout=PATIENCE):\n"
        "                    answer._reader.parts.append(event.text)\n",
        "neighbour",
    ),
    "asks twice": broken(
        "    except LabError as error:\n",
        '        async for _ in stream(_connected(), "A title, please.", max_tokens=8, timeout=PATIENCE):\n'
        "            pass\n"
        "    except LabError as error:\n",
        "one_call",
    ),
    "asks before anybody has": broken(
        '    cl.user_session.set("history", history)\n',
        '    cl.user_session.set("history", history)\n'
        '    async for _ in stream(await asyncio.to_thread(connected), "test", max_tokens=1):\n'
        "        pass\n",
        "one_call",
    ),
    "forgets": broken("history.within(WINDOW - ROOM)", "history.messages[-1:]", "remembers"),
    "sends everything": broken("history.within(WINDOW - ROOM)", "history.within(None)", "bounded"),
    "listens everywhere": broken(
        "protect()\n\n",
        'protect()\nimport socket\n\nMETRICS = socket.create_server(("0.0.0.0", 0))\n',
        "loopback",
    ),
    "prints the key": broken("protect()\n\n", 'protect()\nprint(os.environ["API_KEY"])\n', "secrets"),
    "logs a question": broken(COMPLAINT, f'print("failed:", message.content); {COMPLAINT}', "secrets"),
    "keeps questions in a file": broken(
        COMPLAINT,
        f'(Path(__file__).parent / "log.txt").open("a").write(message.content); {COMPLAINT}',
        "secrets",
    ),
    "has a key in it": broken("protect()\n\n", 'protect()\nKEY = "sk-proj-4f9a8b7c6d5e4f3a2b1c"\n', "source"),
    "loads fonts from elsewhere": broken('OUTSIDE.sub("", made(root))', "made(root)", "at_home", file="same_page.py"),
    "talks to every page": broken("app.add_middleware(SamePage)", "pass", "stranger", file="same_page.py"),
    "runs HTML": broken(
        "unsafe_allow_html = false", "unsafe_allow_html = true", "escapes", file=".chainlit/config.toml"
    ),
    "does not start": broken("protect()\n\n", "protect()\nraise SystemExit\n", *(drill.name for drill in DRILLS)),
}


UNHARMED = {"starts", "streams", "remembers", "source"}


def build(name: str, folder: Path) -> Path:
    """The folder of an app under test."""
    if name == "seed":
        folder.mkdir()
        (folder / "app.py").write_text(SEED, encoding="utf-8")
        return folder
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".files", "translations"))
    if mutant := MUTANTS.get(name):
        path = folder / mutant.file
        text = path.read_text(encoding="utf-8")
        assert text.count(mutant.replaced) == 1, f"{mutant.replaced!r} is not once in {mutant.file}"
        path.write_text(text.replace(mutant.replaced, mutant.by), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], DrillReport]]:
    """What the check finds about the apps of the selected tests; two at a time, since they mostly wait.

    A mutant gets the drills that are to fail, and a few that are not; the worked example and the old app get all.
    """
    place = tmp_path_factory.mktemp("apps")
    with ThreadPoolExecutor(2) as pool:
        started: dict[str, Future[DrillReport]] = {}
        for item in request.session.items:
            called = getattr(item, "callspec", None)
            name = called.params.get("app") if called else None
            if item.path == Path(__file__) and isinstance(name, str):
                folder = build(name, place / name.replace(" ", "_"))
                mutant = MUTANTS.get(name)
                drills = [each for each in DRILLS if not mutant or each.name in mutant.fails | UNHARMED]
                started[name] = pool.submit(check, folder, drills=drills, limits=LIMITS)
        yield lambda name: started[name].result()


def told(report: DrillReport, name: str) -> DrillResult:
    """The result of one drill."""
    (found,) = (result for result in report.results if result.name == name)
    return found


# With apps in processes of their own.


@pytest.mark.e2e
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("app", ["example"])
def test_the_worked_example_passes(reports: Callable[[str], DrillReport], app: str) -> None:
    report = reports(app)
    assert report.failed == frozenset(), str(report)
    assert report.passed
    assert [result.name for result in report.results] == [drill.name for drill in DRILLS]
    assert "the partial answer stays" in told(report, "stops").seen
    leftovers = {path.name for path in EXAMPLE.rglob("*")} & {".files", "translations"}
    assert leftovers == set()  # it ran in a copy


@pytest.mark.e2e
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("app", ["seed"])
def test_the_old_app_fails_for_the_right_reasons(reports: Callable[[str], DrillReport], app: str) -> None:
    report = reports(app)
    kept_out = {"neighbour", "stops", "tab", "one_call", "remembers", "at_home", "stranger"}
    assert report.failed == FAULTS | kept_out, str(report)
    reasons = {
        "neighbour": "a second user got none",
        "stops": "running answers did not fall to zero",
        "tab": "running answers did not fall to zero",
        "one_call": "before the user wrote anything",
        "remembers": "without the first",
        "http_500": "says nothing",
        "dropped": "says nothing",
        "hangs": "still at work",
        "refused": "says nothing",
        "at_home": "fonts.googleapis.com",
        "stranger": "could open a chat",
    }
    for name, words in reasons.items():
        assert words in told(report, name).seen


@pytest.mark.e2e
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("app", MUTANTS)
def test_one_fault_fails_its_drills(reports: Callable[[str], DrillReport], app: str) -> None:
    report = reports(app)
    assert report.failed == MUTANTS[app].fails, str(report)


@pytest.mark.e2e
def test_command_says_what_failed(tmp_path: Path) -> None:
    """With progress, and the exit status 1; an app that cannot start is not waited for."""
    (tmp_path / "app.py").write_text('raise SystemExit("no model here")\n', encoding="utf-8")
    command = [sys.executable, "-m", "coursekit", "capstone", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1
    assert "FAILED  starts      It starts: the app ended at once: no model here" in done.stdout
    assert "Fix: " in done.stdout
    assert done.stdout.count("not tried, since the app does not start") == len(DRILLS) - 1
    assert done.stdout.endswith(f"0 of {len(DRILLS)} drills passed: {tmp_path.name}\n")
    done = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["schema"], found["passed"]) == ("foundry-local-workbook/capstone/1", False)
    assert [result["name"] for result in found["results"]] == [drill.name for drill in DRILLS]
    assert "FAILED  starts" in done.stderr


# Without any.


def test_no_app_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkbookError, match=r"There is no app\.py"):
        check(tmp_path)


def test_an_app_is_given_nothing_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "CLOUD_API_KEY", "CHAT_USERS", "CHAINLIT_HOST", "MAX_CONCURRENCY"):
        monkeypatch.setenv(name, "mine")
    folder = tmp_path / "own"
    (folder / ".git").mkdir(parents=True)
    (folder / "app.py").touch()
    (folder / ".env").write_text("OPENAI_API_KEY=mine")
    (tmp_path / "place").mkdir()
    app = App(folder, tmp_path / "place", {"API_KEY": "given"})
    environ = app.environment()
    assert "mine" not in environ.values()
    assert environ["API_KEY"] == "given"
    assert environ["LABKIT_CACHE"] == str(app.cache)
    assert Path(environ["HOME"]).is_relative_to(tmp_path)
    assert [path.name for path in app.code.iterdir()] == ["app.py"]


@pytest.mark.parametrize(
    ("texts", "partial", "buttons", "missing"),
    [
        (["The endpoint failed. Try again in a minute."], "", 0, None),
        (["Svaret bröts av. Försök igen."], "", 0, None),
        (["1 2 3 4 5 6", "The connection broke off. Ask again."], "1 2 3 4 5 6", 0, None),
        (["1 2 3 4 5 6\n\nIt broke off: please retry."], "1 2 3 4 5 6", 0, None),
        (["The endpoint has failed."], "", 1, None),
        ([], "", 0, "says nothing"),
        (["", " "], "", 0, "says nothing"),
        (["Error"], "", 1, "says nothing"),
        (["1 2 3 4 5 6"], "1 2 3 4 5 6", 0, "says nothing"),
        (["Check these: 1 2 3 4 5 6 7 8"], "Check these: 1 2 3 4 5 6 7 8", 0, "says nothing"),
        (["Error code: 500 - {'error': {'message': 'a fault that was asked for'}}"], "", 0, "not what to do"),
        (["Connection error. Sorry."], "", 0, "not what to do"),
        (["peer closed connection without sending complete message body"], "", 0, "not what to do"),
    ],
)
def test_what_is_a_complaint(texts: list[str], partial: str, buttons: int, missing: str | None) -> None:
    found = complaint(texts, partial, buttons)
    assert (found is None) == (missing is None)
    assert (missing or "") in (found or "")


def test_what_a_page_loads_from_elsewhere() -> None:
    html = """<link rel="stylesheet" href="https://fonts.example/a.css"><LINK href='//cdn.example/b.css'>
      <script src="http://127.0.0.1:8000/own.js"></script><script src="/assets/x.js"></script>
      <img src="data:image/png,">
      <a href="https://read.example">a link</a><meta content="https://meta.example/x.png"><script>1</script>
      <iframe src="https://frame.example/"></iframe><img src=" http://127.0.0.1:9000/other.png">"""
    assert outside(html, "127.0.0.1:8000") == [
        "https://fonts.example/a.css",
        "//cdn.example/b.css",
        "https://frame.example/",
        "http://127.0.0.1:9000/other.png",
    ]


def test_which_addresses_are_open() -> None:
    assert open_hosts(["127.0.0.1", "::1", "127.0.0.2"]) == []
    assert open_hosts(["127.0.0.1", "0.0.0.0", "::", "192.168.1.7", "fe80::1%eth0"]) == [
        "0.0.0.0",
        "192.168.1.7",
        "::",
        "fe80::1%eth0",
    ]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('client = OpenAI(api_key="sk-proj-0123456789abcdef0123")', True),
        ('client = OpenAI("sk-proj-0123456789abcdef0123")', True),
        ("TOKEN: 'ghp_0123456789abcdefghijABCD'", True),
        ('AZURE_API_KEY = "0123456789abcdef0123456789abcdef"', True),
        ('"secret": "aGVsbG8gd29ybGQgMTIz"', True),
        ('api_key=os.environ.get("API_KEY", "not-needed")', False),
        ('api_key="not-needed-on-this-machine"', False),
        ('max_tokens = 512  # "a token"', False),
        ('risk-assessment = "task-0123"', False),
        ('password = get("CHAT_USERS_PASSWORD_1")', False),
    ],
)
def test_what_looks_like_a_key(tmp_path: Path, line: str, key: bool) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.py").write_text(f"import os\n{line}\n", encoding="utf-8")
    (tmp_path / ".env").write_text(f"{line}\n", encoding="utf-8")
    assert literal_keys(tmp_path) == (["lib/a.py, line 2"] if key else [])


def test_databases_may_hold_messages(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "threads.store")) as database:
        database.execute("CREATE TABLE t (x TEXT)")
        database.execute("INSERT INTO t VALUES ('kestrel')")
        database.commit()
    (tmp_path / "threads.store-wal").write_text("kestrel")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "chat.log").write_text("a kestrel flew")
    (tmp_path / "empty.db").touch()
    assert is_database(tmp_path / "threads.store")
    assert not is_database(tmp_path / "empty.db")
    assert holding(tmp_path, ["kestrel"], databases=False) == ["deep/chat.log"]
    assert holding(tmp_path, ["kestrel"]) == ["deep/chat.log", "threads.store", "threads.store-wal"]
    assert holding(tmp_path, ["heron"]) == []


def test_a_long_text_is_cut() -> None:
    assert short("a\n b") == "a b"
    assert len(short("word " * 100)) == 120


def test_a_report_in_its_three_forms() -> None:
    good = DrillResult("streams", "The answer streams", True, "it grew", "stream it", "02")
    bad = DrillResult("tab", "A closed tab ends its answer", False, "it went on & on", "cancel the task", "04")
    report = DrillReport("mine", (good, bad))
    assert not report.passed
    assert report.failed == {"tab"}
    assert DrillReport("mine", (good,)).passed
    assert not DrillReport("mine", ()).passed
    lines = str(report).splitlines()
    assert lines[0] == "passed  streams     The answer streams: it grew"
    assert lines[2].strip() == "Fix: cancel the task (notebook 04)"
    assert lines[-1] == "1 of 2 drills passed: mine"
    assert json.loads(report.as_json())["results"][1]["fix"] == "cancel the task"
    page = report._repr_html_()
    assert "it went on &amp; on" in page
    assert "stream it" not in page


def test_every_drill_has_a_name_and_a_notebook_of_its_own() -> None:
    names = [drill.name for drill in DRILLS]
    assert len(set(names)) == len(names)
    lessons = {path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {drill.lesson for drill in DRILLS} <= lessons
    assert all(drill.title and drill.fix for drill in DRILLS)
