"""Exercises: solutions and other right answers pass, starters and plausible wrong answers do not."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit.errors import WorkbookError
from labkit.workbook import exercises
from labkit.workbook.copies import ORIGINS, lessons

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = [item.number for item in lessons() if (ROOT / "labkit/workbook/checks" / f"nb{item.number}.py").exists()]
EXERCISES = [number for notebook in NUMBERS for number in exercises.exercises(notebook)]

# More right answers for each exercise, and wrong ones that a student could well write.
RIGHT = {
    "01.1": [
        """
        def usable(base_url, model):
            import json, urllib.request
            try:
                with urllib.request.urlopen(base_url + "/models", timeout=2) as reply:
                    return model in [entry["id"] for entry in json.load(reply)["data"]]
            except OSError:
                return False
        """,
        """
        def usable(base_url, model):
            from labkit import LabError
            from labkit.listing import list_models
            try:
                return model in list_models(base_url)
            except LabError:
                return False
        """,
    ],
    "01.2": [
        """
        import re
        def full_id(name, listed):
            pattern = re.compile(re.escape(name) + r"-[a-z]+-(cpu|gpu|npu):(\\d+)")
            found = sorted((int(m[2]), m[0]) for m in map(pattern.fullmatch, listed) if m)
            if not found:
                raise KeyError(name)
            return found[-1][1]
        """,
    ],
    "01.3": ["is_whole = lambda answer: answer.choices[0].finish_reason != 'length'"],
    "01.4": [
        """
        def next_messages(history, question, reply):
            copy = list(history)
            copy.append(dict(role="user", content=question))
            copy.append(dict(role="assistant", content=reply))
            return copy
        """,
        """
        def next_messages(history, question, reply):
            return history + [{"content": question, "role": "user"}, {"content": reply, "role": "assistant"}]
        """,
    ],
    "02.1": [
        """
        import asyncio
        async def at_most(limit, jobs):
            results = [None] * len(jobs)
            queue = list(enumerate(jobs))[::-1]
            async def worker():
                while queue:
                    number, job = queue.pop()
                    results[number] = await job()
            await asyncio.gather(*(worker() for _ in range(limit)))
            return results
        """,
    ],
    "02.2": [
        """
        def nearest_rank(values, percent):
            for value in sorted(values):
                if 100 * sum(other <= value for other in values) >= percent * len(values):
                    return value
        """,
    ],
    "02.3": [
        """
        def first_token(request, chunks):
            for at, text in chunks:
                if len(text) > 0:
                    return at - request
            return None
        """,
    ],
    "02.4": [
        """
        def trim(messages, sizes, budget):
            pairs = list(zip(messages, sizes))
            head = [pairs.pop(0)] if messages[0]["role"] == "system" else []
            size = lambda: sum(size for _, size in head + pairs)
            while len(pairs) > 1 and (size() > budget or pairs[0][0]["role"] != "user"):
                pairs.pop(0)
            return [message for message, _ in head + pairs]
        """,
    ],
}
WRONG = {
    "02.1": [
        # One after the other.
        """
        async def at_most(limit, jobs):
            return [await job() for job in jobs]
        """,
        # In the order in which they end.
        """
        import asyncio
        async def at_most(limit, jobs):
            door, results = asyncio.Semaphore(limit), []
            async def one(job):
                async with door:
                    results.append(await job())
            await asyncio.gather(*(one(job) for job in jobs))
            return results
        """,
        # A door for each job is no door.
        """
        import asyncio
        async def at_most(limit, jobs):
            async def one(job):
                async with asyncio.Semaphore(limit):
                    return await job()
            return await asyncio.gather(*(one(job) for job in jobs))
        """,
        # Never ends.
        """
        import asyncio
        async def at_most(limit, jobs):
            await asyncio.Event().wait()
        """,
    ],
    "02.2": [
        "nearest_rank = lambda values, percent: sum(values) / len(values)",
        "nearest_rank = lambda values, percent: sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]",
        "nearest_rank = lambda values, percent: max(values)",
        # Changes the list.
        """
        import math
        def nearest_rank(values, percent):
            values.sort()
            return values[max(1, math.ceil(len(values) * percent / 100)) - 1]
        """,
        # Another definition: linear between neighbours.
        """
        from labkit.latency import percentile
        nearest_rank = percentile
        """,
    ],
    "02.3": [
        "first_token = lambda request, chunks: chunks[1][0] - request",
        "first_token = lambda request, chunks: next(at - request for at, text in chunks if text)",
        "first_token = lambda request, chunks: next((at for at, text in chunks if text), None)",
        "first_token = lambda request, chunks: next((at - request for at, text in chunks if text.strip()), None)",
        "first_token = lambda request, chunks: next((at - request for at, text in chunks if text), None) or None",
    ],
    "02.4": [
        # Trims by number of messages.
        "trim = lambda messages, sizes, budget: messages[:1] + messages[-2:]",
        # Loses the system message.
        """
        def trim(messages, sizes, budget):
            while len(messages) > 1 and sum(sizes) > budget:
                messages, sizes = messages[1:], sizes[1:]
            return messages
        """,
        # May begin with an answer.
        """
        def trim(messages, sizes, budget):
            head = 1 if messages[0]["role"] == "system" else 0
            first = head
            while first < len(messages) - 1 and sum(sizes[:head]) + sum(sizes[first:]) > budget:
                first += 1
            return messages[:head] + messages[first:]
        """,
        # Changes the list.
        """
        def trim(messages, sizes, budget):
            while len(messages) > 2 and (sum(sizes) > budget or messages[1]["role"] != "user"):
                del messages[1], sizes[1]
            return messages
        """,
    ],
    "01.1": [
        # Asks, and never compares.
        """
        def usable(base_url, model):
            try:
                openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0).models.list()
                return True
            except openai.APIError:
                return False
        """,
        # Forgets that nobody may be there.
        """
        def usable(base_url, model):
            client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
            return any(entry.id == model for entry in client.models.list())
        """,
        # The seed's health check: it generates.
        """
        def usable(base_url, model):
            client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
            try:
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], max_tokens=1)
                return True
            except openai.APIError:
                return False
        """,
        # A text instead of a truth value.
        "usable = lambda base_url, model: 'ok'",
    ],
    "01.2": [
        # Versions compared as text.
        """
        def full_id(name, listed):
            found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
            if not found:
                raise LookupError(name)
            return max(found)
        """,
        # The first that begins with the name.
        """
        def full_id(name, listed):
            for model in listed:
                if model.startswith(name + "-"):
                    return model
            raise LookupError(name)
        """,
        # A silent fallback.
        """
        def full_id(name, listed):
            found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
            return max(found or listed, key=lambda m: int(m.rpartition(":")[2]))
        """,
    ],
    "01.3": [
        "is_whole = lambda answer: answer.usage.completion_tokens < 20",
        "is_whole = lambda answer: bool(answer.choices[0].message.content)",
        "is_whole = lambda answer: answer.choices[0].finish_reason",
    ],
    "01.4": [
        # Changes the list it was given.
        """
        def next_messages(history, question, reply):
            history += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
            return history
        """,
        # Forgets the reply.
        "next_messages = lambda h, q, r: [*h, {'role': 'user', 'content': q}]",
        # Swaps the roles.
        """
        def next_messages(history, question, reply):
            return [*history, {"role": "assistant", "content": question}, {"role": "user", "content": reply}]
        """,
        # Loses what was before.
        "next_messages = lambda h, q, r: [{'role': 'user', 'content': q}, {'role': 'assistant', 'content': r}]",
    ],
}


def starter(number: str) -> str:
    """What a student finds in the cell of an exercise, without the check at its end."""
    path = next(item.original for item in lessons() if item.number == number.partition(".")[0])
    cells = nbformat.read(path, as_version=4).cells
    [cell] = [cell for cell in cells if f"exercise-{number}" in cell.metadata.get("tags", [])]
    source, found, _ = cell.source.partition("\n\n\ncheck(")
    assert found, f"the cell of {number} ends in no check"
    return str(source)


def solution(number: str) -> str:
    """The solution that is kept apart."""
    path = ROOT / "notebooks" / "solutions" / f"nb{number.partition('.')[0]}.py"
    head, *parts = re.split(r"^# %% (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return head + dict(zip(parts[::2], parts[1::2], strict=True))[number]


def answer(source: str) -> Any:
    """What a piece of code defines last: the student's answer."""
    source = textwrap.dedent(source)
    names: dict[str, Any] = {}
    exec("import openai\n" + source, names)
    last = ast.parse(source).body[-1]
    return names[last.name if isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef) else last.targets[0].id]  # type: ignore[attr-defined]


