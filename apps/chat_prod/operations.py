"""What watches over the answers: one of each part, made at the start, and asked before and after each question."""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import chainlit as cl

from apps.chat.device import Refusal
from apps.chat.hooks import Hooks
from apps.chat.words import SHUT_DOWN
from apps.chat_prod.logs import adopt, begin, failure
from labkit.events import End
from labkit.latency import ttft

if TYPE_CHECKING:
    from apps.chat_prod.drain import Drain
    from apps.chat_prod.limits import Buckets
    from apps.chat_prod.metrics import Metrics
    from labkit import Answer

log = logging.getLogger("chat")


@dataclass(kw_only=True)
class Operations(Hooks):
    """The parts of one running server."""

    metrics: Metrics
    drain: Drain
    buckets: Buckets | None = None

    def started(self) -> None:
        """The server is about to serve: we get its signals and its log."""
        adopt()
        self.drain.listen()
        # The objects of now stay: a search for garbage through all of it would hold up every user at once.
        gc.collect()
        gc.freeze()

    @property
    def shutting_down(self) -> bool:
        """Whether the time for the answers under way is over."""
        return self.drain.over

    def check(self) -> None:
        """A question of this session's user. Raises Refusal while the server drains, or where there are too many."""
        begin(cl.context.session.thread_id)
        self.drain.admit()
        super().check()
        if self.buckets:
            user = cl.context.session.user
            self.buckets.take(user.identifier if user else "")

    def ending(self, answer: Answer) -> str:
        """How an answer ended: as its trace says, unless it was the end of the server that stopped it."""
        stopped = answer.trace.ended is End.STOPPED
        return SHUT_DOWN if stopped and self.shutting_down else str(answer.trace.ended)

    def record_answer(self, answer: Answer, place: str) -> None:
        """Count an answer, and write its line."""
        trace, ended = answer.trace, self.ending(answer)
        self.metrics.answered(trace, ended, place)
        first = ttft(trace)
        fields = {
            "ended": ended,
            "place": place,
            "seconds": round(trace.end - trace.request, 3),
            "ttft": None if first is None else round(first, 3),
            "tokens": trace.tokens,
        }
        log.info("answer", extra={"fields": fields})

    def record_error(self, error: Exception) -> None:
        """Count what went wrong, and write its line: the kind and the place, never the text."""
        if isinstance(error, Refusal):
            self.metrics.refused(error.why)
            log.info("refused", extra={"fields": {"why": error.why, "seconds": round(error.wait, 1)}})
        else:
            self.metrics.record_error(error)
            log.warning("error", extra={"fields": failure(error)})
