"""Students work on copies in `work/`; nothing changes the files in `notebooks/`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coursekit.errors import WorkbookError
from labkit.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
ORIGINS = ".origins.json"


@dataclass(frozen=True)
class Lesson:
    """One notebook of the course and the copy that a student works on."""

    original: Path
    copy: Path

    @property
    def number(self) -> str:
        """The two digits that its name starts with."""
        return self.original.name[:2]


def lessons(root: Path = ROOT) -> list[Lesson]:
    """The notebooks in reading order."""
    return [Lesson(path, root / "work" / path.name) for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]


def lesson(number: str, root: Path = ROOT) -> Lesson:
    """The lesson with this number ("1" and "01" are the same). Raises WorkbookError."""
    found = [item for item in lessons(root) if item.number == number.zfill(2)]
    if not found:
        known = ", ".join(item.number for item in lessons(root))
        raise WorkbookError(f"There is no notebook {number}", fix=f"choose one of {known}")
    return found[0]


def refresh(root: Path = ROOT) -> list[str]:
    """Make the copies that are missing; returns a line for each lesson that is newer than its copy.

    A copy that the student has not changed is replaced without a line. A changed one stays as it is.
    """
    origins = _read_origins(root)
    offers = []
    for item in lessons(root):
        newest, known = _digest(item.original), origins.get(item.copy.name, {})
        if item.copy.exists() and known.get("original") == newest:
            continue
        if item.copy.exists() and known.get("copy") != _digest(item.copy):
            offers.append(
                f"lesson {item.number} has been updated; your copy is as you left it. "
                f"python lab.py reset {item.number} gives you the new one and keeps yours"
            )
            continue
        _make(item, root)
    return offers


def reset(number: str, root: Path = ROOT) -> tuple[Path, Path | None]:
    """Make a fresh copy of one notebook; returns it and the path of the old one. Raises WorkbookError."""
    item = lesson(number, root)
    kept = None
    if item.copy.exists():
        stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
        # The date comes early because the side bar of JupyterLab cuts long names off.
        ends = ("", *(f"-{number}" for number in range(2, 1000)))
        names = (f"{item.number}_old_{stamp}{end}{item.copy.name.removeprefix(item.number)}" for end in ends)
        kept = next(path for path in map(item.copy.with_name, names) if not path.exists())
        item.copy.rename(kept)
    _make(item, root)
    return item.copy, kept


def _make(item: Lesson, root: Path) -> None:
    """Write a copy without outputs: a student predicts first, and sees the answer after running the cell."""
    # Plain JSON: nbformat takes over a second to import, at each start of the workbook.
    notebook = json.loads(item.original.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    write_atomically(item.copy, json.dumps(notebook, ensure_ascii=False, indent=1) + "\n")
    origins = _read_origins(root)
    origins[item.copy.name] = {"original": _digest(item.original), "copy": _digest(item.copy)}
    write_atomically(item.copy.parent / ORIGINS, json.dumps(origins, indent=1))


def _read_origins(root: Path) -> dict[str, dict[str, str]]:
    try:
        origins: dict[str, dict[str, str]] = json.loads((root / "work" / ORIGINS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return origins


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