def cases(table: dict[str, list[str]]) -> list[Any]:
    """One test case for each answer in a table."""
    return [pytest.param(n, text, id=f"{n}-{i}") for n, texts in table.items() for i, text in enumerate(texts)]


@pytest.mark.parametrize("number", EXERCISES)
def test_solution_passes(number: str) -> None:
    assert exercises.check(number, answer(solution(number))).passed


@pytest.mark.parametrize(("number", "source"), cases(RIGHT))
def test_another_right_answer_passes(number: str, source: str) -> None:
    verdict = exercises.check(number, answer(source))
    assert verdict.passed, verdict


@pytest.mark.parametrize("number", EXERCISES)
def test_starter_does_not_pass(number: str) -> None:
    verdict = exercises.check(number, answer(starter(number)))
    assert not verdict.passed
    assert verdict.missing
    assert len(verdict.missing) > 20


@pytest.mark.parametrize(("number", "source"), cases(WRONG))
def test_wrong_answer_does_not_pass(number: str, source: str) -> None:
    assert not exercises.check(number, answer(source)).passed


@pytest.mark.parametrize("number", EXERCISES)
def test_each_exercise_is_well_made(number: str) -> None:
    assert len(WRONG[number]) >= 2
    assert RIGHT[number]
    assert all(exercises.find(number).hints)


