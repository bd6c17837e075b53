"""A notebook owns the files of its app: a cell that begins with `%%export apps/chat/guard.py` is a part of it."""

from __future__ import annotations

import difflib
import fnmatch
import io
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coursekit.copies import ROOT, lessons
from coursekit.errors import WorkbookError
from labkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable

HANDMADE = "apps/.handmade"
MADE = re.compile(r"Made from notebooks/.+\.ipynb by: python lab\.py export")
EXAMPLE = "%%export apps/chat/guard.py"
# Characters that Windows, macOS or Linux does not allow in a name; the colon is also the one of `C:`.
FORBIDDEN = re.compile(r'[\\:*?"<>|\s\x00-\x1f]|\.(/|$)')
# Lines that must be the first ones of a file.
FIRST = re.compile(r'#![^\n]*\n|(<\?xml.*?\?>|<!doctype[^>\[]*>|@charset "[^"]*";)[ \t]*\n?', re.IGNORECASE | re.DOTALL)
FIRST_OF_MD = re.compile(r"---\n.*?\n---[ \t]*\n", re.DOTALL)
COMMENTS = {
    ("# ", ""): ".py .toml .sh .yml .yaml .env .txt .cfg .ini .conf .service .template "
    "Containerfile Dockerfile Makefile Procfile .gitignore .dockerignore",
    ("// ", ""): ".js .jsx .ts .tsx .mjs .cjs",
    ("/* ", " */"): ".css",
    ("<!-- ", " -->"): ".html .htm .svg .xml",
    ("[//]: # (", ")"): ".md",  # Markdown without HTML would show the other kind
    ("-- ", ""): ".sql",
}


@dataclass(frozen=True)
class Problem:
    """A problem with its place and its fix; `by_export` says that an export corrects it, and `diff` how."""

    message: str
    fix: str
    diff: str = ""
    by_export: bool = False


@dataclass(frozen=True)
class Part:
    """One cell that begins with %%export. Cells are counted from 1, text cells included."""

    notebook: str
    cell: int
    path: str
    text: str

    @property
    def where(self) -> str:
        """The notebook and the cell, for messages."""
        return f"{self.notebook}, cell {self.cell}"


def write(root: Path = ROOT) -> dict[str, str]:
    """Make every file that a notebook owns; returns "written", "unchanged" or "removed" for each.

    Raises WorkbookError, before it changes any file, when there is a problem that it cannot correct itself.
    """
    files, orphans, problems = _survey(root)
    if problems:
        raise failure(problems)
    done = {}
    for path in orphans:  # first: on Windows the name of a new file may differ from it only in case
        (root / path).unlink()
        _tidy((root / path).parent, root / "apps")
        done[path] = "removed"
    for path, text in files.items():
        same = _found(root / path) == text.encode()
        done[path] = "unchanged" if same else "written"
        if not same:
            write_atomically(root / path, text)
    return dict(sorted(done.items()))


def check(root: Path = ROOT) -> list[Problem]:
    """Every problem, also files that differ from their notebooks; writes nothing."""
    files, orphans, problems = _survey(root)
    for path, text in files.items():
        if (found := _found(root / path)) != text.encode():
            state = "is missing" if found is None else "differs from its notebook"
            problems.append(Problem(f"{path} {state}", "python lab.py export", _diff(path, found, text), True))
    for path in orphans:
        fix = f"python lab.py export removes it; to keep it, name it in {HANDMADE}"
        problems.append(Problem(f"{path} was made from a notebook, which no longer has it", fix, by_export=True))
    return problems


def failure(problems: list[Problem]) -> WorkbookError:
    """One error that lists all problems, each with its fix."""
    *others, last = problems
    listed = "".join(f"\n  {problem.message}. Fix: {problem.fix}" for problem in others)
    many = f"There are {len(problems)} problems:{listed}\n  " if others else ""
    return WorkbookError(many + last.message, fix=last.fix)


