"""A file beside a run, where LABKIT_SIDECAR names one: a line for each check and for each answer, without its text.

`python lab.py report` sets the variable for the notebooks that it executes. Elsewhere nothing is written.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.files import append_line

if TYPE_CHECKING:
    from labkit.connection import Connection
    from labkit.events import Trace

VARIABLE = "LABKIT_SIDECAR"


def note(kind: str, **values: object) -> None:
    """Append one line, where a run has asked for it. A failure to write must not fail the measured code."""
    if place := os.environ.get(VARIABLE):
        with suppress(OSError):
            append_line(Path(place), {"kind": kind} | values)


class Observer(logging.Handler):
    """Writes a line for each answer that labkit has streamed: its times in seconds since its request, and its end."""

    def emit(self, record: logging.LogRecord) -> None:
        """Note one answer."""
        connection: Connection = vars(record)["connection"]
        trace: Trace = vars(record)["trace"]
        note(
            "answer",
            base_url=connection.base_url,
            model=connection.model,
            ttft=None if trace.first_text is None else trace.first_text - trace.request,
            e2e=trace.chunks[-1] - trace.request if trace.chunks else None,
            tokens=trace.tokens,
            counted=trace.counted,
            ended=trace.ended,
        )


def load_ipython_extension(_: object) -> None:
    """Observe the answers of this kernel: `report` starts its kernels with this extension."""
    answers = logging.getLogger("labkit.answers")
    answers.addHandler(Observer())
    answers.setLevel(logging.INFO)
    answers.propagate = False
