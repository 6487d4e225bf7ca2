"""The sections of the report on withheld stations: scores, differences and figures of every variable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.event_scores import EventScore, score_events
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, MatchError, Matches
from mlrtma_dist.verification.ranking import Ranking, alike, standings
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.report_axes import DRAWN, colours_of
from mlrtma_dist.verification.report_counts import counts_section
from mlrtma_dist.verification.report_departures import (
    departures_section,
    errors_section,
    spread_section,
)
from mlrtma_dist.verification.report_figures import error_by_elevation, error_map, histogram, scatter
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.report_quality import quality_section
from mlrtma_dist.verification.report_words import (
    PER_CENT,
    Unit,
    Wording,
    compare,
    compare_methods,
    count,
    headline,
    mark_of,
    sentence,
)
from mlrtma_dist.verification.scores import Score, in_table_order
from mlrtma_dist.verification.trend import PeriodScore, errors_of, trend

REFERENCES = (FIRST_GUESS, NEAREST)

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
        cases: number of cases of which the matches are; the analysis is of the first one.
    """

    matches: Matches
    scores: Sequence[Score]
    clusters: np.ndarray | None = None
    analysis: Analysis | None = None
    outlines: Sequence[np.ndarray] = ()
    cases: int = 1

    @cached_property
    def events(self) -> list[EventScore]:
        """The scores of events."""
        return score_events(self.matches)

    @cached_property
    def periods(self) -> list[PeriodScore]:
        """The scores through time; none of a single time."""
        return trend(errors_of(self.matches), self.matches.methods)

    @property
    def labels(self) -> np.ndarray:
        """What the bootstrap draws, shape (n,)."""
        return self.matches.station if self.clusters is None else np.asarray(self.clusters)

    @property
    def totals(self) -> Totals:
        """The scores of all stations by method and variable."""
        return {(row.method, row.variable): row for row in self.scores if row.region == ALL}

    @cached_property
    def rankings(self) -> dict[str, Ranking]:
        """Variable -> the methods by their rmse at all stations, in the order of the table of variables."""
        matches, clusters, rankings = self.matches, self.labels, {}
        for name in in_table_order(matches.select(matches.scored).variables):
            rows = (matches.variable == name) & matches.scored
            scores = [row for row in self.totals.values() if row.variable == name and row.n]
            rankings[name] = Ranking.of(matches.select(rows), scores, clusters[rows])
        return rankings

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
        return list(self.rankings)


def station_sections(verification: StationVerification, wording: Wording) -> list[Section]:
    """The sections: at a glance, each variable, predicted and assumed errors, departures, quality control."""
    matches, clusters, totals = verification.matches, verification.labels, verification.totals
    colours = colours_of(matches.methods)
    rankings = verification.rankings
    remarks = [*compare_methods(standings(rankings.values()), wording), *_doubts(rankings, wording)]
    overview = {"table": _overview(rankings, totals, wording), "remarks": remarks}
    sections: list[Section | None] = [Section("overview", "At a glance", "overview.html", overview)]
    for name, ranking in rankings.items():
        own = matches.select((matches.variable == name) & matches.scored)
        content = _variable(name, ranking, verification, wording)
        best = best_method(name, totals).method
        drawn = _drawn(best, alike(own, [row.method for row in ranking.scores]))
        content["figures"] = _figures(own, best, drawn, colours, verification.outlines, wording)
        sections.append(Section(name, sentence(wording.variable(name)), "variable.html", content))
    sections.append(spread_section(matches, clusters, colours, wording))
    if verification.analysis is not None:
        sections.append(errors_section(verification.analysis, wording))
        sections.append(departures_section(verification.analysis, wording))
        sections.append(quality_section(verification.analysis.observations, verification.outlines))
        scored = {name: max(row.n for row in ranking.scores) for name, ranking in rankings.items()}
        sections.append(counts_section(verification.analysis, scored if verification.cases == 1 else {}, wording))
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


