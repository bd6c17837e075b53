"""One function a figure. Each returns a `Picture`: a matplotlib figure that carries its own description."""

from labkit.plots.measured import (
    concurrency,
    ecdf,
    first_token_by_prompt,
    running,
    samples,
    streamed_or_whole,
    tokens_over_time,
    waterfall,
)
from labkit.plots.operated import buckets, line
from labkit.plots.parts import architecture, containers
from labkit.plots.picture import Picture, machine
from labkit.plots.planned import capacity
from labkit.plots.raced import digits, race
from labkit.plots.routed import breaker, recovered, shares, tradeoff

__all__ = [
    "Picture",
    "architecture",
    "breaker",
    "buckets",
    "capacity",
    "concurrency",
    "containers",
    "digits",
    "ecdf",
    "first_token_by_prompt",
    "line",
    "machine",
    "race",
    "recovered",
    "running",
    "samples",
    "shares",
    "streamed_or_whole",
    "tokens_over_time",
    "tradeoff",
    "waterfall",
]
