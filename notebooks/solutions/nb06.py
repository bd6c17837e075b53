"""Solutions of notebook 06. Try the exercise and both hints first: what you find yourself, you keep."""

from collections.abc import Callable
from contextlib import suppress

EXTRAS = ("ENABLE_TITLE_GENERATION", "ENABLE_TAGS_GENERATION", "ENABLE_FOLLOW_UP_GENERATION")


# %% 06.1
def calls(settings: dict[str, str]) -> int:
    """How many requests the first message of a conversation makes at the endpoint."""
    return 1 + sum(settings.get(name, "true").lower() != "false" for name in EXTRAS)


# %% 06.2
def wait_until(
    probe: Callable[[], bool], seconds: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> bool:
    """Whether `probe` says yes within so many seconds; an OSError of it counts as no."""
    end = clock() + seconds
    while True:
        with suppress(OSError):
            if probe():
                return True
        if clock() >= end:
            return False
        sleep(0.5)


# %% 06.3
def diagnose(endpoint: list[str] | None, shown: list[str]) -> str:
    """Where to look: "endpoint", "model", "address", or "fine"."""
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    return "fine" if set(endpoint) <= set(shown) else "address"


# %% 06.4
def reaches(listens: str, system: str, by: str) -> bool:
    """Whether a container reaches a server of its host."""
    if by == "host.docker.internal":
        return system != "linux" or listens == "0.0.0.0"
    return by == "host network"