def _overview(rankings: Mapping[str, Ranking], totals: Totals, wording: Wording) -> Table:
    rows: list[list[Cell]] = []
    for name in rankings:
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
                Number(f"{PER_CENT.show(0.01 * gain)} %" if np.isfinite(gain) else "–", gain),
                Number(f"{best.n:,}", best.n),
            ]
        )
    header = ["variable", "unit", "analysis of least rmse", "rmse", "95 % interval"]
    header += ["first guess", "nearest station", "below first guess", "n"]
    caption = "Rmse of the analysis that errs least, at withheld stations, beside the two references"
    return Table(caption, header, rows)


def _doubts(rankings: Mapping[str, Ranking], wording: Wording) -> list[str]:
    """The variables of which no analysis is clearly better than all other methods, a sentence each."""
    sentences = []
    for name, ranking in rankings.items():
        names, first = [wording.method(method) for method in ranking.best], ranking.scores[0].method
        if not ranking.decided:
            text = "there are too few stations for a verdict"
        elif len(names) > 1:
            text = f"{', '.join(names[:-1])} and {names[-1]} do not differ clearly"
        elif first in REFERENCES:
            text = f"the {names[0]} errs less than every analysis"
        else:
            continue
        sentences.append(f"{sentence(wording.variable(name))}: {text}.")
    return sentences


def _variable(name: str, ranking: Ranking, verification: StationVerification, wording: Wording) -> dict[str, object]:
    """Tables of one variable."""
    unit, title = wording.unit(name), sentence(wording.variable(name))
    cells = []
    for row in ranking.scores:
        difference = ranking.differences.get(row.method)
        verdict = compare(difference, unit) if difference is not None else "–"
        cells.append([wording.method(row.method), *_score_cells(unit, row), verdict])
    header = ["method", "n", "bias", "rmse", "95 % interval", "rmse 98 %", "mae", "median"]
    regional = [row for row in verification.scores if row.variable == name and row.region != ALL]
    places = list(dict.fromkeys(row.region for row in regional))
    regional.sort(key=lambda row: places.index(row.region))  # the methods of one region side by side
    lines = [[row.region, wording.method(row.method), *_score_cells(unit, row)] for row in regional]
    caption = f"{title} by region and station elevation, in {unit.text}"
    return {
        "scores": Table(
            f"{title}: all withheld stations, in {unit.text}",
            [*header, "rmse minus the least one"],
            cells,
            [number for number, row in enumerate(ranking.scores) if row.method in ranking.best],
            mark_of(len(ranking.best), decided=ranking.decided),
        ),
        "regions": Table(caption, ["region", *header], lines) if lines else None,
    }


def _drawn(best: str, groups: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The methods in a variable's figures: the best analysis, the references, then the others by rmse.

    Args:
        best: the analysis of the least rmse.
        groups: of ``ranking.alike``, the least rmse first: a group is drawn as one line.
    """
    first = [name for name, group in groups.items() if best in group]
    references = [name for name, group in groups.items() if set(group) & set(REFERENCES)]
    return {name: groups[name] for name in list(dict.fromkeys([*first, *references, *groups]))[:DRAWN]}


def _figures(
    matches: Matches,
    best: str,
    drawn: Mapping[str, tuple[str, ...]],
    colours: Mapping[str, str],
    outlines: Sequence[np.ndarray],
    wording: Wording,
) -> list[Figure]:
    """The four figures of one variable.

    Args:
        matches: its scored rows; best: the analysis of the least rmse; drawn: of ``_drawn``.
        colours: of all methods; outlines: of the map.
        wording: names and units.
    """
    own, words, together = matches.select(method=best), wording.method(best), wording.together(drawn)
    lines = {method: colours[method] for method in drawn}
    pictures = [
        (
            f"Errors of {words} at each withheld station: red too high, blue too low.",
            error_map(own, wording, outlines),
        ),
        (
            "How the errors are distributed: the narrower and nearer to zero, the better.",
            histogram(matches, lines, together),
        ),
        (f"Analysed by {words} against observed; on the line both agree.", scatter(own, wording)),
        (
            "Rmse by station elevation; each point holds about as many stations.",
            error_by_elevation(matches, lines, together),
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
