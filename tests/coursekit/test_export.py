"""Notebooks own the files of the apps, and nothing else may be there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import v4

from coursekit import export
from coursekit.copies import ROOT
from coursekit.errors import WorkbookError

HEADER = "Made from notebooks/04_app.ipynb by: python lab.py export"
LINKS = pytest.mark.skipif(sys.platform == "win32", reason="Windows gives few people the right to make links")
BLANKS = ("", "\n", "\n \n\t\n")
HALF = r'{"cells": [{"cell_type": "code", "source": "%%export apps/a.py\n\ud800"}]}'


def notebook(root: Path, *sources: str, name: str = "04_app.ipynb") -> None:
    """A lesson: a text, and these code cells from cell 2 on."""
    (root / "notebooks").mkdir(exist_ok=True)
    cells = [v4.new_markdown_cell("%%export apps/chat/text.txt\nA text."), *map(v4.new_code_cell, sources)]
    (root / "notebooks" / name).write_text(json.dumps(v4.new_notebook(cells=cells)), encoding="utf-8")


def file(root: Path, path: str, text: str = "by hand\n") -> Path:
    """A file that is there already."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.encode())
    return place


def tree(root: Path) -> dict[str, bytes]:
    """Every file under apps/."""
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "apps").rglob("*") if path.is_file()}


def test_the_repository_is_clean() -> None:
    """Every file of the apps is what its notebook says, and has one."""
    problems = export.check(ROOT)
    assert not problems, "".join(problem.diff for problem in problems) + str(export.failure(problems))


def first(path: str, top: str, rest: str, header: str) -> tuple[str, list[str], str]:
    """A file whose first lines have to stay first: the header comes after them."""
    return path, [top + rest], f"{top}{header}\n{rest}"


HASH, SLASHES, HTML, CSS, MD = (
    f"# {HEADER}",
    f"// {HEADER}",
    f"<!-- {HEADER} -->",
    f"/* {HEADER} */",
    f"[//]: # ({HEADER})",
)


@pytest.mark.parametrize(
    ("path", "parts", "text"),
    [
        # Python: two blank lines between the parts, whatever blank lines the cells begin and end with
        (
            "x.py",
            ['"""Guard."""\n\nimport re\n\n', "\n\ndef f():\n    'ä'  "],
            f'{HASH}\n"""Guard."""\n\nimport re\n\n\ndef f():\n    \'ä\'\n',
        ),
        # the others: a blank line between parts is the author's to write
        ("x.css", ["\n.a {}\n\n", ".b {}", "\n.c {}\n"], f"{CSS}\n.a {{}}\n.b {{}}\n\n.c {{}}\n"),
        *((f"x{end}", ["x"], f"{HASH}\nx\n") for end in (".toml", ".sh", ".yml", ".yaml", ".txt", ".cfg", ".ini")),
        *((name, ["x"], f"{HASH}\nx\n") for name in ("Dockerfile", ".env", ".env.example", ".gitignore")),
        *((f"x{end}", ["x"], f"{SLASHES}\nx\n") for end in (".js", ".jsx", ".ts", ".tsx", ".mjs")),
        *((f"x{end}", ["x"], f"{HTML}\nx\n") for end in (".html", ".svg")),
        ("x.md", ["x"], f"{MD}\nx\n"),
        ("x.sql", ["x"], f"-- {HEADER}\nx\n"),
        # a kind that has no comments, or that is not known, has no header
        *((name, ["x"], "x\n") for name in ("x.json", "x.csv", "x.jsonl", "LICENSE")),
        first("x.py", "#!/usr/bin/env python3\n", "print()\n", HASH),
        first("x.sh", "#!/bin/sh\n", "ls\n", HASH),
        first("x.html", "<!doctype html>\n", "<title>x</title>\n", HTML),
        first("x.html", "<!DOCTYPE html>\n", "<title>x</title>\n", HTML),
        first("x.svg", '<?xml version="1.0"?>\n', "<!DOCTYPE svg>\n<svg></svg>\n", HTML),
        first("x.css", '@charset "utf-8";\n', "a {}\n", CSS),
        first("x.md", "---\ntitle: x\n---\n", "x\n", MD),
        ("x.html", ["<!doctype html><p>x"], f"<!doctype html>\n{HTML}\n<p>x\n"),
        ("x.txt", ["a\r\nb\r\n"], f"{HASH}\na\nb\n"),
    ],
)
def test_cells_become_a_file(tmp_path: Path, path: str, parts: list[str], text: str) -> None:
    """With a header in the comments of its kind, and the line ends of Unix."""
    end = "\r\n" if "\r" in parts[0] else "\n"
    notebook(tmp_path, *(f"%%export apps/chat/{path}{end}{part}" for part in parts))
    assert export.write(tmp_path) == {f"apps/chat/{path}": "written"}
    assert (tmp_path / "apps/chat" / path).read_bytes() == text.encode()
    assert export.check(tmp_path) == []


