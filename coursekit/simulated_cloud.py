"""A cloud for the lessons: the student's own where CLOUD_* is set, else a simulated one that says so everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundry_mock import SIMULATED_CLOUD, Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.routing.cloud import Cloud, Price, chosen
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

# Round figures in the order of what small cloud models cost, invented for the lesson.
SIMULATED_PRICE = Price(1.0, 4.0)


def cloud(price: Price | None = None, *, say: Callable[[str], None] = print) -> Cloud:
    """The cloud of CLOUD_BASE_URL, CLOUD_MODEL and CLOUD_API_KEY; with none of them set, a simulated one.

    The simulated cloud is the mock with 0.4 s to the first token, 80 tokens a second and an invented price.
    Raises SettingsError where the variables are set only in part, or would send the key and the messages over a
    network unencrypted.
    """
    connection = chosen(Settings.from_environment())
    if connection is None:
        return simulated(price or SIMULATED_PRICE, say=say)[0]
    say(str(connection))
    return Cloud(connection, price, simulated=False)


def simulated(
    price: Price = SIMULATED_PRICE, behaviour: Behaviour = SIMULATED_CLOUD, *, say: Callable[[str], None] = print
) -> tuple[Cloud, MockEndpoint]:
    """A simulated cloud, and the mock on loopback that serves it."""
    mock = MockEndpoint(behaviour).start()
    connection = Connection(mock.base_url, mock.model, Source.SIMULATED, retries=0)
    say(f"{connection}\n  its answers are fixed texts, its delays and prices invented")
    return Cloud(connection, price, simulated=True, stop=mock.stop), mock
