"""Pages are made in a process of their own, one after the other: what takes too long there is ended, and said."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from coursekit.report.job import Result

SECONDS = 60.0
# nbconvert keeps some of what it has made; a fresh process now and then keeps memory flat.
PAGES = 50


class Renderer:
    """Makes the page of each result. Use it in a `with` block; its process starts with the first page."""

    def __init__(self, *, code: bool, seconds: float = SECONDS) -> None:
        self.code, self.seconds = code, seconds
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None
        self._made = 0

    def page(self, result: Result, target: Path, back: str) -> Result:
        """The same result with its page, or with a word on why there is none."""
        if not result.executed:
            return result
        if self._made >= PAGES:
            self._end()
        if self._line is None:
            self._start()
        assert self._line
        self._made += 1
        try:
            self._line.send((result, str(target), self.code, back))
            problem = self._line.recv() if self._line.poll(self.seconds) else f"it took more than {self.seconds:g} s"
        except (EOFError, OSError):
            problem = "the process that makes pages ended"
        if problem:
            self._end()
            return replace(result, detail=f"{result.detail} (no page: {problem})".strip())
        return replace(result, page=str(target))

    def _start(self) -> None:
        self._line, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._made = 0

    def _end(self) -> None:
        if self._process and self._line:
            self._line.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._line = self._process = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


def _work(line: Connection) -> None:
    """In the process: a page for each message, until the line closes."""
    from coursekit.report import pages

    while True:
        try:
            result, target, code, back = line.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            text = pages.render(Path(result.executed), result, code=code, back=back)
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(target).write_text(text, encoding="utf-8")
            line.send("")
        except Exception as error:  # whatever a notebook from elsewhere does to nbconvert
            line.send(f"{type(error).__name__}: {error}"[:200])