def test_other_cells_are_not_exported(tmp_path: Path) -> None:
    notebook(
        tmp_path,
        "print('not in it')",
        "\n\n%%export apps/a.py\nx = 1",
        "# %%export apps/a.py\nx = 2",
        "x = 2\n%%export apps/a.py",
        "%%exporter apps/a.py\nx = 2",
    )
    export.write(tmp_path)
    assert list(tree(tmp_path).values()) == [f"{HASH}\nx = 1\n".encode()]


def test_line_ends_of_windows_differ_only_elsewhere(tmp_path: Path) -> None:
    """On Windows git writes files with them."""
    notebook(tmp_path, "%%export apps/a.txt\na")
    file(tmp_path, "apps/a.txt", f"{HASH}\r\na\r\n")
    assert bool(export.check(tmp_path)) == (os.linesep == "\n")


def written(root: Path) -> dict[str, tuple[int, int]]:
    """Each exported file's inode and time of writing."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (root / "apps").iterdir()}


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    """A second run touches nothing; a changed file is replaced whole, so that a full disk leaves the old one."""
    notebook(tmp_path, "%%export apps/a.py\nx = 1", "%%export apps/b.py\nx = 1")
    export.write(tmp_path)
    before = written(tmp_path)
    assert export.write(tmp_path) == {"apps/a.py": "unchanged", "apps/b.py": "unchanged"}
    assert written(tmp_path) == before
    file(tmp_path, "apps/b.py", "x = 2\n")
    assert export.write(tmp_path) == {"apps/a.py": "unchanged", "apps/b.py": "written"}
    after = written(tmp_path)
    assert after.keys() == {"a.py", "b.py"}
    assert after["a.py"] == before["a.py"]
    assert after["b.py"][0] != before["b.py"][0]  # another inode: the old file was there to the end
    assert (tmp_path / "apps/b.py").read_text(encoding="utf-8") == f"# {HEADER}\nx = 1\n"


def test_drift_is_shown(tmp_path: Path) -> None:
    """From the file to the notebook, with the command that corrects it; nothing is written."""
    notebook(tmp_path, "%%export apps/a.py\nx = 1\ny = 2", "%%export apps/b.py\nz = 3")
    file(tmp_path, "apps/a.py", f"# {HEADER}\nx = 1\ny = 0")
    before = tree(tmp_path)
    drift, missing = export.check(tmp_path)
    assert tree(tmp_path) == before
    assert (drift.message, drift.fix) == ("apps/a.py differs from its notebook", "python lab.py export")
    assert drift.diff.splitlines()[0] == "--- apps/a.py"
    assert drift.diff.splitlines()[-4:] == [" x = 1", "-y = 0", "\\ No newline at end of file", "+y = 2"]
    assert (missing.message, missing.fix) == ("apps/b.py is missing", "python lab.py export")
    assert missing.diff.splitlines()[0] == "--- /dev/null"
    assert "+z = 3" in missing.diff.splitlines()
    export.write(tmp_path)
    assert export.check(tmp_path) == []


def test_orphan_is_removed(tmp_path: Path) -> None:
    """It has our header, so nothing is lost; neither is its empty folder left, nor another file touched."""
    notebook(tmp_path, "%%export apps/chat/a.py\nx = 1", "%%export apps/old/static/b.html\n<!doctype html>\n<p>")
    export.write(tmp_path)
    notebook(tmp_path, "%%export apps/chat/a.py\nx = 1")
    before = tree(tmp_path)
    [problem] = export.check(tmp_path)
    assert tree(tmp_path) == before
    assert "apps/old/static/b.html" in problem.message
    assert "python lab.py export" in problem.fix
    assert export.write(tmp_path) == {"apps/chat/a.py": "unchanged", "apps/old/static/b.html": "removed"}
    assert not (tmp_path / "apps/old").exists()
    assert export.check(tmp_path) == []


@pytest.mark.parametrize("path", ["apps/chat/new.py", "apps/chat/data.json", "apps/chat/vendor"])
def test_file_of_nobody_is_never_removed(tmp_path: Path, path: str) -> None:
    """Without our header it may be all somebody has; nothing else is written before that is settled."""
    notebook(tmp_path, "%%export apps/chat/a.py\nx = 1")
    file(tmp_path, path)
    [problem] = [problem for problem in export.check(tmp_path) if not problem.by_export]
    assert problem.message == f"No notebook owns {path}"
    assert f"%%export {path}" in problem.fix
    assert "apps/.handmade" in problem.fix
    with pytest.raises(WorkbookError, match="No notebook owns"):
        export.write(tmp_path)
    assert list(tree(tmp_path)) == [str(Path(path))]


@pytest.mark.parametrize(
    "path",
    ["apps/chat/vendor/lib.js", "apps/vendor/lib.js", "apps/logo.svg", "apps/chat/data.json", "apps/web/js/a.js"],
)
def test_files_that_need_no_notebook(tmp_path: Path, path: str) -> None:
    """From a vendor, or listed as made by hand (it or its folder), from the course's folder or from apps/."""
    notebook(tmp_path, "%%export apps/chat/a.py\nx = 1")
    file(tmp_path, "apps/.handmade", "apps/logo.svg\n\nchat/data.json\nweb/\n")
    file(tmp_path, path, f"// {HEADER}\n")
    assert export.write(tmp_path) == {"apps/chat/a.py": "written"}
    assert export.check(tmp_path) == []
    assert (tmp_path / path).exists()


