"""Progress bars: a widget in a notebook, a line in a terminal, one line of text in a log."""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_watcher: ContextVar[Callable[[str], None] | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(say: Callable[[str], None]) -> Iterator[None]:
    """Call `say` too for each bar in this block, as `Downloading phi-4-mini: 40%`; also in asyncio.to_thread."""
    token = _watcher.set(say)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextlib.contextmanager
def bar(title: str, *, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """Show a bar; call the value that it yields with the amount done so far, in `unit`s (bytes are scaled).

    Without a notebook or a terminal, the title is printed once.
    """
    say = _watcher.get() or (lambda _: None)
    say(title)
    if not (_in_notebook() or sys.stderr.isatty()):
        print(f"{title} ...", file=sys.stderr, flush=True)
        yield lambda done: say(f"{title}: {done / total:.0%}")
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=title, unit=unit, unit_scale=unit == "B", leave=False) as shown:

        def advance(done: float) -> None:
            shown.update(max(0.0, done - shown.n))
            say(f"{title}: {done / total:.0%}")

        yield advance


def _in_notebook() -> bool:
    """Whether this code runs in a Jupyter kernel."""
    return "ipykernel" in sys.modules and hasattr(sys.modules["ipykernel"], "kernelapp")
