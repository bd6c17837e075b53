"""The commands of `python lab.py`, each a few lines that call what does the work."""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit.arguments import parser
from coursekit.foreground import chat, open_workbook, openwebui, serve, webgpu
from labkit.errors import LabError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

# Two processes, since most tests wait; a file stays whole, so that what its tests share is made once.
SIDE_BY_SIDE = ("-n2", "--dist=loadfile", "--no-loadscope-reorder")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. What is wrong is said in one line with its fix."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows code page has no letters for all that a model says
            stream.reconfigure(errors="replace")
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not isinstance(error.filename, str):
            raise
        fix = "name another path (an option of the command, or LABKIT_CACHE), or make this one yours to write to"
        print(f"lab.py: {error.filename}: {error.strerror}. Fix: {fix}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def test(options: argparse.Namespace) -> int:
    """Run the fast and the live tests; --all, or CI in the environment, adds the end-to-end ones and allows no skip."""
    from coursekit.copies import ROOT

    everything = options.all or bool(os.environ.get("CI"))
    lanes = [] if "-m" in options.pytest else ["-m", "" if everything else "not e2e"]
    strict = ["--no-skips"] if everything else []
    command = [sys.executable, "-m", "pytest", *lanes, *strict, *(options.pytest or SIDE_BY_SIDE)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def backup(options: argparse.Namespace) -> int:
    """Save, check or restore the threads of the chat application, in a process that has its modules."""
    chosen = {"--check": options.check, "--restore": options.restore}
    command = [sys.executable, "-m", "apps.chat.backup"]
    command += [word for name, file in chosen.items() if file for word in (name, file)]
    return subprocess.run(command, check=False).returncode


def kernel(_: argparse.Namespace) -> int:
    """Register this environment as the Jupyter kernel `foundry-local` of this user."""
    from ipykernel.kernelspec import install

    place = install(user=True, kernel_name="foundry-local", display_name="Foundry Local")
    print(f'The kernel "Foundry Local" is registered in {place}.')
    return 0


def reset(options: argparse.Namespace) -> int:
    """A fresh copy of one notebook."""
    from coursekit import copies

    fresh, kept = copies.reset(options.number)
    print(f"{fresh.name} is fresh." + (f" Your old one is {kept.name}, beside it." if kept else ""))
    if kept:
        print("If it is open in JupyterLab: File, Reload Notebook from Disk. Then restart the kernel.")
    return 0


def progress(_: argparse.Namespace) -> int:
    """Print where the student stands."""
    from coursekit import exercises

    print(exercises.progress())
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Look at this machine; the exit status is 1 when something is wrong."""
    from coursekit import doctor as examination
    from coursekit import production

    report = production.examine(options.host) if options.production else examination.examine()
    print(report.as_json() if options.json else report.as_text())
    return 0 if report.ok else 1


def capstone(options: argparse.Namespace) -> int:
    """Run the drills on an app, with progress meanwhile; the exit status is 1 when one failed."""
    from coursekit import capstone as drills
    from coursekit.copies import ROOT

    folder = options.folder or ROOT / "apps" / "capstone"
    print(f"The drills on {folder}; about a minute, more where they fail ...", file=sys.stderr, flush=True)
    say = functools.partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    verdict = drills.check(folder, say=say)
    print(verdict.as_json() if options.json else f"\n{verdict.summary}")
    return 0 if verdict.passed else 1


def regenerate(options: argparse.Namespace) -> int:
    """Run notebooks on the live runtime and save their outputs."""
    from coursekit import regenerate as outputs
    from coursekit.copies import lesson, lessons

    chosen = [lesson(number) for number in options.numbers] or lessons()
    with outputs.endpoint() as ready:
        print(ready)
        for item in chosen:
            start = time.perf_counter()
            outputs.regenerate(item.original)
            print(f"{item.original.name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 0


def report(options: argparse.Namespace) -> int:
    """Execute notebooks with papermill and write pages about it; the exit status is 1 when one did not pass."""
    from coursekit.report import command
    from coursekit.report.job import MB, RunLimits
    from labkit.connection import connect

    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    limits = RunLimits(cell_seconds=options.cell_seconds, seconds=options.seconds, memory=options.memory * MB)
    names = ("notebooks", "parameters", "models", "code", "workers", "per_endpoint", "scheduler", "fresh")
    asked = {name: getattr(options, name) for name in names}
    matrix = Path(options.matrix) if options.matrix else None
    return command.report(command.Options(out=Path(options.out), matrix=matrix, limits=limits, **asked), connect)


def export(options: argparse.Namespace) -> int:
    """Write the files that the notebooks own, or with --check only say what is wrong with them."""
    from coursekit import export as exporter

    if options.check:
        problems = exporter.check()
        print("".join(problem.diff for problem in problems), end="", flush=True)
        if problems:
            raise exporter.failure(problems)
        return 0
    for path, state in exporter.write().items():
        print(f"{state:9}  {path}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    each.__name__: each
    for each in (
        open_workbook,
        serve,
        test,
        kernel,
        reset,
        progress,
        doctor,
        chat,
        backup,
        webgpu,
        openwebui,
        capstone,
        report,
        regenerate,
        export,
    )
}
