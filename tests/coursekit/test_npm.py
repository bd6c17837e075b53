"""Files of an npm package's archive: the pinned ones, checked, once; from a registry of this machine."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pytest

from coursekit.webgpu import npm
from labkit.errors import FetchError, SettingsError
from tests.conftest import ROOT, Asked, Loopback, Reply, without_proxies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Reply | Callable[[Asked], Reply]

MEMBERS = {
    "package/package.json": b"{}",
    "package/dist/main.mjs": b"export {}",
    "package/dist/deep/main.wasm": bytes(range(256)) * 400,
    "package/dist/main.mjs.map": b"nobody asked for this",
    "package/../../outside.txt": b"evil",
    "../outside.txt": b"evil",
}
FILES = ("dist/main.mjs", "dist/deep/main.wasm")
KEPT = {"main.mjs": MEMBERS["package/dist/main.mjs"], "main.wasm": MEMBERS["package/dist/deep/main.wasm"]}
INSTALL = """
import json, pathlib, sys
from coursekit.webgpu import npm
told = json.loads(sys.argv[1])
package = npm.Package(**told | {"files": tuple(told["files"])})
print("ready", flush=True)
npm.install(package, pathlib.Path(sys.argv[2]), {"NPM_CONFIG_REGISTRY": sys.argv[3]})
"""


def archive(members: dict[str, bytes]) -> bytes:
    """An archive as npm packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as target:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    return packed.getvalue()


ARCHIVE = archive(MEMBERS)


def pinned(data: bytes = ARCHIVE, name: str = "tiny", files: tuple[str, ...] = FILES) -> npm.Package:
    """The pin of an archive."""
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"
    return npm.Package(name, "1.2.3", integrity, len(data), files)


@dataclass
class Registry:
    """The npm registry of these tests, which serves one archive."""

    server: Loopback
    # What a request waits for before it gets the second half.
    rest: threading.Event
    half_sent: threading.Event

    @property
    def environ(self) -> dict[str, str]:
        """What names it."""
        return {"NPM_CONFIG_REGISTRY": self.server.base_url}


