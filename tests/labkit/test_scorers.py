"""The rungs of the ladder: what each makes of a question, the learnt ones against scikit-learn, and the cascade."""

from __future__ import annotations

import copy
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from foundry_mock import Behaviour, MockEndpoint
from labkit.connection import Connection, Source
from labkit.errors import RoutingError
from labkit.routing.scorers import (
    Cascade,
    Embeddings,
    Keywords,
    Random,
    Recorded,
    Scorer,
    TaskTable,
    Tfidf,
    Topic,
    WordCount,
    _sigmoid,
    guess_task,
    question,
    topics,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY_TEXT = st.text(st.characters(codec=None))
QUESTIONS = [
    "What is the capital of Norway?",
    "What is the capital of Peru?",
    "What colour is the sky?",
    "Multiply 37 by 41.",
    "Multiply 12 by 99 and add 7.",
    "How many letters has the word banana?",
    "What is the colour of grass?",
    "How many times does seven go into 91?",
]
HARD = [False, False, False, True, True, True, False, True]
NEW = ["What is the capital of Chile?", "Multiply 8 by 8.", "", "Zyx", "How many many many many"]


def asked(text: str) -> list[dict[str, Any]]:
    """A conversation of one question."""
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def tfidf() -> Tfidf:
    """One that has learnt."""
    return Tfidf().fit(QUESTIONS, HARD)


@pytest.fixture(scope="module")
def lab() -> Iterator[Connection]:
    """The mock, whose vectors come from the words of a text."""
    with MockEndpoint(Behaviour(first_token=0, rate=5000)) as mock, connection(mock.base_url, mock.model) as made:
        yield made


def connection(base_url: str, model: str) -> Connection:
    """A connection to an endpoint of the tests."""
    return Connection(base_url, model, Source.BASE_URL)


@pytest.fixture(scope="module")
def embedded(lab: Connection) -> Embeddings:
    """One that has learnt from the mock's vectors."""
    return Embeddings(lab).fit(QUESTIONS, HARD)


# What is looked at.


@pytest.mark.parametrize(
    ("chat", "text"),
    [
        ([], ""),
        ([{"role": "system", "content": "Be brief."}], ""),
        (asked("Hi"), "Hi"),
        ([*asked("Hi"), {"role": "assistant", "content": "Yes?"}, *asked("Why?")], "Why?"),
        ([*asked("Hi"), {"role": "assistant", "content": "Yes?"}], "Hi"),
        ([{"role": "user", "content": None}], ""),
        ([{"role": "user", "content": [{"type": "text", "text": "One"}, "two", {"image": "x"}]}], "One\ntwo"),
    ],
)
def test_question(chat: list[dict[str, Any]], text: str) -> None:
    assert question(chat) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Show me the weather", ["show", "me", "the", "weather"]),
        ("It's 3.14, isn't it?", ["it's", "3", "14", "isn't", "it"]),
        ("snake_case and kebab-case", ["snake", "case", "and", "kebab", "case"]),
        ("VARFÖR är STRASSE Straße?", ["varför", "är", "strasse", "strasse"]),
        ("", []),
        ("'' _ --", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Show me the weather", set()),
        ("classical sonata", set()),
        ("What is a zip code reader's barcode?", {Topic.CODE}),
        ("Barcode, decode, encode", set()),
        ("A reasonable, whyever explainable tablet", set()),
        ("Think step by step", {Topic.REASONING}),
        ("step-by-step", {Topic.REASONING}),
        ("step by small step", set()),
        ("Explain this Python function", {Topic.CODE, Topic.REASONING}),
        ("Skriv om texten", {Topic.WRITING}),
        ("SQL over a CSV table", {Topic.CODE, Topic.DATA}),
        ("the history of Uppsala", {Topic.RESEARCH}),
    ],
)
def test_topics_are_whole_words(text: str, found: set[Topic]) -> None:
    assert topics(text) == found


# The rungs that learn nothing.


def test_random_is_spread_evenly_and_the_same_for_the_same_question() -> None:
    assert Random().score(asked("a")) == Random().score([*asked("b"), *asked("a")])
    assert len({Random(seed).score(asked(text)) for seed in range(5) for text in "abcde"}) == 25
    tenths = Counter(int(10 * Random(3).score(asked(str(number)))) for number in range(5000))
    assert set(tenths) == set(range(10))
    assert all(400 < count < 600 for count in tenths.values())


