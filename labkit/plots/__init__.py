"""One function a figure. Each returns a `Picture`: a matplotlib figure that carries its own description."""

try:
    from labkit.plots.measured import (
        concurrency,
        ecdf,
        first_token_by_prompt,
        running,
        samples,
        streamed_or_whole,
        timeline,
        waterfall,
    )
    from labkit.plots.picture import Picture, machine
    from labkit.plots.routed import breaker, recovered, shares, tradeoff
except ModuleNotFoundError as error:
    raise ImportError(f'labkit.plots needs {error.name}. Fix: pip install "labkit[notebook,routing]"') from error

__all__ = [
    "Picture",
    "breaker",
    "concurrency",
    "ecdf",
    "first_token_by_prompt",
    "machine",
    "recovered",
    "running",
    "samples",
    "shares",
    "streamed_or_whole",
    "timeline",
    "tradeoff",
    "waterfall",
]
