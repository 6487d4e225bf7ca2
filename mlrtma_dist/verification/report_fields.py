"""The sections of the report on fields whose truth is known: scores of every variable, and ratios of two methods."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.verification.field_scores import FieldScore, around, ratio
from mlrtma_dist.verification.report_page import Cell, Number, Section, Table, figure_of_file
from mlrtma_dist.verification.report_words import Unit, Wording, count, mark_of

SHOWN = Unit("", 1.0, 4)  # numbers as they are, in the units that captions name


@dataclass(frozen=True)
class FieldVerification:
    """What is reported of fields whose truth is known.

    Attributes:
        scores: of ``field_scores.score_fields``.
        sums: what the scores were made of, of each method shape (case, variable, 3).
        units: of the errors of each variable, "1" where there is none, in the order of ``sums``.
        numerator: the method whose rmse is divided by that of every other; None: no ratios are shown.
        figures: PNG or SVG files of one case.
    """

    scores: Sequence[FieldScore]
    sums: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    numerator: str | None = None
    figures: Sequence[str | Path] = ()


def field_sections(verification: FieldVerification, wording: Wording) -> list[Section]:
    """The sections: scores, ratios, one case."""
    tables = [
        _scores(verification, name, index, unit, wording)
        for index, (name, unit) in enumerate(verification.units.items())
    ]
    sections = [Section("fields", "Error against the known fields", "fields.html", {"tables": tables})]
    numerator = verification.numerator
    others = [name for name in verification.sums if name != numerator]
    if numerator is not None and numerator in verification.sums and others:
        table = _ratios(verification, numerator, others, wording)
        sections.append(Section("ratios", "Beside the others", "ratios.html", {"table": table}))
    if verification.figures:
        pictures = [figure_of_file(path) for path in verification.figures]
        sections.append(Section("case", "One case", "figures.html", {"figures": pictures, "columns": "single"}))
    return sections


def field_headline(verification: FieldVerification, wording: Wording) -> str:
    """The least error of each variable, in a sentence."""
    results = []
    for name, unit in verification.units.items():
        best = min((row for row in verification.scores if row.variable == name), key=lambda row: row.rmse)
        value = f"{best.rmse:.3f}" + ("" if unit == "1" else f" {unit}")
        results.append(f"{name} {value} by {wording.method(best.method)}")
    return f"Least rmse over {count(verification.scores[0].cases, 'case')}: {'; '.join(results)}."


def _scores(verification: FieldVerification, variable: str, index: int, unit: str, wording: Wording) -> Table:
    rows = sorted((row for row in verification.scores if row.variable == variable), key=lambda row: row.rmse)
    cells: list[list[Cell]] = [
        [
            wording.method_words(row.method),
            _number(row.rmse),
            _number(row.standard_error),
            _interval(row.lower, row.upper),
            _number(row.bias),
        ]
        for row in rows
    ]
    caption = f"{variable}, all points of {count(rows[0].cases, 'case')}" + ("" if unit == "1" else f", {unit}")
    ends = [around(*ratio(verification.sums, rows[0].method, row.method, index))[1] for row in rows[1:]]
    decided = all(map(math.isfinite, ends))  # of one case there is no interval
    best = [0, *(number for number, end in enumerate(ends, 1) if decided and end >= 1.0)]
    header = ["method", "rmse", "standard error", "95 % interval", "bias"]
    return Table(caption, header, cells, best, mark_of(len(best), decided=decided))


def _ratios(verification: FieldVerification, numerator: str, others: Sequence[str], wording: Wording) -> Table:
    rows: list[list[Cell]] = []
    for other in others:
        for index, variable in enumerate(verification.units):
            value, spread = ratio(verification.sums, numerator, other, index)
            low, high = around(value, spread)
            verdict = "less" if high < 1 else "more" if low > 1 else "no clear difference" if low <= high else "–"
            rows.append([wording.method_words(other), variable, _number(value), _interval(low, high), verdict])
    caption = f"Rmse of {wording.method_words(numerator)} over that of each other method, on the same cases"
    return Table(caption, ["over", "variable", "ratio", "95 % interval", "it errs"], rows)


def _number(value: float) -> Number:
    return Number(SHOWN.show(value), value)


def _interval(low: float, high: float) -> str:
    """Both ends, or a dash where one case alone gives none."""
    return f"{SHOWN.show(low)} to {SHOWN.show(high)}" if math.isfinite(low) else "–"
