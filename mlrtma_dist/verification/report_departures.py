"""The parts of the report that ask whether the assumed errors can be trusted."""

from collections.abc import Mapping

import numpy as np

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.diagnostics import (
    ErrorEstimate,
    SpreadSkill,
    diagonal_chi_square,
    estimate_errors,
    spread_skill,
)
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, Matches
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.report_figures import reliability
from mlrtma_dist.verification.report_page import Number, bullets, figure, paragraph, table
from mlrtma_dist.verification.report_words import (
    error_unit,
    explain_chi_square,
    explain_estimate,
    explain_spread,
    method_name,
)
from mlrtma_dist.verification.scores import bias, rmse

ABOUT_ESTIMATES = (
    "Estimated from the analysis of all stations after Desroziers et al. (2005): where the assumed errors of "
    "observations and first guess are right, the mean product of observation minus analysis and observation minus "
    "first guess is the observation error's variance. Where they are wrong the estimate tells the direction, but "
    "seldom the whole way: change the assumption, analyse again and look once more."
)
ABOUT_SPREAD = (
    "An analysis comes with the error it expects of itself. At withheld stations that error and the observation's own "
    "add up to what is found, if both are right. Chi-square is the mean of the squared departures over the squared "
    "expected ones, 1 where all is right; the expected range holds for independent stations, which neighbours are not."
)


def used_rows(analysis) -> np.ndarray:
    """Mask of the observations that an analysis was made of and that have both departures, shape (n,)."""
    needed = (analysis.background_departure, analysis.analysis_departure, analysis.observation_error)
    return analysis.observations.usable & np.isfinite(needed).all(axis=0)


def departures(analysis) -> str:
    """O-B and O-A by variable, as HTML; from an ``inference.analysis.Analysis``."""
    rows, used = [], used_rows(analysis)
    for name in VARIABLES:
        own = used & (analysis.observations.variable == name)
        if own.any():
            unit = error_unit(name)
            cells = [name, unit.text, Number(f"{own.sum():,}", float(own.sum()))]
            for departure in (analysis.background_departure[own], analysis.analysis_departure[own]):
                cells.append(Number(unit.show(bias(departure), sign=True), bias(departure)))
                cells.append(Number(unit.show(rmse(departure)), rmse(departure)))
            rows.append(cells)
    note = f"Observations used by {method_name(analysis.method)}; first guess: {analysis.first_guess_name}. O−A is "
    note += "smaller than O−B by construction: it says how closely the analysis follows them, not how good it is."
    header = ["variable", "unit", "n", "mean O−B", "rms O−B", "mean O−A", "rms O−A"]
    notes = bullets(analysis.notes) if analysis.notes else ""
    return paragraph(note, "note") + table("Departures of the observations used", header, rows) + notes


def trust(
    matches: Matches, clusters: np.ndarray, colours: Mapping[str, str], analysis=None
) -> list[tuple[str, str, str]]:
    """The sections on predicted and assumed errors, as identifier, heading and HTML, where there is material.

    Args:
        matches: at withheld stations.
        clusters: what the bootstrap draws, shape (n,).
        colours: of the methods.
        analysis: an ``inference.analysis.Analysis``, or None.
    """
    sections = []
    spreads = _spreads(matches, clusters)
    if spreads:
        sections.append(("spread", "Does the analysis know its own error?", _spread(matches, spreads, colours)))
    if analysis is not None and (estimates := _estimates(analysis)):
        sections.append(("errors", "Are the assumed observation errors right?", _errors(estimates)))
    return sections


def _spreads(matches: Matches, clusters: np.ndarray) -> dict[tuple[str, str], SpreadSkill]:
    found = {}
    for name in (name for name in VARIABLES if name in matches.variables):
        for method in matches.methods:
            own = (matches.variable == name) & (matches.method == method)
            spread = spread_skill(matches.select(own), clusters=clusters[own])
            if spread.n:
                found[name, method] = spread
    return found


def _spread(matches: Matches, spreads: dict[tuple[str, str], SpreadSkill], colours: Mapping[str, str]) -> str:
    rows, sentences = [], []
    for (name, method), spread in spreads.items():
        unit, own = error_unit(name), matches.select(method=method, variable=name)
        chi = diagonal_chi_square(own.error, own.spread, own.observation_error)
        if method == FIRST_GUESS:
            sentences.append(explain_chi_square(chi, f"{method_name(method)}, {name}"))
        elif method != NEAREST:
            sentences.append(explain_spread(spread, method, name))
        ends = f"{spread.lower:.2f} to {spread.upper:.2f}" if np.isfinite(spread.lower) else "too few stations"
        rows.append(
            [
                f"{name}, {method_name(method)}",
                unit.text,
                Number(f"{spread.n:,}", spread.n),
                Number(unit.show(spread.predicted), spread.predicted),
                Number(unit.show(spread.actual), spread.actual),
                Number(f"{spread.ratio:.2f}", spread.ratio),
                ends,
                Number(f"{chi.value:.2f}", chi.value),
                f"{chi.lower:.2f} to {chi.upper:.2f}",
            ]
        )
    header = [
        "variable, method",
        "unit",
        "n",
        "predicted",
        "found",
        "found / predicted",
        "95 % interval",
        "chi-square",
        "expected",
    ]
    pictures = ""
    for name in dict.fromkeys(name for name, _ in spreads):
        svg = reliability(name, {method: spread for (of, method), spread in spreads.items() if of == name}, colours)
        pictures += figure(svg, f"{name}: above the dashed line a method is too sure of itself, below it too modest.")
    caption = "Predicted and actual error at withheld stations"
    return (
        paragraph(ABOUT_SPREAD, "note")
        + bullets(sentences)
        + table(caption, header, rows)
        + f'<div class="figures">{pictures}</div>'
    )


def _estimates(analysis) -> list[ErrorEstimate]:
    used, reports = used_rows(analysis), analysis.observations
    return estimate_errors(
        analysis.background_departure[used],
        analysis.analysis_departure[used],
        analysis.observation_error[used],
        variable=reports.variable[used],
        network=reports.network[used],
        station=reports.station[used],
        weight=analysis.weight[used],
    )


def _errors(estimates: list[ErrorEstimate]) -> str:
    rows = []
    for row in estimates:
        unit = error_unit(row.variable)
        rows.append(
            [
                f"{row.variable}, {row.network or 'unnamed'}",
                unit.text,
                Number(f"{row.n:,}", row.n),
                Number(unit.show(row.assumed), row.assumed),
                Number(unit.show(row.estimated), row.estimated),
                unit.interval(row.lower, row.upper),
                Number(f"{row.ratio:.2f}" if np.isfinite(row.ratio) else "–", row.ratio),
                Number(unit.show(row.background), row.background),
            ]
        )
    header = [
        "variable, network",
        "unit",
        "n",
        "assumed",
        "estimated",
        "95 % interval",
        "estimated / assumed",
        "first-guess error",
    ]
    sentences = [explain_estimate(row) for row in estimates if row.network == ALL]
    caption = "Observation errors assumed by the analysis and estimated from its departures"
    return paragraph(ABOUT_ESTIMATES, "note") + bullets(sentences) + table(caption, header, rows)
