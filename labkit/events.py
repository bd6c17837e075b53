"""What an answer is made of: its events as they come, how it ended, and the record of when what came."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from labkit.errors import LabError, StreamError


class End(StrEnum):
    """How an answer ended."""

    FINISHED = "finished"  # by the model itself
    LENGTH = "length"  # by max_tokens or the context window
    FILTERED = "filtered"  # by a content filter of the endpoint
    DECLINED = "declined"  # by the model, in the API's field `refusal`
    STOPPED = "stopped"  # by us: Stop, a cancelled task, a loop that was left
    DROPPED = "dropped"  # the connection broke, or the stream ended without saying that it is complete
    TIMED_OUT = "timed out"
    REFUSED = "refused"  # an error status, or an error inside a stream of status 200


# The ends that the endpoint itself told: the answer is complete as far as there is one.
COMPLETE = (End.FINISHED, End.LENGTH, End.FILTERED, End.DECLINED)


@dataclass(frozen=True)
class Event:
    """Something that happened `at` seconds after the request; `text` is empty unless it brought some."""

    at: float
    text: str = ""


@dataclass(frozen=True)
class Text(Event):
    """A piece of the answer that is not empty."""


@dataclass(frozen=True)
class FirstToken(Text):
    """The first piece of the answer."""


@dataclass(frozen=True)
class Reasoning(Event):
    """A piece of what a reasoning model writes before its answer. It is not part of the answer, so `text` is empty."""

    thought: str = ""


@dataclass(frozen=True)
class Usage(Event):
    """The endpoint's own count of tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Finish(Event):
    """The end, said by the endpoint: its reason is `stop`, `length` or a word of its own."""

    reason: str = "stop"


@dataclass(frozen=True)
class Failure(Event):
    """The end, by an error. It is the last event, and the error is raised after it."""

    error: LabError = field(default_factory=lambda: StreamError("unknown"))


@dataclass
class Trace:
    """When what came, in seconds of `time.perf_counter`; None where it did not come.

    `chunks` has one stamp for each piece of text, `reasoning` one for each piece of reasoning. `completion_tokens` is
    the endpoint's own count of both, if it gave one; `reasoning_tokens` is its count of the reasoning alone.
    """

    request: float = 0.0
    headers: float | None = None
    chunks: list[float] = field(default_factory=list)
    end: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    ended: End = End.STOPPED
    error: LabError | None = None
    reasoning: list[float] = field(default_factory=list)
    reasoning_tokens: int | None = None

    @property
    def first_text(self) -> float | None:
        """When the first piece of text came."""
        return self.chunks[0] if self.chunks else None

    @property
    def first_reasoning(self) -> float | None:
        """When the first piece of reasoning came."""
        return self.reasoning[0] if self.reasoning else None

    @property
    def tokens(self) -> int:
        """Tokens of the text: the endpoint's count without its reasoning, else the number of chunks (see `counted`)."""
        if self._text_tokens is None:
            return len(self.chunks)
        return self._text_tokens

    @property
    def counted(self) -> str:
        """What `tokens` counts: "tokens", or "chunks" where the endpoint did not count the text alone."""
        return "chunks" if self._text_tokens is None else "tokens"

    @property
    def _text_tokens(self) -> int | None:
        if self.completion_tokens is not None and self.reasoning_tokens:  # also where the reasoning itself is hidden
            return max(0, self.completion_tokens - self.reasoning_tokens)
        # Some endpoints count the reasoning as 0, or do not count it apart: then nothing is known of the text alone.
        return None if self.reasoning else self.completion_tokens
