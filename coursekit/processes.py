"""Child processes that end with a `with` block, and signal handlers that are put back at its end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Windows: so that Ctrl-Break reaches the child alone.
_OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_PLEASE = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)


@contextlib.contextmanager
def child(command: Sequence[str], *, seconds: float = 15, **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a command until the block ends; `options` go to subprocess.Popen. See `end` for `seconds`."""
    process = subprocess.Popen(list(command), creationflags=_OWN_GROUP, **options)
    with process:
        try:
            yield process
        finally:
            end(process, seconds)


def end(process: subprocess.Popen[Any], seconds: float = 15) -> int:
    """Ask a process to end (SIGTERM, on Windows Ctrl-Break), kill it after `seconds`, and return its exit status."""
    if process.poll() is None:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            process.send_signal(_PLEASE)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


@contextlib.contextmanager
def signal_handler(handler: Callable[..., Any] | signal.Handlers, *names: str) -> Iterator[None]:
    """Handle signals with `handler` until the block ends; names that this system does not have are left out.

    Raises ValueError outside the main thread, as signal.signal does.
    """
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
