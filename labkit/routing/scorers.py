"""Scorers have one method: how hard a conversation is for the local model, from 0 (easy) to 1 (hard).

From the simplest to the best: chance, two common rules, words, and two scorers that learn. The threshold belongs to
the router. `Cascade` is of another kind: it looks at the local answer instead of the question.
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
# A common threshold: a question with this many words or more goes to the cloud.
SEED_WORDS = 100


class Scorer(Protocol):
    """Any object with this method can be the scorer of a router."""

    def score(self, messages: Conversation) -> float:
        """How hard the last question is for the local model, from 0 to 1. Must not change the messages."""


def question(messages: Conversation) -> str:
    """The text of the last message that a user wrote."""
    asked = next((message for message in reversed(messages) if message.get("role") == "user"), {})
    content = asked.get("content")
    parts = content if isinstance(content, list | tuple) else [content]
    # The type of a part is not a word of the question.
    return "\n".join(text for part in parts for text in texts(part.get("text") if isinstance(part, Mapping) else part))


def words(text: str) -> list[str]:
    """The whole words of a text in lower case: in `show` there is no word `how`."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold())


@dataclass(frozen=True)
class Random:
    """Chance, which every other scorer must beat. The same text has the same score."""

    seed: int = 0

    def score(self, messages: Conversation) -> float:
        """A number drawn from the seed and the question."""
        digest = hashlib.sha256(f"{self.seed}:{question(messages)}".encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:8]) / 2**64


@dataclass(frozen=True)
class WordCount:
    """A common rule: a long question is hard. A question of `half` words scores 0.5."""

    half: int = SEED_WORDS

    def score(self, messages: Conversation) -> float:
        """The number of words, divided by the sum of that number and `half`."""
        count = len(question(messages).split())
        return count / (count + self.half)


class Topic(StrEnum):
    """What a question is about, judged by its words."""

    CODE = "code"
    REASONING = "reasoning"
    WRITING = "writing"
    DATA = "data"
    RESEARCH = "research"


# Whole words and phrases, English and Swedish. Words with an everyday meaning, such as `class`, are left out.
PHRASES: Mapping[Topic, tuple[str, ...]] = {
    Topic.CODE: ("code", "python", "javascript", "function", "regex", "sql", "debug", "algorithm", "compile", "koda"),
    Topic.REASONING: ("why", "prove", "explain", "reason", "step by step", "how many", "calculate", "varför", "bevisa"),
    Topic.WRITING: ("story", "poem", "essay", "slogan", "rewrite", "dikt", "berättelse", "skriv om"),
    Topic.DATA: ("json", "csv", "table", "average", "median", "chart", "dataset", "tabell", "medelvärde"),
    Topic.RESEARCH: ("compare", "history of", "sources", "survey", "research", "jämför", "forskning"),
}


def topics(text: str) -> frozenset[Topic]:
    """The topics whose words or phrases are in a text, as whole words."""
    line = f" {' '.join(words(text))} "
    return frozenset(topic for topic, phrases in PHRASES.items() if any(f" {phrase} " in line for phrase in phrases))


@dataclass(frozen=True)
class Keywords:
    """The more topics a question has, the harder it is: 0, 0.5, 0.75 ..."""

    def score(self, messages: Conversation) -> float:
        """1 - 0.5 to the power of the number of topics."""
        return 1 - 0.5 ** len(topics(question(messages)))


# A common table of tasks: every task that is not in it goes to the cloud.
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
    """The task, guessed from the words of the question; empty if they do not tell."""
    found = topics(question(messages))
    return next((task for topic, task in _TASK_OF.items() if topic in found), "")


@dataclass(frozen=True)
class TaskTable:
    """A common rule: a table of scores by task. `task_of` names the task of a conversation."""

    table: Mapping[str, float] = field(default_factory=lambda: SEED_TASKS)
    task_of: Callable[[Conversation], str] = guess_task

    def score(self, messages: Conversation) -> float:
        """The score of the task in the table, or 1 if the task is not in it."""
        return self.table.get(self.task_of(messages), 1.0)


@dataclass(frozen=True)
class Recorded:
    """Scores that were made before, by question: those of an oracle, or of a cascade, which needs the answers."""

    scores: Mapping[str, float]

    def score(self, messages: Conversation) -> float:
        """The recorded score. Raises RoutingError for a question that has none."""
        try:
            return self.scores[question(messages)]
        except KeyError:
            raise RoutingError("This question has no recorded score", fix="score the questions of the record") from None


class Tfidf:
    """TF-IDF over words and pairs of words, and a logistic regression: how much a question looks like failed ones.

    `fit` learns from questions and whether each was hard, that is, answered wrongly by the local model.
    """

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        self._weights: NDArray[np.float64] | None = None
        self._bias = 0.0

    def fit(self, questions: Sequence[str], hard: Sequence[bool]) -> Tfidf:
        """Learn from the questions; returns itself. Raises RoutingError if all of them are hard, or none."""
        weights, self._bias = _regress(self._vectorizer.fit_transform(questions), hard)
        self._weights = weights
        return self

    def score(self, messages: Conversation) -> float:
        """The regression's probability that the local model fails. Raises RoutingError before `fit`."""
        if self._weights is None:
            raise RoutingError("This scorer has not been trained yet", fix="call fit(questions, hard) first")
        row = self._vectorizer.transform([question(messages)])
        # Computed here: predict_proba checks its input for each question, which takes longer than the sum.
        return _sigmoid(float(row.data @ self._weights[row.indices]) + self._bias)

    def weights(self) -> list[tuple[str, float]]:
        """Each word or pair of words with its learnt weight, from hardest to easiest. Empty before `fit`."""
        if self._weights is None:
            return []
        words = self._vectorizer.get_feature_names_out()
        return sorted(zip(words, map(float, self._weights), strict=True), key=lambda item: -item[1])


class Embeddings:
    """The local runtime's own embeddings of a question, and a logistic regression on them.

    A score takes one request to `/v1/embeddings`. The model of this course was not made for
    embeddings, so its vectors are crude. `known` has vectors that were made before, by question; `fit` adds its own,
    so that scorers can share them.
    """

    def __init__(self, connection: Connection, known: dict[str, NDArray[np.float64]] | None = None) -> None:
        self.connection = connection
        self.known = {} if known is None else known
        self._weights: NDArray[np.float64] | None = None
        self._bias = 0.0

    def fit(self, questions: Sequence[str], hard: Sequence[bool]) -> Embeddings:
        """Learn from the questions; returns itself. Raises RoutingError if all of them are hard, or none."""
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
        """Whether the endpoint has embeddings; the server of llama.cpp has none unless it was started with them."""
        try:
            self._embed(["A question"])
        except LabError:
            return False
        return True

    def _embed(self, questions: Sequence[str]) -> list[NDArray[np.float64]]:
        """One vector of length 1 for each question. Raises the errors of `explain`."""
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
    """Doubt in a local answer, from 0 (none) to 1, for a router that asks the local model before the cloud.

    It cannot tell whether an answer is true. It only knows signs of a small model in trouble.
    """

    def doubt(self, messages: Conversation, answer: str) -> float:
        """1 if the answer is empty, refuses, or is not the JSON that was asked for; else the share that repeats."""
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