def test_word_count() -> None:
    scores = [WordCount().score(asked("word " * count)) for count in (0, 1, 99, 100, 101, 300, 100_000)]
    assert scores[0] == 0
    assert scores[3] == 0.5
    assert scores[5] == 0.75
    assert scores == sorted(set(scores))
    assert scores[-1] < 1
    assert WordCount(10).score(asked("one\ntwo  three four five six seven eight nine ten")) == 0.5


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Show me the weather", 0),
        ("Some Python, code and regex", 0.5),
        ("Explain this Python function", 0.75),
        ("Compare two poems: why is this poem better? Write Python to chart it.", 1 - 0.5**5),
    ],
)
def test_keywords(text: str, score: float) -> None:
    assert Keywords().score(asked(text)) == score


@pytest.mark.parametrize(
    ("text", "task", "score"),
    [
        ("Write a Python function", "code_generation", 0),
        ("The median of this csv", "data_analysis", 0),
        ("Code a chart for my poem", "code_generation", 0),
        ("Write a poem", "creative_writing", 1),
        ("Compare these sources", "research", 1),
        ("Why?", "", 1),
        ("Show me the weather", "", 1),
    ],
)
def test_task_table_guesses_the_task(text: str, task: str, score: float) -> None:
    assert guess_task(asked(text)) == task
    assert TaskTable().score(asked(text)) == score


def test_task_table_takes_other_tasks() -> None:
    table = {"general": 0.25}
    assert TaskTable(table, lambda _: "general").score(asked("Hi")) == 0.25
    assert TaskTable(table, lambda _: "research").score(asked("Hi")) == 1
    assert TaskTable(task_of=lambda _: "general").score(asked("Hi")) == 1


def test_recorded() -> None:
    scorer = Recorded({"Hi": 0.25})
    assert scorer.score(asked("Hi")) == 0.25
    with pytest.raises(RoutingError, match="no recorded score") as caught:
        scorer.score(asked("secret"))
    assert "secret" not in str(caught.value)


# The rungs that learn.


def test_tfidf_agrees_with_scikit_learn(tfidf: Tfidf) -> None:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = LogisticRegression(C=10.0, max_iter=2000).fit(vectorizer.fit_transform(QUESTIONS), HARD)
    expected = model.predict_proba(vectorizer.transform(QUESTIONS + NEW))[:, 1]
    assert [tfidf.score(asked(text)) for text in QUESTIONS + NEW] == pytest.approx(list(expected))
    assert (expected[: len(HARD)] > 0.5).tolist() == HARD
    assert tfidf.weights()[0][1] == pytest.approx(model.coef_.max())
    assert tfidf.weights()[-1][1] == pytest.approx(model.coef_.min())
    assert dict(tfidf.weights()).keys() == set(vectorizer.get_feature_names_out())


def test_embeddings_agree_with_scikit_learn(lab: Connection) -> None:
    def vectors(texts: list[str]) -> Any:
        reply = lab.client.embeddings.create(
            model=lab.model, input=[text or " " for text in texts], encoding_format="float"
        )
        return np.array([item.embedding for item in reply.data])

    scorer = Embeddings(lab).fit(QUESTIONS, HARD)
    model = LogisticRegression(C=10.0, max_iter=2000).fit(vectors(QUESTIONS), HARD)
    expected = model.predict_proba(vectors(QUESTIONS + NEW))[:, 1]
    assert [scorer.score(asked(text)) for text in QUESTIONS + NEW] == pytest.approx(list(expected), abs=1e-6)
    assert (expected[: len(HARD)] > 0.5).tolist() == HARD


def test_embeddings_share_vectors() -> None:
    """In batches, each question once; a second scorer that is given them asks for nothing more."""
    with MockEndpoint() as mock, connection(mock.base_url, mock.model) as lab:
        known: dict[str, Any] = {}
        many = [f"Question {number}" for number in range(40)]
        first = Embeddings(lab, known).fit(many + many, [number % 2 == 0 for number in range(80)])
        assert list(known) == many
        assert [float(np.linalg.norm(row)) for row in known.values()] == pytest.approx([1] * 40)
        shared = Embeddings(lab, dict(known)).fit(many, [number % 2 == 0 for number in range(40)])
        alone = Embeddings(lab).fit(many, [number % 2 == 0 for number in range(40)])
    score = shared.score(asked("Question 7"))  # the endpoint has gone
    assert first.score(asked("Question 7")) < 0.5
    assert score == pytest.approx(alone.score(asked("Question 7")))


@pytest.mark.live
def test_embeddings_of_the_local_runtime(served: tuple[str, str]) -> None:
    with connection(*served) as lab:
        scorer = Embeddings(lab).fit(QUESTIONS, HARD)
        alone = scorer._embed(["What colour is the sky?"])[0]
        scores = [scorer.score(asked(text)) for text in QUESTIONS + NEW]
    assert alone == pytest.approx(scorer.known["What colour is the sky?"], abs=1e-3)
    assert [score > 0.5 for score in scores[: len(HARD)]] == HARD
    assert all(0 <= score <= 1 for score in scores)


