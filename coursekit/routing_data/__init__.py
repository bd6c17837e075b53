"""The evaluation data: prompts with their graders, what the local model answered, and a simulated cloud."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.errors import WorkbookError
from coursekit.routing_data.graders import Expected, Grader, Task, grade

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPTS = Path(__file__).with_name("prompts.jsonl")
OUTCOMES = Path(__file__).with_name("outcomes.jsonl")
# Only on the machine of somebody who recorded a cloud; git ignores it.
CLOUD = Path(__file__).with_name("cloud.jsonl")
FIX = "python benchmarks/outcomes.py --fresh"

# The simulated cloud: a network's delay, a larger model's speed, and how often that model is right.
NETWORK_SECONDS, CLOUD_RATE, CLOUD_CORRECT = 0.4, 80.0, 0.9


@dataclass(frozen=True)
class Outcome:
    """One task's answer: whether it is right, how long it took, and how many tokens went in and came out."""

    id: str
    answer: str
    correct: bool
    seconds: float
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Recording:
    """What was recorded, and where: the first line of a file of outcomes."""

    model: str
    runtime: str
    machine: str
    date: str
    temperature: float


@dataclass(frozen=True)
class Answered:
    """One further line: an answer as it came, with the fingerprint of what was asked."""

    id: str
    asked: str
    answer: str
    seconds: float
    prompt_tokens: int
    completion_tokens: int


@cache
def tasks() -> tuple[Task, ...]:
    """All tasks, in the order of their file."""
    return tuple(_task(json.loads(line)) for line in _lines(PROMPTS))


def _lines(path: Path) -> list[str]:
    # Not splitlines, which also splits at characters that may be inside a JSON text.
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]


def _task(record: dict[str, Any]) -> Task:
    told = record["expected"]
    lists = {name: tuple(told.get(name, ())) for name in ("accepted", "forbidden")}
    expected = Expected(**(told | lists))
    return Task(**(record | {"grader": Grader(record["grader"]), "expected": expected}))


def fingerprint(task: Task) -> str:
    """A few characters that change with what is asked, and not with how it is graded."""
    return hashlib.sha256(f"{task.max_tokens}:{task.prompt}".encode()).hexdigest()[:12]


def read(path: Path = OUTCOMES) -> tuple[Recording, dict[str, Answered]]:
    """The header of a recording, and its answers by id. Raises WorkbookError where there is none to read."""
    try:
        first, *rest = _lines(path)
        recording = Recording(**json.loads(first))
        answers = [Answered(**json.loads(line)) for line in rest]
    except (OSError, ValueError, TypeError) as error:
        raise WorkbookError(f"{path.name} holds no outcomes that can be read ({error})", fix=FIX) from error
    return recording, {answered.id: answered for answered in answers}


def local_outcomes(path: Path = OUTCOMES, wanted: Sequence[Task] | None = None) -> tuple[Outcome, ...]:
    """What the local model answered, in the order of the tasks, and graded now, so that a corrected grader counts.

    Raises WorkbookError where the recording does not match the prompts.
    """
    asked = tasks() if wanted is None else wanted
    _, answers = read(path)
    if extra := answers.keys() - {task.id for task in asked}:
        raise WorkbookError(f"{path.name} has answers to no prompt, such as {min(extra)}", fix=FIX)
    return tuple(_outcome(task, answers.get(task.id), path) for task in asked)


def _outcome(task: Task, answered: Answered | None, path: Path) -> Outcome:
    if answered is None:
        raise WorkbookError(f"{path.name} has no answer to {task.id}", fix=FIX)
    if answered.asked != fingerprint(task):
        raise WorkbookError(f"{path.name} answers another prompt than {task.id} has now", fix=FIX)
    correct = grade(task, answered.answer)
    tokens = answered.prompt_tokens, answered.completion_tokens
    return Outcome(task.id, answered.answer, correct, answered.seconds, *tokens)


def cloud_is_simulated() -> bool:
    """Whether `cloud_outcomes` are made up, because no real ones were recorded (`benchmarks/outcomes.py --cloud`)."""
    return not CLOUD.exists()


def cloud_outcomes(seed: int = 3) -> tuple[Outcome, ...]:
    """What the cloud answered, in the order of the tasks: recorded where somebody did that, else SIMULATED.

    Of the simulated ones nobody was asked, and nothing was measured. The recipe: right with probability 0.9, whatever
    the task, drawn from a hash of the seed and the task's id; a right answer is the task's `right`, a wrong one is
    empty. It takes 0.4 s for the network and then 1/80 s a token, with the token counts of the local answers.
    """
    if not cloud_is_simulated():
        return local_outcomes(CLOUD)
    return tuple(_simulated(seed, task, local) for task, local in zip(tasks(), local_outcomes(), strict=True))


def _simulated(seed: int, task: Task, local: Outcome) -> Outcome:
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:{task.id}".encode()).digest()[:8]) / 2**64
    correct = drawn < CLOUD_CORRECT
    seconds = NETWORK_SECONDS + local.completion_tokens / CLOUD_RATE
    return Outcome(
        task.id, task.right if correct else "", correct, seconds, local.prompt_tokens, local.completion_tokens
    )
