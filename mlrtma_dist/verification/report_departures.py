"""The sections of the report on whether the predicted and assumed errors can be trusted."""

from collections.abc import Mapping

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.verification.diagnostics import (
    ErrorEstimate,
    SpreadSkill,
    diagonal_chi_square,
    estimate_errors,
    spread_skill,
)
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, Matches
from mlrtma_dist.verification.ranking import alike
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.report_figures import reliability
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.report_words import Unit, Wording, explain_chi_square, explain_estimate, explain_spread
from mlrtma_dist.verification.scores import bias, in_table_order, rmse


def departing_rows(analysis: Analysis) -> np.ndarray:
    """Mask of the observations that were analysed and that have both departures, shape (n,)."""
    columns = (analysis.background_departure, analysis.analysis_departure, analysis.observation_error)
    return used_rows(analysis) & np.isfinite(columns).all(axis=0)


def departures_section(analysis: Analysis, wording: Wording) -> Section:
    """O-B and O-A by variable."""
    rows: list[list[Cell]] = []
    used, variable = departing_rows(analysis), analysis.observations.variable
    for name in in_table_order(np.unique(variable[used]).tolist()):
        own, unit = used & (variable == name), wording.unit(name)
        cells: list[Cell] = [name, unit.text, Number(f"{own.sum():,}", float(own.sum()))]
        for departure in (analysis.background_departure[own], analysis.analysis_departure[own]):
            cells.append(Number(unit.show(bias(departure), sign=True), bias(departure)))
            cells.append(Number(unit.show(rmse(departure)), rmse(departure)))
        rows.append(cells)
    header = ["variable", "unit", "n", "mean O−B", "rms O−B", "mean O−A", "rms O−A"]
    content = {
        "method": wording.method(analysis.method),
        "first_guess": analysis.first_guess_name,
        "table": Table("Departures of the observations used", header, rows),
        "notes": analysis.notes,
    }
    return Section("departures", "Observations against first guess and analysis", "departures.html", content)


def spread_section(
    matches: Matches, clusters: np.ndarray, colours: Mapping[str, str], wording: Wording
) -> Section | None:
    """Predicted against actual error at withheld stations; None where no method predicts its error.

    Args:
        matches: at withheld stations.
        clusters: what the bootstrap draws, shape (n,).
        colours: of the methods.
        wording: names and units.
    """
    spreads = _spreads(matches, clusters)
    if not spreads:
        return None
    rows: list[list[Cell]] = []
    sentences, figures = [], []
    groups = {name: _groups(matches, name, spreads) for name in dict.fromkeys(name for name, _ in spreads)}
    for (name, method), spread in spreads.items():
        unit, own = wording.unit(name), matches.select(method=method, variable=name)
        chi = diagonal_chi_square(own.error, own.spread, own.observation_error)
        together = wording.together(groups[name])
        if method == FIRST_GUESS:
            sentences.append(explain_chi_square(chi, f"{wording.method(method)}, {name}"))
        elif method != NEAREST and method in groups[name]:
            sentences.append(explain_spread(spread, method, name, together))
        rows.append(
            [
                f"{name}, {wording.method(method)}",
                unit.text,
                Number(f"{spread.n:,}", spread.n),
                _number(unit, spread.predicted),
                _number(unit, spread.actual),
                Number(f"{spread.ratio:.2f}", spread.ratio),
                f"{spread.lower:.2f} to {spread.upper:.2f}" if np.isfinite(spread.lower) else "too few stations",
                Number(f"{chi.value:.2f}", chi.value),
                f"{chi.lower:.2f} to {chi.upper:.2f}",
            ]
        )
    header = ["variable, method", "unit", "n", "predicted", "actual", "actual / predicted", "95 % interval"]
    header += ["chi-square", "expected"]
    for name, of_name in groups.items():
        own_spreads = {method: spreads[name, method] for method in of_name}
        caption = f"{name}: above the dashed line a method's predicted error is too small, below it too large."
        figures.append(Figure(caption, reliability(name, own_spreads, colours, wording.together(of_name))))
    content = {
        "sentences": sentences,
        "table": Table("Predicted and actual error at withheld stations", header, rows),
        "figures": figures,
    }
    return Section("spread", "Is the error that the analysis predicts of itself right?", "spread.html", content)


def _spreads(matches: Matches, clusters: np.ndarray) -> dict[tuple[str, str], SpreadSkill]:
    """Spread and skill by variable and method, where there is a spread."""
    spreads = {}
    for name in in_table_order(matches.variables):
        for method in matches.methods:
            own = (matches.variable == name) & (matches.method == method)
            spread = spread_skill(matches.select(own), clusters=clusters[own])
            if spread.n:
                spreads[name, method] = spread
    return spreads


def _groups(matches: Matches, name: str, spreads: Mapping[tuple[str, str], SpreadSkill]) -> dict[str, tuple[str, ...]]:
    """The methods of a variable that predict an error, those that are one line together."""
    rows = matches.select((matches.variable == name) & matches.scored)
    return alike(rows, [method for of, method in spreads if of == name])


def errors_section(analysis: Analysis, wording: Wording) -> Section | None:
    """Assumed against estimated observation errors; None where no observation was analysed."""
    estimates = _estimates(analysis)
    if not estimates:
        return None
    rows: list[list[Cell]] = []
    for row in estimates:
        unit = wording.unit(row.variable)
        rows.append(
            [
                f"{row.variable}, {row.network or 'unnamed'}",
                unit.text,
                Number(f"{row.n:,}", row.n),
                _number(unit, row.assumed),
                _number(unit, row.estimated),
                unit.interval(row.lower, row.upper),
                Number(f"{row.ratio:.2f}" if np.isfinite(row.ratio) else "–", row.ratio),
                _number(unit, row.background),
            ]
        )
    header = ["variable, network", "unit", "n", "assumed", "estimated", "95 % interval", "estimated / assumed"]
    header += ["first-guess error"]
    content = {
        "sentences": [explain_estimate(row, wording) for row in estimates if row.network == ALL],
        "table": Table("Observation errors assumed by the analysis and estimated from its departures", header, rows),
    }
    return Section("errors", "Are the assumed observation errors right?", "errors.html", content)


def _estimates(analysis: Analysis) -> list[ErrorEstimate]:
    used, reports = departing_rows(analysis), analysis.observations
    return estimate_errors(
        analysis.background_departure[used],
        analysis.analysis_departure[used],
        analysis.observation_error[used],
        variable=reports.variable[used],
        network=reports.network[used],
        station=reports.station[used],
        weight=analysis.weight[used],
    )


def _number(unit: Unit, value: float) -> Number:
    return Number(unit.show(value), value)
