"""The sections of the report on withheld stations: scores, differences and figures of every variable."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, MatchError, Matches
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.report_axes import COLOURS
from mlrtma_dist.verification.report_departures import (
    departures_section,
    errors_section,
    spread_section,
)
from mlrtma_dist.verification.report_figures import error_by_elevation, error_map, histogram, scatter
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.report_quality import quality_section
from mlrtma_dist.verification.report_words import Unit, Wording, compare, count, headline, sentence
from mlrtma_dist.verification.scores import Score, in_table_order, paired_difference

REFERENCES = (FIRST_GUESS, NEAREST)
DRAWN = 4  # methods in one figure; more lines cannot be distinguished

Totals = Mapping[tuple[str, str], Score]  # (method, variable) -> score of all stations


@dataclass(frozen=True)
class StationVerification:
    """What is reported of withheld stations.

    Attributes:
        matches: the table.
        scores: ``scores.score_table`` of these matches.
        clusters: what the bootstrap draws, a label for each row (n,), as handed to ``score_table``; None: stations.
        analysis: an analysis of all stations, for departures, assumed errors and quality control; None: these sections
            are left out.
        outlines: coasts and borders for the maps, arrays (k, 2) of longitude and latitude in degrees.
    """

    matches: Matches
    scores: Sequence[Score]
    clusters: np.ndarray | None = None
    analysis: Analysis | None = None
    outlines: Sequence[np.ndarray] = ()

    @property
    def labels(self) -> np.ndarray:
        """What the bootstrap draws, shape (n,)."""
        return self.matches.station if self.clusters is None else np.asarray(self.clusters)

    @property
    def totals(self) -> Totals:
        """The scores of all stations by method and variable."""
        return {(row.method, row.variable): row for row in self.scores if row.region == ALL}

    def variables(self, wording: Wording) -> list[str]:
        """The variables with a score, in the order of their table.

        Raises:
            MatchError: no row is complete, or a variable has neither an entry in ``names`` nor a unit.
        """
        matches = self.matches
        unknown = [name for name in matches.variables if name not in VARIABLES and name not in wording.units]
        if unknown or not matches.scored.any():
            raise MatchError(
                f"report: expected rows with observation and prediction of known variables; got {len(matches)} rows, "
                f"{matches.scored.sum()} of them complete, and the unknown variables {unknown}"
            )
        complete = set(matches.select(matches.scored).variables)
        return [name for name in in_table_order(matches.variables) if name in complete]


def station_sections(verification: StationVerification, wording: Wording) -> list[Section]:
    """The sections: at a glance, each variable, predicted and assumed errors, departures, quality control."""
    matches, clusters, totals = verification.matches, verification.labels, verification.totals
    colours = dict(zip(matches.methods, itertools.cycle(COLOURS), strict=False))
    variables = verification.variables(wording)
    sections: list[Section | None] = [
        Section("overview", "At a glance", "overview.html", {"table": _overview(variables, totals, wording)})
    ]
    for name in variables:
        rows = (matches.variable == name) & matches.scored
        scores = [row for row in verification.scores if row.variable == name]
        content = _variable(matches.select(rows), clusters[rows], scores, wording)
        best = best_method(name, totals).method
        content["figures"] = _figures(matches.select(rows), best, _drawn(best, scores, colours), verification, wording)
        sections.append(Section(name, sentence(wording.variable(name)), "variable.html", content))
    sections.append(spread_section(matches, clusters, colours, wording))
    if verification.analysis is not None:
        sections.append(errors_section(verification.analysis, wording))
        sections.append(departures_section(verification.analysis, wording))
        sections.append(quality_section(verification.analysis.observations, verification.outlines))
    return [section for section in sections if section is not None]


def best_method(name: str, totals: Totals) -> Score:
    """The row of the smallest rmse among the analyses of one variable; of all rows where there is no analysis."""
    rows = [row for (_, variable), row in totals.items() if variable == name and row.n]
    return min([row for row in rows if row.method not in REFERENCES] or rows, key=lambda row: row.rmse)


def station_headline(verification: StationVerification, wording: Wording) -> tuple[str, str]:
    """The main result, of the first variable of the table (2 m temperature where it was analysed), and a count."""
    matches, totals, variables = verification.matches, verification.totals, verification.variables(wording)
    best = best_method(variables[0], totals)
    rows = [totals.get((method, best.variable)) for method in REFERENCES if method != best.method]
    references = [row for row in rows if row is not None and row.n]
    stations = count(len(np.unique(matches.station)), "station")
    remark = f"{stations}, {count(len(matches.methods), 'method')}, {count(len(variables), 'variable')}."
    missing = int((~matches.scored).sum())
    if missing:
        remark += f" {count(missing, 'row')} without a prediction or observation are not scored."
    return headline(best, references, wording), remark


def _overview(variables: Sequence[str], totals: Totals, wording: Wording) -> Table:
    rows: list[list[Cell]] = []
    for name in variables:
        best, unit = best_method(name, totals), wording.unit(name)
        reference = [totals.get((method, name)) for method in REFERENCES]
        guess, nearest = (row.rmse if row is not None else float("nan") for row in reference)
        gain = 100.0 * (1.0 - best.rmse / guess) if guess > 0 else float("nan")
        rows.append(
            [
                wording.variable(name),
                unit.text,
                wording.method(best.method),
                _number(unit, best.rmse),
                unit.interval(best.lower, best.upper),
                _number(unit, guess),
                _number(unit, nearest),
                Number(f"{gain:.0f} %".replace("-", "−") if np.isfinite(gain) else "–", gain),
                Number(f"{best.n:,}", best.n),
            ]
        )
    header = ["variable", "unit", "best analysis", "rmse", "95 % interval"]
    header += ["first guess", "nearest station", "below first guess", "n"]
    caption = "Rmse of the best analysis of each variable at withheld stations, beside the two references"
    return Table(caption, header, rows)


def _variable(matches: Matches, clusters: np.ndarray, scores: Sequence[Score], wording: Wording) -> dict[str, object]:
    """Tables of one variable, from its scored rows."""
    name = str(matches.variable[0])
    unit, title = wording.unit(name), sentence(wording.variable(name))
    rows = sorted((row for row in scores if row.region == ALL and row.n), key=lambda row: row.rmse)
    cells = []
    for row in rows:
        verdict = "–"
        if row is not rows[0]:
            verdict = compare(paired_difference(matches, row.method, rows[0].method, clusters=clusters), unit)
        cells.append([wording.method(row.method), *_score_cells(unit, row), verdict])
    header = ["method", "n", "bias", "rmse", "95 % interval", "rmse 98 %", "mae", "median"]
    regional = [row for row in scores if row.region != ALL]
    places = list(dict.fromkeys(row.region for row in regional))
    regional.sort(key=lambda row: places.index(row.region))  # the methods of one region side by side
    lines = [[row.region, wording.method(row.method), *_score_cells(unit, row)] for row in regional]
    caption = f"{title} by region and station elevation, in {unit.text}"
    return {
        "scores": Table(
            f"{title}: all withheld stations, in {unit.text}", [*header, "rmse minus the best one's"], cells, best=0
        ),
        "regions": Table(caption, ["region", *header], lines) if lines else None,
    }


def _drawn(best: str, scores: Sequence[Score], colours: Mapping[str, str]) -> dict[str, str]:
    """The methods in a variable's figures with their colours: the best, the references, then the others by rmse."""
    rows = sorted((row for row in scores if row.region == ALL and row.n), key=lambda row: row.rmse)
    order = [best, *(row.method for row in rows if row.method in REFERENCES), *(row.method for row in rows)]
    return {method: colours[method] for method in list(dict.fromkeys(order))[:DRAWN]}