@pytest.mark.parametrize(
    "git", [False, True] if shutil.which("git") else [False], ids=lambda git: "git" * git or "none"
)
def test_what_git_ignores_is_passed_over(tmp_path: Path, git: bool) -> None:
    """Without git, or without its history, the plain lines of .gitignore say the same."""
    if git:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        file(tmp_path, "apps/chat/.gitignore", "*.sqlite\n!kept.sqlite\n")
        file(tmp_path, "apps/chat/threads.sqlite")
        file(tmp_path, "apps/chat/kept.sqlite")
    file(tmp_path, ".gitignore", "# what programs leave\n__pycache__/\n*.egg-info/\n\n/new.py\n")
    for path in ("__pycache__/guard.cpython-311.pyc", "chat.egg-info/PKG-INFO", "new.py"):
        file(tmp_path, f"apps/chat/{path}")
    unowned = [problem.message.split()[-1] for problem in export.check(tmp_path)]
    others = ["apps/chat/.gitignore", "apps/chat/kept.sqlite"] if git else []
    assert unowned == [*others, "apps/chat/new.py"]


@pytest.mark.parametrize(
    ("first", "said", "fix"),
    [
        ("%%export", "names no file", "%%export apps/"),
        ("%%export  ", "names no file", "%%export apps/"),
        ("%%export guard.py", "guard.py is outside apps/", "%%export apps/"),
        ("%%export .", ". is outside apps/", "%%export apps/"),
        ("%%export labkit/errors.py", "labkit/errors.py is outside apps/", "%%export apps/"),
        ("%%export apps/../labkit/errors.py", "is outside apps/", "%%export apps/"),
        ("%%export /apps/guard.py", "/apps/guard.py is outside apps/", "%%export apps/"),
        ("%%export C:/apps/guard.py", "is outside apps/", "%%export apps/"),
        (r"%%export apps\chat\guard.py", "is outside apps/", "%%export apps/"),
        ("%%export Apps/chat/guard.py", "does not begin with apps/ in lower case", "apps/chat/guard.py"),
        ("%%export apps", "apps is a folder", "the path of a file"),
        ("%%export apps/chat/", "apps/chat/ is a folder", "the path of a file"),
        (r"%%export apps/chat\guard.py", "is not a valid name on every system", "no space"),
        ("%%export apps/my guard.py", "is not a valid name on every system", "no space"),
        ("%%export apps/guard.py.", "is not a valid name on every system", "no dot at the end"),
        ("%%export apps/there", "apps/there is a folder", "another name"),
        ("%%export apps/file/guard.py", "apps/file is a file", "move apps/file away"),
        ("%%export apps/chat.d", "apps/chat.d is a folder", "another name"),
        ("%%export apps/Good.py", "apps/Good.py and apps/good.py", "use the same spelling in both"),
        *(
            (f"%%export apps/good.py{blank}", "the part of apps/good.py is empty", "or delete the cell")
            for blank in BLANKS
        ),
    ],
)
def test_wrong_cell(tmp_path: Path, first: str, said: str, fix: str) -> None:
    """The notebook and the cell are named; the good cells beside it are not written either."""
    file(tmp_path, "apps/there/vendor/x")
    file(tmp_path, "apps/.handmade", "file\n")
    file(tmp_path, "apps/file")
    file(tmp_path, "apps/good.py")
    text = "" if "good.py" in first else "\nx = 1"
    notebook(tmp_path, "%%export apps/good.py\nx = 1", first + text, "%%export apps/chat.d/a.py\nx = 1")
    before = tree(tmp_path)
    [problem] = [problem for problem in export.check(tmp_path) if not problem.by_export]
    assert problem.message.startswith("notebooks/04_app.ipynb, cell 3: ")
    assert said in problem.message
    assert fix in problem.fix
    with pytest.raises(WorkbookError, match="cell 3") as caught:
        export.write(tmp_path)
    assert caught.value.fix == problem.fix
    assert tree(tmp_path) == before


