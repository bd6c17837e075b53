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
    changed = "It changed the settings that it was given. Only look at them."
    return compare(answer, cases, "With {what} ({0}) it gave {given!r}; expected {expected}.", changed=changed)


class _NoPauseError(RuntimeError):
    """The answer never sleeps."""


class _Server:
    """A server that becomes ready after some seconds, and a clock that moves only in a probe and in a sleep."""

    def __init__(self, ready_after: float, takes: float, refuses: type[OSError] | None) -> None:
        self.ready, self.takes, self.refuses = 100.0 + ready_after, takes, refuses
        self.now = 100.0
        self.looks = self.probes = 0

    def probe(self) -> bool:
        self.now += self.takes
        self.probes += 1
        if self.probes > 200:
            raise _NoPauseError("it asks again and again without a pause of half a second")
        if self.now < self.ready and self.refuses:
            raise self.refuses
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
        (0.0, 0.0, 10.0, True, "a server that is ready at once"),
        (3.1, 0.0, 10.0, True, "a server that is ready after 3 s"),
        (60.0, 0.0, 10.0, False, "a server that is not ready in time"),
        (60.0, 2.0, 10.0, False, "a server that is not ready in time, where each probe takes 2 s"),
        (3.1, 0.0, 2.0, False, "a server that is ready after 3 s, when only 2 s are allowed"),
        (15.1, 0.0, 20.0, True, "a server that is ready after 15 s, when 20 s are allowed"),
    ]
    kinds_of_no: tuple[type[OSError] | None, ...] = (None, ConnectionRefusedError, TimeoutError)

    def run(ready_after: float, takes: float, seconds: float, refuses: type[OSError] | None) -> tuple[bool, float]:
        server = _Server(ready_after, takes, refuses)
        return answer(server.probe, seconds, server.clock, server.sleep), server.now - 100.0

    def judge(
        result: Any,
        expected: bool,
        what: str,
        ready_after: float,
        takes: float,
        seconds: float,
        refuses: type[OSError] | None,
    ) -> str | None:
        if isinstance(result, ConnectionRefusedError):
            return f"With {what}: while it is not there, it refuses the connection. Take that OSError for a no."
        if isinstance(result, OSError):
            return (
                f"With {what}: its probe raised {type(result).__name__}, which is an OSError too. Take each for a no."
            )
        if isinstance(result, _NoPauseError):
            return f"With {what}, {result}. Sleep a little between two tries."
        given, waited = result
        if given is not expected:
            how = f"each probe raised {refuses.__name__}" if refuses else "the answer was no"
            return f"With {what} ({how} until then) it gave {given!r}; expected {expected}."
        if expected and not ready_after and waited:
            return f"With {what} it was {waited:.1f} s late, since it slept first. Ask first, and sleep after a no."
        if expected and waited > ready_after + 0.5:
            return f"With {what} it noticed {waited - ready_after:.1f} s late. Sleep less: half a second."
        if not expected and not seconds <= waited <= seconds + 1.0 + takes:
            return f"With {what} it gave up after {waited:.1f} s; expected {seconds:.0f}."
        return None

    cases = [(*given, refuses, right, what) for *given, right, what in kinds for refuses in kinds_of_no]
    return compare(run, cases, judge, accept=(OSError, _NoPauseError))


@exercise(
    "Begin where the models are: no answer from the endpoint, then no models there. Only then compare.",
    "The comparison: set(endpoint) <= set(shown), since Open WebUI may show more, in another order.",
)
def diagnose(answer: Callable[[list[str] | None, list[str]], str]) -> str | None:
    """06.3: what is wrong when models are missing."""
    cases: list[tuple[list[str] | None, list[str], str, str]] = [
        (None, [], "endpoint", "nothing listens there: begin with the endpoint"),
        (None, ["a"], "endpoint", "it does not answer, and what Open WebUI shows is from elsewhere"),
        ([], [], "model", "the endpoint answers and has no model itself"),
        ([], ["arena-model"], "model", "the endpoint has none, and what is shown is an entry of Open WebUI's own"),
        (["a"], [], "address", "the endpoint has a model, and Open WebUI must be asking somewhere else"),
        (["a"], ["b"], "address", "Open WebUI lists what another endpoint has"),
        (["a", "b"], ["a"], "address", "one is missing, so the list is not this endpoint's of now"),
        (["a"], ["a"], "fine", "both list the same"),
        (["b", "a"], ["a"], "address", "the first one is missing"),
        (["a", "b"], ["b", "a"], "fine", "the same in another order"),
        (["a"], ["a", "arena-model"], "fine", "Open WebUI may add entries of its own"),
        (["phi"], ["phi-mini"], "address", "a name that is a part of another is not that other"),
        (["a", "b", "c"], ["a", "c"], "address", "the one in the middle is missing"),
    ]
    changed = "It changed a list that it was given. Make a new one."
    say = "The endpoint lists {0}, Open WebUI {1}: it gave {given!r}; expected {expected!r}, since {what}."
    return compare(answer, cases, say, changed=changed)


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
        ("0.0.0.0", "macos", "localhost", False, "localhost inside a container is the container itself"),
        ("127.0.0.1", "windows", "localhost", False, "localhost inside a container is the container itself"),
        ("0.0.0.0", "windows", "localhost", False, "localhost inside a container is the container itself"),
        ("127.0.0.1", "linux", "host.docker.internal", False, "on Linux that name is the bridge, not the loopback"),
        ("0.0.0.0", "linux", "host.docker.internal", True, "a server on every address listens on the bridge too"),
        ("127.0.0.1", "macos", "host.docker.internal", True, "Docker Desktop connects from the host itself"),
        ("127.0.0.1", "windows", "host.docker.internal", True, "Docker Desktop connects from the host itself"),
        ("0.0.0.0", "macos", "host.docker.internal", True, "every address includes the one that Docker Desktop uses"),
        ("0.0.0.0", "windows", "host.docker.internal", True, "every address includes the one that Docker Desktop uses"),
        ("0.0.0.0", "linux", "host network", True, "every address includes the host's loopback, which is shared"),
        ("127.0.0.1", "linux", "host network", True, "the container then shares the host's loopback"),
    ]
    return compare(answer, cases, "{0} on {1} by {2}: it gave {given!r}; expected {expected}, since {what}.")
