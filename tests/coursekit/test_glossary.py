"""The glossary: in order, each term with an address of its own, and really used where it says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FILE = ROOT / "notebooks" / "glossary.md"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
# Of a text: its code, its links and pictures, its headings.
NOT_PROSE = re.compile(r"(?s:```.*?```)|`[^`\n]*`|!?\[[^\]]*\]\([^)]*\)|^#+ .*|https?://\S+", re.MULTILINE)
LINK = "](../notebooks/glossary.md#{})"
ROW = re.compile(r'\| <a id="([a-z0-9-]+)"></a>([^|]+) \| ([^|]+) \| ([^|]+\.) \| (\d\d) \|')


@dataclass(frozen=True)
class Entry:
    anchor: str
    term: str
    swedish: str
    sentence: str
    notebook: str

    @property
    def word(self) -> str:
        """The term without what stands in brackets behind it."""
        return self.term.partition(" (")[0]


def entries(text: str) -> list[Entry]:
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    found = [ROW.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == []
    return [Entry(*match.groups()) for match in found if match]


GLOSSARY = entries(FILE.read_text(encoding="utf-8"))


def written() -> dict[str, str]:
    """The text and the code of each notebook, by number; what a run put out does not count."""
    found = {}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.name[:2]] = "\n".join("".join(cell["source"]) for cell in cells)
    return found


def prose(path: Path) -> str:
    """The text cells of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def find(text: str, word: str) -> re.Match[str] | None:
    """The first place of a word, or of its plural, in a text; one in capitals is looked for as it is."""
    flags = 0 if word.isupper() else re.IGNORECASE
    return re.search(rf"\b{re.escape(word)}(?:s|es)?\b", text, flags)


def is_linked(text: str, entry: Entry) -> bool:
    """Whether a link to the glossary comes before every other appearance of a term; code and headings do not count."""
    link = text.find(LINK.format(entry.anchor))
    plain = find(NOT_PROSE.sub(lambda found: " " * len(found[0]), text), entry.word)
    return plain is None or 0 <= link < plain.start()


def test_there_are_enough_in_order_each_with_an_address_of_its_own() -> None:
    terms = [entry.term.lower() for entry in GLOSSARY]
    assert len(terms) >= 45
    assert terms == sorted(terms)
    anchors = [entry.anchor for entry in GLOSSARY]
    assert len(set(anchors)) == len(anchors)
    assert anchors == [re.sub(r"[^a-z0-9]+", "-", entry.word.lower()).strip("-") for entry in GLOSSARY]


def test_each_is_one_plain_sentence() -> None:
    plain = re.compile(r"(?=.{1,130}$)[A-ZÅÄÖ](?!.*(?:\. |[!`*]))")
    assert [entry.sentence for entry in GLOSSARY if not (entry.swedish and plain.match(entry.sentence))] == []


def test_its_notebook_uses_it() -> None:
    texts = written()
    missing = [f"{each.word} ({each.notebook})" for each in GLOSSARY if not find(texts[each.notebook], each.word)]
    assert missing == []


def test_what_counts_as_a_use() -> None:
    assert find("Two Tokens.", "token")
    assert find("a p50, SLO", "SLO")
    assert not find("slow, slo", "SLO")
    assert not find("the tokenizer", "token")
    assert not find("signal", "WAL")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_notebook_links_its_first_appearance(path: Path) -> None:
    text = prose(path)
    assert [each.word for each in GLOSSARY if path.name.startswith(each.notebook) and not is_linked(text, each)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_link_has_its_entry(path: Path) -> None:
    linked = set(re.findall(re.escape(LINK).replace(r"\{\}", "([^)]*)"), prose(path)))
    assert linked <= {entry.anchor for entry in GLOSSARY}


def test_what_counts_as_linked() -> None:
    token = Entry("token", "token", "token", "A piece.", "01")
    link = "[Tokens](../notebooks/glossary.md#token)"
    assert is_linked(f"# Tokens\n`token`, {link}, then a token", token)
    assert is_linked("the tokenizer", token)
    assert not is_linked(f"a token, then {link}", token)
    assert not is_linked("[a token](https://example.org)\n\ntwo tokens", token)
