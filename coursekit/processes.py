"""Child processes: started in a `with` block, asked to end at its end, and killed when they do not."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