def test_a_scorer_that_cannot_learn_or_has_not_been_trained_says_so(lab: Connection) -> None:
    for scorer in (Tfidf(), Embeddings(lab)):
        for answer in (True, False):
            with pytest.raises(RoutingError, match="nothing to learn"):
                scorer.fit(QUESTIONS, [answer] * len(QUESTIONS))
        with pytest.raises(RoutingError, match="not been trained yet"):
            scorer.score(asked("Hi"))
    assert Tfidf().weights() == []


@pytest.mark.parametrize(
    ("value", "score"), [(-1000, 0), (-math.log(3), 0.25), (0, 0.5), (math.log(3), 0.75), (1000, 1)]
)
def test_sigmoid_of_any_size(value: float, score: float) -> None:
    assert _sigmoid(value) == pytest.approx(score)


# All of them.

SIMPLE: list[Scorer] = [Random(), Random(7), WordCount(), WordCount(1), Keywords(), TaskTable()]


@given(text=ANY_TEXT)
@example(text="\ud800")
@example(text="word " * 300)
def test_every_score_is_a_number_from_0_to_1(tfidf: Tfidf, text: str) -> None:
    for scorer in [*SIMPLE, tfidf]:
        score = scorer.score(asked(text))
        assert type(score) is float
        assert 0 <= score <= 1


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(codec="utf-8")))
def test_every_embedded_score_is_a_number_from_0_to_1(embedded: Embeddings, text: str) -> None:
    score = embedded.score(asked(text))
    assert type(score) is float
    assert 0 <= score <= 1


def test_messages_stay_as_they_are(tfidf: Tfidf, lab: Connection) -> None:
    chat: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Explain Python"}, {"type": "text", "text": "code"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "{}"}}]},
    ]
    kept = copy.deepcopy(chat)
    for scorer in [*SIMPLE, tfidf, Embeddings(lab).fit(QUESTIONS, HARD)]:
        scorer.score(chat)
    Cascade().doubt(chat, "An answer.")
    assert chat == kept


# The cascade.


@pytest.mark.parametrize(
    ("text", "answer", "doubt"),
    [
        pytest.param("Hi", "", 1, id="empty"),
        pytest.param("Hi", " \n...", 1, id="no word"),
        pytest.param("Hi", "I'm sorry, I do not know.", 1, id="sorry"),
        pytest.param("Hi", "I am sorry", 1, id="sorry in full"),
        pytest.param("Hi", "That I can't say.", 1, id="cannot"),
        pytest.param("Hi", "I CANNOT", 1, id="cannot, loudly"),
        pytest.param("Hi", "As an AI I have no view", 1, id="as an AI"),
        pytest.param("Hej", "Tyvärr vet jag inte.", 1, id="in Swedish"),
        pytest.param("Hi", "Hi can not be sorry as an aim", 0, id="no refusal"),
        pytest.param("Colour?", "It is blue.", 0, id="an answer"),
        pytest.param("Give JSON.", '{"a": [1, 2]}', 0, id="JSON"),
        pytest.param("Give JSON.", '```json\n{"a": 1}\n```', 0, id="fenced JSON"),
        pytest.param("Give JSON.", "Here it is: {a: 1}", 1, id="no JSON"),
        pytest.param("Give JSON.", "[" * 100_000 + "1", 1, id="JSON too deep"),
        pytest.param("Write to Mr. Jsonson", "Dear Mr. Jsonson", 0, id="JSON in a word"),
        pytest.param("Hi", "one two three one two three one two three", 4 / 7, id="repeats"),
        pytest.param("Hi", "no no no no no no", 3 / 4, id="one word"),
        pytest.param("Say one two three four", "one two three four", 0.9, id="echoes"),
        pytest.param("Say one two three", "one two three four", 0.45, id="echoes half"),
        pytest.param("Hi", "ok", 0, id="shorter than a run"),
    ],
)
def test_doubt(text: str, answer: str, doubt: float) -> None:
    assert Cascade().doubt(asked(text), answer) == pytest.approx(doubt)


@given(ANY_TEXT | st.text("json {}[]1a "), ANY_TEXT | st.text("json {}[]1a "))
def test_doubt_is_a_number_from_0_to_1(text: str, answer: str) -> None:
    assert 0 <= Cascade().doubt(asked(text), answer) <= 1
