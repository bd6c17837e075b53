"""Checks of notebook 06. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise

if TYPE_CHECKING:
    from collections.abc import Callable

    Probe = Callable[[], bool]
    Clock = Callable[[], float]
    Sleep = Callable[[float], None]


@exercise(
    "One for the answer. One more for each of the three that is not switched off; unset means on.",
    '1 + sum(settings.get(name, "true").lower() != "false" for name in the three names)',
)
def calls(answer: Callable[[dict[str, str]], int]) -> str | None:
    """06.1: how many requests one message makes."""
    off = {f"ENABLE_{name}_GENERATION": "false" for name in ("TITLE", "TAGS", "FOLLOW_UP")}
    cases: list[tuple[dict[str, str], int, str]] = [
        ({}, 4, "nothing set"),
        (off, 1, "all three off"),
        ({"ENABLE_TITLE_GENERATION": "false"}, 3, "only the title off"),
        (off | {"ENABLE_TAGS_GENERATION": "true"}, 2, "title and follow-ups off"),
        (off | {"ENABLE_TITLE_GENERATION": "False"}, 1, "one False with a capital letter"),
        ({"ENABLE_TITLE_GENERATION": "True"}, 4, "one True with a capital letter"),
        ({"ENABLE_OLLAMA_API": "false", "ENABLE_AUTOCOMPLETE_GENERATION": "false"}, 4, "other settings off"),
    ]
    return compare(answer, cases, "With {what} ({0}) it gave {given!r}; expected {expected}.")


class _NoPauseError(RuntimeError):
    """The answer never sleeps."""


class _Server:
    """A server that becomes ready after some seconds, and a clock that moves only in a probe and in a sleep."""

    def __init__(self, ready_after: float, takes: float, *, refuses: bool) -> None:
        self.ready, self.takes, self.refuses = 100.0 + ready_after, takes, refuses
        self.now = 100.0
        self.looks = self.probes = 0

    def probe(self) -> bool:
        self.now += self.takes
        self.probes += 1
        if self.probes > 2_000:
            raise _NoPauseError("it asks again and again without a pause")
        if self.now < self.ready and self.refuses:
            raise ConnectionRefusedError
        return self.now >= self.ready

    def clock(self) -> float:
        self.looks += 1
        if self.looks > 10_000:
            raise _NoPauseError("it looks at the clock all the time and never sleeps")
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)


@exercise(
    "Note the deadline. Then again and again: probe; past the deadline return False; sleep half a second.",
    "A connection that is refused raises OSError: put only the probe into try, and go on after except OSError.",
)
def wait_until(answer: Callable[[Probe, float, Clock, Sleep], bool]) -> str | None:
    """06.2: waiting until it is ready."""
    kinds = [
        (0.0, 0.0, True, "ready at once"),
        (3.0, 0.0, True, "ready after 3 s"),
        (60.0, 0.0, False, "not ready in time"),
        (60.0, 2.0, False, "not ready in time, where each probe takes 2 s"),
    ]

    def run(ready_after: float, takes: float, refuses: bool) -> tuple[bool, float]:
        server = _Server(ready_after, takes, refuses=refuses)
        return answer(server.probe, 10.0, server.clock, server.sleep), server.now - 100.0

    def judge(result: Any, expected: bool, what: str, ready_after: float, takes: float, refuses: bool) -> str | None:
        if isinstance(result, ConnectionRefusedError):
            return "A server that is not there yet refuses the connection: take an OSError for a no."
        if isinstance(result, _NoPauseError):
            return f"With {what}, {result}. Sleep a little between two tries."
        given, waited = result
        if given is not expected:
            how = "a refused connection" if refuses else "the answer no"
            return f"With {what} ({how} until then) it gave {given!r}; expected {expected}."
        if expected and waited > ready_after + 1.0:
            return f"With {what} it noticed {waited - ready_after:.1f} s late. Sleep less: half a second."
        if not expected and not 10.0 <= waited <= 11.0 + takes:
            return f"With {what} it gave up after {waited:.1f} s; expected 10."
        return None

    cases = [(ready, takes, refuses, right, what) for ready, takes, right, what in kinds for refuses in (False, True)]
    return compare(run, cases, judge, accept=(ConnectionRefusedError, _NoPauseError))


@exercise(
    "Begin where the models are: no answer from the endpoint, then no models there. Only then compare.",
    "The comparison: set(endpoint) <= set(shown), since Open WebUI may show more, in another order.",
)
def diagnose(answer: Callable[[list[str] | None, list[str]], str]) -> str | None:
    """06.3: what is wrong when models are missing."""
    cases: list[tuple[list[str] | None, list[str], str, str]] = [
        (None, [], "endpoint", "nothing listens there: begin with the endpoint"),
        ([], [], "model", "the endpoint answers and has no model itself"),
        (["a"], [], "address", "the endpoint has a model, and Open WebUI must be asking somewhere else"),
        (["a"], ["b"], "address", "Open WebUI lists what another endpoint has"),
        (["a", "b"], ["a"], "address", "one is missing, so the list is not this endpoint's of now"),
        (["a"], ["a"], "fine", "both list the same"),
        (["b", "a"], ["a"], "address", "the first one is missing"),
        (["a", "b"], ["b", "a"], "fine", "the same in another order"),
        (["a"], ["a", "arena-model"], "fine", "Open WebUI may add entries of its own"),
    ]
    say = "The endpoint lists {0}, Open WebUI {1}: it gave {given!r}; expected {expected!r}, since {what}."
    return compare(answer, cases, say)


@exercise(
    "localhost never does. On Linux the host's network does. host.docker.internal depends on the system.",
    'by == "host network" or (by == "host.docker.internal" and (system != "linux" or listens == "0.0.0.0"))',
)
def reaches(answer: Callable[[str, str, str], bool]) -> str | None:
    """06.4: whether a container reaches the runtime."""
    cases = [
        ("127.0.0.1", "linux", "localhost", False, "localhost inside a container is the container itself"),
        ("0.0.0.0", "linux", "localhost", False, "localhost inside a container is the container itself"),
        ("127.0.0.1", "macos", "localhost", False, "localhost inside a container is the container itself"),
        ("127.0.0.1", "linux", "host.docker.internal", False, "on Linux that name is the bridge, not the loopback"),
        ("0.0.0.0", "linux", "host.docker.internal", True, "a server on every address listens on the bridge too"),
        ("127.0.0.1", "macos", "host.docker.internal", True, "Docker Desktop connects from the host itself"),
        ("127.0.0.1", "windows", "host.docker.internal", True, "Docker Desktop connects from the host itself"),
        ("0.0.0.0", "linux", "host network", True, "every address includes the host's loopback, which is shared"),
        ("127.0.0.1", "linux", "host network", True, "the container then shares the host's loopback"),
    ]
    return compare(answer, cases, "{0} on {1} by {2}: it gave {given!r}; expected {expected}, since {what}.")
