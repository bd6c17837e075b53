"""What a notebook shows, and what a terminal shows in its place: tables, progress bars, short errors."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import sys
import types
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Seconds between two looks at the kernel's interrupt while a cell waits.
TICK = 0.2


@dataclass(frozen=True)
class Table:
    """A header and rows of text, which is escaped.

    The cells of a `measured` table differ from run to run. They get the class `measured`, so that a comparison of two
    runs can ignore them, and the plain-text form only names the columns.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    measured: bool = False

    def __repr__(self) -> str:
        if self.measured:
            return f"A table of measured values: {', '.join(filter(None, self.header))}"
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [self.header, *self.rows]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.header)
        body = "".join(f"<tr>{''.join(map(self._cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cell(self, text: str) -> str:
        opening = '<td class="measured">' if self.measured else "<td>"
        return f"{opening}{html.escape(text)}</td>"


def short(value: float) -> str:
    """Three figures, and never a power of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


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
    if not (in_notebook() or sys.stderr.isatty()):
        print(f"{title} ...", file=sys.stderr, flush=True)
        yield lambda done: say(f"{title}: {done / total:.0%}")
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=title, unit=unit, unit_scale=unit == "B", leave=False) as shown:

        def advance(done: float) -> None:
            shown.update(max(0.0, done - shown.n))
            say(f"{title}: {done / total:.0%}")

        yield advance


def in_notebook() -> bool:
    """Whether this code runs in a Jupyter kernel."""
    return "ipykernel" in sys.modules and hasattr(sys.modules["ipykernel"], "kernelapp")


_LOOP_RUNS = re.compile("cannot be called from a running event loop|event loop is already running")
_NOT_AWAITED = re.compile("'coroutine' object |got coroutine")
_PREPARED = "labkit_prepared"


def prepare() -> None:
    """In a notebook: let the stop button end a cell that waits, show interrupts in one line, and a forgotten `await`.

    The whole traceback is shown by `traceback.print_last()`. Elsewhere, and a second time, it does nothing.
    """
    shell = _shell()
    if shell is None or hasattr(shell, _PREPARED):
        return
    setattr(shell, _PREPARED, True)
    shell.set_custom_exc(
        (KeyboardInterrupt, asyncio.CancelledError, RuntimeError, TypeError, AttributeError), _show_error
    )
    shell.display_formatter.formatters["text/plain"].for_type(types.CoroutineType, _show_coroutine)
    heart = _Heart()
    shell.events.register("pre_run_cell", heart.start)
    shell.events.register("post_run_cell", heart.stop)
    heart.start()


class _Heart:
    """Wakes the event loop every TICK seconds while a cell runs.

    ipykernel 7.4 notes an interrupt in a way that does not wake a sleeping loop, so that a cell which waits for a
    silent endpoint would not be ended.
    """

    def __init__(self) -> None:
        self._next: asyncio.TimerHandle | None = None

    def start(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # no loop runs
            self._next = asyncio.get_running_loop().call_later(TICK, self.start)

    def stop(self, *_: object) -> None:
        if self._next:
            self._next.cancel()


def _show_error(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> Any:
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        lines = ["Interrupted"]
    elif hasattr(error, "_render_traceback_"):  # ours
        lines = error._render_traceback_()
    elif isinstance(error, RuntimeError) and "client has been closed" in str(error):
        lines = ["This connection is closed. Fix: connect() again"]
    elif _NOT_AWAITED.search(str(error)):
        lines = [f"{kind.__name__}: {error}. Fix: write `await` before the call, as in `(await view.ask(...)).text`"]
    elif _LOOP_RUNS.search(str(error)):
        lines = ["A notebook already runs an event loop. Fix: write `await main()`, not `asyncio.run(main())`"]
    else:
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, error, lines)
    return lines


def _show_coroutine(coroutine: types.CoroutineType[Any, Any, Any], printer: Any, _: bool) -> None:
    name = coroutine.__name__
    printer.text(f"This has not run yet. Fix: write `await` before it, as in `await {name}(...)`")
    coroutine.close()


def _shell() -> Any:
    """IPython's shell in a Jupyter kernel, or None."""
    if not in_notebook():
        return None
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None