@pytest.fixture
def registry(loopback: Callable[[Answer], Loopback]) -> Iterator[Registry]:
    rest, half_sent = threading.Event(), threading.Event()
    rest.set()

    def halves() -> Iterator[bytes]:
        yield ARCHIVE[: len(ARCHIVE) // 2]
        half_sent.set()
        rest.wait(60)
        yield ARCHIVE[len(ARCHIVE) // 2 :]

    yield Registry(loopback(lambda _: Reply(halves(), kind="application/octet-stream")), rest, half_sent)
    rest.set()


def contents(place: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths; locks apart."""
    found = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.endswith(".lock")}


@contextlib.contextmanager
def installer(package: npm.Package, cache: Path, registry: Registry) -> Iterator[subprocess.Popen[str]]:
    """A process that has come as far as the call of install(); at the end it is killed."""
    command = [sys.executable, "-c", INSTALL, json.dumps(asdict(package)), str(cache), registry.server.base_url]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("name", "version", "folder"),
    [("tiny", "1.2.3", "tiny-1.2.3"), ("tiny", "1.2.4", "tiny-1.2.4"), ("@a/b", "1.2.3", "a+b-1.2.3")],
)
def test_each_package_has_its_folder(registry: Registry, own_cache: Path, name: str, version: str, folder: str) -> None:
    """Files have their last names there. Nothing else of the archive is kept, inside the cache or outside."""
    place = npm.install(replace(pinned(name=name), version=version), own_cache, registry.environ)
    assert place == own_cache / "npm" / folder
    assert contents(own_cache) == {f"npm/{folder}/{kept}": content for kept, content in KEPT.items()}
    assert {path.name for path in place.parent.iterdir()} - {f"{folder}.lock"} == {folder}
    assert not list(own_cache.parent.rglob("outside.txt"))
    assert registry.server.paths == [f"GET /v1/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"]


def test_a_second_install_asks_nobody(
    registry: Registry, own_cache: Path, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    place = npm.install(pinned(), own_cache, registry.environ)
    assert "tiny@1.2.3 is fetched from the npm registry, once" in capsys.readouterr().err
    nobody = {"NPM_CONFIG_REGISTRY": f"http://127.0.0.1:{closed_port}"}
    assert npm.install(pinned(), own_cache, nobody) == place
    assert registry.server.paths == ["GET /v1/tiny/-/tiny-1.2.3.tgz"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("lost", KEPT)
def test_a_lost_file_is_fetched_again(registry: Registry, own_cache: Path, closed_port: int, lost: str) -> None:
    """Where that fails, the other files stay, and the next call tries again."""
    place = npm.install(pinned(), own_cache, registry.environ)
    (place / lost).unlink()
    with pytest.raises(FetchError):
        npm.install(pinned(), own_cache, {"NPM_CONFIG_REGISTRY": f"http://127.0.0.1:{closed_port}"})
    assert contents(place) == {name: content for name, content in KEPT.items() if name != lost}
    npm.install(pinned(), own_cache, registry.environ)
    assert contents(place) == KEPT
    assert len(registry.server.asked) == 2


def without_end() -> Iterator[bytes]:
    """The archive, a pause that makes it a piece of its own, and more: who waits for the end never comes back."""
    yield ARCHIVE
    time.sleep(0.1)
    while True:
        yield bytes(65536)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: Reply(archive({"package/dist/main.mjs": b"evil"})), "does not have the expected SHA-512"),
        (lambda: Reply(bytes(len(ARCHIVE))), "does not have the expected SHA-512"),
        (lambda: Reply(ARCHIVE + b"x"), "does not have the expected SHA-512"),
        (lambda: Reply(without_end()), "does not have the expected SHA-512"),
        (lambda: Reply(ARCHIVE[:-9]), "does not have the expected SHA-512"),
        (lambda: Reply(b""), "does not have the expected SHA-512"),
        (lambda: Reply(ARCHIVE[:-9], headers={"Content-Length": str(len(ARCHIVE))}), "RemoteProtocolError"),
        (lambda: Reply(b"no such package", 404), "HTTPStatusError.*404 Not Found"),
        (lambda: Reply(b"oh", 500), "HTTPStatusError.*500 Internal"),
        (lambda: Reply(b"", 302, headers={"Location": "/v1/again"}), "TooManyRedirects"),
    ],
    ids=[
        "other",
        "same size",
        "a byte more",
        "without end",
        "too short",
        "empty",
        "broken off",
        "404",
        "500",
        "round and round",
    ],
)
def test_what_is_not_the_archive_is_not_used(
    loopback: Callable[[Answer], Loopback], own_cache: Path, answer: Callable[[], Reply], said: str
) -> None:
    """The package is named, a fix is given, and no file stays."""
    server = loopback(lambda _: answer())
    with pytest.raises(FetchError, match=f"(?s)^tiny@1.2.3 .*{said}") as caught:
        npm.install(pinned(), own_cache, {"NPM_CONFIG_REGISTRY": server.base_url})
    assert "start again" in caught.value.fix
    assert contents(own_cache) == {}
    assert not list(own_cache.rglob(".staging*"))


@pytest.mark.parametrize("registry_told", ["http://127.0.0.1:{closed}", "nonsense", "ftp://a/b", "http://[::1"])
def test_an_address_where_nobody_is(own_cache: Path, closed_port: int, registry_told: str) -> None:
    with pytest.raises(FetchError, match=r"^tiny@1\.2\.3 could not be fetched \(\w+: \S.*\)\. ") as caught:
        npm.install(pinned(), own_cache, {"NPM_CONFIG_REGISTRY": registry_told.format(closed=closed_port)})
    assert "NPM_CONFIG_REGISTRY" in caught.value.fix
    assert contents(own_cache) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://bob:hush-hush@127.0.0.1:1"),
        ("https_proxy", "nonsense://a"),
        ("HTTP_PROXY", "http://a:b:c"),
        ("SSL_CERT_FILE", "no such file"),
        ("SSL_CERT_FILE", str(ROOT / "README.md")),
    ],
)
def test_a_variable_that_no_client_can_be_made_with(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """It is named, and a password in it is not shown."""
    without_proxies(monkeypatch)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"(?i){name}") as caught:
        npm.install(pinned(), own_cache, {"NPM_CONFIG_REGISTRY": "https://192.0.2.1"})
    assert name.lower() in caught.value.fix.lower()
    assert "hush" not in str(caught.value)


def test_a_redirect_is_followed(loopback: Callable[[Answer], Loopback], own_cache: Path) -> None:
    """Mirrors send clients to where their files lie."""

    def answer(asked: Asked) -> Reply:
        return Reply(ARCHIVE) if asked.path == "/files" else Reply(b"", 302, headers={"Location": "/files"})

    place = npm.install(pinned(), own_cache, {"NPM_CONFIG_REGISTRY": loopback(answer).base_url})
    assert contents(place) == KEPT


@pytest.mark.parametrize(
    ("name", "environ", "address"),
    [
        ("tiny", {}, "https://registry.npmjs.org/tiny/-/tiny-1.2.3.tgz"),
        ("@a/b", {}, "https://registry.npmjs.org/@a/b/-/b-1.2.3.tgz"),
        ("@a/b", {"NPM_CONFIG_REGISTRY": "http://mirror/npm/"}, "http://mirror/npm/@a/b/-/b-1.2.3.tgz"),
        ("tiny", {"npm_config_registry": "http://mirror"}, "http://mirror/tiny/-/tiny-1.2.3.tgz"),
        ("tiny", {"NPM_CONFIG_REGISTRY": ""}, "https://registry.npmjs.org/tiny/-/tiny-1.2.3.tgz"),
    ],
)
def test_the_address(name: str, environ: dict[str, str], address: str) -> None:
    assert npm.address(pinned(name=name), environ) == address


def test_a_name_that_leads_out_stays_inside(registry: Registry, own_cache: Path) -> None:
    """Even if it were pinned."""
    place = npm.install(pinned(files=("../../outside.txt",)), own_cache, registry.environ)
    assert contents(place) == {"outside.txt": b"evil"}
    assert list(own_cache.parent.rglob("outside.txt")) == [place / "outside.txt"]


def test_killed_half_way(registry: Registry, own_cache: Path) -> None:
    """What it leaves is in nobody's way, and is taken away."""
    registry.rest.clear()
    with installer(pinned(), own_cache, registry) as process:
        assert registry.half_sent.wait(30)
        process.kill()
        process.wait()
    assert list(own_cache.glob("npm/tiny-1.2.3.part/.staging*"))
    assert not npm.folder(pinned(), own_cache).exists()
    registry.rest.set()
    assert contents(npm.install(pinned(), own_cache, registry.environ)) == KEPT
    assert not list(own_cache.rglob(".staging*"))


def test_two_processes_at_once_fetch_once(registry: Registry, own_cache: Path) -> None:
    registry.rest.clear()
    with installer(pinned(), own_cache, registry) as first, installer(pinned(), own_cache, registry) as second:
        assert registry.half_sent.wait(30)
        registry.rest.set()
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert contents(npm.folder(pinned(), own_cache)) == KEPT
    assert len(registry.server.asked) == 1


def test_threads_at_once_fetch_once(registry: Registry, own_cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: npm.install(pinned(), own_cache, registry.environ), range(4)))
    assert [contents(place) for place in places] == [KEPT] * 4
    assert len(registry.server.asked) == 1
