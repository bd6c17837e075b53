"""HTTP without a client library in between: what an endpoint really sends."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"


@dataclass(frozen=True)
class RawResponse:
    """A whole answer; the names of headers are in lower case, and a header that was sent twice is there twice."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next((value for key, value in self.headers if key == name), "")

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def frames(self) -> list[str]:
        """The events and comments of a stream, each without the empty line after it."""
        text = self.body.decode()
        assert text.endswith("\n\n"), text[-60:]
        return text[:-2].split("\n\n")


def ask(base_url: str, method: str, path: str, body: bytes | None = None, *, timeout: float = 60) -> RawResponse:
    """Send one request and read the whole answer; the path counts from the root."""
    with exchange(base_url, method, path, body, timeout=timeout) as response:
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        return RawResponse(response.status, headers, response.read())


@contextmanager
def exchange(
    base_url: str, method: str, path: str, body: bytes | None = None, *, timeout: float = 60
) -> Iterator[http.client.HTTPResponse]:
    """An answer whose headers have come; at the end of the block the connection is closed, whatever still comes."""
    connection = connect(base_url, timeout)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def connect(base_url: str, timeout: float = 60) -> http.client.HTTPConnection:
    """A connection to an endpoint."""
    address = urlsplit(base_url)
    assert address.hostname
    return http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
