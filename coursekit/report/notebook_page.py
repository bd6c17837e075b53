"""The page of an executed notebook: it can be read offline, and nothing in it runs or loads.

Models and students wrote much of it. nbconvert makes the HTML, then bleach keeps the listed tags and attributes and
removes the rest. The page's policy forbids scripts and other hosts a second time.
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
from markupsafe import Markup
from nbconvert import HTMLExporter

from coursekit.report.job import MB, Result
from coursekit.report.pages import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_TEXT = 60_000  # characters of one output
LONGEST_PICTURE = 8 * MB
MOST_OUTPUTS = 500
WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWN = {"text/html", "text/markdown", "text/latex", "text/plain", "image/png", "image/jpeg", "image/svg+xml", WIDGET}
INTERACTIVE = "An interactive part: it works in the live notebook only."
IFRAME = re.compile(r"(?is)<iframe\b.*?(</iframe\s*>|\Z)")
ERROR_NOTE = "papermill-error-cell-tag"

TAGS = (
    "a abbr article b blockquote br caption code col colgroup dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img "
    "ins kbd li ol p pre q s samp section small span strong sub summary sup table tbody td tfoot th thead tr u ul var"
)
ATTRIBUTES_OF_ALL = {"class", "id", "title", "lang", "dir", "style", "role"}
ATTRIBUTES = {"a": {"href"}, "img": {"alt", "width", "height", "src"}, "ol": {"start"}}
ATTRIBUTES |= {tag: {"colspan", "rowspan", "scope", "align"} for tag in ("td", "th")}
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*\Z")
STYLES = (
    "color background background-color border border-left border-right border-top border-bottom border-radius "
    "border-collapse border-color border-style border-width font font-family font-size font-style font-weight "
    "line-height margin margin-left margin-right margin-top margin-bottom max-width min-width padding padding-left "
    "padding-right padding-top padding-bottom text-align text-decoration vertical-align white-space width height "
    "overflow-wrap"
)


def notebook_page(path: Path, result: Result, *, code: bool, back: str) -> str:
    """The page of a notebook, with its code where `code` is set. Raises ValueError where the file is not a notebook."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is not a notebook ({type(error).__name__})") from error
    notebook.cells = [_readable(cell) for cell in notebook.cells if _belongs(cell, code)]
    notebook.metadata.pop("widgets", None)
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=False,  # a path in a student's text must not read a file of this machine
    )
    body, _ = exporter.from_notebook_node(notebook)
    return TEMPLATES.get_template("notebook.html").render(
        title=f"{result.student}: {result.notebook}" if result.student else result.notebook,
        back=back,
        machine="",
        result=result,
        body=Markup(clean(body)),
    )


def clean(body: str) -> str:
    """HTML without scripts, frames, forms, and addresses from which something would be loaded."""
    cleaner = Cleaner(
        tags=TAGS.split(),
        attributes=_is_allowed,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES.split()),
    )
    # bleach would keep the content of these as text.
    body = re.sub(r"(?is)<(script|style|iframe|svg|template)\b.*?(</\1\s*>|\Z)", "", body)
    cleaned = str(cleaner.clean(body))
    cleaned = re.sub(r"<(/?)h([1-5])\b", lambda found: f"<{found[1]}h{int(found[2]) + 1}", cleaned)
    cleaned = re.sub(r"(?s)<a>(.*?)</a>", r"\1", cleaned)  # a link out of the report: only its words are kept
    numbers = count(1)
    opening = '<div class="scroll" role="region" tabindex="0" aria-label="Table {}"><table'
    cleaned = re.sub(r"<table\b", lambda _: opening.format(next(numbers)), cleaned)
    return cleaned.replace("</table>", "</table></div>")


def _is_allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute is kept: a picture must be inside the page, and a link must not contain a page itself."""
    if tag == "img" and name == "src":
        return PICTURE.match(value) is not None
    if tag == "a" and name == "href":
        return value.startswith(("#", "http://", "https://", "mailto:"))
    if name == "style" and re.search(r"url|image|[\\@]", value, re.IGNORECASE):  # it could contain an address
        return False
    return name in ATTRIBUTES_OF_ALL or name in ATTRIBUTES.get(tag, ())


def _belongs(cell: Any, code: bool) -> bool:
    tags = cell.metadata.get("tags", [])
    return ERROR_NOTE not in tags and cell.cell_type != "raw" and (code or "injected-parameters" not in tags)


def _readable(cell: Any) -> Any:
    """The cell with outputs that can be read without the notebook's own front end, and are not too long."""
    cell.source = _cut(cell.source)
    if cell.cell_type == "code":
        outputs = [shown for output in cell.outputs[:MOST_OUTPUTS] for shown in _readable_output(output)]
        if len(cell.outputs) > MOST_OUTPUTS:
            outputs.append(_note(f"{len(cell.outputs) - MOST_OUTPUTS} more outputs are only in the notebook."))
        cell.outputs = outputs
    return cell


def _readable_output(output: Any) -> Iterator[Any]:
    if output.output_type == "stream":
        output.text = _cut(output.text)
    elif output.output_type == "error":
        output.traceback = [_cut(line) for line in output.traceback[:200]]
    else:
        output.data = {kind: _fit(kind, value) for kind, value in output.data.items() if kind in SHOWN}
        if WIDGET in output.data or not output.data:
            yield _note(INTERACTIVE)
            return
    yield output


def _fit(kind: str, value: Any) -> Any:
    """One representation of an output, shortened; long HTML is replaced rather than cut in the middle."""
    text = value if isinstance(value, str) else json.dumps(value)
    if kind.startswith("image/"):
        return text if len(text) < LONGEST_PICTURE else ""
    if kind != "text/html":
        return _cut(text)
    if len(text) > 5 * LONGEST_TEXT:
        return '<p class="aside">A long output: it is in the notebook.</p>'
    return IFRAME.sub(f'<p class="aside">{INTERACTIVE}</p>', text)


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n[cut off here: {len(text) - LONGEST_TEXT:,} more characters are in the notebook]"


def _note(words: str) -> Any:
    return nbformat.v4.new_output("display_data", data={"text/html": f'<p class="aside">{html.escape(words)}</p>'})
