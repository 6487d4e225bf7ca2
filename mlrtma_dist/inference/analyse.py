"""Analyse a case: evaluate an answer on the grid and at the reports, and put together what the product needs."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.grid.points import Points, distinct
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.distribution import distribution_of, members_of
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.events import below
from mlrtma_dist.methods.method import ALONE, Answer, Share
from mlrtma_dist.methods.window import analysed_case

NOTHING = EnsembleSection()


def analyse(
    case: Case,
    answer: Answer,
    method: str,
    *,
    share: Share = ALONE,
    progress: Callable[[str, float], None] = lambda name, part: None,
    ensemble: EnsembleSection = NOTHING,
) -> Analysis:
    """Evaluate an answer over the case's box and at its reports. Collective over the ranks of ``share``.

    Args:
        case: what was analysed; answer: the analysis; method: its name, for the product.
        share: the part of the work that is this rank's.
        progress: called with a variable's name and the share of its work done, in [0, 1].
        ensemble: what is wanted of the distribution.

    Returns:
        Analysis, first guess, error and distribution on the box, and departures at the reports of the whole domain.
    """
    fields = answer.fields(share, progress)
    members = {} if ensemble.is_empty else members_of(answer, fields, share)
    distribution, notes = distribution_of(case, members, fields, ensemble)
    departures = diagnose(case, answer, method, share)
    return replace(
        departures,
        values=fields.values,
        first_guess=fields.first_guess,
        error=fields.error,
        probability=fields.probability,
        distribution=distribution,
        notes=(*departures.notes, *notes),
    )


def diagnose(case: Case, answer: Answer, method: str, share: Share = ALONE) -> Analysis:
    """The analysis at the reports only: departures, assumed errors and weights, no fields.

    Reports of variables that are not analysed, which a network may have read, are left out.
    """
    guess, own = getattr(answer, "case", case).first_guess, analysed_case(case, answer)
    analysed, _ = at_reports(own, answer, own.used, share)
    rows = analysed_rows(case)
    return Analysis(
        case.static,
        case.time,
        {},
        {},
        {},
        own.observations[rows],
        own.departure[rows],
        (case.value - analysed)[rows],
        answer.observation_error[rows],
        answer.weight[rows],
        method,
        guess.name if guess is not None else "none",
        case.notes,
        box=case.box,
        units=dict(case.units),
    )


def analysed_rows(case: Case) -> np.ndarray:
    """Mask of the reports of variables that are analysed, shape (n,): those of an `Analysis`."""
    return np.isin(case.observations.variable, case.variables or np.unique(case.observations.variable))


def at_reports(case: Case, answer: Answer, rows: np.ndarray, share: Share = ALONE) -> tuple[np.ndarray, np.ndarray]:
    """The analysis and its error where reports were made, each at the report's own place and height.

    Args:
        case: what was analysed; answer: the analysis.
        rows: mask (n,) of the reports to evaluate.
        share: an answer that is known on the box alone is evaluated by the rank that owns the report.

    Returns:
        Analysis and standard deviation of its error in analysis space, each of shape (n,), NaN elsewhere.
    """
    result = _evaluate(case, answer, rows, share, 2, lambda name, points: np.stack(answer.at(name, points), axis=1))
    return result[:, 0], result[:, 1]


def below_at_reports(
    case: Case, answer: Answer, rows: np.ndarray, limits: Mapping[str, np.ndarray], share: Share = ALONE
) -> np.ndarray:
    """Probability of a report below limits of its variable, other arguments as of `at_reports`.

    Args:
        limits: variable -> limits in analysis space, shape (k,).

    Returns:
        Shape (n, most limits), NaN elsewhere and beyond the variable's own number of limits.
    """
    most = max(map(len, limits.values()), default=0)

    def evaluate(name: str, points: Points) -> np.ndarray:
        result = np.full((len(points), most), np.nan)
        if name in limits:
            result[:, : len(limits[name])] = below(answer, name, points, limits[name])
        return result

    return _evaluate(case, answer, rows, share, most, evaluate)


def members_at_reports(case: Case, answer: Answer, rows: np.ndarray, share: Share = ALONE) -> np.ndarray:
    """The members at reports, analysis space, shape (n, member), NaN elsewhere; no member of an answer without some."""
    own = getattr(answer, "members_at", None)
    if own is None:
        return np.empty((len(rows), 0))
    count = answer.count  # type: ignore[attr-defined]  # an answer with members_at has it
    return _evaluate(case, answer, rows, share, count, lambda name, points: own(name, points).T)


def _evaluate(
    case: Case,
    answer: Answer,
    rows: np.ndarray,
    share: Share,
    columns: int,
    evaluate: Callable[[str, Points], np.ndarray],
) -> np.ndarray:
    """What ``evaluate`` gives of a variable at the reports of ``rows``, shape (n, columns), NaN elsewhere."""
    result = np.full((len(rows), columns), np.nan)
    mine = rows & owned(case) if not answer.everywhere and share.count > 1 else rows
    mine = mine & np.isfinite(case.value) & np.isin(case.observations.variable, answer.variables)
    together = getattr(answer, "together", False) and mine.any()
    if together:
        first, number = distinct(case.points[mine])
        every, place = case.points[mine][first], np.cumsum(mine) - 1
    for name in answer.variables:
        chosen = mine & (case.observations.variable == name)
        if chosen.any() and together:
            result[chosen] = evaluate(name, every)[number[place[chosen]]]
        elif chosen.any():
            result[chosen] = evaluate(name, case.points[chosen])
    return result if answer.everywhere or share.count == 1 else _joined(result, share)


def owned(case: Case) -> np.ndarray:
    """Mask (n,) of the reports that the case's box owns; those beyond the domain belong to its nearest point."""
    place, shape = np.nan_to_num(case.grid_place), case.domain.shape
    if not case.domain.periodic:
        place = np.clip(place, 0.0, np.array(shape) - 1.0)
    return case.box.owns(cell_of(place, shape, case.domain.periodic))


def _joined(part: np.ndarray, share: Share) -> np.ndarray:
    """Values of which each rank has its own, NaN elsewhere, as all ranks together have them."""
    finite = np.isfinite(part)
    count = share.total(finite.astype(np.int64))
    return np.where(count > 0, share.total(np.where(finite, part, 0.0)), np.nan)
