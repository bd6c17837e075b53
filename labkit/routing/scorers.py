"""Scorers: one method, from a conversation to how hard it is for the local model, 0 (easy) to 1 (hard).

A ladder, each rung beside the next: chance, the seed course's two rules, words, and two that learn. The threshold
stands apart from them. `Cascade` is of another kind: it looks at the local answer instead of the question.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from labkit.errors import LabError, RoutingError
from labkit.explain import explain
from labkit.routing.privacy import texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labkit.connection import Connection

Conversation = Sequence[Mapping[str, Any]]
# The seed course's threshold: from this many words on it asks the cloud.
SEED_WORDS = 100


class Scorer(Protocol):
    """Anything with this one method can route."""

    def score(self, messages: Conversation) -> float:
        """How hard the last question is for the local model, from 0 to 1. Must not change the messages."""


def question(messages: Conversation) -> str:
    """The text of the last message that a user wrote."""
    asked = next((message for message in reversed(messages) if message.get("role") == "user"), {})
    content = asked.get("content")
    parts = content if isinstance(content, list | tuple) else [content]
    # A part's type is no word of the question.
    return "\n".join(text for part in parts for text in texts(part.get("text") if isinstance(part, Mapping) else part))


def words(text: str) -> list[str]:
    """The whole words of a text in lower case: `show` is one and does not hold `how`."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold())


@dataclass(frozen=True)
class Random:
    """Chance: every rung must beat this one. The same text has the same score."""

    seed: int = 0

    def score(self, messages: Conversation) -> float:
        """A number drawn from the seed and the question."""
        digest = hashlib.sha256(f"{self.seed}:{question(messages)}".encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:8]) / 2**64


@dataclass(frozen=True)
class WordCount:
    """The seed's first rule: long is hard. `half` words score 0.5, so that its threshold of 100 words is 0.5."""

    half: int = SEED_WORDS

    def score(self, messages: Conversation) -> float:
        """Words over words and `half`."""
        count = len(question(messages).split())
        return count / (count + self.half)


class Topic(StrEnum):
    """What a question is about, as far as its words tell."""

    CODE = "code"
    REASONING = "reasoning"
    WRITING = "writing"
    DATA = "data"
    RESEARCH = "research"


# Whole words and phrases, English and Swedish. A word with an everyday meaning, as `class`, is left out.
PHRASES: Mapping[Topic, tuple[str, ...]] = {
    Topic.CODE: ("code", "python", "javascript", "function", "regex", "sql", "debug", "algorithm", "compile", "koda"),
    Topic.REASONING: ("why", "prove", "explain", "reason", "step by step", "how many", "calculate", "varför", "bevisa"),
    Topic.WRITING: ("story", "poem", "essay", "slogan", "rewrite", "dikt", "berättelse", "skriv om"),
    Topic.DATA: ("json", "csv", "table", "average", "median", "chart", "dataset", "tabell", "medelvärde"),
    Topic.RESEARCH: ("compare", "history of", "sources", "survey", "research", "jämför", "forskning"),
}


def topics(text: str) -> frozenset[Topic]:
    """The topics whose words stand in a text, as whole words."""
    line = f" {' '.join(words(text))} "
    return frozenset(topic for topic, phrases in PHRASES.items() if any(f" {phrase} " in line for phrase in phrases))


@dataclass(frozen=True)
class Keywords:
    """The more topics a question has, the harder it is: 0, 0.5, 0.75 ..."""

    def score(self, messages: Conversation) -> float:
        """1 - 0.5 to the power of the number of topics."""
        return 1 - 0.5 ** len(topics(question(messages)))


# The seed's table, and what it does with every other task: the cloud.
SEED_TASKS: Mapping[str, float] = {
    "code_generation": 0.0,
    "creative_writing": 1.0,
    "data_analysis": 0.0,
    "research": 1.0,
}
_TASK_OF = {
    Topic.CODE: "code_generation",
    Topic.WRITING: "creative_writing",
    Topic.DATA: "data_analysis",
    Topic.RESEARCH: "research",
}


def guess_task(messages: Conversation) -> str:
    """The seed wants its caller to name the task; where nobody does, its words must tell. Empty where they do not."""
    found = topics(question(messages))
    return next((task for topic, task in _TASK_OF.items() if topic in found), "")


@dataclass(frozen=True)
class TaskTable:
    """The seed's second rule: a table from the task to a place. `task_of` names the task of a conversation."""

    table: Mapping[str, float] = field(default_factory=lambda: SEED_TASKS)
    task_of: Callable[[Conversation], str] = guess_task

    def score(self, messages: Conversation) -> float:
        """What the table has for the task, 1 for a task that it does not have."""
        return self.table.get(self.task_of(messages), 1.0)


@dataclass(frozen=True)
class Recorded:
    """Scores that were made before, by question: an oracle, or a cascade's, which needs the answers."""

    scores: Mapping[str, float]

    def score(self, messages: Conversation) -> float:
        """The recorded score. Raises RoutingError for a question that has none."""
        try:
            return self.scores[question(messages)]
        except KeyError:
            raise RoutingError("This question has no recorded score", fix="score the questions of the record") from None