def parse(source: str) -> tuple[str, str] | None:
    """The path and the content of a cell that begins with %%export; None for every other cell."""
    first, _, text = source.replace("\r\n", "\n").lstrip().partition("\n")
    words = first.split(maxsplit=1)
    if words[:1] != ["%%export"]:
        return None
    path = words[1].strip() if len(words) == 2 else ""
    # PurePosixPath removes a slash at the end; keep it, because it means a folder.
    return (path if path.endswith("/") or not path else str(PurePosixPath(path))), text


def fault(path: str, text: str) -> Problem | None:
    """The mistake in the first line or the text of a cell, without a look at the disk."""
    if not path:
        return Problem("%%export names no file", f"write the path of a file after it: {EXAMPLE}")
    parts = PurePosixPath(path).parts
    if ".." in parts or "".join(parts[:1]).lower() != "apps":
        return Problem(f"{path} is outside apps/", f"write a path that begins with apps/: {EXAMPLE}")
    if parts[0] != "apps":
        return Problem(f"{path} does not begin with apps/ in lower case", f"write apps/{'/'.join(parts[1:])}")
    if path.endswith("/") or len(parts) == 1:
        return Problem(f"{path} is a folder", f"write the path of a file in this folder: {EXAMPLE}")
    if FORBIDDEN.search(path):
        fix = 'use / between folders, no space, no dot at the end, and none of \\ : * ? " < > |'
        return Problem(f"{path} is not a valid name on every system", fix)
    if not text.strip():
        return Problem(
            f"the part of {path} is empty", "write the text of the file below the first line, or delete the cell"
        )
    return None


def _survey(root: Path) -> tuple[dict[str, str], list[str], list[Problem]]:
    """The owned files with their text, the files to remove, and the problems that an export cannot correct."""
    parts, problems = _parts(root)
    paths = [] if problems else _files(root)  # an unreadable notebook may own any of them
    owned: dict[str, list[Part]] = {}
    for part in parts:
        owned.setdefault(part.path, []).append(part)
    broken = set()
    for path, cells in owned.items():
        found = [(cell, fault(path, cell.text) or _misplaced(root, path, owned)) for cell in cells]
        found += [(cell, _rivalry(cell, parts)) for cell in cells]
        new = [Problem(f"{cell.where}: {wrong.message}", wrong.fix) for cell, wrong in found if wrong]
        broken |= {path} if new else set()
        problems += new
    orphans = []
    for path in paths:
        if path in owned:
            continue
        if MADE.search("\n".join(_lines(root / path)[:10])):
            orphans.append(path)
        else:
            fix = f"write it in a notebook (%%export {path}), name it in {HANDMADE}, or delete it"
            problems.append(Problem(f"No notebook owns {path}", fix))
    return {path: _text(cells) for path, cells in owned.items() if path not in broken}, orphans, problems


def _parts(root: Path) -> tuple[list[Part], list[Problem]]:
    """Every cell of the lessons that begins with %%export, and the notebooks that cannot be read."""
    parts: list[Part] = []
    problems = []
    for item in lessons(root):
        name = f"notebooks/{item.original.name}"
        try:
            cells = json.loads(item.original.read_text(encoding="utf-8"))["cells"]
            sources = ["".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells]
            "".join(sources).encode()  # JSON may hold half of a surrogate pair
        except (OSError, ValueError, KeyError, TypeError):
            problems.append(Problem(f"{name} cannot be read as a notebook", f"restore it: git checkout -- {name}"))
            continue
        found = [(number, parse(source)) for number, source in enumerate(sources, 1)]
        parts += [Part(name, number, *cell) for number, cell in found if cell]
    return parts, problems


