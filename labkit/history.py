"""A conversation that fits: how many tokens each message takes, and which of them still go into the context window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.streaming import Answer

# A guess for text that no endpoint has counted yet, on the safe side for English and Swedish.
CHARACTERS_PER_TOKEN = 3
# What a chat template puts around a message, at most.
MARKERS = 8


@dataclass
class History:
    """Messages and their sizes in tokens. Sizes come from the endpoint's own counts as soon as it gives them."""

    messages: list[dict[str, str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, role: str, content: str, size: int | None = None) -> None:
        """Put a message at the end; without a size it is estimated."""
        self.messages.append({"role": role, "content": content})
        self.sizes.append(estimate(content) if size is None else size)

    def drop(self) -> None:
        """Take the last message away."""
        self.messages.pop()
        self.sizes.pop()

    def within(self, budget: int | None) -> list[dict[str, str]]:
        """The newest messages that fit into `budget` tokens, all of them without one.

        A system message at the front stays, and so does the last message. After the system message comes a
        user's message: an answer without its question would mislead the model.
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
        """Add an answer, and correct the size of its question by the endpoint's count of the whole prompt.

        `sent` is how many messages were sent. Rather a little too large than too small: what does not fit is refused.
        """
        counted = answer.trace.prompt_tokens
        if counted is not None:
            first = len(self.messages) - sent
            head = 1 if first and self.messages[0]["role"] == "system" else 0
            others = sum(self.sizes[:head]) + sum(self.sizes[first + head : -1])
            self.sizes[-1] = max(self.sizes[-1], counted - others)
        tokens = answer.trace.completion_tokens
        self.add("assistant", answer.text, None if tokens is None else tokens + MARKERS)


def estimate(text: str) -> int:
    """About how many tokens a text takes."""
    return len(text) // CHARACTERS_PER_TOKEN + 4
