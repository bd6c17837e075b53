"""What a router decided for one answer, and everything that was tried for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.routing.privacy import Kind


# How an attempt can end that is no answer's end.
PASSED_OVER = "passed over"  # its breaker was open
DOUBTED = "doubted"  # the local answer failed the cascade's check


class Target(StrEnum):
    """Where an answer comes from."""

    LOCAL = "local"
    CLOUD = "cloud"

    @property
    def other(self) -> Target:
        """The one that is not this."""
        return Target.CLOUD if self is Target.LOCAL else Target.LOCAL


class Reason(StrEnum):
    """Why it comes from there."""

    PRIVATE = "private, so local only"
    EASY = "score below the threshold"
    HARD = "score at or above the threshold"
    DOUBTED = "the local answer failed its check"
    LOCAL_FAILED = "the local model failed"
    CLOUD_FAILED = "the cloud failed"


@dataclass(frozen=True)
class Attempt:
    """One try: where, how it ended (a word of `End`, or one of the two above), why, and its seconds."""

    target: Target
    ended: str
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Where an answer comes from and why. `tried`, `cost` and `seconds` are filled in while it comes.

    `cost` is in dollars, None where the price is not known; electricity is not counted. `seconds` go from the request
    to the end of the answer, waits included.
    """

    target: Target
    reason: Reason
    score: float | None
    threshold: float
    private: tuple[Kind, ...] = ()
    simulated: bool = False
    tried: tuple[Attempt, ...] = ()
    cost: float | None = 0.0
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """The target in words, with `simulated` before a cloud that is."""
        return "simulated cloud" if self.simulated and self.target is Target.CLOUD else str(self.target)

    def __str__(self) -> str:
        words = [f"{self.place}: {self.reason}"]
        if self.private:
            words.append(f"found: {', '.join(self.private)}")
        if self.score is not None:
            words.append(f"score {self.score:.2f}, threshold {self.threshold:.2f}")
        if len(self.tried) > 1:
            words.append("tried " + ", ".join(f"{each.target} ({each.ended})" for each in self.tried))
        return "; ".join(words)
