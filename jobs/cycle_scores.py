"""The scores of a slot of `mlrtma cycle`: at the stations that the archive withholds, else at the reports used."""

import logging
from collections.abc import Mapping

import numpy as np

from mlrtma_dist.inference.cycle_methods import Attempt
from mlrtma_dist.inference.cycle_publications import Publication, append_rows
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.method import ALONE
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.verification.match import FIRST_GUESS
from mlrtma_dist.verification.scores import bias, in_table_order, rmse
from mlrtma_dist.verification.withheld import match, scored_rows

log = logging.getLogger(__name__)
TABLE = "scores.csv"
COLUMNS = ("domain", "time", "revision", "method", "at", "variable", "n", "bias", "rmse")
WITHHELD, USED = "withheld", "used"

Errors = dict[tuple[str, str], np.ndarray]  # (method, variable) -> analysis minus report, analysis space


def append_scores(domain, publication: Publication, case: Case, contents: Contents, attempt: Attempt) -> str:
    """Append the scores of a publication to the domain's table; returns that of the first variable in words.

    Args:
        domain: the `jobs.cycle_slot.DomainCycle`.
        case: what was analysed; contents: of the cases; attempt: by what.
    """
    where = WITHHELD if case.withheld.any() else USED
    errors = _at_withheld(domain, case, contents, attempt) if where == WITHHELD else _at_used(case, attempt)
    rows = [
        (publication.domain, publication.time, publication.revision, method, where, name, len(error))
        + (f"{bias(error):.6g}", f"{rmse(error):.6g}")
        for (method, name), error in errors.items()
        if len(error)
    ]
    append_rows(domain.publications.folder / TABLE, COLUMNS, rows)
    names = in_table_order(list(dict.fromkeys(name for _, name in errors)))
    for name in names:
        error = errors.get((attempt.choice.name, name), np.empty(0))
        if len(error):
            return f", {name} rmse {rmse(error):.3g} at {len(error)} reports {where}"
    return ""


def _at_withheld(domain, case: Case, contents: Contents, attempt: Attempt) -> Errors:
    """Errors at the withheld stations, of the method that was published and of those that are compared with it."""
    rows, assumed = scored_rows(case), assumptions(domain.settings)
    answers = {attempt.choice.name: attempt.answer}
    for name in domain.run.compare:
        if name not in answers:
            try:
                method, _ = domain.weights.method(domain.run.choice(name), contents)
                answers[name] = method.analyse(case)
            except Exception as error:  # a comparison must not end the cycle
                log.warning("%s is not scored: %s: %s", name, type(error).__name__, error)
    errors = _by_variable(FIRST_GUESS, case, -case.departure, rows)
    for name, answer in answers.items():
        matches = match(name, case, answer, rows, ALONE, 0, assumed)
        matches = matches.select(matches.scored)
        errors |= {(name, variable): matches.select(variable=variable).error for variable in matches.variables}
    return errors


def _at_used(case: Case, attempt: Attempt) -> Errors:
    """Differences of first guess and analysis from the reports that the analysis used."""
    analysis = attempt.analysis
    rows = np.isfinite(analysis.background_departure) & np.isfinite(analysis.analysis_departure)
    table: Mapping[str, np.ndarray] = {
        FIRST_GUESS: -analysis.background_departure,
        attempt.choice.name: -analysis.analysis_departure,
    }
    names = analysis.observations.variable
    return {
        (method, str(name)): error[rows & (names == name)]
        for method, error in table.items()
        for name in np.unique(names)
    }


def _by_variable(method: str, case: Case, error: np.ndarray, rows: np.ndarray) -> Errors:
    names = case.observations.variable
    return {(method, str(name)): error[rows & (names == name) & np.isfinite(error)] for name in np.unique(names[rows])}
