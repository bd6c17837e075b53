"""What the app asks and tells around each answer. Alone it needs little; `apps.chat_prod` puts more in its place."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from apps.chat.device import Refusal
from labkit import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from apps.chat.device import Device
    from apps.chat.store import Threads
    from labkit import Answer, Connection, Router

log = logging.getLogger("chat")


@dataclass(kw_only=True)
class Hooks:
    """The parts of one running application, and what is done before and after each question.

    `patience` is in seconds without an event; `cloud` says whether CLOUD_* are set.
    """

    device: Device
    threads: Threads
    users: Mapping[str, str] = field(repr=False)
    patience: float
    cloud: bool
    routes: dict[Any, Connection | Router] = field(default_factory=dict)

    @property
    def shutting_down(self) -> bool:
        """Whether the server ends the answers that still run."""
        return False

    def check(self) -> None:
        """A question of this session's user is about to wait for its turn. Raises Refusal where it is not taken."""
        self.device.queue.refuse_when_full()

    def ending(self, answer: Answer) -> str:
        """How an answer ended: one of the values of End."""
        return str(answer.trace.ended)

    def record_answer(self, answer: Answer, place: str) -> None:
        """Take note of an answer that has ended."""

    def record_error(self, error: Exception) -> None:
        """Take note of what went wrong: its kind, and nothing of what anybody wrote."""
        if not isinstance(error, LabError | Refusal):
            log.error("An answer failed with %s", type(error).__name__)