@pytest.mark.parametrize("notebook", NUMBERS)
def test_a_notebook_has_at_least_four(notebook: str) -> None:
    assert len(exercises.exercises(notebook)) >= 4


def test_what_a_student_raises_is_said_and_not_raised() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    assert "ZeroDivisionError" in str(exercises.check("01.4", broken))


def test_strict_mode_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_STRICT_CHECKS", "1")
    with pytest.raises(exercises.StrictError, match="not yet"):
        exercises.check("01.4", answer(starter("01.4")))


def test_the_result_stands_in_words_and_is_escaped() -> None:
    shown = exercises.Verdict("01.1", "a <title>", "It gave <script>.")._repr_html_()
    assert "not yet" in shown
    assert 'role="status"' in shown
    assert "<script>" not in shown
    assert "passed" in exercises.Verdict("01.1", "a title", None)._repr_html_()


def test_an_unknown_number_names_the_known_ones() -> None:
    with pytest.raises(WorkbookError, match=r"01\.1, 01\.2"):
        exercises.find("01.99")
    with pytest.raises(WorkbookError, match="no exercises"):
        exercises.find("99.1")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's folder `work/`, as the current one, in a workbook with one lesson."""
    work = tmp_path / "work"
    work.mkdir()
    (work / ORIGINS).write_text("{}")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_client_setup.ipynb").write_text("{}")
    monkeypatch.chdir(work)
    return tmp_path


def test_attempts_and_hints_are_noted(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exercises.check("01.4", answer(starter("01.4")))
    for expected in ("Hint 1 of 2", "Hint 2 of 2", "Hint 2 of 2"):
        exercises.hint("01.4")
        assert expected in capsys.readouterr().out
    exercises.check("01.4", answer(solution("01.4")))
    noted = exercises.attempts(desk / "work")
    assert [(item.exercise, item.passed, item.hint) for item in noted] == [
        ("01.4", False, 0),
        ("01.4", None, 1),
        ("01.4", None, 2),
        ("01.4", None, 2),
        ("01.4", True, 2),
    ]
    first = json.loads((desk / "work" / exercises.PROGRESS).read_text().splitlines()[0])
    assert set(first) == {"notebook", "exercise", "passed", "hint", "time"}


def test_progress_shows_where_a_student_stands(desk: Path) -> None:
    exercises.check("01.4", answer(solution("01.4")))
    exercises.check("01.3", answer(starter("01.3")))
    with (desk / "work" / exercises.PROGRESS).open("a") as file:
        file.write("half a li")
    rows = {row.split()[0]: row.split()[1:3] for row in exercises.progress(desk).splitlines()[1:]}
    assert rows["01.4"] == ["passed", "1"]
    assert rows["01.3"] == ["open", "1"]
    assert rows["01.1"] == ["open", "0"]


def test_nothing_is_noted_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exercises.check("01.4", answer(solution("01.4")))
    assert list(tmp_path.glob(exercises.PROGRESS)) == []
