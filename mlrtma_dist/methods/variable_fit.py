"""Fit a departure method to one variable of a case: plainly, to its distribution, or keeping its extremes."""

from dataclasses import replace
from functools import partial

import numpy as np

from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.departure_kind import DepartureKind, Prior
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.indicators import Indicators, fit_indicators
from mlrtma_dist.methods.settings import Classical, VariableSettings
from mlrtma_dist.methods.spread import Local, fit_spread
from mlrtma_dist.names import variable


def has_distribution(kind: DepartureKind, settings: Classical, case: Case, name: str) -> bool:
    """Whether a method analyses the distribution of a variable, of which there are reports.

    Members of an ensemble have a distribution of their own, and a method that adds no report leaves a background as it
    is: reports would calibrate the distribution.
    """
    if settings.variables[name].indicators is None or kind.members or not _rows(case, name).any():
        return False
    return kind.reports or not _in_background(case, name)


def fit_variable(kind: DepartureKind, settings: Classical, case: Case, name: str, assumed: VariableSettings) -> Fit:
    """Fit a kind of method to the used reports of a variable.

    Args:
        kind: of the method; settings: of all variables.
        case: reports and first guess.
        name: of the variable.
        assumed: its settings, scaled to the hour where the kind has a covariance.
    """
    own = settings.variables[name]
    rows = _rows(case, name)
    points, value = case.points[rows], case.value[rows]
    guess = partial(case.first_guess.mean, name)
    if own.indicators is not None and has_distribution(kind, settings, case, name):
        prior = Prior(name, _for(settings, name, own.indicators), Covariance(own.indicators.covariance))
        return fit_indicators(
            kind.method(prior),
            own.indicators,
            points=points,
            value=value,
            guess=guess,
            least=variable(name).valid[0],
            gridded=_in_background(case, name),
            columns=kind.isotropic,
        )
    members = partial(case.members.perturbations, name) if case.members else None
    covariance = Covariance(assumed.covariance)
    error = np.full(len(value), assumed.observation_error)
    fit = kind.method(Prior(name, settings, covariance, members)).fit(points, case.departure[rows], error)
    if own.local is None or not kind.isotropic:
        return fit
    return fit_spread(
        fit,
        kind.method(Prior(name, _for(settings, name, own.local), Covariance(own.local.covariance))),
        own.local,
        covariance,
        points=points,
        value=value,
        guess=guess,
        error=error,
    )


def _rows(case: Case, name: str) -> np.ndarray:
    """Mask of the reports of a variable that are used, shape (n,)."""
    return case.used & (case.observations.variable == name)


def _in_background(case: Case, name: str) -> bool:
    """Whether a gridded background has a variable."""
    return name in getattr(case.first_guess, "variables", ())


def _for(settings: Classical, name: str, part: Indicators | Local) -> Classical:
    """The settings with a variable's covariance and error replaced by those of a part, without quality control."""
    own = replace(
        settings.variables[name], observation_error=part.observation_error, huber=None, covariance=part.covariance
    )
    return replace(settings, variables={**settings.variables, name: own})
