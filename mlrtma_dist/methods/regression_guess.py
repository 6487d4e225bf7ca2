"""A regression on reports of a case as its first guess, in place of any other: what hours without a background have."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.fields.regression import Regression, fit_regression
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case


def regression_on(case: Case, rows: dict[str, np.ndarray], points: Points) -> Regression:
    """The regression on reports of a case.

    Args:
        rows: variable -> mask of its reports, shape (n,); points: where the reports were made, n of them.
    """
    middle = (slice(size // 2, size // 2 + 1) for size in case.domain.shape)
    reports = {}
    for name, chosen in rows.items():
        error = np.full(np.count_nonzero(chosen), names.VARIABLES[name].error)
        reports[name] = points[chosen], case.value[chosen], error
    return fit_regression(grid_points(case.static, *middle), case.time, reports)


def on_regression(case: Case, variables: Iterable[str]) -> Case:
    """The case with a regression on its used reports as first guess, in place of any other.

    Args:
        variables: of which there is to be a first guess, beside those that are reported.
    """
    kinds = case.observations.variable
    every = {*variables, *np.unique(kinds).tolist()}  # departures are of all reports
    rows = {name: case.used & (kinds == name) & np.isfinite(case.value) for name in sorted(every)}
    guess = regression_on(case, rows, case.points)
    return replace(case, first_guess=guess, background={}, influence=None, variables=())
