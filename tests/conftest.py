"""What the tests share: lanes, a machine of its own for each test, the model, a served endpoint, other endpoints."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from coursekit.ports import free_port
from coursekit.processes import child
from labkit import foundry
from labkit._smollm import layout
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

PHI = "Phi-4-mini-instruct-generic-cpu"
ROOT = Path(__file__).resolve().parents[1]
# Read here, before any test changes the environment.
CACHE = Settings.from_environment({"LABKIT_CACHE": os.environ.get("LABKIT_CACHE", "")}).cache


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `python lab.py test --all` passes on."""
    parser.addoption("--no-skips", action="store_true", help="a skipped or xfailed test fails (as with CI set)")


def pytest_configure() -> None:
    """Let Ctrl-C through to what the tests start, also where they run in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the longest tests first, so that two processes end at about the same time."""
    long = {item.path for item in items if item.get_closest_marker("e2e")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every lane runs, a skipped test has failed."""
    report = yield
    return _nothing_skipped(item.config, report)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Where every lane runs, a skipped file has failed."""
    report = yield
    return _nothing_skipped(collector.config, report)


def _nothing_skipped(config: pytest.Config, report: Report) -> Report:
    """Turn a skip, and whatever xfail made of a test, into a failure that says so."""
    expected = vars(report).get("wasxfail")
    strict = config.getoption("--no-skips") or os.environ.get("CI")
    if strict and (report.skipped or expected is not None):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else f"xfail {expected or ''}".strip()
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: with --no-skips or CI set every test has to run and pass ({reason})"
        vars(report).pop("wasxfail", None)
    return report


@pytest.fixture(scope="session")
def cache() -> Path:
    """A cache that holds the embedded model: the one of LABKIT_CACHE, else this user's own. Only to read from."""
    layout.install(CACHE)
    return CACHE


@pytest.fixture(scope="session")
def model_dir(cache: Path) -> Path:
    """The embedded model's files. Only to read from."""
    return layout.model_folder(cache)


@pytest.fixture(scope="session")
def gguf_file(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GGUF file that the embedded model is made from. Only to read from."""
    kept = layout.gguf_path(cache)
    if kept.is_file():
        return kept
    fresh = tmp_path_factory.mktemp("gguf")  # somebody has tidied the cache up
    layout.install(fresh)
    return layout.gguf_path(fresh)


@pytest.fixture(scope="session")
def linked_model(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the embedded model's files, to which further links cost nothing; onnx refuses files with links."""
    place = tmp_path_factory.mktemp("model") / model_dir.name
    shutil.copytree(model_dir, place)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """Lay the files of one folder out in another, without copying them where the disk allows it.

    They are the same files: to change one, put another in its place.
    """
    target.mkdir(parents=True)
    for path in source.iterdir():
        try:
            (target / path.name).hardlink_to(path)
        except OSError:
            shutil.copy2(path, target)


@pytest.fixture(scope="session")
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which nothing listens, held so that nothing can begin to."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@pytest.fixture(autouse=True)
def own_machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> Iterator[None]:
    """Let nothing of this machine reach a test: no variable, no endpoint, no model, no Foundry Local service.

    LABKIT_CACHE is a folder of the test's own, with the embedded model in it for a test that is marked live.
    """
    marks = {mark.name for mark in request.node.iter_markers()}
    for name in ("BASE_URL", "MODEL", "API_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "Åsa's cache"
    (tmp_path / "home").mkdir(exist_ok=True)
    monkeypatch.setenv("LABKIT_CACHE", str(folder))
    monkeypatch.setattr(foundry, "PORT", closed_port)
    places = os.environ.get("PATH", "").split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(place for place in places if not shutil.which("foundry", path=place)))
    if "e2e" not in marks:  # those need this user's pip, browser or kernels
        for name in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(name, str(tmp_path / "home"))
    if "live" in marks:
        link(request.getfixturevalue("linked_model"), layout.model_folder(folder))
    yield
    if "live" in marks:
        _close_runtime()
        shutil.rmtree(folder, ignore_errors=True)


def _close_runtime() -> None:
    """End what a test may have left running in this process, or the next one would join it."""
    if "foundry_local_sdk" in sys.modules:
        manager = sys.modules["foundry_local_sdk"].FoundryLocalManager.instance
        if manager is not None:
            manager.close()


def catalog_model(folder: Path, name: str = PHI, alias: str = "phi-4-mini", *, model: Path | None = None) -> None:
    """Add a model to a folder of catalog models: its line in the snapshot, and its files, by default only a sign."""
    snapshot = folder / "foundry.modelinfo.json"
    place = folder / "Microsoft" / f"{name}-1"
    if model:
        link(model, place)
        (place / "inference_model.json").unlink()
    place.mkdir(parents=True, exist_ok=True)
    (place / "inference_model.json").write_text(json.dumps({"Name": f"{name}:1"}), encoding="utf-8")
    listed = json.loads(snapshot.read_text(encoding="utf-8"))["models"] if snapshot.exists() else []
    models = [*listed, layout.catalog_entry(alias, name)]
    snapshot.write_text(json.dumps({"version": 1, "savedAtUnix": 1, "models": models}), encoding="utf-8")


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every variable away that says how to get through the network."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def own_cache() -> Path:
    """The test's own LABKIT_CACHE."""
    return Settings.from_environment().cache


@dataclass(frozen=True)
class Serving:
    """A process of `python -m coursekit serve` that has said READY."""

    process: subprocess.Popen[str]
    base_url: str
    model: str


@contextlib.contextmanager
def serve(cache: Path, *arguments: str) -> Iterator[Serving]:
    """Run `python -m coursekit serve` over a cache. Whoever asks for it ends it; what is left then is killed."""
    cache.mkdir(parents=True, exist_ok=True)
    with (
        (cache / "serve.log").open("w+", encoding="utf-8") as log,
        start("serve", *arguments, cache=cache, stderr=log) as process,
    ):
        assert process.stdout
        first = process.stdout.readline().split()
        if first[:1] != ["READY"] or len(first) != 3:
            process.kill()
            log.seek(0)
            pytest.fail(f"serve began with {first}, and said: {log.read()}")
        yield Serving(process, first[1], first[2])


def start(*arguments: str, cache: Path, stderr: Any = subprocess.PIPE) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run `python -m coursekit` in a process of its own until the block ends."""
    return child(
        [sys.executable, "-m", "coursekit", *arguments],
        cwd=ROOT,
        env=os.environ | {"LABKIT_CACHE": str(cache)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture(scope="session")
def served(linked_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address and the model id of one endpoint that all tests share, over a cache of its own."""
    own = tmp_path_factory.mktemp("served")
    link(linked_model, layout.model_folder(own))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BASE_URL", "MODEL", "API_KEY"):
            patch.delenv(name, raising=False)
        with serve(own, "--port", str(free_port())) as serving:
            yield serving.base_url, serving.model
            serving.process.terminate()
            assert serving.process.wait(20) == 0 or sys.platform == "win32"
    shutil.rmtree(own, ignore_errors=True)


@dataclass(frozen=True)
class Reply:
    """What an endpoint of the tests answers; a body in pieces is sent piece by piece."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200) -> Reply:
        """A JSON document."""
        return cls(json.dumps(value).encode(), status)

    @classmethod
    def models(cls, *ids: str) -> Reply:
        """A list of models, with the fields that the OpenAI API promises and no others."""
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "somebody"} for name in ids]
        return cls.json({"object": "list", "data": entries})


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class Loopback(ThreadingHTTPServer):
    """A server on 127.0.0.1 that answers as it is told and remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[Asked] = []
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def paths(self) -> list[str]:
        """Method and path of each request so far."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def handle_error(self, *_: object) -> None:
        """Keep quiet: a client that goes away is part of many tests."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("Loopback", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        server.asked.append(asked)
        reply = server.answer(asked)
        self.send_response(reply.status)
        for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
            self.wfile.write(piece)
            self.wfile.flush()

    do_POST = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def loopback() -> Iterator[Callable[[Reply | Callable[[Asked], Reply]], Loopback]]:
    """Start an endpoint of the tests: one that always gives the same reply, or asks a function for each."""
    with contextlib.ExitStack() as servers:

        def start_server(answer: Reply | Callable[[Asked], Reply]) -> Loopback:
            server = servers.enter_context(Loopback((lambda _: answer) if isinstance(answer, Reply) else answer))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            servers.callback(server.shutdown)
            return server

        yield start_server
