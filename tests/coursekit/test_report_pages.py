"""The pages of a report: nothing in them runs or loads, what counts is there, and a real browser shows it offline."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.report import compare, index, pages
from coursekit.report.job import Answer, Check, Result, Status
from coursekit.report.renderer import Renderer
from labkit.plots import Picture
from tests.support import axe, browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

EVIL = [
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "<img src='http://example.com/x.png'>",
    "<a href='javascript:alert(1)'>x</a><a href='data:text/html,<script>1</script>'>y</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<iframe src='http://example.com'></iframe><object data='http://example.com'></object><embed src='x'>",
    "<style>@import 'http://example.com/x.css'; body { display: none }</style><link rel=stylesheet href='http://e.com'>",
    "<form action='http://example.com'><input name=q><button>go</button></form><base href='http://example.com'>",
    "<div style=\"position:fixed;inset:0;background:url('http://example.com/x')\">x</div>",
    "<meta http-equiv=refresh content='0;url=http://example.com'></article></main><h1>All passed</h1>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=alert(1)>'>",
    "<details open ontoggle=alert(1)>x</details><video src='http://example.com/v'><audio onerror=alert(1) src=x>",
]
RESULT = Result(
    "k", "", "01_client_setup", "m:1", "http://h/v1", "shared", {}, Status.PASSED, "", 12.3, 5, 5, (0.1,), 10**8,
    answers=tuple(Answer(0.1 * n, 1.0 + n / 10, 20, "finished") for n in range(1, 9)),
    checks=(Check("01.1", True), Check("01.2", False, "Two <b>versions</b> differ.")),
    executed="notebooks/a.ipynb", page="pages/a.html",
)  # fmt: skip


class Reader(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def harmless(text: str) -> None:
    """Only listed tags and attributes, no handler, and no address that a browser would load."""
    read = Reader(text)
    assert set(read.tags) <= {*pages.TAGS.split()}
    for tag, name, value in read.attributes:
        assert name in pages.EVERYWHERE | pages.FURTHER.get(tag, set()) | {"tabindex", "aria-label"}
        if name == "src":
            assert pages.PICTURES.match(value)
        if name == "href":
            assert value.startswith(("#", "http://", "https://", "mailto:"))
        if name == "style":
            assert "url(" not in value
            assert "position" not in value


def picture() -> Any:
    shown = Picture(2, 1, "A small empty figure that stands for a plot in the tests of the reports.")
    data = {"image/png": base64.b64encode(shown.png()).decode(), "text/plain": shown.alt}
    return nbformat.v4.new_output("display_data", data=data, metadata={"image/png": {"alt": shown.alt}})


def executed(path: Path, *outputs: Any, text: str = "# A lesson\n\n$a_1 < b$ and `code`") -> Path:
    cell = nbformat.v4.new_code_cell("secret_source = 1", outputs=list(outputs), execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), cell])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def shown(**data: str) -> Any:
    return nbformat.v4.new_output("display_data", data={name.replace("_", "/"): value for name, value in data.items()})


@pytest.mark.parametrize("evil", EVIL)
def test_evil_markup(evil: str) -> None:
    harmless(pages.clean(evil))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([*EVIL, "<", ">", '"', "'", "<table>", "</table>", "<!--", "]]>", "\0", "&lt;", "x"]),
        max_size=8,
    )
)
def test_any_markup(parts: list[str]) -> None:
    harmless(pages.clean("".join(parts)))


def test_page_of_a_notebook(tmp_path: Path) -> None:
    """Text, picture with its description, table, error; no code, unless it is asked for."""
    path = executed(
        tmp_path / "a.ipynb",
        picture(),
        nbformat.v4.new_output("stream", text="printed <b>text</b> \x1b[31mred\x1b[0m"),
        shown(text_html="<table><tr><th>a</th></tr><tr><td>1</td></tr></table>" + "".join(EVIL)),
        shown(text_html="<iframe src='http://127.0.0.1:1'></iframe>"),
        nbformat.v4.new_output("display_data", data={pages.WIDGET: {"model_id": "x"}, "text/plain": "Box()"}),
        nbformat.v4.new_output("display_data", data={"application/javascript": "alert(1)"}),
        nbformat.v4.new_output("error", ename="ValueError", evalue="<i>", traceback=["Traceback", "ValueError: <i>"]),
        nbformat.v4.new_output("stream", text="y" * 1_000_000),
        text="# A lesson\n\n$a_1 < b$ <script>alert(1)</script> ![x](/etc/passwd) [l](javascript:alert(1))",
    )
    failed = replace(RESULT, status=Status.FAILED, detail="cell 1: ValueError: <i>", first_try="timed out: <u>")
    text = pages.render(path, failed, code=False, back="../index.html")
    harmless(text[text.index("<article>") : text.rindex("</article>")])
    assert "secret_source" not in text
    assert "alert(1)</script>" not in text
    assert "A small empty figure" in text
    assert "printed &lt;b&gt;text" in text
    assert "a_1 &lt; b" in text
    assert text.count("works in the live notebook only") == 4
    assert "cut off here: 940,000 more characters" in text
    assert "cell 1: ValueError: &lt;i&gt;" in text
    assert "second try. The first one: timed out: &lt;u&gt;" in text
    assert len(text) < 400_000
    assert "secret_source" in pages.render(path, RESULT, code=True, back="../index.html")
    assert re.findall(r"https?://(?!127\.0\.0\.1)[^\"'\s<]*", text.replace("http://h/v1", "")) == []


def test_renderer(tmp_path: Path) -> None:
    """Many pages from one process; what is no notebook and what takes too long cost only themselves."""
    good = replace(RESULT, page="", executed=str(executed(tmp_path / "a.ipynb", picture())))
    (tmp_path / "b.ipynb").write_text("[]", encoding="utf-8")
    slow = executed(tmp_path / "c.ipynb", *[shown(text_html="<b>" * 60_000)] * 20)
    with Renderer(code=False, seconds=30) as renderer:
        assert renderer.page(good, tmp_path / "a.html", "x").page == str(tmp_path / "a.html")
        bad = renderer.page(replace(good, executed=str(tmp_path / "b.ipynb")), tmp_path / "b.html", "x")
        assert (bad.page, "is no notebook" in bad.detail) == ("", True)
        renderer.seconds = 0.01
        late = renderer.page(replace(good, executed=str(slow)), tmp_path / "c.html", "x")
        assert (late.page, "more than 0.01 s" in late.detail) == ("", True)
        renderer.seconds = 30
        assert renderer.page(good, tmp_path / "d.html", "x").page


def class_results() -> list[Result]:
    """Two students: one has failed, one has exercises left; the names are of the kind that breaks pages."""
    evil = "<script>alert(1)</script>"
    anna = replace(RESULT, student="Anna & Åsa")
    bo = replace(
        RESULT, key="b", student=evil, status=Status.TIMED_OUT, detail=f"cell 3: {evil}", checks=(), answers=()
    )
    other = replace(anna, key="c", notebook="02_streaming", checks=(Check("02.1", False, evil),))
    return [anna, bo, other]


def test_index() -> None:
    """A row a run; a class by exercise with its first error; nothing of a student's text is markup."""
    text = index.index(class_results(), "2026-01-01", "a machine")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3
    assert "Anna &amp; Åsa" in text
    assert 'href="pages/a.html"' in text
    body = re.sub(r"<[^>]+>", " ", text[text.index("<main>") :])
    words = " ".join(body.split())
    assert "2 of 3" not in words
    assert "Anna &amp; Åsa 1 of 3 yes not yet not yet 01.2: Two &lt;b&gt;versions" in words
    assert "01_client_setup: timed out, cell 3:" in words
    assert "12.3 5 of 5 1 of 2 m:1 shared 0.45 s 0.77 s" in words
    single = index.index([RESULT], "2026-01-01", "a machine")
    assert "Student" not in single
    assert "Remarks" not in single


