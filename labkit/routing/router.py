"""Router: privacy gate, score, threshold, health, decision; and an answer that is asked for as decided."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError, RoutingError
from labkit.events import COMPLETE, End, Failure, Finish, Trace
from labkit.listing import shown
from labkit.routing import privacy
from labkit.routing.resilience import Breaker, Retries, advise
from labkit.streaming import Answer, stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from labkit.connection import Connection
    from labkit.events import Event
    from labkit.routing.cloud import Cloud
    from labkit.routing.scorers import Cascade, Conversation, Scorer
    from labkit.streaming import Message

# Two more ways in which an attempt ends, besides those of `End`.
PASSED_OVER = "passed over"  # its breaker was open
DOUBTED = "doubted"  # the local answer failed the cascade's check


class Target(StrEnum):
    """Where an answer comes from."""

    LOCAL = "local"
    CLOUD = "cloud"

    @property
    def other(self) -> Target:
        """The other target."""
        return Target.CLOUD if self is Target.LOCAL else Target.LOCAL


class Reason(StrEnum):
    """Why an answer comes from its target."""

    PRIVATE = "private, so local only"
    EASY = "score below the threshold"
    HARD = "score at or above the threshold"
    DOUBTED = "the local answer failed its check"
    LOCAL_FAILED = "the local model failed"
    CLOUD_FAILED = "the cloud failed"


@dataclass(frozen=True)
class Attempt:
    """One try: its target, how it ended (a value of `End`, or one of the two above), why, and its seconds."""

    target: Target
    ended: str
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Where an answer comes from and why. `tried`, `cost` and `seconds` are filled in while the answer comes.

    `cost` is in dollars, None where the price is not known; electricity is not counted. `seconds` go from the request
    to the end of the answer, waits included.
    """

    target: Target
    reason: Reason
    score: float | None
    threshold: float
    private: tuple[privacy.Kind, ...] = ()
    simulated: bool = False
    tried: tuple[Attempt, ...] = ()
    cost: float | None = 0.0
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """The target in words: `simulated cloud` where the cloud is a simulated one."""
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


# Seconds of silence after which a target has failed. A local model may need long for a long prompt, a cloud does not.
PATIENCE: Mapping[Target, float] = {Target.LOCAL: 120.0, Target.CLOUD: 20.0}


@dataclass
class Router:
    """Two connections and the rule that chooses between them. `stream(router, messages)` asks the chosen one.

    A question whose score is `threshold` or more goes to the cloud. A conversation in which the gate finds something
    private is sent to the local model only, and not even there if `local` may be on another machine. With a `cascade`
    the local model answers first; if the doubt about its answer reaches the threshold, the cloud is asked instead.
    `regions` are those of the gate. Close the router with `aclose` in the event loop that used it; the connections
    that it was given stay open.
    """

    local: Connection
    cloud: Cloud
    scorer: Scorer
    threshold: float = 0.5
    cascade: Cascade | None = None
    retries: Retries = field(default_factory=Retries)
    patience: Mapping[Target, float] = field(default_factory=lambda: PATIENCE)
    breakers: dict[Target, Breaker] = field(default_factory=lambda: {target: Breaker() for target in Target})
    regions: tuple[str, ...] = ("SE",)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        # The router retries by itself: retries inside the client would be neither counted nor shown.
        self._connections = {
            Target.LOCAL: replace(self.local, retries=0, _runtime=None),
            Target.CLOUD: replace(self.cloud.connection, retries=0, _runtime=None),
        }

    def decide(self, messages: str | Sequence[Message], options: Mapping[str, Any] | None = None) -> Decision:
        """Where these messages would go now. Only the scorer is asked, no endpoint.

        The gate reads the `options` too, since they are sent as well: tools, for example, or a user's name.
        """
        conversation = as_conversation(messages)
        sent = [*conversation, {"content": options or {}}]
        private = tuple(dict.fromkeys(hit.kind for hit in privacy.find(sent, self.regions)))
        if private:
            return self._decision(Target.LOCAL, Reason.PRIVATE, None, private)
        if self.cascade:
            return self._healthy(self._decision(Target.LOCAL, Reason.EASY, None))
        score = self.scorer.score(conversation)
        hard = score >= self.threshold
        target, reason = (Target.CLOUD, Reason.HARD) if hard else (Target.LOCAL, Reason.EASY)
        return self._healthy(self._decision(target, reason, score))

    def _decision(
        self, target: Target, reason: Reason, score: float | None, private: tuple[privacy.Kind, ...] = ()
    ) -> Decision:
        return Decision(target, reason, score, self.threshold, private, self.cloud.simulated)

    def _healthy(self, decision: Decision) -> Decision:
        """The decision, or one for the other target while the breaker of the first is open."""
        if self.breakers[decision.target].ready or not self.breakers[decision.target.other].ready:
            return decision
        return switched(decision, Attempt(decision.target, PASSED_OVER, "Its breaker is open"))

    def stream(self, messages: str | Sequence[Message], **options: Any) -> Routed:
        """An answer as events, like `labkit.stream`; its `decision` says where it comes from and why.

        While it is read it raises RoutingError if no endpoint may or can answer. An answer that breaks off after text
        was shown raises the error of `labkit.stream`; it is never asked for again. Messages that are not JSON raise
        RoutingError at once.
        """
        return Routed(self, as_conversation(messages), options)

    async def aclose(self) -> None:
        """Close the clients that this router has made."""
        for connection in self._connections.values():
            await connection.aclose()


