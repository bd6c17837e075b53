"""The server of the browser pages: right types, the same headers on every answer, nothing from outside its folders."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx2
import pytest

from coursekit.webgpu import npm, pages
from labkit._smollm import layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "index.html": ("text/html; charset=utf-8", b"<!doctype html><title>page</title>"),
    "main.js": ("text/javascript; charset=utf-8", b"export {}"),
    "style.css": ("text/css; charset=utf-8", b":root {}"),
    "digits.json": ("application/json", b"{}"),
    "digits.onnx": ("application/octet-stream", bytes(range(256))),
    "picture.svg": ("image/svg+xml", b"<svg/>"),
    "LICENSES.md": ("text/plain; charset=utf-8", "# Licences, å".encode()),
}
SECRET = b"not for the browser"
GGUF = b"GGUF" + bytes(range(96))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in which both packages lie, as far as the server can tell."""
    for package in (pages.ONNXRUNTIME, pages.WLLAMA):
        place = npm.folder(package, tmp_path / "cache")
        place.mkdir(parents=True)
        for file in package.files:
            (place / file.rpartition("/")[2]).write_bytes(f"{file} of {package}".encode())
    return tmp_path / "cache"


@pytest.fixture
def client(tmp_path: Path, cache: Path) -> Iterator[httpx2.Client]:
    """A client of a server that really listens."""
    folder = tmp_path / "page"
    folder.mkdir()
    for name, (_, content) in FILES.items():
        (folder / name).write_bytes(content)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    server = pages.serve(folder, cache)
    with httpx2.Client(base_url=server.start(), trust_env=False) as client:
        yield client
    server.stop()


@pytest.mark.parametrize("name", FILES)
def test_each_file_has_its_type(client: httpx2.Client, name: str) -> None:
    kind, content = FILES[name]
    reply = client.get(f"/{name}")
    assert (reply.status_code, reply.headers["content-type"], reply.content) == (200, kind, content)


def test_the_folder_itself_is_its_index(client: httpx2.Client) -> None:
    reply = client.get("/")
    assert reply.content == FILES["index.html"][1]
    assert reply.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/vendor/onnxruntime-web/ort.webgpu.bundle.min.mjs", "text/javascript; charset=utf-8"),
        ("/vendor/onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm", "application/wasm"),
        ("/vendor/wllama/index.min.js", "text/javascript; charset=utf-8"),
        ("/vendor/wllama/wllama.wasm", "application/wasm"),
    ],
)
def test_packages_lie_under_vendor(client: httpx2.Client, path: str, kind: str) -> None:
    reply = client.get(path)
    assert (reply.status_code, reply.headers["content-type"]) == (200, kind)
    assert path.rpartition("/")[2].encode() in reply.content


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/main.js", 200),
        ("GET", "/nothing.js", 404),
        ("GET", "/vendor/", 404),
        ("GET", "/vendor/wllama/nothing.wasm", 404),
        ("GET", "/model/smollm2.gguf", 404),
        ("POST", "/main.js", 405),
    ],
)
def test_every_answer_has_the_headers(client: httpx2.Client, method: str, path: str, status: int) -> None:
    reply = client.request(method, path)
    assert reply.status_code == status
    if status == 404:  # an error is not of the type of the file that is missing
        assert reply.headers["content-type"].startswith("text/plain")
    assert {name: reply.headers.get_list(name) for name in pages.HEADERS} == {
        name: [value] for name, value in pages.HEADERS.items()
    }


def test_the_policy_allows_no_outside_host_and_no_inline_script() -> None:
    rules = dict(rule.split(" ", 1) for rule in pages.POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    for name, value in rules.items():
        if name != "frame-ancestors":  # who may show the page, not what it may ask for
            assert set(value.split()) <= {"'self'", "'none'", "'wasm-unsafe-eval'", "data:", "blob:"}


def test_a_file_that_did_not_change_is_not_sent_again(client: httpx2.Client) -> None:
    tag = client.get("/main.js").headers["etag"]
    again = client.get("/main.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == pages.POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//../secret.txt",
        "/vendor/wllama/../../../../secret.txt",
        "/vendor/wllama/..%2f..%2f..%2fsecret.txt",
        "/vendor/onnxruntime-web/%2e%2e/%2e%2e/%2e%2e/secret.txt",
    ],
)
def test_nothing_outside_the_folders(client: httpx2.Client, path: str) -> None:
    """By hand, because clients tidy such paths up before they ask."""
    answer = raw(client, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")
    assert SECRET not in answer


def test_a_link_out_of_the_folder_is_not_followed(client: httpx2.Client, tmp_path: Path) -> None:
    try:
        (tmp_path / "page" / "link.txt").symlink_to(tmp_path / "secret.txt")
    except OSError:
        pytest.skip("this user may make no links")
    assert client.get("/link.txt").status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("127.0.0.1", "localhost", "localhost:5173")),
        *((host, 400) for host in ("example.com", "127.0.0.1.example.com", "192.168.1.7:5173", "")),
    ],
)
def test_a_foreign_host_is_refused(client: httpx2.Client, host: str, status: int) -> None:
    """Or a page elsewhere could, with a name that it points to 127.0.0.1, read what is served here."""
    answer = raw(client, f"GET /main.js HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status}".encode())
    assert (FILES["main.js"][1] in answer) == (status == 200)
    assert pages.POLICY.encode() in answer


def raw(client: httpx2.Client, request: str) -> bytes:
    """What the server answers to exactly these bytes."""
    assert client.base_url.port
    with socket.create_connection(("127.0.0.1", client.base_url.port), timeout=10) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def gguf(cache: Path) -> Path:
    path = layout.gguf_path(cache)
    path.parent.mkdir(parents=True)
    path.write_bytes(GGUF)
    return path


@pytest.mark.usefixtures("gguf")
def test_the_model_whole_in_parts_and_its_size(client: httpx2.Client) -> None:
    whole = client.get("/model/smollm2.gguf")
    assert (whole.status_code, whole.content) == (200, GGUF)
    assert whole.headers["content-type"] == "application/octet-stream"
    head = client.head("/model/smollm2.gguf")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(GGUF)))
    part = client.get("/model/smollm2.gguf", headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, GGUF[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(GGUF)}"
    assert part.headers["content-security-policy"] == pages.POLICY
    beyond = client.get("/model/smollm2.gguf", headers={"range": "bytes=1000-"})
    assert beyond.status_code == 416


def test_a_model_that_comes_later_is_served(client: httpx2.Client, cache: Path) -> None:
    """Until then the answer says what to do."""
    reply = client.get("/model/smollm2.gguf")
    assert reply.status_code == 404
    assert "python lab.py" in reply.text
    layout.gguf_path(cache).parent.mkdir(parents=True)
    layout.gguf_path(cache).write_bytes(GGUF)
    assert client.get("/model/smollm2.gguf").content == GGUF
