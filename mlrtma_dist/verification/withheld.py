"""Analyse with stations withheld in turn, and match the analyses with what the stations measured."""

from collections.abc import Callable, Mapping

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.analyse import at_reports, below_at_reports, members_at_reports
from mlrtma_dist.inference.parts import Analyst
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import Answer, Share
from mlrtma_dist.methods.predictands import has_limits, limits, values
from mlrtma_dist.methods.settings import Assumption
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.withhold import boxes
from mlrtma_dist.verification.crps import crps_at_limits
from mlrtma_dist.verification.distribution_scores import crps_of_inexact, place_of_reports
from mlrtma_dist.verification.match import BELOW, Matches

Assumptions = Mapping[str, Assumption]


def collect(
    analyst: Analyst,
    assumptions: Assumptions,
    parts: Mapping[int, np.ndarray],
    progress: Callable[[str, float], None] = lambda name, share: None,
) -> tuple[Matches, dict[int, str]]:
    """Withhold each part of the stations of each case once and analyse without it. Collective.

    The parts of all cases are dealt out over the data axis of the ranks; every rank receives all matches. Of several
    cases one whose input cannot be used, such as an hour without its background, is left out.

    Args:
        analyst: the methods at work on the cases.
        assumptions: variable -> standard deviations assumed, for the matches.
        parts: number of a case -> part of each row of its reports, 0 to the number of parts - 1, shape (n,).
        progress: called with "folds" and the share done.

    Returns:
        The matches, and number of a case -> why it was left out.

    Raises:
        InputError: the input of the only case cannot be used.
    """
    part = analyst.part
    tasks = [(number, fold) for number, rows in parts.items() for fold in range(int(rows.max(initial=-1)) + 1)]
    mine, tables, left_out = tasks[part.data_rank :: part.data_ranks], {}, {}
    for done, (number, fold) in enumerate(mine, 1):
        try:
            if number not in left_out:
                tables[number, fold] = match_fold(analyst, number, parts[number] == fold, fold, assumptions)
        except InputError as error:  # the same on all ranks that share the case
            if len(parts) == 1:
                raise
            left_out[number] = str(error)
        progress("folds", done / len(mine))
    if part.communicator is not None:
        gathered = part.communicator.allgather((tables, left_out))
        tables = {key: table for share, _ in gathered for key, table in share.items()}
        left_out = {key: text for _, share in gathered for key, text in share.items()}
    whole = [tables[task] for task in tasks if task[0] not in left_out]
    return Matches.concatenate(whole), left_out


def match_fold(
    analyst: Analyst,
    number: int,
    withheld: np.ndarray,
    fold: int,
    assumptions: Assumptions,
    *,
    everything: bool = False,
) -> Matches:
    """Analyse a case without the withheld reports and match every method's analysis with them.

    Args:
        analyst: the methods at work on the cases.
        number: of the case.
        withheld: mask (n,) of the case's reports.
        fold: number of the part, for the matches.
        assumptions: variable -> standard deviations assumed.
        everything: score every report, also outside the domain or grossly wrong; else what ``verifiable`` leaves
            of the reports inside the domain.
    """
    tables = []
    for name, case, answer in analyst.answers(number, withheld):
        rows = scored_rows(case, everything)
        tables.append(match(name, case, answer, rows, analyst.part.share, fold, assumptions))
    return Matches.concatenate(tables)


def match(
    name: str, case: Case, answer: Answer, rows: np.ndarray, share: Share, fold: int, assumptions: Assumptions
) -> Matches:
    """What a method's answer gives where the reports of ``rows``, a mask (n,), were made."""
    table = case.observations[rows]
    value, error = at_reports(case, answer, rows, share)
    every = sorted({*answer.variables, *map(str, np.unique(table.variable))})  # a report may be of what it lacks
    every_limit = {name: at for name in every if len(at := _limits(name))}
    below = below_at_reports(case, answer, rows, every_limit, share)[rows]
    events, crps = _scored(below, table.variable, case.value[rows])
    spread, place = error[rows], np.full(len(table), np.nan)
    assumed = np.array([assumptions[str(v)].observation_error for v in table.variable])
    members = members_at_reports(case, answer, rows, share)[rows]
    drawn = np.isfinite(members).all(1) & (members.shape[1] > 1)
    if drawn.any():
        own, count = members[drawn].T, members.shape[1]
        reports = case.value[rows][drawn], assumed[drawn]
        columns = (table.station, table.variable, table.latitude, table.longitude, table.value)
        keys = [f"{case.time} {' '.join(map(str, each))}" for each in zip(*(c[drawn] for c in columns), strict=True)]
        crps[drawn], place[drawn] = crps_of_inexact(own, *reports), place_of_reports(own, *reports, keys)
        spread[drawn] *= np.sqrt(1.0 + 1.0 / count)  # of one more draw about their mean
    return Matches.build(
        method=name,
        variable=table.variable,
        domain=case.domain.name,
        time=case.time,
        station=table.station,
        latitude=table.latitude,
        longitude=table.longitude,
        elevation=table.elevation,
        fold=fold,
        observation=case.value[rows],
        prediction=value[rows],
        spread=spread,
        observation_error=assumed,
        crps=crps,
        place=place,
        **dict(zip(BELOW, events.T, strict=True)),
    )


def _limits(variable: str) -> np.ndarray:
    """The limits of a variable's events and of its classes, analysis space, shape (k,); of a smooth variable none."""
    events = np.asarray(names.to_analysis(variable, np.array(names.EVENTS.get(variable, ()))))
    return np.concatenate([events, limits(variable)]) if has_limits(variable) else events


def _scored(below: np.ndarray, variable: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities below the limits of the events, shape (n, len(BELOW)), and the CRPS, shape (n,), NaN if none.

    Args:
        below: probabilities at `_limits` of each report's variable, shape (n, most); variable, value: of the reports.
    """
    events, crps = np.full((len(below), len(BELOW)), np.nan), np.full(len(below), np.nan)
    for name in np.unique(variable):
        rows, count = variable == name, len(names.EVENTS.get(str(name), ()))
        events[rows, :count] = below[rows, :count]
        if has_limits(str(name)):
            at, centre = limits(str(name)), values(str(name))
            crps[rows] = crps_at_limits(below[rows, count : count + len(at)], at, centre, value[rows])
    return events, crps


def scored_rows(case: Case, everything: bool = False) -> np.ndarray:
    """Mask (n,) of the withheld reports by which a case is scored; see `match_fold`."""
    rows = case.withheld & np.isfinite(case.departure)
    if case.variables:
        rows = rows & np.isin(case.observations.variable, case.variables)
    if not everything:
        rows = rows & verifiable(case.observations, case.departure)
        rows &= case.domain.contains(case.points.latitude, case.points.longitude)
    return rows


def box_of(matches: Matches, blocks: float) -> np.ndarray:
    """The name of the box of ``blocks`` km in which each match lies, shape (n,)."""
    row, column = boxes(matches.latitude, matches.longitude, blocks)
    return np.char.add(np.char.add(row.astype(str), " "), column.astype(str))
