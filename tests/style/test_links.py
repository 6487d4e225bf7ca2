"""Links: every page that is referred to exists, every heading, too, and the index lists every page."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
BLOCK = re.compile(r"^```.*?^```[^\n]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"``.*?``|`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")  # a scheme: not of this tree


def links(text: str) -> list[str]:
    """Targets of the links and images of a page, those of other sites and those within code left out."""
    return [target for target in LINK.findall(CODE.sub("", BLOCK.sub("", text))) if not ELSEWHERE.match(target)]


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get: lower case, blanks as hyphens, no punctuation, repeated ones numbered."""
    slugs: list[str] = []
    for heading in HEADING.findall(BLOCK.sub("", text)):
        words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slugs.append(re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-"))
    repeats = [slugs[:n].count(slug) for n, slug in enumerate(slugs)]
    return {f"{slug}-{count}" if count else slug for slug, count in zip(slugs, repeats, strict=True)}


def broken(page: pathlib.Path) -> list[str]:
    """Links of a page that lead nowhere."""
    result = []
    for target in links(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.exists() and file.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            result.append(target)
    return result


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_image_of_a_page_leads_to_a_file_of_the_tree(page):
    assert broken(page) == []


def test_the_index_lists_every_page_of_the_docs():
    listed = {(DOCS / target.partition("#")[0]).resolve() for target in links((DOCS / "index.md").read_text())}
    pages = {page.resolve() for page in DOCS.rglob("*.md")} - {(DOCS / "index.md").resolve()}
    assert sorted(page.name for page in pages - listed) == []


def test_every_image_of_the_docs_is_shown_by_a_page():
    targets = {(page.parent / target).resolve() for page in PAGES for target in links(page.read_text(encoding="utf-8"))}
    images = {image.resolve() for image in (DOCS / "images").iterdir()}
    assert sorted(image.name for image in images - targets) == []


def test_a_link_to_no_file_or_to_no_heading_is_met(tmp_path, monkeypatch):
    monkeypatch.setitem(broken.__globals__, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# The error field\n## Cost, by ranks\n## Cost, by ranks\n[a](page.md#the-error-field) [b](#cost-by-ranks-1)\n"
        "[c](absent.md) ![d](images/none.png) [e](#no-heading) `[f](code.md)` [g](https://example.org)\n"
        "```\n[h](block.md)\n```\n"
    )
    assert broken(page) == ["absent.md", "images/none.png", "#no-heading"]
