"""The pages of a report: no script runs, nothing is loaded, every name is escaped, and axe finds no fault."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.report import notebook_page, pages
from coursekit.report.job import ExerciseResult, Result, Status
from labkit.plots import Picture
from tests.support import axe, browser
from tests.support.reports import RESULT, result

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
SCRIPT = "<script>alert(1)</script>"


def assert_harmless(text: str) -> None:
    """Only listed tags and attributes, no event handler, and no address that a browser would load."""
    for tag in BeautifulSoup(text, "html.parser").find_all():
        assert tag.name in notebook_page.TAGS.split()
        listed = notebook_page.ATTRIBUTES_OF_ALL | notebook_page.ATTRIBUTES.get(tag.name, set())
        assert set(tag.attrs) <= listed | {"tabindex", "aria-label"}
        values = {name: str(value) for name, value in tag.attrs.items()}
        assert notebook_page.PICTURE.match(values.get("src", "data:image/png;base64,"))
        assert values.get("href", "#").startswith(("#", "http://", "https://", "mailto:"))
        assert not re.search(r"url\(|position", values.get("style", ""))


def display(data: dict[str, Any], **metadata: Any) -> Any:
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def executed(path: Path, *outputs: Any, text: str = "# A lesson") -> Path:
    cell = nbformat.v4.new_code_cell("secret_source = 1", outputs=list(outputs), execution_count=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), cell]), path)
    return path


def write_every_output(path: Path) -> Path:
    """A notebook with text, a picture with its description, tables, a widget, an error, and what must not be shown."""
    figure = Picture(2, 1, "A small empty figure, which is used in place of a plot in the tests of reports.")
    picture = {"image/png": base64.b64encode(figure.png()).decode(), "text/plain": figure.alt}
    wide = "<table>" + "<tr>" + "<td>a long word</td>" * 60 + "</tr></table>"
    return executed(
        path,
        display(picture, **{"image/png": {"alt": figure.alt}}),
        nbformat.v4.new_output("stream", text="printed <b>text</b> \x1b[31mred \x1b[93myellow\x1b[0m " + "x" * 500),
        nbformat.v4.new_output("stream", name="stderr", text="y" * 1_000_000),
        nbformat.v4.new_output("error", ename="ValueError", evalue="<i>", traceback=["Traceback", "ValueError: <i>"]),
        display({"text/html": wide + "<iframe src='http://127.0.0.1:1'></iframe>"}),
        display({"text/markdown": "a ![far](http://example.com/x.png)"}),
        display({notebook_page.WIDGET: {"model_id": "x"}, "text/plain": "Box()"}),
        display({"application/javascript": "alert(1)"}),
        display({"image/tiff": "x"}),
        *(display({"text/html": evil}) for evil in EVIL),
        text=f"# A lesson\n\n$a_1 < b$ and `code` {SCRIPT} ![x](private.png) [l](javascript:alert(1))",
    )


PARTS = [*EVIL, "<", ">", '"', "'", "<table>", "</table>", "<!--", "]]>", "\0", "&lt;", "x"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8))
def test_cleaned_markup_is_harmless(parts: list[str]) -> None:
    assert_harmless(notebook_page.clean("".join(parts)))


@pytest.mark.parametrize("evil", EVIL)
def test_evil_markup_is_made_harmless(evil: str) -> None:
    assert_harmless(notebook_page.clean(evil))


def test_a_link_out_of_the_report_becomes_words() -> None:
    cleaned = notebook_page.clean('<p>the <a href="../notebooks/glossary.md"><em>glossary</em></a></p>')
    assert cleaned == "<p>the <em>glossary</em></p>"
    assert 'href="https://example.com"' in notebook_page.clean('<a href="https://example.com">there</a>')


def test_the_page_of_a_notebook_shows_every_kind_of_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No code, unless it is asked for; no file of this machine."""
    (tmp_path / "private.png").write_bytes(b"private bytes")
    monkeypatch.chdir(tmp_path)
    path = write_every_output(tmp_path / "a.ipynb")
    failed = result(status=Status.FAILED, detail="cell 1: ValueError: <i>", first_try="timed out: <u>")
    text = notebook_page.notebook_page(path, failed, code=False, back="../index.html")
    assert_harmless(text[text.index("<article>") : text.rindex("</article>")])
    for absent in ("secret_source", "alert(1)</script>", base64.b64encode(b"private bytes").decode()[:-4]):
        assert absent not in text
    for present in (
        "A small empty figure",
        "printed &lt;b&gt;text",
        "a_1 &lt; b",
        "cut off here: 940,000 more characters",
        "Failed. cell 1: ValueError: &lt;i&gt;",
        "second try. The first one: timed out: &lt;u&gt;",
    ):
        assert present in text
    # The two frames, the widget, the script and the unknown picture.
    assert text.count("works in the live notebook only") == 5
    assert len(text) < 400_000
    assert "secret_source" in notebook_page.notebook_page(path, RESULT, code=True, back="../index.html")
    assert re.findall(r"https?://(?!127\.0\.0\.1)[^\"'\s<]*", text.replace("http://h/v1", "")) == []


