"""The evaluation data of the routing lesson: well-formed prompts, outcomes that match them, and the recorder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import outcomes as recorder
from coursekit import routing_data
from coursekit.errors import WorkbookError
from coursekit.routing_data import cloud_outcomes, local_outcomes, read, tasks
from coursekit.routing_data.graders import Grader, grade
from foundry_mock import Behaviour, Fault, MockEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = tasks()
DOMAINS = sorted({task.domain for task in TASKS})


def test_there_are_enough_prompts_and_no_two_alike() -> None:
    assert len(TASKS) >= 320
    assert len({task.id for task in TASKS}) == len(TASKS)
    assert len({" ".join(task.prompt.casefold().split()) for task in TASKS}) == len(TASKS)
    sizes = Counter(task.domain for task in TASKS)
    assert len(sizes) >= 6
    assert min(sizes.values()) >= 40
    assert max(sizes.values()) <= 1.2 * min(sizes.values())
    assert {task.grader for task in TASKS} == set(Grader)


@pytest.mark.parametrize("domain", DOMAINS)
def test_lengths_differ_within_a_domain(domain: str) -> None:
    lengths = sorted(len(task.prompt) for task in TASKS if task.domain == domain)
    assert lengths[-1] >= 2 * lengths[0]


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_task_takes_its_right_answer_and_no_empty_one(domain: str) -> None:
    for task in (task for task in TASKS if task.domain == domain):
        assert grade(task, task.right), task.id
        # Neither silence, nor a shrug, nor the prompt itself, which holds every label and every number.
        for answer in ("", " ", "I do not know", "I do not know.", "Jag vet inte.", task.prompt):
            assert not grade(task, answer), (task.id, answer)
        assert task.id.startswith(task.domain)
        assert 8 <= task.max_tokens <= 60


def test_a_list_of_all_labels_is_wrong() -> None:
    for task in (task for task in TASKS if task.grader is Grader.LABEL):
        labels = [*task.expected.accepted, *task.expected.forbidden]
        assert len(labels) > 1
        assert not grade(task, ", ".join(labels)), task.id
        assert not any(grade(task, label) for label in task.expected.forbidden), task.id


def test_accepted_and_forbidden_do_not_meet() -> None:
    for task in TASKS:
        assert not set(task.expected.accepted) & set(task.expected.forbidden), task.id


def test_outcomes_match_the_prompts() -> None:
    recording, _ = read()
    assert recording.model == "smollm2-135m-instruct-generic-cpu:1"
    assert recording.runtime.startswith("Foundry Local 2.")
    assert recording.temperature == 0
    local = local_outcomes()
    assert [outcome.id for outcome in local] == [task.id for task in TASKS]
    for task, outcome in zip(TASKS, local, strict=True):
        assert outcome.correct == grade(task, outcome.answer)
        assert 0 < outcome.completion_tokens <= task.max_tokens
        assert outcome.prompt_tokens > 0
        assert 0 < outcome.seconds < 60


def test_the_local_model_is_between_hopeless_and_sure_in_most_domains() -> None:
    shares: dict[str, list[bool]] = {}
    for task, outcome in zip(TASKS, local_outcomes(), strict=True):
        shares.setdefault(task.domain, []).append(outcome.correct)
    between = [domain for domain, marks in shares.items() if 0.2 <= sum(marks) / len(marks) <= 0.7]
    assert len(between) >= 3


def test_outcomes_are_graded_when_they_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    recording, answers = read()
    first = TASKS[0]
    for said in (first.right, "nothing of use"):
        answers[first.id] = replace(answers[first.id], answer=said)
        recorder.write(path, recording, answers.values())
        assert local_outcomes(path)[0].correct == (said == first.right)


def test_outcomes_that_do_not_match_say_so(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    recording, answers = read()
    some = TASKS[:3]
    kept = [answers[task.id] for task in some]

    def complaint() -> str:
        with pytest.raises(WorkbookError) as caught:
            local_outcomes(path, some)
        assert caught.value.fix == "python benchmarks/outcomes.py --fresh"
        return caught.value.message

    assert "no outcomes that can be read" in complaint()
    path.write_text("{}\n", encoding="utf-8")
    assert "no outcomes that can be read" in complaint()
    recorder.write(path, recording, kept[:2])
    assert f"no answer to {some[2].id}" in complaint()
    recorder.write(path, recording, [*kept, answers[TASKS[3].id]])
    assert f"no prompt, such as {TASKS[3].id}" in complaint()
    recorder.write(path, recording, [kept[0], kept[1], replace(kept[2], asked="000000000000")])
    assert f"another prompt than {some[2].id}" in complaint()
    recorder.write(path, recording, reversed(kept))
    assert [outcome.id for outcome in local_outcomes(path, some)] == [task.id for task in some]


def test_a_grader_does_not_change_the_fingerprint_and_a_prompt_does() -> None:
    task = TASKS[0]
    assert routing_data.fingerprint(replace(task, right="x", grader=Grader.FACT)) == routing_data.fingerprint(task)
    assert routing_data.fingerprint(replace(task, prompt=task.prompt + " ")) != routing_data.fingerprint(task)
    assert routing_data.fingerprint(replace(task, max_tokens=task.max_tokens + 1)) != routing_data.fingerprint(task)


def test_the_simulated_cloud_follows_its_recipe() -> None:
    cloud, local = cloud_outcomes(), local_outcomes()
    assert cloud == cloud_outcomes(seed=3)
    assert cloud != cloud_outcomes(seed=4)
    assert 0.85 < sum(outcome.correct for outcome in cloud) / len(cloud) < 0.95
    many = [outcome.correct for seed in range(30) for outcome in cloud_outcomes(seed)]
    assert sum(many) / len(many) == pytest.approx(0.9, abs=0.01)
    for task, here, there in zip(TASKS, local, cloud, strict=True):
        assert there.id == task.id
        assert there.correct == grade(task, there.answer)
        assert there.seconds == pytest.approx(0.4 + here.completion_tokens / 80)
        assert (there.prompt_tokens, there.completion_tokens) == (here.prompt_tokens, here.completion_tokens)


def test_the_draw_does_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {outcome.id: outcome for outcome in cloud_outcomes()}
    monkeypatch.setattr(routing_data, "tasks", lambda: TASKS[::-1])
    turned = cloud_outcomes()
    assert turned[0].id == TASKS[-1].id
    assert {outcome.id: outcome for outcome in turned} == usual


# The recorder, against the mock.


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockEndpoint]:
    """An endpoint that the recorder finds, and that is quick."""
    with MockEndpoint(Behaviour(first_token=0, rate=1e6)) as endpoint:
        monkeypatch.setenv("BASE_URL", endpoint.base_url)
        yield endpoint


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_recording_goes_on_where_it_stopped(
    mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "outcomes.jsonl"
    assert recorder.main(["--limit", "2"], path) == 0
    first = lines(path)
    assert [json.loads(line)["id"] for line in first[1:]] == [task.id for task in TASKS[:2]]
    assert json.loads(first[0])["model"] == mock.model
    assert json.loads(first[0])["runtime"] == "the endpoint in BASE_URL"
    assert "classification" in capsys.readouterr().out

    path.write_text("\n".join(first) + '\n{"id": "cut off', encoding="utf-8")  # as if it had been killed
    asked = mock.counters.started
    assert recorder.main(["--limit", "4"], path) == 0
    assert mock.counters.started - asked == 3  # the two that were missing, and one to warm up
    assert lines(path)[:3] == first
    assert len(lines(path)) == 5
    assert "2 answers are kept, 2 prompts to ask" in capsys.readouterr().out


def test_recording_keeps_what_it_has_when_the_endpoint_fails(
    mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "outcomes.jsonl"
    mock.fail(Fault.NONE, Fault.NONE, *[Fault.DROP] * recorder.TRIES)
    assert recorder.main(["--limit", "3"], path) == 1
    assert "broke off" in capsys.readouterr().err
    assert len(lines(path)) == 2
    assert recorder.main(["--limit", "3"], path) == 0
    assert len(lines(path)) == 4


def test_recording_asks_again_where_one_answer_breaks_off(mock: MockEndpoint, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    mock.fail(Fault.NONE, Fault.DROP)
    assert recorder.main(["--limit", "1"], path) == 0
    assert len(lines(path)) == 2


def test_recording_asks_changed_prompts_again(mock: MockEndpoint, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    recorder.main(["--limit", "3"], path)
    recording, answers = read(path)
    second = answers[TASKS[1].id]
    answers[second.id] = replace(second, asked="000000000000", answer="an old answer")
    recorder.write(path, recording, answers.values())
    asked = mock.counters.started
    assert recorder.main(["--limit", "3"], path) == 0
    assert mock.counters.started - asked == 2
    assert [json.loads(line)["id"] for line in lines(path)[1:]] == [task.id for task in TASKS[:3]]
    assert read(path)[1][second.id].answer == second.answer


def test_recordings_of_two_models_are_not_mixed(
    mock: MockEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "outcomes.jsonl"
    recording, answers = read()
    recorder.write(path, recording, [answers[TASKS[0].id]])
    before = lines(path)
    assert recorder.main(["--limit", "2"], path) == 1
    said = capsys.readouterr().err
    assert recording.model in said
    assert mock.model in said
    assert "--fresh" in said
    assert lines(path) == before
    assert recorder.main(["--limit", "2", "--fresh"], path) == 0
    assert json.loads(lines(path)[0])["model"] == mock.model
    assert len(lines(path)) == 3


def test_one_domain_alone(mock: MockEndpoint, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    assert recorder.main(["--only", "json", "--limit", "2"], path) == 0
    assert mock.counters.started == 3
    assert [json.loads(line)["id"] for line in lines(path)[1:]] == ["json-01", "json-02"]


def test_a_cloud_that_was_recorded_takes_the_place_of_the_simulated_one(
    mock: MockEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLOUD_BASE_URL", "CLOUD_MODEL", "CLOUD_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert routing_data.cloud_is_simulated()
    assert recorder.main(["--cloud"], cloud_path=tmp_path / "cloud.jsonl") == 1  # no cloud is set
    monkeypatch.setenv("CLOUD_BASE_URL", mock.base_url)
    monkeypatch.setenv("CLOUD_MODEL", mock.model)
    assert recorder.main(["--cloud"], tmp_path / "local.jsonl", tmp_path / "cloud.jsonl") == 0
    assert not (tmp_path / "local.jsonl").exists()
    monkeypatch.setattr(routing_data, "CLOUD", tmp_path / "cloud.jsonl")
    assert not routing_data.cloud_is_simulated()
    outcomes = cloud_outcomes()
    assert [outcome.id for outcome in outcomes] == [task.id for task in tasks()]
    assert any("scripted answer" in outcome.answer for outcome in outcomes)
