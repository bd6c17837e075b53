"""Solutions of notebook 07. Try the exercise and both hints first: what you find yourself, you keep."""

import math
import sqlite3


# %% 07.1
def mistakes(environ: dict[str, str]) -> list[str]:
    """The names of all variables that are wrong."""
    wrong = []
    port = environ.get("PORT", "8080")
    if not (port.isdecimal() and 0 < int(port) < 65536):
        wrong.append("PORT")
    try:
        seconds = float(environ.get("TIMEOUT", "30"))
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        wrong.append("TIMEOUT")
    mode = environ.get("MODE", "development")
    if mode not in ("development", "production"):
        wrong.append("MODE")
    if mode == "production" and len(environ.get("SECRET", "")) < 32:
        wrong.append("SECRET")
    return wrong


# %% 07.2
def quantile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """The value below which this share of the observations is, as far as the buckets tell."""
    rank = share * buckets[-1][1]
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low if math.isinf(high) else low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
    return None


# %% 07.3
def action(alive: bool, ready: bool, since: float) -> str:
    """What to do with a server: "serve", "hold", "wait" or "restart"."""
    if not alive:
        return "wait" if since < 60 else "restart"
    return "serve" if ready else "hold"


# %% 07.4
def upgrade(database: sqlite3.Connection, steps: list[str]) -> None:
    """Run all steps, or leave the database as it was and raise."""
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


# %% 07.5
def saturation(service_s: float, slots: int, think_s: float) -> float:
    """From how many users on there is always somebody in line."""
    return slots * (service_s + think_s) / service_s
