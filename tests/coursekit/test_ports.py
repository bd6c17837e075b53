"""Ports on loopback."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from coursekit import ports
from labkit.errors import EndpointError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def free() -> int:
    """A port that nothing uses."""
    return ports.free_port()


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port on which something listens, on loopback or everywhere."""
    with socket.create_server((request.param, 0)) as server:
        yield int(server.getsockname()[1])


def test_free_port_is_free(free: int) -> None:
    """Asking does not take it, and a connection that lingers after its server has ended does not either."""
    assert ports.is_free(free)
    with socket.create_server(("127.0.0.1", free)) as server, socket.create_connection(("127.0.0.1", free)):
        server.accept()[0].close()
    assert ports.is_free(free)


def test_asked_port_comes_first(free: int) -> None:
    assert ports.pick(free, 1) == free
    assert ports.pick(None, free) == free


def test_taken_port(taken: int, free: int) -> None:
    """One that was asked for is an error; in the place of the preferred one any free port is taken."""
    assert not ports.is_free(taken)
    with pytest.raises(EndpointError, match=f"Port {taken} .* is taken") as caught:
        ports.pick(taken, free)
    assert "--port" in caught.value.fix
    port = ports.pick(None, taken)
    assert port != taken
    assert ports.is_free(port)


def test_the_host_that_will_be_bound_is_looked_at(free: int) -> None:
    """A port that is taken on one address may be free on another, and is not free on all."""
    with socket.create_server(("127.0.0.2", free)):
        assert ports.pick(free, 1) == free
        with pytest.raises(EndpointError, match=f"Port {free} on 127.0.0.2 is taken"):
            ports.pick(free, 1, "127.0.0.2")


@pytest.mark.parametrize(
    ("port", "host", "said"),
    [
        (-1, "127.0.0.1", "-1"),
        (65536, "127.0.0.1", "65536"),
        (None, "192.0.2.7", r"192\.0\.2\.7 is not an address of this machine"),
    ],
)
def test_what_cannot_be_bound_is_said(port: int | None, host: str, said: str) -> None:
    with pytest.raises(EndpointError, match=said):
        ports.pick(port, 8080, host)
