"""Checks of notebook 03. Each takes the student's answer and returns what is missing, or None."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from coursekit.exercises import compare, exercise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# What exercise 03.4 is tested on, and what its scorer must reach there.
HELD_OUT = ("arithmetic", "facts", "facts-swedish")
GOAL = 0.55


@exercise(
    "Take both apart into words first. What is a word? A run of letters and digits, in any language.",
    r"""words = re.findall(r"\w+", text.lower()); put one space between them and one at each end, and look """
    "for the phrase with a space at each end.",
)
def mentions(answer: Callable[[str, str], bool]) -> str | None:
    """03.1: whole words."""
    cases = [
        ("how does it work", "how", True, "the first word of a text"),
        ("please tell me how", "how", True, "the last word of a text"),
        ("How does it work?", "how", True, "a capital letter"),
        ("Tell me how.", "how", True, "a full stop after it"),
        ("Show me the weather.", "how", False, "a piece of a word"),
        ("A classical sonata", "class", False, "the beginning of a word"),
        ("Think about it step by step, please.", "step by step", True, "a phrase"),
        ("Step up, and by the next step", "step by step", False, "the words of a phrase, but not side by side"),
        ("step by stepping stone", "step by step", False, "a phrase that ends inside a word"),
        ("Why?", "how", False, "another word"),
        ("(why)", "why", True, "brackets around it"),
        ("Hur stor är lönnen?", "lön", False, "a piece of a Swedish word"),
        ("Var är min fåtölj?", "lj", False, "the end of a Swedish word"),
        ("Vad är min lön?", "lön", True, "a Swedish word"),
        ("How does it work?", "HOW", True, "a phrase in capital letters"),
        ("", "how", False, "an empty text"),
        ("I use C++ daily", "c", True, "a word before other characters"),
        ("Tell me:how?", "how", True, "a colon and no space before it"),
        ("“Why?” she said", "why", True, "curly quotation marks"),
        ("Show me how", "how", True, "a piece of a word and later the word itself"),
        ("Is Route 66 long?", "6", False, "a piece of a number"),
    ]
    return compare(answer, cases, "With {what} ({0!r}, {1!r}) it gave {given!r}; expected {expected}.")


@exercise(
    "Try the different scores as the threshold, from the smallest up, and count how many scores reach each.",
    "for score in sorted(set(scores)): if sum(other >= score for other in scores) <= share * len(scores): return score",
)
def threshold_for(answer: Callable[[list[float], float], float | None]) -> str | None:
    """03.2: a threshold of your own."""
    cases: list[tuple[list[float], float, float | None, str]] = [
        ([0.1, 0.2, 0.3, 0.4], 0.5, 0.3, "half of four scores"),
        ([0.4, 0.1, 0.3, 0.2], 0.25, 0.4, "scores in no order"),
        ([0.4, 0.3, 0.2, 0.1], 0.5, 0.3, "scores that fall"),
        ([0.1, 0.2, 0.3, 0.4], 1.0, 0.1, "a budget for all"),
        ([0.1, 0.2, 0.3, 0.4], 0.0, None, "no budget"),
        ([0.5, 0.5, 0.5, 0.9], 0.5, 0.9, "three equal scores, which go together"),
        ([0.5, 0.5, 0.5, 0.5], 0.5, None, "equal scores only"),
        ([0.1, 0.2, 0.3], 0.5, 0.3, "a share that is not a whole number of scores"),
        ([], 0.5, None, "no scores at all"),
        ([0.7], 1.0, 0.7, "a single score and a budget for it"),
        ([0.7], 0.9, None, "a single score and a budget just too small for it"),
        ([0.2, 0.8, 0.8, 0.9, 0.1], 0.6, 0.8, "equal scores that just fit the budget"),
        ([0.0, 0.0, 1.0], 1.0, 0.0, "a threshold of 0, which is a score like any other"),
    ]
    say = "With {what} ({0}, {1:g}) it gave {given!r}; expected {expected!r}."
    changed = "It changed the list that it was given. sorted(...) makes a new one."
    return compare(answer, cases, say, changed=changed)


@exercise(
    "Remove spaces and hyphens, then make sure that only digits are left, and how many.",
    "digits[-1::-2] are added as they are; of digits[-2::-2] each doubled value adds d * 2 - 9 when that is above 9.",
)
def is_card(answer: Callable[[str], bool]) -> str | None:
    """03.3: the check digit of a card."""
    cases = [
        ("4111111111111111", True, "a test number"),
        ("4111 1111-1111 1111", True, "spaces and hyphens"),
        ("4111111111111112", False, "a wrong check digit"),
        ("1411111111111111", False, "two digits that changed places"),
        ("378282246310005", True, "15 digits: count from the right"),
        ("5555555555554444", True, "doubles above 9"),
        ("4222222222222", True, "13 digits, the shortest card"),
        ("6304000000000000000", True, "19 digits, the longest card"),
        ("0111100002224", True, "a number that begins with 0"),
        ("18", False, "two digits, though the sum is right"),
        ("411111111117", False, "12 digits, though the sum is right"),
        ("41111111111111110000", False, "20 digits"),
        ("4111x1111x1111x1111", False, "letters in between"),
        ("4111.1111.1111.1111", False, "dots in between"),
        ("4111111111111111 or so", False, "words after the number"),
        ("card 4111111111111111", False, "words before the number"),
        ("", False, "an empty text"),
    ]
    return compare(answer, cases, "With {what} ({0!r}) it gave {given!r}; expected {expected}.")


@dataclass(frozen=True)
class _Told:
    """The student's function as a scorer."""

    function: Callable[[str], float]

    def score(self, messages: Sequence[Mapping[str, Any]]) -> float:
        return float(self.function(messages[-1]["content"]))