@LINKS
@pytest.mark.parametrize("circle", [False, True], ids=["out", "circle"])
@pytest.mark.parametrize("path", ["apps", "apps/chat", "apps/chat/a.py"])
def test_symbolic_link_that_leads_out(tmp_path: Path, path: str, circle: bool) -> None:
    """The file at its end is not the app's, and stays as it is."""
    place = tmp_path / path
    secret = file(tmp_path, "outside/a.py" if path.endswith(".py") else "outside/chat/a.py")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(place if circle else secret if path.endswith(".py") else secret.parent)
    notebook(tmp_path, "%%export apps/chat/a.py\nx = 1")
    messages = [problem.message for problem in export.check(tmp_path)]
    assert any("a symbolic link leads apps/chat/a.py out" in message for message in messages)
    with pytest.raises(WorkbookError, match="cell 2: a symbolic link"):
        export.write(tmp_path)
    assert secret.read_text(encoding="utf-8") == "by hand\n"
    assert place.is_symlink()


@LINKS
def test_symbolic_link_without_a_notebook(tmp_path: Path) -> None:
    """It is a file that no notebook owns, also when it leads nowhere or to a folder."""
    (tmp_path / "apps").mkdir()
    for name, target in (("folder", ".."), ("nowhere", "x")):
        (tmp_path / "apps" / name).symlink_to(target)
    messages = [problem.message for problem in export.check(tmp_path)]
    assert messages == ["No notebook owns apps/folder", "No notebook owns apps/nowhere"]