def test_groups() -> None:
    """One notebook with two models is compared, two notebooks with one are not."""
    other = replace(RESULT, model="n:1")
    third = replace(RESULT, notebook="02_streaming")
    assert compare.groups([RESULT, third, other]) == [[RESULT, other]]
    assert compare.groups([RESULT, third]) == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    found = browser.find()
    if found is None:
        pytest.skip("there is no browser here")
    with sync_playwright() as playwright:
        started = browser.launch(playwright, found)
        yield started
        started.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without a network, in light or dark, wide or narrow; axe needs to get past the policy."""
    scheme, width = request.param
    context = chromium.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    yield context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.lane
@pytest.mark.parametrize("page", [("light", 1280), ("dark", 1280), ("light", 400)], indirect=True)
def test_in_a_browser(page: Page, tmp_path: Path) -> None:
    """Opened from the disk, offline: pictures are there and described, nothing is asked for, axe finds nothing."""
    wide = "<table>" + "<tr>" + "<td>a long word</td>" * 60 + "</tr></table>"
    source = executed(
        tmp_path / "notebooks" / "a.ipynb",
        picture(),
        nbformat.v4.new_output("stream", text="\x1b[31mred\x1b[0m \x1b[93myellow\x1b[0m " + "x" * 500),
        shown(text_html=wide),
        shown(text_markdown="a ![far](http://example.com/x.png)"),
        shown(image_tiff="x"),
        *(shown(text_html=evil) for evil in EVIL),
    )
    results = class_results()
    other = replace(results[0], key="o", model="n:1", status=Status.STOPPED)
    (tmp_path / "pages").mkdir()
    result = pages.render(source, replace(other, first_try="timed out"), code=True, back="../index.html")
    (tmp_path / "pages" / "a.html").write_text(result, encoding="utf-8")
    (tmp_path / "compare.html").write_text(compare.compare([results[0], other], "a machine"), encoding="utf-8")
    listed = index.index([*results, other], "2026-01-01", "a machine", [("01", "compare.html")])
    (tmp_path / "index.html").write_text(listed, encoding="utf-8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name, pictures in (("index.html", 0), ("pages/a.html", 1), ("compare.html", 4)):
        page.goto((tmp_path / name).as_uri())
        assert page.title() != "owned"
        seen = page.evaluate("[...document.images].filter(each => each.src).map(each => [each.naturalWidth, each.alt])")
        assert len([size for size, alt in seen if size > 100 and len(alt) > 40]) == pictures, seen
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        assert axe.serious(page) == [], name
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.browser
@pytest.mark.lane
def test_policy_of_the_page(chromium: Browser, tmp_path: Path) -> None:
    """Were a script to get past the cleaning, the page's policy would still keep it from running."""
    text = index.index([RESULT], "2026-01-01", "a machine")
    (tmp_path / "i.html").write_text(text.replace("<main>", f"<main>{EVIL[0]}{EVIL[1]}"), encoding="utf-8")
    shown_page = chromium.new_page()
    shown_page.goto((tmp_path / "i.html").as_uri())
    assert shown_page.title() == "Report of the workbook"


def test_a_link_that_leads_out_of_the_report_is_words() -> None:
    assert pages.clean('<p>the <a href="../notebooks/glossary.md"><em>glossary</em></a></p>') == (
        "<p>the <em>glossary</em></p>"
    )
    assert 'href="https://example.com"' in pages.clean('<a href="https://example.com">there</a>')
