"""The glossary: in order, each term with an address of its own, and really used where it says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tests.conftest import ROOT

FILE = ROOT / "notebooks" / "glossary.md"
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
    for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.name[:2]] = "\n".join("".join(cell["source"]) for cell in cells)
    return found


def uses(text: str, word: str) -> bool:
    """Whether a word, or its plural, stands in a text; one in capitals is looked for as it is."""
    flags = 0 if word.isupper() else re.IGNORECASE
    return re.search(rf"\b{re.escape(word)}(?:s|es)?\b", text, flags) is not None


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
    missing = [f"{each.word} ({each.notebook})" for each in GLOSSARY if not uses(texts[each.notebook], each.word)]
    assert missing == []


def test_what_counts_as_a_use() -> None:
    assert uses("Two Tokens.", "token")
    assert uses("a p50, SLO", "SLO")
    assert not uses("slow, slo", "SLO")
    assert not uses("the tokenizer", "token")
    assert not uses("signal", "WAL")
