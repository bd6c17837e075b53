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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port on which something listens, on loopback or everywhere."""
    with socket.create_server((request.param, 0)) as server:
        yield int(server.getsockname()[1])


def test_free_port_is_free(free: int) -> None:
    """Asking does not take it."""
    assert ports.is_free(free)
    assert ports.is_free(free)


def test_taken_port_is_not_free(taken: int) -> None:
    """Something listens there."""
    assert not ports.is_free(taken)


def test_port_is_free_after_its_server(free: int) -> None:
    """A connection that lingers after its server has ended keeps nobody waiting."""
    with socket.create_server(("127.0.0.1", free)) as server, socket.create_connection(("127.0.0.1", free)):
        server.accept()[0].close()
    assert ports.is_free(free)


def test_asked_port_comes_first(free: int) -> None:
    """Whoever names a port gets it."""
    assert ports.pick(free, 1) == free


def test_asked_port_that_is_taken_is_an_error(taken: int, free: int) -> None:
    """Nothing else takes its place."""
    with pytest.raises(EndpointError, match=f"Port {taken} .* is taken") as caught:
        ports.pick(taken, free)
    assert "--port" in caught.value.fix


def test_preferred_port_without_an_asked_one(free: int) -> None:
    """The one that people know."""
    assert ports.pick(None, free) == free


def test_any_free_port_where_the_preferred_one_is_taken(taken: int) -> None:
    """A second course on one machine starts too."""
    port = ports.pick(None, taken)
    assert port != taken
    assert ports.is_free(port)


@pytest.mark.parametrize("number", [-1, 65536])
def test_number_that_is_no_port(number: int) -> None:
    """A slip of the finger is told apart from a port that is taken."""
    with pytest.raises(EndpointError, match=str(number)):
        ports.pick(number, 1)


def test_the_host_that_will_be_bound_is_looked_at(free: int) -> None:
    """A port that is taken on one address may be free on another, and is not free on all."""
    with socket.create_server(("127.0.0.2", free)):
        assert ports.pick(free, 1) == free
        with pytest.raises(EndpointError, match=f"Port {free} on 127.0.0.2 is taken"):
            ports.pick(free, 1, "127.0.0.2")


def test_a_host_that_is_elsewhere_is_said() -> None:
    with pytest.raises(EndpointError, match=r"192\.0\.2\.7 is not an address of this machine"):
        ports.pick(None, 8080, "192.0.2.7")
