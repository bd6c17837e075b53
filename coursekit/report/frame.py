"""The page around every report: one style in light and dark, and a policy: nothing is loaded, no script runs."""

from __future__ import annotations

import html
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --ground: #ffffff; --panel: #f4f6f8;
  --line: #d0d7de; --link: #0b5cad; --good: #00684c; --bad: #a83c00; --other: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #a9b1ba; --ground: #14171a; --panel: #1e2226;
  --line: #3a4149; --link: #79b8ff; --good: #4fd1a5; --bad: #ff9a66; --other: #a9b1ba; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main, header, footer { max-width: 78rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.25rem; } footer { padding-bottom: 2rem; color: var(--soft); font-size: .9rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .3em 0 .4em; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 1.6em 0 .5em; } h3 { font-size: 1.1rem; } h4, h5, h6 { font-size: 1rem; }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.scroll { overflow-x: auto; margin: .8em 0; }
table { border-collapse: collapse; font-size: .93rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4em; }
th, td { padding: .4em .7em; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; } tbody th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.status { font-weight: 600; white-space: nowrap; } .good { color: var(--good); } .bad { color: var(--bad); }
.open { color: var(--other); } .name { min-width: 9em; }
.why { min-width: 16em; max-width: 34em; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .6rem 1.5rem; margin: 1em 0;
  padding: .9rem 1.1rem; background: var(--panel); border-radius: .5rem; }
.facts div { min-width: 0; } .facts dt { color: var(--soft); font-size: .85rem; }
.facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.note { border-left: 5px solid var(--bad); padding: .5em .9em; background: var(--panel); overflow-wrap: anywhere; }
.aside { color: var(--soft); font-style: italic; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }
.columns > section { min-width: 0; }
article { border-top: 1px solid var(--line); padding-top: .5rem; }
article .text_cell, article > .cell { max-width: 60rem; }
pre, code { font: .88rem/1.45 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--panel); padding: .6em .9em;
  border-radius: .4rem; margin: .6em 0; }
p code, li code, td code, h2 code, h3 code { background: var(--panel); padding: .1em .3em;
  border-radius: .25rem; }
.input pre { border-left: 3px solid var(--line); }
.output_stderr pre, .output_error pre { border-left: 5px solid var(--bad); }
.k, .kn, .kc, .kd, .nb, .ow { font-weight: 600; } .c, .c1, .cm { color: var(--soft); font-style: italic; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
blockquote { margin: .8em 0; padding: .1em 1em; border-left: 4px solid var(--line); }
details { margin: .5em 0; } summary { cursor: pointer; color: var(--link); }
@media (max-width: 40rem) { body { font-size: 15px; } h1 { font-size: 1.35rem; }
  main, header, footer { padding-inline: .9rem; } }
@media print { .scroll { overflow: visible; } a { color: inherit; } }
"""


def page(title: str, body: str, *, back: str = "", foot: str = "") -> str:
    """A whole page; `title` and `foot` are text, `body` is HTML, `back` the address of the index."""
    crumb = f'<nav aria-label="Back"><a href="{html.escape(back)}">All runs</a></nav>' if back else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<header>{crumb}<h1>{html.escape(title)}</h1></header>\n"
        f"<main>\n{body}\n</main>\n<footer><p>{html.escape(foot)}</p></footer>\n</body>\n</html>\n"
    )


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already, the first of each row its header; it scrolls sideways where it must."""
    numeric = [cell.startswith('<td class="number"') for cell in next(iter(rows), ())]
    names = "".join(
        f'<th scope="col"{" class=number" if right else ""}>{name}</th>'
        for name, right in zip_longest(head, numeric, fillvalue=False)
    )
    body = "".join(f'<tr><th scope="row">{first}</th>{"".join(map(_cell, rest))}</tr>\n' for first, *rest in rows)
    label = html.escape(caption)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table><caption>{label}</caption>'
        f"<thead><tr>{names}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )


def _cell(content: str) -> str:
    return content if content.startswith("<td") else f"<td>{content}</td>"


def number(value: float | None, unit: str = "", digits: int = 2) -> str:
    """A cell with a number, or with a dash and its meaning where there is none."""
    if value is None:
        return '<td class="number"><span aria-label="none">–</span></td>'
    return f'<td class="number">{value:,.{digits}f}{unit}</td>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """A few facts as a list of terms; what goes in is text."""
    items = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{items}</dl>'