def test_two_notebooks_own_one_file(tmp_path: Path) -> None:
    """The later one is told about the other, and nothing is compared."""
    notebook(tmp_path, "%%export apps/a.py\nx = 1")
    notebook(tmp_path, "x = 1", "%%export apps/./a.py\nx = 2", name="05_app.ipynb")
    [problem] = export.check(tmp_path)
    assert "notebooks/04_app.ipynb, cell 2" in problem.message
    assert "notebooks/05_app.ipynb, cell 3" in problem.message
    assert "keep it in one notebook" in problem.fix
    with pytest.raises(WorkbookError, match="belongs to"):
        export.write(tmp_path)
    assert not (tmp_path / "apps").exists()


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"cells": [{}]}', "\udcff", HALF], ids=["cut off", "list", "no cell", "bytes", "half"]
)
def test_broken_notebook(tmp_path: Path, broken: str) -> None:
    """What it owned is not taken for an orphan."""
    notebook(tmp_path, "%%export apps/a.py\nx = 1")
    export.write(tmp_path)
    before = tree(tmp_path)
    (tmp_path / "notebooks/04_app.ipynb").write_text(broken, encoding="utf-8", errors="surrogateescape")
    [problem] = export.check(tmp_path)
    assert "notebooks/04_app.ipynb cannot be read" in problem.message
    assert problem.fix == "restore it: git checkout -- notebooks/04_app.ipynb"
    with pytest.raises(WorkbookError):
        export.write(tmp_path)
    assert tree(tmp_path) == before


def test_every_problem_is_listed(tmp_path: Path) -> None:
    """Not only the first, and each with its fix."""
    notebook(tmp_path, "%%export x.py\nx = 1", "%%export apps/b.py", "%%export apps/c.py\nx = 1")
    file(tmp_path, "apps/new.py")
    problems = export.check(tmp_path)
    assert [problem.by_export for problem in problems] == [False, False, False, True]
    with pytest.raises(WorkbookError) as caught:
        export.write(tmp_path)
    for problem in problems[:3]:
        assert f"{problem.message}. Fix: {problem.fix}" in str(caught.value)
    assert str(export.failure(problems)).startswith("There are 4 problems:\n")
    assert str(export.failure(problems[:1])) == f"{problems[0].message}. Fix: {problems[0].fix}"


def test_only_lessons_own_files(tmp_path: Path) -> None:
    """Not the notes beside them, the solutions or a student's copy."""
    for folder, name in (
        ("notebooks", "notes.ipynb"),
        ("notebooks/solutions", "04_app.ipynb"),
        ("work", "04_app.ipynb"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True, parents=True)
        text = json.dumps(v4.new_notebook(cells=[v4.new_code_cell("%%export apps/a.py\nx = 1")]))
        (tmp_path / folder / name).write_text(text, encoding="utf-8")
    notebook(tmp_path, "x = 1")
    assert (export.check(tmp_path), export.write(tmp_path)) == ([], {})
    assert not (tmp_path / "apps").exists()


def test_ruff_sees_what_is_exported(tmp_path: Path) -> None:
    """In the notebook it skips these cells, so a fault in one has to show in the file."""
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    notebook(tmp_path, "%%export apps/chat/a.py\nimport   os")
    export.write(tmp_path)
    for command, place, status in [
        (["check"], "notebooks", 0),
        (["format", "--check"], "notebooks", 0),
        (["check"], "apps", 1),
        (["format", "--check"], "apps", 1),
    ]:
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", place]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (command, place, done.returncode) == (command, place, status), done.stdout + done.stderr


def test_exporter_needs_no_ipython() -> None:
    """It runs wherever Python does."""
    code = "import sys; sys.modules['IPython'] = None; from coursekit import export; export.check()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