def _misplaced(root: Path, path: str, owned: Iterable[str]) -> Problem | None:
    """Why a file cannot be written: a link leads out of apps/, or a folder and a file have the same path."""
    place, apps = root / path, root.resolve() / "apps"
    try:
        inside = place.resolve().is_relative_to(apps)
    except (OSError, RuntimeError):  # links in a circle, up to Python 3.12
        inside = False
    steps = [root / step for step in (PurePosixPath(path), *PurePosixPath(path).parents)]
    if not inside or any(step.is_symlink() and not step.exists() for step in steps):
        return Problem(f"a symbolic link leads {path} out of apps/", "replace the link by a real folder")
    if place.is_dir() or any(other.startswith(f"{path}/") for other in owned):
        return Problem(f"{path} is a folder", "give the file another name")
    for folder in list(PurePosixPath(path).parents)[:-1]:
        if (root / folder).exists() and not (root / folder).is_dir():
            return Problem(f"{folder} is a file, and {path} needs it as a folder", f"move {folder} away")
    return None


def _rivalry(part: Part, parts: list[Part]) -> Problem | None:
    """Another notebook owns the file, or another cell spells it in another case: one file on Windows and macOS."""
    first = next(other for other in parts if other.path.casefold() == part.path.casefold())
    if first.path != part.path:
        return Problem(
            f"{part.path} and {first.path} ({first.where}) differ only in case", "use the same spelling in both"
        )
    if first.notebook != part.notebook:
        return Problem(f"{part.path} belongs to {first.where} too", "keep it in one notebook, or rename one of the two")
    return None


def _text(cells: list[Part]) -> str:
    """The text of a file: its parts, with a header below the lines that must be first."""
    path = PurePosixPath(cells[0].path)
    if path.suffix == ".py":
        text = "\n\n\n".join(cell.text.strip("\n").rstrip() for cell in cells) + "\n"
    else:
        text = "".join(cell.text.rstrip() + "\n" for cell in cells).lstrip("\n")
    for (before, after), kinds in COMMENTS.items():
        if (path.suffix or path.name) in kinds.split() or (before == "# " and path.name.startswith(".env")):
            first = FIRST.match(text) or (FIRST_OF_MD.match(text) if path.suffix == ".md" else None)
            top = first.group() if first else ""
            header = f"{before}Made from {cells[0].notebook} by: python lab.py export{after}\n"
            return top + ("\n" if top and not top.endswith("\n") else "") + header + text[len(top) :]
    return text


def _files(root: Path) -> list[str]:
    """The files in apps/ that need a notebook: git does not ignore them, and no vendor or hand made them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "apps"]
    try:
        output = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
        listed = os.fsdecode(output).split("\0")
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository: the plain lines of .gitignore
        rules = [line.rstrip("/") for line in _lines(root / ".gitignore")]
        every = [path.relative_to(root) for path in (root / "apps").rglob("*")]
        ignored = {path for path in every for rule in rules if fnmatch.filter(path.parts, rule)}
        listed = [path.as_posix() for path in every if path not in ignored]
    handmade = {
        HANDMADE,
        *(f"apps/{line.strip('/').removeprefix('apps/')}" for line in _lines(root / HANDMADE) if line),
    }
    return sorted(
        path
        for path in set(listed)
        if handmade.isdisjoint({path, *map(str, PurePosixPath(path).parents)})
        and "vendor" not in PurePosixPath(path).parts[:-1]
        and ((root / path).is_file() or (root / path).is_symlink())
    )


def _found(path: Path) -> bytes | None:
    """The content of a file, or None; on Windows, git writes other line ends, which do not count."""
    try:
        return path.read_bytes().replace(os.linesep.encode(), b"\n")
    except OSError:
        return None


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in (_found(path) or b"").decode(errors="replace").split("\n")]


def _diff(path: str, found: bytes | None, text: str) -> str:
    """The changes that lead from the file to its notebook."""
    before, after = (io.StringIO(side, newline="\n") for side in ((found or b"").decode(errors="replace"), text))
    here = "/dev/null" if found is None else path
    lines = difflib.unified_diff(list(before), list(after), here, f"{path} (its notebook)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _tidy(folder: Path, apps: Path) -> None:
    """Remove folders that have become empty."""
    while folder != apps and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
