"""The cloud of a router: its endpoint, its price, and whether it is simulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.connection import Connection, Source
from labkit.errors import SettingsError
from labkit.listing import is_loopback
from labkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.events import Trace


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens of the prompt and of the answer."""

    prompt: float
    answer: float

    def of(self, trace: Trace) -> float:
        """Dollars for one answer, reasoning included: by the endpoint's count of tokens, or else by the chunks."""
        answered = trace.completion_tokens
        if answered is None:
            answered = len(trace.chunks) + len(trace.reasoning)
        return (self.prompt * (trace.prompt_tokens or 0) + self.answer * answered) / 1e6


def _nothing() -> None:
    """There is nothing to stop for a real cloud."""


@dataclass(frozen=True)
class Cloud:
    """A connection to a cloud, its price (None: not known), and whether it is simulated. Close it after use.

    `stop` ends the server of a simulated one.
    """

    connection: Connection
    price: Price | None
    simulated: bool
    stop: Callable[[], None] = field(default=_nothing, repr=False, compare=False)

    @property
    def name(self) -> str:
        """`cloud` or `simulated cloud`, as tables, plots and decisions show it."""
        return "simulated cloud" if self.simulated else "cloud"

    def close(self) -> None:
        """Close the connection's plain client, and end the simulation."""
        self.connection.close()
        self.stop()

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cloud(price: Price | None = None, *, say: Callable[[str], None] = print) -> Cloud:
    """The cloud of CLOUD_BASE_URL, CLOUD_API_KEY and CLOUD_MODEL (Azure OpenAI or any compatible endpoint).

    No request is sent yet. Raises SettingsError if the variables are not set, or only some of them, or if they would
    send the key and the messages unencrypted over a network.
    """
    connection = chosen(Settings.from_environment())
    if connection is None:
        raise SettingsError("CLOUD_BASE_URL is not set", fix="set CLOUD_BASE_URL, CLOUD_MODEL and CLOUD_API_KEY")
    say(str(connection))
    return Cloud(connection, price, simulated=False)


def chosen(settings: Settings) -> Connection | None:
    """The connection of CLOUD_*; None if none of them is set. Raises SettingsError as `cloud` does."""
    if settings.cloud_base_url is None:
        half = {"CLOUD_MODEL": settings.cloud_model, "CLOUD_API_KEY": settings.cloud_api_key != "not-needed"}
        if names := [name for name, value in half.items() if value]:
            raise SettingsError(
                f"CLOUD_BASE_URL is not set, but {' and '.join(names)}", fix="set all of CLOUD_*, or none to simulate"
            )
        return None
    if settings.cloud_model is None:
        raise SettingsError(
            "CLOUD_BASE_URL is set, CLOUD_MODEL is not", fix="set CLOUD_MODEL to the model or the Azure deployment"
        )
    if not settings.cloud_base_url.startswith("https:") and not is_loopback(settings.cloud_base_url):
        raise SettingsError(
            "CLOUD_BASE_URL would send your key and messages unencrypted", fix="use the address that begins with https"
        )
    return Connection(settings.cloud_base_url, settings.cloud_model, Source.CLOUD, settings.cloud_api_key, retries=0)
