"""Scores as rows: from matches, to CSV, to Markdown between the markers of a page."""

import csv
import itertools
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.scores import paired_difference, score_table
from mlrtma_dist.verification.withheld import box_of

RMSE = "rmse"
NAMES = {
    "raw ensemble": "raw ensemble",
    "first_guess": "first guess",
    "nearest": "nearest",
    "gaussian_weights": "Gaussian weights",
    "kriging": "kriging library",
    "oi": "OI",
    "threedvar": "3D-Var",
    "letkf": "LETKF",
    "envar": "EnVar",
    "hybrid": "hybrid",
}
LOGARITHM = "ln"
LIBRARY = ("kriging", "threedvar")  # the pair whose difference stands in the tables
DIFFERENCES = (LIBRARY, ("oi", "threedvar"), ("hybrid", "threedvar"), ("envar", "oi"), ("letkf", "oi"))


@dataclass(frozen=True)
class Row:
    """One score; a line of the CSV file.

    Attributes:
        data: name of the set of data.
        withheld: how.
        variable, measure, method: what was scored, how, of whom.
        n: reports scored.
        value: the score, analysis space; lower, upper: its 95 % interval, by stations or boxes.
        best98, median: rmse of the best 98 %, median absolute error; NaN for another measure than the rmse.
    """

    data: str
    withheld: str
    variable: str
    measure: str
    method: str
    n: int
    value: float
    lower: float
    upper: float
    best98: float
    median: float


def how(km: float | None) -> str:
    """The way of withholding, in words."""
    return "stations" if km is None else f"boxes of {km:g} km"


def rows_of(data: str, withheld: str, matches: Matches, km: float | None) -> list[Row]:
    """The rmse of each variable and method, then differences; boxes are drawn where boxes are withheld."""
    clusters = None if km is None else box_of(matches, km)
    rows = [
        Row(data, withheld, s.variable, RMSE, s.method, s.n, s.rmse, s.lower, s.upper, s.rmse98, s.median)
        for s in score_table(matches, clusters=clusters)
        if s.region == ALL and s.n
    ]
    for variable, (one, other) in itertools.product(matches.variables, DIFFERENCES):
        if {one, other} <= set(matches.methods):
            mine = matches.variable == variable
            d = paired_difference(matches.select(mine), one, other, clusters=None if km is None else clusters[mine])
            rows.append(
                Row(
                    data,
                    withheld,
                    variable,
                    f"{RMSE} minus {other}'s",
                    one,
                    d.n,
                    d.difference,
                    d.lower,
                    d.upper,
                    np.nan,
                    np.nan,
                )
            )
    return rows


def write_csv(path: str | Path, rows: list[Row]) -> None:
    """Write the rows, one a line; floats in the shortest form that reads back the same."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f.name for f in fields(Row)])
        writer.writerows(astuple(row) for row in rows)


def markdown(rows: list[Row]) -> str:
    """A table of one set of data: a line a variable and way of withholding, a column a method, the least in bold.

    The last column is the kriging library's rmse minus 3D-Var's with the interval of the difference itself.
    """
    of = {(r.withheld, r.variable, r.measure, r.method): r for r in rows}
    methods = [name for name in NAMES if any(key[2:] == (RMSE, name) for key in of)]
    lines = [
        "| withheld | variable | unit | n | "
        + " | ".join(NAMES[name] for name in methods)
        + " | library minus 3D-Var |",
        "|---" * (5 + len(methods)) + "|",
    ]
    for key in dict.fromkeys(key[:3] for key in of if "minus" not in key[2]):
        withheld, variable, measure = key
        unit, factor = unit_and_factor(variable)
        mine = [of.get((*key, name)) for name in methods]
        least = min(row.value for row in mine if row)
        difference = of.get((withheld, variable, f"{measure} minus {LIBRARY[1]}'s", LIBRARY[0]))
        cells = [cell(row, factor, row.value == least) if row else "" for row in mine]
        cells.append(cell(difference, factor, False) if difference else "")
        title = variable if measure == RMSE else f"{variable}, {measure}"
        count = max(row.n for row in mine if row)
        lines.append(f"| {withheld} | {title} | {unit} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(row: Row, factor: float, best: bool) -> str:
    """A score with its interval, in the unit shown."""
    value, lower, upper = (f"{factor * number:.2f}" for number in (row.value, row.lower, row.upper))
    interval = "" if np.isnan(row.lower) else f" ({lower}, {upper})"
    return f"**{value}**{interval}" if best else f"{value}{interval}"


def unit_and_factor(variable: str) -> tuple[str, float]:
    """Unit of a variable's errors for people, and the factor to it from analysis space."""
    properties = VARIABLES[variable]
    if properties.transform == "log":
        return LOGARITHM, 1.0
    unit, factor, _ = properties.display
    return {"degC": "K", "m s-1": "m/s"}.get(unit, unit), factor


def write_between(page: str | Path, name: str, text: str) -> None:
    """Put text between the markers ``<!-- name -->`` and ``<!-- end of name -->`` of a page.

    Raises:
        ValueError: the page lacks one of them.
    """
    page = Path(page)
    before, start, rest = page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not start or not end:
        raise ValueError(f"{page}: expected the markers '<!-- {name} -->' and '<!-- end of {name} -->', each once")
    write_text(page, f"{before}{start}\n{text}\n\n{end}{after}")


def merged(page: str | Path, name: str, table: str, keys: int) -> str:
    """A table of a part of the rows, with the rows that it lacks as they stand between the markers of a page.

    Args:
        page, name: as of `write_between`; table: with a header of two lines.
        keys: number of the first cells that tell one row from another. A row that is new comes after the last one
            whose first cell is the same.

    Raises:
        ValueError: rows are missing and the columns of the page's table are others.
    """
    lines = Path(page).read_text(encoding="utf-8").split(f"<!-- {name} -->\n")[1].split("<!-- end of")[0]
    old = [line for line in lines.splitlines() if line.startswith("|")]
    header, new = table.splitlines()[:2], {_key(line, keys): line for line in table.splitlines()[2:]}
    rows = {_key(line, keys): line for line in old[2:]}
    if set(rows) <= set(new):
        return table
    if old[:2] != header:
        raise ValueError(f"{page}: {name}: the columns have changed; compute all rows, not only some variables")
    for key, line in new.items():
        if key not in rows:
            places = [number for number, other in enumerate(rows) if other[0] == key[0]]
            order = list(rows.items())
            order.insert(places[-1] + 1 if places else len(order), (key, line))
            rows = dict(order)
        rows[key] = line
    return "\n".join([*header, *rows.values()])


def _key(line: str, keys: int) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|")[1 : 1 + keys])


def ratio(rows: list[Row], above: str, below: str, withheld: str | None = None) -> float:
    """Geometric mean, over sets of data, ways of withholding and variables, of one method's rmse over another's."""
    value = {
        (r.data, r.withheld, r.variable, r.method): r.value
        for r in rows
        if r.measure == RMSE and withheld in (None, r.withheld)
    }
    pairs = [
        (value[(*key, above)], value[(*key, below)])
        for *key, method in value
        if method == above and (*key, below) in value
    ]
    return float(np.exp(np.mean([np.log(a / b) for a, b in pairs]))) if pairs else np.nan
