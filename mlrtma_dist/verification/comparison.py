"""Comparison: the error of each method against the known field beside its error at withheld stations.

Simulated weather has both. They differ by the error of the observations, which only the second has in it, and by where
stations are; both are in the variable's analysis space.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlrtma_dist.verification.field_scores import FieldScore
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.report_page import Cell, Number, Section, Table
from mlrtma_dist.verification.report_words import Unit, Wording
from mlrtma_dist.verification.scores import Score, in_table_order

COLUMNS = ("method", "field rmse", "95 % interval", "station rmse", "95 % interval", "reports")


@dataclass(frozen=True)
class ErrorPair:
    """Both errors of one method and variable.

    Attributes:
        method, variable: what was scored.
        field: against the known field; None where it was not scored.
        stations: at all withheld stations; None where it was not scored.
    """

    method: str
    variable: str
    field: FieldScore | None
    stations: Score | None


def pair_errors(fields: Sequence[FieldScore], stations: Sequence[Score]) -> list[ErrorPair]:
    """Both errors of every method and variable, by variable in the order of ``names.VARIABLES``, best field first.

    Args:
        fields: of ``field_scores.score_fields``, in analysis space.
        stations: of ``scores.score_table``; only the region "all" is used.
    """
    by_field = {(row.method, row.variable): row for row in fields}
    by_station = {(row.method, row.variable): row for row in stations if row.region == ALL and row.n}
    keys = list(dict.fromkeys([*by_field, *by_station]))
    order = in_table_order(list(dict.fromkeys(variable for _, variable in keys)))
    pairs = [ErrorPair(*key, by_field.get(key), by_station.get(key)) for key in keys]
    return sorted(pairs, key=lambda pair: (order.index(pair.variable), *_rmse(pair)))


def _rmse(pair: ErrorPair) -> tuple[float, ...]:
    """What pairs of one variable are sorted by; a missing score comes last."""
    return tuple(row.rmse if row is not None else math.inf for row in (pair.field, pair.stations))


def comparison_section(pairs: Sequence[ErrorPair], wording: Wording) -> Section:
    """The section that shows both errors side by side."""
    rows: list[list[Cell]] = []
    for pair in pairs:
        unit = wording.unit(pair.variable)
        rows.append([wording.variable(pair.variable), unit.text, wording.method(pair.method), *_cells(pair, unit)])
    table = Table("Rmse against the known field and at withheld stations", ["variable", "unit", *COLUMNS], rows)
    return Section("comparison", "Fields and withheld stations side by side", "comparison.html", {"table": table})


def _cells(pair: ErrorPair, unit: Unit) -> list[Cell]:
    """Rmse and interval of the field, rmse, interval and number of the stations."""
    cells: list[Cell] = []
    for row in (pair.field, pair.stations):
        value = row.rmse if row is not None else math.nan
        interval = unit.interval(row.lower, row.upper) if row is not None and math.isfinite(row.lower) else "–"
        cells += [Number(unit.show(value), value), interval]
    n = pair.stations.n if pair.stations is not None else 0
    return [*cells, Number(f"{n:,}", n)]


def describe(pairs: Sequence[ErrorPair], wording: Wording | None = None) -> str:
    """Both errors as text for a terminal: a table for each variable, a line for each method.

    Args:
        pairs: of ``pair_errors``.
        wording: names and units; None: those of ``report_words``.
    """
    wording = wording or Wording()
    lines = []
    for variable in dict.fromkeys(pair.variable for pair in pairs):
        own, unit = [pair for pair in pairs if pair.variable == variable], wording.unit(variable)
        cells = [[wording.method(pair.method), *(_text(cell) for cell in _cells(pair, unit))] for pair in own]
        name = wording.variable(variable) + ("" if unit.text == "1" else f", {unit.text}")
        lines += [name, *_aligned([["", *COLUMNS[1:]], *cells]), ""]
    return "\n".join(lines[:-1])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        numbers = (f"  {cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        lines.append(f"  {first:<{widths[0]}}{''.join(numbers)}")
    return lines


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Number) else cell
