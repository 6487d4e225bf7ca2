"""The report's page: its skeleton, its look and its few lines of script; nothing in it is loaded from elsewhere."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5a6675; --page: #f5f6f8; --card: #ffffff; --line: #d9dee5;
  --accent: #0b63b0; --best: #e6f2e9; --best-ink: #17663a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #a3afbd; --page: #12161c; --card: #1b2129;
  --line: #343d49; --accent: #79b8f3; --best: #1c3a29; --best-ink: #8fdcac; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 74rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.8rem; }
h1 { font-size: 1.7rem; line-height: 1.2; text-wrap: balance; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }
p, li { max-width: 46rem; }
a { color: var(--accent); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; margin: .8rem 0 0; padding: 0; }
.headline { font-size: 1.15rem; background: var(--card); border: 1px solid var(--line);
  border-left: .3rem solid var(--accent); border-radius: .4rem; padding: .9rem 1.1rem; margin: 1rem 0;
  max-width: none; }
.soft, figcaption, caption, .note { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  margin: .7rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: .6rem .75rem .3rem; }
caption span { display: inline-block; position: sticky; left: .75rem; max-width: calc(100vw - 3.6rem); }
th, td { padding: .35rem .75rem; text-align: left; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.best td, tr.best th { background: var(--best); }
.mark { color: var(--best-ink); font-weight: 600; white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--accent); }
th button:hover { color: var(--accent); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: .8rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem; }
figure svg, figure img { display: block; width: 100%; height: auto; }
figure svg text { font-family: system-ui, sans-serif !important; }
figure.given { background: #ffffff; color: #1c2430; } figure.given figcaption { color: #5a6675; }
details { margin: .7rem 0; } summary { cursor: pointer; color: var(--accent); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .2rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
footer { padding-bottom: 2rem; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } h1 { font-size: 1.4rem; } }
@media print { nav { display: none; } .wide { overflow: visible; } figure, .wide { break-inside: avoid; } }
"""

# Without it every table still reads; a click on a heading sorts its column, numbers by their full value.
SCRIPT = """
document.querySelectorAll("th button").forEach(function (button) {
  button.addEventListener("click", function () {
    var heading = button.parentNode, column = heading.cellIndex, body = heading.closest("table").tBodies[0];
    var down = heading.getAttribute("aria-sort") === "ascending";
    heading.parentNode.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    function key(row) {
      var cell = row.cells[column], value = parseFloat(cell.dataset.value);
      return cell.dataset.value === undefined ? cell.textContent : isNaN(value) ? Infinity : value;
    }
    Array.from(body.rows).sort(function (a, b) {
      var x = key(a), y = key(b);
      return ((x > y) - (x < y)) * (down ? -1 : 1);
    }).forEach(function (row) { body.appendChild(row); });
  });
});
"""


@dataclass(frozen=True)
class Number:
    """A cell with a number: the text shown and the value it sorts by."""

    text: str
    value: float


def page(title: str, header: str, sections: Iterable[tuple[str, str, str]], footer: str) -> str:
    """The whole document.

    Args:
        title: plain text.
        header, footer: HTML.
        sections: identifier, heading (plain text) and HTML of each.
    """
    sections = list(sections)
    links = "".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in sections)
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{escape(heading)}</h2>\n{html}'
        "</section>\n"
        for name, heading, html in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{escape(title)}</h1>{header}<nav aria-label="Sections"><ul>{links}</ul></nav></header>
<main>
{body}</main>
<footer>{footer}</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def table(caption: str, header: list[str], rows: Iterable[list], *, best: int | None = None) -> str:
    """A table with sortable columns.

    Args:
        caption: says what it shows; plain text.
        header: plain text.
        rows: cells, plain text or ``Number``; the first cell is the row's heading.
        best: index of a row to be marked as the best.
    """
    rows = list(rows)
    numeric = [bool(rows) and all(isinstance(row[i], Number) for row in rows) for i in range(len(header))]
    heads = "".join(
        f'<th scope="col"{_right(right)}><button type="button">{escape(text)}</button></th>'
        for text, right in zip(header, numeric, strict=True)
    )
    lines = "".join(
        f"<tr{' class=best' if index == best else ''}>{_cells(row, numeric, index == best)}</tr>\n"
        for index, row in enumerate(rows)
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption><span>{escape(caption)}</span></caption><thead><tr>{heads}</tr></thead><tbody>\n{lines}</tbody></table></div>"
    )


def _cells(row: list, numeric: list[bool], best: bool) -> str:
    out = []
    for index, (cell, right) in enumerate(zip(row, numeric, strict=True)):
        tag, scope = ("th", ' scope="row"') if index == 0 else ("td", "")
        value = f' data-value="{cell.value!r}"' if isinstance(cell, Number) else ""
        text = escape(cell.text if isinstance(cell, Number) else str(cell))
        mark = ' <span class="mark">✓ best</span>' if best and index == 0 else ""
        out.append(f"<{tag}{scope}{_right(right)}{value}>{text}{mark}</{tag}>")
    return "".join(out)


def _right(right: bool) -> str:
    return ' class="number"' if right else ""


def figure(picture: str, caption: str, *, given: bool = False) -> str:
    """A figure from HTML of a picture (with its own alternative text) and a caption in plain text."""
    return f"<figure{' class=given' if given else ''}>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def given(path: str | Path) -> str:
    """A figure from a PNG or SVG file, held by the page itself; its caption is the file's name.

    Raises:
        ValueError: the file is neither.
    """
    path = Path(path)
    kinds = {".png": "image/png", ".svg": "image/svg+xml"}
    if path.suffix.lower() not in kinds:
        raise ValueError(f"report: expected figures as .png or .svg, got {path}")
    data = base64.b64encode(path.read_bytes()).decode()
    caption = path.stem.replace("_", " ")
    picture = f'<img src="data:{kinds[path.suffix.lower()]};base64,{data}" alt="{escape(caption)}">'
    return figure(picture, caption, given=True)


def paragraph(text: str, style: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{f' class={style}' if style else ''}>{escape(text)}</p>"


def bullets(sentences: Iterable[str]) -> str:
    """A list of plain sentences."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def folded(summary: str, html: str) -> str:
    """HTML that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def definitions(pairs: dict[str, str]) -> str:
    """A list of names and what they are, plain text; line breaks are kept."""
    return "<dl>" + "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs.items()) + "</dl>"