@pytest.mark.e2e
def test_the_renderer_survives_a_page_that_fails_or_takes_too_long(tmp_path: Path) -> None:
    (tmp_path / "bad.ipynb").write_text("[]", encoding="utf-8")
    executed(tmp_path / "good.ipynb")
    executed(tmp_path / "slow.ipynb", *[display({"text/html": "<b>" * 60_000})] * 20)
    with pages.Renderer(code=False) as renderer:
        for name, seconds, problem in (
            ("good", 60, ""),
            ("bad", 60, "is not a notebook"),
            ("slow", 0.01, "more than 0.01 s"),
            ("good", 60, ""),
        ):
            renderer.seconds = seconds
            target = tmp_path / f"{name}.html"
            shown = renderer.write_page(result(page="", executed=str(tmp_path / f"{name}.ipynb")), target, "x")
            assert (shown.page, problem in shown.detail) == ("" if problem else str(target), True)


def class_results() -> list[Result]:
    """Two students with names that could break a page: one timed out, one has exercises left."""
    anna = result(student="Anna & Åsa")
    bo = result(key="b", student=SCRIPT, status=Status.TIMED_OUT, detail=f"cell 3: {SCRIPT}", checks=(), answers=())
    other = replace(anna, key="c", notebook="02_streaming", checks=(ExerciseResult("02.1", False, SCRIPT),))
    return [anna, bo, other]


def test_the_index_has_a_row_for_each_run_and_each_student() -> None:
    text = pages.index_page(class_results(), "2026-01-01", "a machine")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3
    assert 'href="pages/a.html"' in text
    words = " ".join(re.sub(r"<[^>]+>", " ", text[text.index("<main>") :]).split())
    assert "Anna &amp; Åsa 1 of 3 yes not yet not yet 01.2: Two &lt;b&gt;versions" in words
    assert "01_client_setup: timed out, cell 3:" in words
    assert "12.3 5 of 5 1 of 2 m:1 shared 0.45 s 0.77 s" in words
    single = pages.index_page([RESULT], "2026-01-01", "a machine")
    assert "Student" not in single
    assert "Remarks" not in single


def test_only_runs_of_one_notebook_with_several_models_are_compared() -> None:
    other, third = result(model="n:1"), result(notebook="02_streaming")
    assert pages.comparable([RESULT, third, other]) == [[RESULT, other]]
    assert pages.comparable([RESULT, third]) == []


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


@pytest.mark.e2e
@pytest.mark.parametrize("page", [("light", 1280), ("dark", 1280), ("light", 400)], indirect=True)
def test_pages_in_a_browser_load_nothing_and_are_accessible(page: Page, tmp_path: Path) -> None:
    """Opened as files, without a network: pictures are described, nothing is wider than the window."""
    source = write_every_output(tmp_path / "notebooks" / "a.ipynb")
    results = class_results()
    other = replace(results[0], key="o", model="n:1", status=Status.STOPPED)
    second = replace(other, first_try="timed out")
    contents = {
        "index.html": pages.index_page([*results, other], "2026-01-01", "a machine", [("01", "compare.html")]),
        "pages/a.html": notebook_page.notebook_page(source, second, code=True, back="../index.html"),
        "compare.html": pages.compare_page([results[0], other], "a machine"),
    }
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name, pictures in (("index.html", 0), ("pages/a.html", 1), ("compare.html", 4)):
        page.goto((tmp_path / name).as_uri())
        assert page.title() != "owned"
        seen = page.evaluate("[...document.images].filter(each => each.src).map(each => [each.naturalWidth, each.alt])")
        assert len([size for size, alt in seen if size > 100 and len(alt) > 40]) == pictures, seen
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        assert axe.serious(page) == [], name
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []


@pytest.mark.e2e
def test_the_policy_of_a_page_stops_a_script_that_got_past_the_cleaning(chromium: Browser, tmp_path: Path) -> None:
    text = pages.index_page([RESULT], "2026-01-01", "a machine")
    (tmp_path / "i.html").write_text(text.replace("<main>", f"<main>{EVIL[0]}{EVIL[1]}"), encoding="utf-8")
    opened = chromium.new_page()
    opened.goto((tmp_path / "i.html").as_uri())
    assert opened.title() == "Report of the workbook"