def as_conversation(messages: str | Sequence[Message]) -> Conversation:
    """A question as a conversation, or a copy of a conversation as it would be sent.

    So the messages cannot change between the gate and the request, and the gate can read everything that is sent.
    """
    conversation = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    try:
        copied: Conversation = json.loads(json.dumps(conversation))
    except (TypeError, ValueError) as error:
        raise RoutingError(
            "A message contains a value that JSON cannot hold", fix="use only dictionaries, lists, texts and numbers"
        ) from error
    return copied


def switched(decision: Decision, *tried: Attempt) -> Decision:
    """The same decision for the other target, since this one failed."""
    failed = Reason.LOCAL_FAILED if decision.target is Target.LOCAL else Reason.CLOUD_FAILED
    return replace(decision, target=decision.target.other, reason=failed, tried=(*decision.tried, *tried))


class Routed(Answer):
    """One answer of a router. `decision` is None until the first event is asked for, and grows to the end."""

    def __init__(self, router: Router, messages: Conversation, options: dict[str, Any]) -> None:
        super().__init__(router.local, options)
        self.router = router
        self.messages = messages
        self.decision: Decision | None = None
        self._current: Answer | None = None
        self._kept: list[Event] = []
        self._shown: list[str] = []
        self._trace = Trace()

    @property
    def text(self) -> str:
        """The text of the events so far. An answer that is held back is not in it."""
        return "".join(self._shown)

    @property
    def reasoning(self) -> str:
        """The reasoning of the model that is asked now."""
        return self._current.reasoning if self._current else ""

    @property
    def trace(self) -> Trace:
        """The times of this answer, counted from the first request, so that waits and failed attempts are included.

        `ended` and `error` are those of the whole answer, not of one attempt.
        """
        own = self._trace
        if self._current is None or not self._current.trace.request:
            return own
        return replace(self._current.trace, request=own.request, ended=own.ended, error=own.error)

    async def _read(self) -> AsyncGenerator[Event]:
        self._trace.request = time.perf_counter()
        try:
            # In a thread: a scorer may ask a model, and the event loop must serve other users meanwhile.
            self.decision = await asyncio.to_thread(self.router.decide, self.messages, self._request)
            async with aclosing(self._follow(self.decision)) as events:
                async for event in events:
                    if event.text:
                        self._shown.append(event.text)
                    if isinstance(event, Finish) and self._current:
                        self._trace.ended = self._current.trace.ended
                    yield replace(event, at=time.perf_counter() - self._trace.request)
            assert self._current is not None
            self._trace.ended = self._current.trace.ended
        except LabError as error:
            last = self._current.trace if self._current else self._trace
            self._trace.error, self._trace.ended = error, last.ended if error is last.error else End.REFUSED
            yield Failure(time.perf_counter() - self._trace.request, "", error)
            raise
        finally:
            self._trace.end = time.perf_counter()
            if self.decision:
                self.decision = replace(self.decision, seconds=self._trace.end - self._trace.request)

    async def _follow(self, decision: Decision) -> AsyncGenerator[Event]:
        """The events of the chosen target, or else of the other one, if privacy allows it."""
        self.decision = decision
        if decision.private and not self.router.local.stays_here:
            raise RoutingError(
                f"This conversation may not leave this machine (found: {', '.join(decision.private)}), and"
                f" {shown(self.router.local.base_url)} may send it to another one",
                fix="use Foundry Local on this machine (unset BASE_URL), or ask without the private details",
            )
        kept: Answer | None = None
        targets = [decision.target] if decision.private or decision.tried else [decision.target, decision.target.other]
        for target in targets:
            if target is not self.decision.target:
                self.decision = switched(self.decision)
            held = self.router.cascade is not None and target is Target.LOCAL and len(targets) > 1
            async with aclosing(self._attempts(target, held=held)) as events:
                async for event in events:
                    yield event
            if self.decision.tried[-1].ended == DOUBTED:
                kept = self._current
                self.decision = replace(self.decision, target=target.other, reason=Reason.DOUBTED)
            elif self.decision.tried[-1].ended in COMPLETE:
                return
        if kept is None:
            raise self._nobody()
        # The cloud failed: a doubtful answer is better than none.
        self._current = kept
        self.decision = replace(self.decision, target=Target.LOCAL, reason=Reason.CLOUD_FAILED)
        for event in self._kept:
            yield event

    async def _attempts(self, target: Target, *, held: bool) -> AsyncGenerator[Event]:
        """Ask one target until it answers or another try is useless; each try is noted in the decision.

        With `held` no event is sent before the whole answer has passed the cascade's check.
        """
        breaker = self.router.breakers[target]
        for number in range(1, self.router.retries.attempts + 1):
            permit = breaker.admit()
            if permit is None:
                self._note(Attempt(target, PASSED_OVER, "Its breaker is open"))
                return
            patience = {"timeout": self.router.patience[target]}
            answer = self._current = stream(
                self.router._connections[target], self.messages, **(patience | self._request)
            )
            events: list[Event] = []
            try:
                async with answer:
                    async for event in answer:
                        if held:
                            events.append(event)
                        elif not isinstance(event, Failure):
                            yield event
                permit.succeeded()
            except LabError as error:
                failure = advise(error, answer.trace.ended)
                permit.failed(failure.wait) if failure.counts else permit.released()
                self._note(Attempt(target, answer.trace.ended, error.message, _seconds(answer)), answer)
                if answer.text and not held:
                    raise  # a part of it was shown
                wait = self.router.retries.delay(number, failure)
                if wait is None or not breaker.ready:
                    return
                await self.router.sleep(wait)
                continue
            finally:
                if not permit.reported:  # the reader left: half an answer says nothing about the endpoint, but it costs
                    permit.succeeded() if answer.trace.ended in COMPLETE else permit.released()
                    self._note(Attempt(target, answer.trace.ended, "", _seconds(answer)), answer)
            if held and self.router.cascade:
                doubt = self.router.cascade.doubt(self.messages, answer.text)
                if doubt >= self.router.threshold:
                    self._kept = events
                    self._note(Attempt(target, DOUBTED, f"doubt {doubt:.2f}", _seconds(answer)), answer)
                    return
            self._note(Attempt(target, answer.trace.ended, "", _seconds(answer)), answer)
            for event in events:
                yield event
            return

    def _note(self, attempt: Attempt, answer: Answer | None = None) -> None:
        assert self.decision is not None
        cost = self.decision.cost
        if attempt.target is Target.CLOUD and answer is not None and (answer.trace.chunks or answer.reasoning):
            price = self.router.cloud.price
            cost = None if price is None or cost is None else cost + price.of(answer.trace)
        self.decision = replace(self.decision, tried=(*self.decision.tried, attempt), cost=cost)

    def _nobody(self) -> RoutingError:
        """Why there is no answer at all."""
        assert self.decision is not None
        counted = Counter((each.target.capitalize(), each.why or each.ended) for each in self.decision.tried)
        tried = ". ".join(
            f"{target}, {count} times: {why}" if count > 1 else f"{target}: {why}"
            for (target, why), count in counted.items()
        )
        if self.decision.private:
            found = ", ".join(self.decision.private)
            return RoutingError(
                f"This conversation may not leave this machine (found: {found}), and the local model does not answer."
                f" {tried}",
                fix="python lab.py serve, then ask again",
            )
        return RoutingError(f"Neither the local model nor the cloud answers. {tried}", fix="ask again in a while")


def _seconds(answer: Answer) -> float:
    return answer.trace.end - answer.trace.request
