"""The command line: `python lab.py` hands its arguments to `python -m coursekit`, which calls `main`.

Each command imports what it needs when it runs, so that `--help` is fast. The docstring of a command is its help text.
"""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coursekit import serving
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Two processes, since most tests wait; a file stays whole, so that what its tests share is made once.
SIDE_BY_SIDE = ("-n2", "--dist=loadfile", "--no-loadscope-reorder")
LAST_LINE = "Without a command: set up, start the endpoint, and open the workbook in JupyterLab."


class Command(click.Command):
    """A command whose help text is not cut off in the list of commands."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence of the help text, not cut off at click's `limit`."""
        return super().get_short_help_str(max(limit, 200))


class Commands(click.Group):
    """The commands in the order of this file; an option before a command is that command's."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of definition."""
        return [name for name in self.commands if self.get_command(ctx, name)]


def port_option(default: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """An option --port, with the default in words."""
    return click.option("--port", type=int, metavar="N", help=f"The port (default: {default}, or a free one).")


no_browser_option = click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 1 after an error, 2 after a wrong command line.

    An error is one line with its fix on stderr.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows code page has no letters for all that a model says
            stream.reconfigure(errors="replace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return int(lab(words, prog_name="lab.py", standalone_mode=False))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lab.py"
        print(
            f"lab.py: {error.format_message()} Fix: see what is possible with: python {command} --help", file=sys.stderr
        )
        return 2
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not isinstance(error.filename, str):
            raise
        fix = "name another path (an option of the command, or LABKIT_CACHE), or make this one yours to write to"
        print(f"lab.py: {error.filename}: {error.strerror}. Fix: {fix}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, click.Abort):
        return 130


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=LAST_LINE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@port_option(f"JupyterLab's is {serving.JUPYTER_PORT}")
@no_browser_option
@click.pass_context
def lab(context: click.Context, port: int | None, no_browser: bool) -> int:
    """The Foundry Local chat workbook."""
    name = context.invoked_subcommand
    if name is None:
        return serving.open_workbook(port, no_browser=no_browser)
    given = {option: value for option, value in context.params.items() if value is not None and value is not False}
    known = {option.name for option in lab.commands[name].params}
    for option in given.keys() - known:
        raise click.UsageError(f"'{name}' has no option --{option.replace('_', '-')}.", context)
    context.default_map = {name: given}
    return 0


@lab.command()
@click.option("--all", "everything", is_flag=True, help="Run every lane, and let nothing be skipped.")
@click.argument("pytest", nargs=-1, metavar="[-- PYTEST'S OPTIONS]")
def test(everything: bool, pytest: tuple[str, ...]) -> int:
    """Run the fast and the live tests; --all adds the end-to-end ones."""
    from coursekit.copies import ROOT

    everything = everything or bool(os.environ.get("CI"))
    lanes = [] if "-m" in pytest else ["-m", "" if everything else "not e2e"]
    strict = ["--no-skips"] if everything else []
    command = [sys.executable, "-m", "pytest", *lanes, *strict, *(pytest or SIDE_BY_SIDE)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@lab.command()
def kernel() -> int:
    """Register the kernel "Foundry Local" for VS Code and others."""
    from ipykernel.kernelspec import install

    place = install(user=True, kernel_name="foundry-local", display_name="Foundry Local")
    print(f'The kernel "Foundry Local" is registered in {place}.')
    return 0


@lab.command()
@click.argument("number", metavar="NN")
def reset(number: str) -> int:
    """Make a fresh copy of one notebook (01 to 07); your old one is kept beside it."""
    from coursekit import copies

    fresh, old = copies.reset(number)
    print(f"{fresh.name} is fresh." + (f" Your old one is {old.name}, beside it." if old else ""))
    if old:
        print("If it is open in JupyterLab: File, Reload Notebook from Disk. Then restart the kernel.")
    return 0


@lab.command()
def progress() -> int:
    """Show which exercises you have passed."""
    from coursekit import exercises

    print(exercises.progress())
    return 0


@lab.command()
@json_option
@click.option("--production", is_flag=True, help="Check whether the chat may serve others from here.")
@click.option("--host", default="127.0.0.1", help="With --production: the address on which the chat would listen.")
def doctor(as_json: bool, production: bool, host: str) -> int:
    """Check this machine; the exit status is 1 when something is wrong."""
    from coursekit import doctor as machine
    from coursekit import production as deployment

    def show(check: machine.Check) -> None:
        if not as_json:
            print(machine.as_text(check), flush=True)

    report = deployment.examine(host, show) if production else machine.examine(show)
    print(report.as_json() if as_json else f"\n{report.conclusion}")
    return 0 if report.ok else 1


@lab.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
def capstone(folder: Path | None, as_json: bool) -> int:
    """Run the capstone's drills on the app in FOLDER, or on the worked example."""
    from coursekit import capstone as drills
    from coursekit.copies import ROOT

    folder = folder or ROOT / "apps" / "capstone"
    print(f"The drills on {folder}; about a minute, more where they fail ...", file=sys.stderr, flush=True)
    say = functools.partial(print, file=sys.stderr if as_json else sys.stdout, flush=True)
    verdict = drills.check(folder, say=say)
    print(verdict.as_json() if as_json else f"\n{verdict.summary}")
    return 0 if verdict.passed else 1


@lab.command()
@port_option("51211")
@click.option("--mock", is_flag=True, help="A scripted endpoint instead of a model, for tests.")
def serve(port: int | None, mock: bool) -> int:
    """Run the endpoint until Ctrl-C."""
    return serving.serve(port, mock=mock)


@lab.command()
@port_option(str(serving.CHAT_PORT))
@click.option("--host", default="127.0.0.1", help="The address to listen on; any other one needs CHAT_USERS.")
@no_browser_option
def chat(port: int | None, host: str, no_browser: bool) -> int:
    """Run the chat application of notebook 04, in your browser."""
    return serving.chat(port, host, no_browser=no_browser)


@lab.command()
@click.option("--check", metavar="FILE", help="Restore a backup on trial and compare all of it.")
@click.option("--restore", metavar="FILE", help="Replace the threads by those of a backup; the old ones are kept.")
def backup(check: str | None, restore: str | None) -> int:
    """Save the chat's threads, and check the copy by restoring it."""
    if check and restore:
        raise click.UsageError("--check and --restore do not go together.", click.get_current_context())
    # A process of its own, which has the modules of the chat application.
    options = {"--check": check, "--restore": restore}
    command = [sys.executable, "-m", "apps.chat_prod.backup"]
    command += [word for name, file in options.items() if file for word in (name, file)]
    return subprocess.run(command, check=False).returncode


@lab.command()
@port_option(str(serving.PAGES_PORT))
@no_browser_option
def webgpu(port: int | None, no_browser: bool) -> int:
    """Serve the pages of notebook 05: models that run inside your browser."""
    return serving.webgpu(port, no_browser=no_browser)


@lab.command()
@port_option(str(serving.WEBUI_PORT))
@no_browser_option
@click.option("--slim", is_flag=True, help="A fourth of the size: chat and plain text files.")
def openwebui(port: int | None, no_browser: bool, slim: bool) -> int:
    """Run Open WebUI on this machine's model; the first time sets it up."""
    return serving.openwebui(port, no_browser=no_browser, slim=slim)


@lab.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
@click.option("-p", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the notebooks.")
@click.option("--model", "models", multiple=True, help="A model; several are compared.")
@click.option("--out", type=click.Path(path_type=Path), default="report", help="The folder of the report.")
@click.option("--code", is_flag=True, help="Show the code in the pages too.")
@click.option("--matrix", type=click.Path(path_type=Path), metavar="FILE", help="The list of a class, YAML or CSV.")
@click.option("--fresh", is_flag=True, help="Run a class again from the start.")
@click.option("--workers", type=int, default=1, metavar="N", help="Runs at once on this machine (default: 1).")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask cluster that does the work.")
@click.option("--per-endpoint", type=int, default=2, metavar="N", help="Runs at once on an endpoint (default: 2).")
@click.option("--cell-seconds", type=float, default=120, metavar="S", help="The limit for a cell (default: 120).")
@click.option("--seconds", type=float, default=1800, metavar="S", help="The limit for a notebook (default: 1800).")
@click.option("--memory", type=int, default=2048, metavar="MB", help="The limit for a student's run (default: 2048).")
def report(notebooks: Sequence[str], cell_seconds: float, seconds: float, memory: int, **options: Any) -> int:
    """For instructors: run notebooks, the course's or a class's, and write a report.

    NOTEBOOK is a number or a name of the course's own, or the path of another one (default: all lessons).
    """
    from coursekit.processes import signal_handler
    from coursekit.report import command
    from coursekit.report.job import MB, RunLimits
    from labkit.connection import connect

    limits = RunLimits(cell_seconds=cell_seconds, seconds=seconds, memory=memory * MB)
    with signal_handler(signal.default_int_handler, "SIGTERM"):  # so that a class's runs are ended too
        return command.report(notebooks, connect, limits, **options)


@lab.command()
@click.argument("numbers", nargs=-1, metavar="[NN]...")
@click.option("--busy", is_flag=True, help="Record even while other programs use the processors.")
def regenerate(numbers: tuple[str, ...], busy: bool) -> int:
    """For authors: run notebooks (default: all) on the live runtime and save their outputs."""
    from coursekit import regenerate as outputs
    from coursekit.copies import lesson, lessons

    chosen = [lesson(number) for number in numbers] or lessons()
    with outputs.noted_load(busy=busy) as load, outputs.endpoint() as ready:
        print(f"{ready}\nload {load:.0f} %", flush=True)
        for item in chosen:
            start = time.perf_counter()
            outputs.regenerate(item.original)
            print(f"{item.original.name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 0


@lab.command()
@click.option("--check", is_flag=True, help="Write nothing; show what differs and what is wrong.")
def export(check: bool) -> int:
    """For authors: write the files of the apps from the notebooks."""
    from coursekit import export as exporter

    if check:
        problems = exporter.check()
        print("".join(problem.diff for problem in problems), end="", flush=True)
        if problems:
            raise exporter.failure(problems)
        return 0
    for path, state in exporter.write().items():
        print(f"{state:9}  {path}")
    return 0
