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
from labkit.plots.parts import architecture
from labkit.plots.picture import Picture, machine

__all__ = [
    "Picture",
    "architecture",
    "concurrency",
    "ecdf",
    "first_token_by_prompt",
    "machine",
    "running",
    "samples",
    "streamed_or_whole",
    "tokens_over_time",
    "waterfall",
]