def _figures(
    matches: Matches, best: str, colours: Mapping[str, str], verification: StationVerification, wording: Wording
) -> list[Figure]:
    """The four figures of one variable."""
    own, words = matches.select(method=best), wording.method(best)
    pictures = [
        (
            f"Errors of {words} at each withheld station: red too high, blue too low.",
            error_map(own, wording, verification.outlines),
        ),
        (
            "How the errors are distributed: the narrower and nearer to zero, the better.",
            histogram(matches, colours, wording),
        ),
        (f"Analysed by {words} against observed; on the line both agree.", scatter(own, wording)),
        (
            "Rmse by station elevation; each point holds about as many stations.",
            error_by_elevation(matches, colours, wording),
        ),
    ]
    return [Figure(caption, svg) for caption, svg in pictures if svg is not None]


def _score_cells(unit: Unit, row: Score) -> list[Cell]:
    """The cells n, bias, rmse, interval, rmse98, mae and median of a row."""
    n = Number(f"{row.n:,}", row.n)
    rmse, *others = (_number(unit, value) for value in (row.rmse, row.rmse98, row.mae, row.median))
    return [n, Number(unit.show(row.bias, sign=True), row.bias), rmse, unit.interval(row.lower, row.upper), *others]


def _number(unit: Unit, value: float) -> Number:
    return Number(unit.show(value), value)