class Tfidf:
    """TF-IDF over words and pairs of words, and a logistic regression: how much this looks like what went wrong.

    `fit` learns from questions and whether each was hard, that is, answered wrongly by the local model.
    """

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        self._weights: NDArray[np.float64] | None = None
        self._bias = 0.0

    def fit(self, questions: Sequence[str], hard: Sequence[bool]) -> Tfidf:
        """Learn; returns itself. Raises RoutingError where all are hard, or none is."""
        weights, self._bias = _regress(self._vectorizer.fit_transform(questions), hard)
        self._weights = weights
        return self

    def score(self, messages: Conversation) -> float:
        """The regression's probability that the local model fails. Raises RoutingError before `fit`."""
        if self._weights is None:
            raise RoutingError("This scorer has not been trained yet", fix="call fit(questions, hard) first")
        row = self._vectorizer.transform([question(messages)])
        # By hand: predict_proba checks its input anew for each question, which takes longer than the sum.
        return _sigmoid(float(row.data @ self._weights[row.indices]) + self._bias)

    def weights(self) -> list[tuple[str, float]]:
        """What it has learnt: each word or pair with its weight, from hardest to easiest. Empty before `fit`."""
        if self._weights is None:
            return []
        words = self._vectorizer.get_feature_names_out()
        return sorted(zip(words, map(float, self._weights), strict=True), key=lambda item: -item[1])


class Embeddings:
    """The local runtime's own embeddings of a question, and a logistic regression on them.

    A score takes one request to `/v1/embeddings`. The embedded model was not made for this: its vectors are crude.
    `known` has vectors that were made before, by question; `fit` adds its own, so that scorers can share them.
    """

    def __init__(self, connection: Connection, known: dict[str, NDArray[np.float64]] | None = None) -> None:
        self.connection = connection
        self.known = {} if known is None else known
        self._weights: NDArray[np.float64] | None = None
        self._bias = 0.0

    def fit(self, questions: Sequence[str], hard: Sequence[bool]) -> Embeddings:
        """Learn; returns itself. Raises RoutingError where all are hard, or none is."""
        import numpy as np

        new = [text for text in dict.fromkeys(questions) if text not in self.known]
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            self.known |= dict(zip(batch, self._embed(batch), strict=True))
        self._weights, self._bias = _regress(np.array([self.known[text] for text in questions]), hard)
        return self

    def score(self, messages: Conversation) -> float:
        """The regression's probability that the local model fails. Raises RoutingError before `fit`."""
        if self._weights is None:
            raise RoutingError("This scorer has not been trained yet", fix="call fit(questions, hard) first")
        text = question(messages)
        row = self.known[text] if text in self.known else self._embed([text])[0]
        return _sigmoid(float(row @ self._weights) + self._bias)

    def available(self) -> bool:
        """Whether the endpoint has embeddings; llama.cpp's server has none unless it was started with them."""
        try:
            self._embed(["A question"])
        except LabError:
            return False
        return True

    def _embed(self, questions: Sequence[str]) -> list[NDArray[np.float64]]:
        """One vector of length 1 for each question. Raises what `explain` makes of the client's errors."""
        import numpy as np
        import openai

        asked = [text or " " for text in questions]
        try:
            reply = self.connection.client.embeddings.create(
                model=self.connection.model, input=asked, encoding_format="float"
            )
        except openai.OpenAIError as error:
            raise explain(error) from error
        rows = [np.array(item.embedding) for item in sorted(reply.data, key=lambda item: item.index)]
        return [row / (np.linalg.norm(row) or 1.0) for row in rows]


# Questions in one request for embeddings.
_BATCH = 16


def _regress(rows: Any, hard: Sequence[bool]) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    if len(set(map(bool, hard))) < 2:
        raise RoutingError(
            "There is nothing to learn: every question has the same outcome", fix="give questions of both kinds"
        )
    model = LogisticRegression(C=10.0, max_iter=2000).fit(rows, hard)
    return model.coef_[0], float(model.intercept_[0])


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


class Cascade:
    """Doubt in a local answer, from 0 (none) to 1: for routers that answer locally and escalate what fails a check.

    It knows nothing of the truth, only the signs of a small model in trouble.
    """

    def doubt(self, messages: Conversation, answer: str) -> float:
        """1 where it is empty, refuses, or is no JSON that was asked for; else the share of it that repeats."""
        asked, said = question(messages), words(answer)
        if not said or _REFUSAL.search(answer):
            return 1.0
        if "json" in words(asked) and not _is_json(answer):
            return 1.0
        echoed = set(zip(said, said[1:], said[2:], strict=False))
        runs = Counter(zip(said, said[1:], said[2:], strict=False))
        repeated = sum(count - 1 for count in runs.values()) / max(1, runs.total())
        source = words(asked)
        copied = len(echoed & set(zip(source, source[1:], source[2:], strict=False))) / max(1, len(echoed))
        return max(repeated, 0.9 * copied)


_REFUSAL = re.compile(r"\b(?:i(?:'m| am) sorry|i can(?:no|')t|as an ai|jag kan inte|tyvärr)\b", re.IGNORECASE)


def _is_json(answer: str) -> bool:
    text = re.sub(r"^\s*```\w*|```\s*$", "", answer.strip())
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
