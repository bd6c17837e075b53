"""A conversation that fits into the context window: the size of each message, and which messages to send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.streaming import Answer

# An estimate for text that no endpoint has counted yet, rather too large for English and Swedish.
CHARACTERS_PER_TOKEN = 3
# Tokens that a chat template adds to a message, at most.
MARKERS = 8


@dataclass
class History:
    """Messages and their sizes in tokens: estimated at first, then corrected by the endpoint's counts."""

    messages: list[dict[str, str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, role: str, content: str, size: int | None = None) -> None:
        """Append a message; without a size it is estimated."""
        self.messages.append({"role": role, "content": content})
        self.sizes.append(estimate(content) if size is None else size)

    def drop(self) -> None:
        """Remove the last message."""
        self.messages.pop()
        self.sizes.pop()

    def within(self, budget: int | None) -> list[dict[str, str]]:
        """The newest messages that fit into `budget` tokens; None means no limit.

        A system message at the start is kept, and so is the last message. The first message after the system message
        is a user's: an answer without its question would mislead the model.
        """
        head = 1 if self.messages and self.messages[0]["role"] == "system" else 0
        first = head
        while budget is not None and first < len(self.messages) - 1:
            size = sum(self.sizes[:head]) + sum(self.sizes[first:])
            if size <= budget and self.messages[first]["role"] == "user":
                break
            first += 1
        return self.messages[:head] + self.messages[first:]

    def learn(self, sent: int, answer: Answer) -> None:
        """Append an answer, and correct the size of its question from the endpoint's count of the whole prompt.

        `sent` is the number of messages that were sent. A size is never corrected downwards: a request that is too
        long is refused.
        """
        counted = answer.trace.prompt_tokens
        if counted is not None:
            first = len(self.messages) - sent
            head = 1 if first and self.messages[0]["role"] == "system" else 0
            others = sum(self.sizes[:head]) + sum(self.sizes[first + head : -1])
            self.sizes[-1] = max(self.sizes[-1], counted - others)
        trace = answer.trace
        # The reasoning is not sent back, so it does not count.
        self.add("assistant", answer.text, trace.tokens + MARKERS if trace.counted == "tokens" else None)


def estimate(text: str) -> int:
    """The approximate number of tokens of a text."""
    return len(text) // CHARACTERS_PER_TOKEN + 4
