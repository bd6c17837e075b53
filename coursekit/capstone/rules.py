"""Rules about text, without an app: is this an error message, an outside host, a secret?"""

from __future__ import annotations

import ipaddress
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# A sentence that sends the reader somewhere has one of these, in English or Swedish.
ADVICE = re.compile(
    r"\b(try|retry|again|check|start|restart|reload|run|wait|choose|mend|shorten|"
    r"försök|igen|kontrollera|starta|kör|vänta|välj|ladda|korta)\b",
    re.IGNORECASE,
)
SHORTEST = 15
# Keys as providers write them, and a long value with a digit in it behind a name that says what it is.
KEYS = re.compile(
    r"\b(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|hf_\w{20,}|AIza[\w-]{30,})"
    r"|(?i:api[_-]?key|secret|token|password)[\"']?\s*[:=]\s*[\"'](?=[^\"']*\d)[\w+/=.-]{16,}[\"']"
)
# What nobody wrote by hand, and `.env`, where a key of one's own belongs.
PASSED_OVER = {".git", ".venv", "venv", "node_modules", "__pycache__", ".files", "translations", ".env"}
LARGEST = 1_000_000
_LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "embed": "src", "link": "href"}


def complaint(texts: Sequence[str], partial: str, buttons: int) -> str | None:
    """What is missing in what a page says after something went wrong; `partial` is the part of the answer in it."""
    said = " ".join(texts).replace(partial, " ").strip() if partial else " ".join(texts).strip()
    if len(said) < SHORTEST:
        return "the page says nothing about it"
    if not ADVICE.search(said) and not buttons:
        return f"the page says what happened and not what to do: {short(said)}"
    return None


def outside(html: str, host: str) -> list[str]:
    """The addresses on other hosts that a page would load from."""
    parser = _Loads()
    parser.feed(html)
    return [address for address in parser.addresses if urlsplit(address).netloc not in ("", host)]


class _Loads(HTMLParser):
    """Collects what the tags of a page load; a link that a reader may follow loads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a tag that loads."""
        address = dict(attrs).get(_LOADS.get(tag, ""))
        if address:
            self.addresses.append(address.strip())


def open_hosts(hosts: Iterable[str]) -> list[str]:
    """The bind addresses that more than this machine can reach."""
    return sorted({host for host in hosts if not ipaddress.ip_address(host.partition("%")[0]).is_loopback})


def sources(folder: Path) -> Iterator[Path]:
    """The files that a student wrote."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and PASSED_OVER.isdisjoint(path.relative_to(folder).parts):
            yield path


def literal_keys(folder: Path) -> list[str]:
    """Where a source contains a key, as `app.py, line 3`; the key itself is not repeated."""
    found = []
    for path in sources(folder):
        if path.stat().st_size <= LARGEST:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            name = path.relative_to(folder).as_posix()
            found += [f"{name}, line {number}" for number, line in enumerate(lines, 1) if KEYS.search(line)]
    return found


def is_database(path: Path) -> bool:
    """Whether a file is SQLite's, or one of the two that are beside it while it is open."""
    if path.name.endswith(("-wal", "-shm", "-journal")):
        return True
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def holding(folder: Path, needles: Iterable[str], *, databases: bool = True) -> list[str]:
    """The files below a folder that hold one of these texts; `databases` says whether those count."""
    wanted = [needle.encode() for needle in needles]
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (databases or not is_database(path)):
            content = path.read_bytes()
            if any(needle in content for needle in wanted):
                found.append(path.relative_to(folder).as_posix())
    return found


def short(text: str, most: int = 120) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."
