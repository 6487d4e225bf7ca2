"""Results: the scores of one run of a verification, at withheld stations and against known fields, and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.verification.case_figure import CaseShown, draw_case, draw_errors
from mlrtma_dist.verification.case_scores import FILE as CASE_SCORES
from mlrtma_dist.verification.case_scores import write_case_scores
from mlrtma_dist.verification.comparison import describe as describe_pairs
from mlrtma_dist.verification.comparison import pair_errors
from mlrtma_dist.verification.distribution_scores import (
    DistributionScore,
    ReliabilityRow,
    reliability_rows,
    score_matches,
    score_sums,
    write_distributions,
    write_reliability,
)
from mlrtma_dist.verification.event_scores import write_events
from mlrtma_dist.verification.field_scores import (
    FieldScore,
    describe,
    error_units,
    ratio_lines,
    score_fields,
    write_field_scores,
)
from mlrtma_dist.verification.known_fields import FieldSums
from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.outlines import outlines
from mlrtma_dist.verification.ranking import Standing, standings
from mlrtma_dist.verification.report import write_report
from mlrtma_dist.verification.report_fields import FieldVerification
from mlrtma_dist.verification.report_stations import StationVerification
from mlrtma_dist.verification.report_words import SHORT, WORDS, Wording
from mlrtma_dist.verification.scores import Score, score_table, write_scores
from mlrtma_dist.verification.trend import write_trend
from mlrtma_dist.verification.withheld import box_of

LEARNED = "unet"  # the method whose ratio to the others is shown
LIMITS = ("exact_bayes", "outer_loops", "best_linear", "threedvar")  # the first that was scored is 1 in the last column


@dataclass(frozen=True)
class StationResults:
    """What was found at withheld stations.

    Attributes:
        matches: of every method at every withheld report.
        analysis: of all stations of one time, for departures and quality control.
        statics: of the domains, for the maps.
        blocks: km of the boxes that were withheld whole; None: single stations.
        how: how the stations were divided, in words.
    """

    matches: Matches
    analysis: Analysis
    statics: tuple[Static, ...]
    blocks: float | None
    how: str


@dataclass(frozen=True)
class Results:
    """The scores of one verification, and the files that hold them.

    Attributes:
        stations: scores at withheld stations; fields: against known fields; either may be empty.
        sums: of the fields, method -> shape (case, variable, 3).
        units: of the variables.
        files: that were written.
        standings: the methods over all variables at withheld stations, the best first.
    """

    stations: list[Score]
    fields: list[FieldScore]
    sums: dict[str, np.ndarray]
    units: Mapping[str, str]
    files: tuple[Path, ...]
    standings: Sequence[Standing] = ()

    def lines(self) -> list[str]:
        """The results as text for a terminal: tables, files, and the learned method's error over that of others."""
        lines = []
        if self.stations and self.fields:
            lines.append(describe_pairs(pair_errors(self.fields, self.stations), Wording(WORDS, SHORT)))
        elif self.fields:
            limit = next((name for name in LIMITS if name in self.sums), LEARNED)
            lines.append(describe(self.fields, SHORT, limit, self.units))
            lines.append(f"{self.fields[0].cases} cases")
        lines += [str(path) for path in self.files]
        if LEARNED in self.sums:
            others = [name for name in LIMITS if name in self.sums]
            lines += ratio_lines(self.sums, list(self.units), LEARNED, others, SHORT)
        return lines


