"""The report's page: its tables, figures and sections as data, which the templates beside this file turn into HTML."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
FORMATS = {".png": "image/png", ".svg": "image/svg+xml"}  # of figures read from files


@dataclass(frozen=True)
class Number:
    """A cell with a number: the text shown and the value it sorts by."""

    text: str
    value: float


Cell = str | Number


@dataclass(frozen=True)
class Table:
    """A table whose columns can be sorted.

    Attributes:
        caption: what the table shows.
        header: a heading for each column.
        rows: cells; the first cell is the row's heading.
        best: indices of the rows to be marked; mark: what they are.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    best: Collection[int] = ()
    mark: str = "best"

    @property
    def numeric(self) -> list[bool]:
        """Whether every cell of each column is a number; such a column stands at its right edge."""
        columns = range(len(self.header))
        return [bool(self.rows) and all(isinstance(row[i], Number) for row in self.rows) for i in columns]


@dataclass(frozen=True)
class Figure:
    """A picture with its caption: an SVG element with its own alternative text, or a file held by the page itself.

    Attributes:
        caption: below the picture; the alternative text of a file.
        svg: the element; source: else, the file as a "data:" address.
    """

    caption: str
    svg: Markup = Markup("")
    source: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        name: identifier, unique on the page.
        heading: above the section, and in the list of sections.
        template: file in ``templates`` that renders the section.
        content: what the template shows, by the names it uses.
    """

    name: str
    heading: str
    template: str
    content: Mapping[str, object] = field(default_factory=dict)


def render(title: str, headlines: Sequence[str], remarks: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole document as HTML; every text is escaped.

    Args:
        title: of the page.
        headlines: main results, one sentence or two each.
        remarks: what else stands above the sections.
        sections: in their order.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.tests["a_number"] = lambda cell: isinstance(cell, Number)
    page = environment.get_template("page.html")
    return page.render(title=title, headlines=headlines, remarks=remarks, sections=sections) + "\n"


def figure_of_file(path: str | Path) -> Figure:
    """A figure from a PNG or SVG file; its caption is the file's name.

    Raises:
        ValueError: the file is neither.
    """
    path = Path(path)
    media_type = FORMATS.get(path.suffix.lower())
    if media_type is None:
        raise ValueError(f"report: expected figures as .png or .svg, got {path}")
    data = base64.b64encode(path.read_bytes()).decode()
    return Figure(path.stem.replace("_", " "), source=f"data:{media_type};base64,{data}")
