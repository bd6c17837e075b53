"""An executed notebook as one page that can be read offline, with nothing in it that could run or load.

Models and students wrote much of it. nbconvert makes the HTML, then all of that HTML goes through bleach, which keeps
what is on its list and drops the rest; the page's policy forbids scripts and outside hosts a second time.
"""

from __future__ import annotations

import html
import json
import re
from itertools import count
from typing import TYPE_CHECKING, Any

import nbformat
from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner
from nbconvert import HTMLExporter

from coursekit.report import frame
from coursekit.report.job import MB, Result, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 60_000  # characters of one text output; more is cut, and it is said
PICTURE = 8 * MB
MOST_OUTPUTS = 500
WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWN = {"text/html", "text/markdown", "text/latex", "text/plain", "image/png", "image/jpeg", "image/svg+xml", WIDGET}
LIVE = "An interactive part: it works in the live notebook only."
FRAME = re.compile(r"(?is)<iframe\b.*?(</iframe\s*>|\Z)")

TAGS = (
    "a abbr article b blockquote br caption code col colgroup dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img "
    "ins kbd li ol p pre q s samp section small span strong sub summary sup table tbody td tfoot th thead tr u ul var"
)
EVERYWHERE = {"class", "id", "title", "lang", "dir", "style", "role"}
FURTHER = {"a": {"href"}, "img": {"alt", "width", "height", "src"}, "ol": {"start"}}
FURTHER |= {tag: {"colspan", "rowspan", "scope", "align"} for tag in ("td", "th")}
PICTURES = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*\Z")
STYLES = [
    "color background background-color border border-left border-right border-top border-bottom border-radius",
    "border-collapse border-color border-style border-width font font-family font-size font-style font-weight",
    "line-height margin margin-left margin-right margin-top margin-bottom max-width min-width padding padding-left",
    "padding-right padding-top padding-bottom text-align text-decoration vertical-align white-space width height",
    "overflow-wrap",
]
CUT = "papermill-error-cell-tag"


def render(path: Path, result: Result, *, code: bool, back: str) -> str:
    """The page of an executed notebook. Raises ValueError where the file is no notebook."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is no notebook ({type(error).__name__})") from error
    notebook.cells = [_plain(cell) for cell in notebook.cells if _wanted(cell, code)]
    notebook.metadata.pop("widgets", None)
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=False,  # a path in a student's text must not fetch a file of this machine
    )
    body, _ = exporter.from_notebook_node(notebook)
    return frame.page(_title(result), f"{_head(result)}<article>{clean(body)}</article>", back=back)


def clean(body: str) -> str:
    """HTML that only says something: no script, no frame, no form, no address from which something would be loaded."""
    cleaner = Cleaner(
        tags=TAGS.split(),
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=" ".join(STYLES).split()),
    )
    # What stands in a script or a style is no text: bleach would leave it as such.
    body = re.sub(r"(?is)<(script|style|iframe|svg|template)\b.*?(</\1\s*>|\Z)", "", body)
    cleaned = str(cleaner.clean(body))
    cleaned = re.sub(r"<(/?)h([1-5])\b", lambda found: f"<{found[1]}h{int(found[2]) + 1}", cleaned)
    cleaned = re.sub(r"(?s)<a>(.*?)</a>", r"\1", cleaned)  # its address led out of the report
    numbers = count(1)
    opening = '<div class="scroll" role="region" tabindex="0" aria-label="Table {}"><table'
    cleaned = re.sub(r"<table\b", lambda _: opening.format(next(numbers)), cleaned)
    return cleaned.replace("</table>", "</table></div>")


def _allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute stays: a picture is inside the page, and a link does not carry a page of its own."""
    if tag == "img" and name == "src":
        return PICTURES.match(value) is not None
    if tag == "a" and name == "href":
        return value.startswith(("#", "http://", "https://", "mailto:"))
    if name == "style" and re.search(r"url|image|[\\@]", value, re.IGNORECASE):  # what could name an address
        return False
    return name in EVERYWHERE or name in FURTHER.get(tag, ())


def _wanted(cell: Any, code: bool) -> bool:
    tags = cell.metadata.get("tags", [])
    return CUT not in tags and cell.cell_type != "raw" and (code or "injected-parameters" not in tags)


def _plain(cell: Any) -> Any:
    """A cell whose outputs can be read without the notebook's own front end, and are not too long."""
    cell.source = _short(cell.source)
    if cell.cell_type == "code":
        kept = [plain for output in cell.outputs[:MOST_OUTPUTS] for plain in _output(output)]
        if len(cell.outputs) > MOST_OUTPUTS:
            kept.append(_said(f"{len(cell.outputs) - MOST_OUTPUTS} further outputs are only in the notebook."))
        cell.outputs = kept
    return cell


def _output(output: Any) -> Iterator[Any]:
    """What of an output a page can show; words stand for the rest."""
    if output.output_type == "stream":
        output.text = _short(output.text)
    elif output.output_type == "error":
        output.traceback = [_short(line) for line in output.traceback[:200]]
    else:
        output.data = {kind: _fit(kind, value) for kind, value in output.data.items() if kind in SHOWN}
        if WIDGET in output.data or not output.data:
            yield _said(LIVE)
            return
    yield output


def _fit(kind: str, value: Any) -> Any:
    """A representation that is not too long; HTML is left out rather than cut in the middle."""
    text = value if isinstance(value, str) else json.dumps(value)
    if kind.startswith("image/"):
        return text if len(text) < PICTURE else ""
    if kind == "text/html" and len(text) > 5 * LONGEST:
        return '<p class="aside">A long output: it is in the notebook.</p>'
    return _short(text) if kind != "text/html" else FRAME.sub(f'<p class="aside">{LIVE}</p>', text)


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n[cut off here: {len(text) - LONGEST:,} more characters are in the notebook]"


def _said(words: str) -> Any:
    return nbformat.v4.new_output("display_data", data={"text/html": f'<p class="aside">{html.escape(words)}</p>'})


def _title(result: Result) -> str:
    return f"{result.student}: {result.notebook}" if result.student else result.notebook


def _head(result: Result) -> str:
    """What the run was, above the notebook."""
    latency = result.latency
    pairs = [
        ("Status", str(result.status)),
        ("Cells", f"{result.cells_run} of {result.cells}"),
        ("Time", f"{result.seconds:.1f} s"),
        ("Model", result.model),
        ("Source", result.source),
    ]
    if result.checks:
        pairs.append(("Exercises passed", f"{result.checks_passed} of {len(result.checks)}"))
    if latency.ttft_p50 is not None and latency.ttft_p95 is not None:
        pairs.append(("First token p50, p95", f"{latency.ttft_p50:.2f} s, {latency.ttft_p95:.2f} s"))
    notes = []
    if result.status is not Status.PASSED:
        notes.append(f"{str(result.status).capitalize()}. {result.detail}")
    if result.first_try:
        notes.append(f"This is the second try. The first one: {result.first_try}")
    return frame.facts(pairs) + "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