def write_results(
    folder: Path,
    cases: Cases,
    fields: FieldSums | None,
    stations: StationResults | None,
    context: Mapping[str, object],
    *,
    seed: int = 0,
    drawn: int = 0,
) -> Results:
    """Score, and write scores, matches, figures and the report into a folder.

    Args:
        folder: made where it is missing; cases: that were verified.
        fields, stations: what was found; one of them may be None.
        context: what was run, for the report.
        seed: of the bootstrap; drawn: number of the case whose fields are drawn.
    """
    contents, files, names = cases.contents, [], list(cases.contents.variables)
    station_scores, field_scores, field_part, station_part = [], [], None, None
    distributions, reliability, tables = _distributions(folder, fields, stations, names)
    if fields is not None:
        field_scores = score_fields(fields.sums, names, seed=seed)
        write_field_scores(folder / "fields.csv", field_scores)
        write_case_scores(folder / CASE_SCORES, fields.sums, names, cases.time)
        pictures = _draw(folder, cases, fields.case_fields, drawn)
        numerator = LEARNED if LEARNED in fields.sums else None
        field_part = FieldVerification(field_scores, fields.sums, error_units(contents.unit_of), numerator, pictures)
        files += [folder / "fields.csv", *pictures]
    if stations is not None:
        matches = stations.matches
        clusters = box_of(matches, stations.blocks) if stations.blocks else None
        station_scores = score_table(matches, clusters=clusters)
        write_matches(folder / "matches.csv", matches)
        write_scores(folder / "scores.csv", station_scores)
        files.insert(0, folder / "scores.csv")
        lines = [line for static in stations.statics for line in outlines(static)]
        count = len(cases.time) * len(stations.statics)
        station_part = StationVerification(matches, station_scores, clusters, stations.analysis, lines, count)
        write_events(folder / "events.csv", station_part.events)
        if station_part.periods:
            write_trend(folder / "trend.csv", station_part.periods)
            files.insert(1, folder / "trend.csv")
        context = {"withheld": stations.how, "first guess": stations.analysis.first_guess_name, **context}
    files += tables
    path = folder / "report.html"
    texts = {name: str(value) for name, value in context.items()}
    domains = [static.domain for static in stations.statics] if stations is not None else [contents.domain]
    write_report(
        path,
        title=_title(domains, cases.time),
        context=texts,
        stations=station_part,
        fields=field_part,
        distributions=distributions,
        reliability=reliability,
    )
    sums = fields.sums if fields is not None else {}
    ranked = standings(station_part.rankings.values()) if station_part is not None else ()
    return Results(station_scores, field_scores, sums, contents.unit_of, (*files, path), ranked)


def _distributions(
    folder: Path, fields: FieldSums | None, stations: StationResults | None, names: Sequence[str]
) -> tuple[list[DistributionScore], list[ReliabilityRow], list[Path]]:
    """The scores of predicted distributions, of fields and at stations, their reliability, and the files of both."""
    scores = score_sums(fields.distributions, fields.sums, names) if fields is not None else []
    scores += score_matches(stations.matches) if stations is not None else []
    rows = reliability_rows(fields.reliability, fields.limits) if fields is not None else []
    files = []
    if scores:
        files.append(folder / "distributions.csv")
        write_distributions(files[-1], scores)
    if rows:
        files.append(folder / "reliability.csv")
        write_reliability(files[-1], rows)
    return scores, rows, files


def _title(domains: Sequence[Domain], times: np.ndarray) -> str:
    names = "; ".join(domain.title for domain in domains)
    if len(times) == 1:
        return f"Verification, {names}, {str(times[0].astype('datetime64[m]')).replace('T', ' ')} UTC"
    return f"Verification on {len(times)} cases, {names}"


def _draw(folder: Path, cases: Cases, case_fields: dict[str, np.ndarray], number: int) -> tuple[Path, Path]:
    """Draw truth, observations and analyses of one case; returns the files."""
    contents = cases.contents
    case = cases.case(number, Box.whole(contents.domain.shape))
    table, place = case.observations, case.grid_place
    observed = [case.used & (table.variable == name) for name in contents.variables]
    analyses = {SHORT[name]: fields for name, fields in case_fields.items() if name != "truth"}
    title = f"{', '.join(contents.variables)} on {contents.domain.name}, case {number} of {len(cases.time)}"
    picture = CaseShown(
        contents.variables,
        contents.units,
        case_fields["truth"],
        analyses,
        tuple(place[rows] for rows in observed),
        tuple(table.value[rows] for rows in observed),
        title,
    )
    files = folder / "case.png", folder / "errors.png"
    first_guess, learned = SHORT["first_guess"], SHORT[LEARNED]
    draw_case(
        files[0],
        picture,
        first_guess if first_guess in analyses else None,
        learned if learned in analyses else list(analyses)[-1],
    )
    draw_errors(files[1], picture)
    return files
