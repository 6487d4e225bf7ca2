"""Verification at withheld stations of one domain, and of several domains joined."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.inputs import Prepared
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.analyse import diagnose
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.parts import Analyst
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.results import StationResults
from mlrtma_dist.verification.withheld import collect

log = logging.getLogger(__name__)
ANALYSED = ("threedvar", "outer_loops", "unet")  # whose departures the report shows, where no method is named
WITHOUT_WEIGHTS = "grid"  # a method that uses no report has no departures to judge its errors by
FIRST_GUESS = "first_guess"


@dataclass(frozen=True)
class DomainStations:
    """What was found at the withheld stations of one domain.

    Attributes:
        domain: its name; times: the analysis times, datetime64[s], shape (case,).
        matches: of every method at every withheld report.
        left_out: number of a case -> why it could not be analysed.
        analysis: of all stations of the first case with matches, for departures and quality control; None: no case has.
        variables: that were asked for.
    """

    domain: str
    times: np.ndarray
    matches: Matches
    left_out: dict[int, str]
    analysis: Analysis | None
    variables: tuple[str, ...]


def has_reports(cases: Cases) -> bool:
    """Whether any case has a report."""
    return any(len(cases.reports(number)) for number in range(len(cases.time)))


def verify_stations(run, prepared: Prepared, analyst: Analyst, show) -> DomainStations:
    """Withhold every station of every case of a domain once. Collective."""
    cases, assumed = prepared.cases, assumptions(prepared.settings)
    parts = {
        number: folds(cases.reports(number), count=run.folds, seed=run.seed, block_km=run.blocks)
        for number in range(len(cases.time))
    }
    matches, left_out = collect(analyst, assumed, parts, show)
    times = matches.select(matches.scored).time
    number = next((number for number, time in enumerate(cases.time) if (times == time).any()), None)
    analysis = None
    if number is not None:
        named = (*run.method, *(() if run.method else ANALYSED), FIRST_GUESS)
        chosen = next(name for name in named if name in analyst.methods and name != WITHOUT_WEIGHTS)
        name, case, answer = next(each for each in analyst.answers(number) if each[0] == chosen)
        analysis = diagnose(case, answer, name, analyst.part.share)
    return DomainStations(cases.contents.domain.name, cases.time, matches, left_out, analysis, tuple(assumed))


def join_domains(run, parts: Sequence[DomainStations]) -> tuple[StationResults, list[str]]:
    """The results of all domains together, and what falls short of the requirement, a sentence each.

    Raises:
        InputError: no report of any domain can be verified.
    """
    analysis = next((part.analysis for part in parts if part.analysis is not None), None)
    if analysis is None:
        reasons = [text for part in parts for text in part.left_out.values()]
        reports = run.cases.reports
        near = f"within {reports.window_minutes:g} minutes of" if reports else "in the cases from"
        names = " or ".join(part.domain for part in parts)
        raise InputError(
            reasons[0]
            if reasons
            else f"no report of {', '.join(parts[0].variables)} on {names} {near} {parts[0].times[0]} can be verified:"
            " check --time, --domain and the files"
        )
    shortfalls = [sentence for part in parts for sentence in _shortfalls(run, part)]
    how = f"in boxes of {run.blocks:g} km" if run.blocks else "by the hash of their names"
    note = f"in {run.folds} parts, stations divided {how}"
    matches = Matches.concatenate([part.matches for part in parts])
    statics = tuple(part.analysis.static for part in parts if part.analysis is not None)
    return StationResults(matches, analysis, statics, run.blocks, note), shortfalls


def _shortfalls(run, part: DomainStations) -> list[str]:
    """What falls short of the requirement on one domain: a time left out, or with too few verified reports."""
    matches, lines = part.matches, []
    scored = matches.select(matches.scored)
    for number, time in enumerate(part.times):
        where = f"{part.domain} {str(time)[:16]}"
        if number in part.left_out:
            lines.append(f"{where} is left out: {part.left_out[number]}")
            continue
        own = scored.select(scored.time == time)
        counts = {name: _most(own.select(variable=name)) for name in own.variables}
        lines += run.require.shortfalls(counts, where, "verified")
        if run.require.observations is None and not counts:
            lines.append(f"{where}: no report is verified (--require-observations 0 accepts it)")
    return lines


def _most(matches: Matches) -> int:
    """The number of reports at which the method that answers most often is scored."""
    return int(np.unique(matches.method, return_counts=True)[1].max(initial=0))
