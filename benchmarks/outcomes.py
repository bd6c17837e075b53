"""Record again what the local model answers to the prompts of the routing lesson: `python benchmarks/outcomes.py`.

Asks each prompt once, at temperature 0, and writes each answer at once: an interrupted run goes on where it stopped,
and after a change of prompts only the changed ones are asked. `--only DOMAIN` and `--limit N` ask fewer, `--fresh`
begins from the start, `--cloud` asks the cloud of CLOUD_BASE_URL and records it in a file of its own. It takes
about two minutes, and ends with a table: how many answers are right in each domain.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from coursekit.errors import WorkbookError
from coursekit.routing_data import CLOUD, OUTCOMES, Answered, Recording, fingerprint, read, tasks
from coursekit.routing_data.graders import grade
from labkit.connection import Connection, Source, connect
from labkit.errors import LabError, SettingsError, StreamError
from labkit.files import write_atomically
from labkit.notebook import Table
from labkit.plots import machine
from labkit.routing.cloud import cloud
from labkit.routing.evaluation import wilson
from labkit.settings import Settings
from labkit.streaming import stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from coursekit.routing_data.graders import Task

TEMPERATURE = 0.0
TRIES = 4


def table(wanted: Iterable[Task], answers: Mapping[str, Answered]) -> Table:
    """How many answers are right, by domain; a task without an answer does not count."""
    marks: dict[str, list[bool]] = {}
    for task in wanted:
        if task.id in answers:
            marks.setdefault(task.domain, []).append(grade(task, answers[task.id].answer))
    rows = [(domain, str(len(right)), *_shares(sum(right), len(right))) for domain, right in marks.items()]
    return Table(("domain", "n", "right", "95 % interval"), tuple(rows))


def _shares(right: int, n: int) -> tuple[str, str]:
    low, high = wilson(right, n)
    return f"{100 * right / n:.0f} %", f"{100 * low:.0f} to {100 * high:.0f} %"


def describe(lab: Connection) -> Recording:
    """The header of a recording that begins now."""
    runtime = f"Foundry Local {importlib.metadata.version('foundry-local-sdk')}"
    if lab.source in (Source.BASE_URL, Source.CLOUD):  # whose runtime we cannot know
        runtime = str(lab.source)
    return Recording(lab.model, runtime, machine(), datetime.now(UTC).date().isoformat(), TEMPERATURE)


def resume(path: Path, header: Recording, wanted: Sequence[Task]) -> dict[str, Answered]:
    """What of an earlier recording still holds; writes the file again with that, in the order of the tasks.

    Raises WorkbookError where the earlier recording is another model's.
    """
    kept: dict[str, Answered] = {}
    _mend(path)
    if path.exists():
        earlier, answers = read(path)
        if earlier.model != header.model:
            raise WorkbookError(
                f"{path.name} is a recording of {earlier.model}, and this is {header.model}", fix="use --fresh"
            )
        asked = {task.id: fingerprint(task) for task in wanted}
        kept = {task.id: answers[task.id] for task in wanted if task.id in answers}
        kept = {name: answered for name, answered in kept.items() if answered.asked == asked[name]}
        header = earlier if kept else header
    write(path, header, kept.values())
    return kept


def _mend(path: Path) -> None:
    """Take away a last line that was cut off in the middle of writing; a file of nothing else goes."""
    whole, end, cut = path.read_text(encoding="utf-8").rpartition("\n") if path.exists() else ("", "", "")
    if cut:
        path.write_text(whole + end, encoding="utf-8", newline="\n")
    if not whole:
        path.unlink(missing_ok=True)


def write(path: Path, header: Recording, answers: Iterable[Answered]) -> None:
    """Write a whole recording, by way of another file, so that no moment has half of one."""
    write_atomically(path, _line(header) + "".join(map(_line, answers)))


def _line(record: Recording | Answered) -> str:
    return json.dumps(asdict(record), ensure_ascii=False) + "\n"


async def answer(lab: Connection, task: Task) -> Answered:
    """Ask one task, again where the answer breaks off: Foundry Local 2.2.1 dropped 2 of about 2000."""
    for _ in range(TRIES - 1):
        try:
            return await once(lab, task)
        except StreamError as error:
            print(f"{task.id}: {error.message}; asked again", flush=True)
    return await once(lab, task)


async def once(lab: Connection, task: Task) -> Answered:
    """Ask one task. Raises StreamError and what else `stream` raises."""
    came = stream(lab, task.prompt, temperature=TEMPERATURE, max_tokens=task.max_tokens)
    async for _ in came:
        pass
    trace = came.trace
    seconds = round(trace.end - trace.request, 4)
    return Answered(task.id, fingerprint(task), came.text, seconds, trace.prompt_tokens or 0, trace.tokens)


async def record(lab: Connection, path: Path, every: Sequence[Task], chosen: Sequence[Task]) -> dict[str, Answered]:
    """Ask the chosen tasks that have no answer yet, and return all answers that the file then has."""
    answers = resume(path, describe(lab), every)
    missing = [task for task in chosen if task.id not in answers]
    print(f"{len(answers)} answers are kept, {len(missing)} prompts to ask")
    if missing:
        await answer(lab, missing[0])  # the first request of a process is slower than all others
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for number, task in enumerate(missing, start=1):
            answers[task.id] = await answer(lab, task)
            file.write(_line(answers[task.id]))
            file.flush()
            mark = "right" if grade(task, answers[task.id].answer) else "wrong"
            print(f"{number:4}/{len(missing)}  {task.id:20} {answers[task.id].seconds:6.2f} s  {mark}", flush=True)
    resume(path, describe(lab), every)  # into the order of the tasks
    return answers


async def record_and_close(
    lab: Connection, path: Path, every: Sequence[Task], chosen: Sequence[Task]
) -> dict[str, Answered]:
    """The same, and close the connection while its event loop still runs."""
    try:
        return await record(lab, path, every, chosen)
    finally:
        await lab.aclose()


def endpoint(*, of_cloud: bool) -> Connection:
    """The local model, or the cloud of CLOUD_BASE_URL. Raises SettingsError where no cloud is set."""
    if not of_cloud:
        return connect()
    if Settings.from_environment().cloud_base_url is None:
        raise SettingsError("no cloud is set to record", fix="set CLOUD_BASE_URL, CLOUD_MODEL and CLOUD_API_KEY")
    return cloud().connection


def main(arguments: Sequence[str] | None = None, path: Path = OUTCOMES, cloud_path: Path = CLOUD) -> int:
    every = tasks()
    parser = argparse.ArgumentParser(description="Record the answers of the local model.")
    parser.add_argument("--only", metavar="DOMAIN", choices=sorted({task.domain for task in every}), help="one domain")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N prompts")
    parser.add_argument("--fresh", action="store_true", help="forget the earlier recording")
    parser.add_argument("--cloud", action="store_true", help="record the cloud instead; what that costs you pay")
    options = parser.parse_args(arguments)
    path = cloud_path if options.cloud else path
    chosen = [task for task in every if options.only in (None, task.domain)][: options.limit]
    try:
        with endpoint(of_cloud=options.cloud) as lab:
            if options.fresh:
                path.unlink(missing_ok=True)
            answers = asyncio.run(record_and_close(lab, path, every, chosen))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here")
        return 130
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(every, answers))
    print(f"{len(answers)} of {len(every)} prompts have an answer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