@exercise(
    "What does a small English model find hard? Look at the language of a question, and for signs of sums.",
    "Give 0.9 to a question with å, ä, ö or common Swedish words, 0.6 to one with digits, 0.2 to the others.",
)
def my_score(answer: Callable[[str], float]) -> str | None:
    """03.4: beat word count where you have never been."""
    from coursekit import routing_data
    from labkit.errors import RoutingError
    from labkit.routing.evaluation import evaluate

    rows = [
        (task.prompt, near.correct, far.correct)
        for task, near, far in zip(
            routing_data.tasks(), routing_data.local_outcomes(), routing_data.cloud_outcomes(), strict=True
        )
        if task.domain in HELD_OUT
    ]
    prompts, near_right, far_right = zip(*rows, strict=True)
    given = [answer(prompt) for prompt in prompts]
    for prompt, score in zip(prompts, given, strict=True):
        if not (isinstance(score, Real) and 0 <= score <= 1):
            return f"For {prompt!r} it gave {score!r}. A score must be a number from 0 to 1, for every question."
    for prompt, score in zip(prompts, given, strict=True):
        if (again := answer(prompt)) != score:
            return f"For {prompt!r} it gave {score!r} and then {again!r}. The same question needs the same score."
    if len(set(given)) == 1:
        return f"It gave every question the same score, {given[0]:g}, so it cannot choose. Score the hard ones higher."
    try:
        apgr = evaluate(_Told(answer), prompts, near_right, far_right, resamples=50).apgr.value
    except RoutingError as error:
        return f"{error.message}."
    if apgr <= 1 - GOAL:
        return f"APGR {apgr:.2f} is worse than chance (0.50). Does it give the hard questions the low scores?"
    if apgr < GOAL:
        return f"APGR {apgr:.2f} on {', '.join(HELD_OUT)} (n = {len(rows)}); it needs {GOAL:.2f}, chance has 0.50."
    return None


@exercise(
    "First: was text shown? Then sort the other failures: some pass by themselves, some stay.",
    "Not shown, and (429, or 500 and above, or dropped, or no connection).",
)
def again(answer: Callable[[int | str, bool], bool]) -> str | None:
    """03.5: ask again?"""
    cases: list[tuple[int | str, bool, bool, str]] = [
        (429, False, True, "too many requests just now"),
        (500, False, True, "a fault inside the endpoint"),
        (503, False, True, "an endpoint that is overloaded"),
        ("dropped", False, True, "a connection that broke before any text"),
        ("no connection", False, True, "nothing listened, perhaps for a moment"),
        (401, False, False, "a wrong key, which stays wrong"),
        (403, False, False, "a request that is forbidden"),
        (422, False, False, "a request with a wrong field"),
        (404, False, False, "a model that is not there"),
        (400, False, False, "a request that is refused for itself"),
        ("timed out", False, False, "silence, which has cost its time already"),
        ("dropped", True, False, "a connection that broke after text was shown"),
        (500, True, False, "a fault after text was shown"),
        (502, False, True, "a gateway whose server did not answer"),
        (504, False, True, "a gateway that waited too long for its server"),
        (429, True, False, "too many requests, after text was shown"),
        ("no connection", True, False, "nobody listened any more, after text was shown"),
        (401, True, False, "a wrong key, after text was shown"),
        ("timed out", True, False, "silence after text was shown"),
    ]
    return compare(answer, cases, "For {0!r} with shown={1} ({what}) it gave {given!r}; expected {expected}.")
