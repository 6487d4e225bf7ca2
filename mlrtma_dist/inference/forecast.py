"""Forecast: the states that follow a case, step by step, as the writer of products takes them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.distribution import distribution_of
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.ensemble_fields import by_rows
from mlrtma_dist.methods.method import Fields
from mlrtma_dist.names import to_analysis
from mlrtma_dist.observations.table import Observations

if TYPE_CHECKING:  # they import torch
    from mlrtma_dist.methods.lam import Boundary, LamMethod
    from mlrtma_dist.nn.neighbourhood import Neighbourhood

NOTHING = EnsembleSection()


def forecast(
    case: Case,
    method: "LamMethod",
    name: str,
    steps: int,
    boundary: "Boundary",
    neighbourhood: "Neighbourhood | None" = None,
    progress: Callable[[float], None] = lambda share: None,
    ensemble: EnsembleSection = NOTHING,
) -> Iterator[tuple[int, Analysis]]:
    """Number and state of every step on the case's box, made consistent. Collective among the tiles.

    Args:
        case: whose truth is the state that the forecast begins with.
        method: what carries it ahead; name: its name, for the product.
        steps: how many; boundary: see `LamMethod.forecast`.
        neighbourhood: of the box; None: the box is the domain.
        progress: called with the share that is done.
        ensemble: what is wanted of the distribution. Of a method that draws members the values are their mean and the
            error is their standard deviation.
    """
    nothing, table = np.empty(0), Observations.empty()
    for number, members in enumerate(method.members(case, steps, boundary, neighbourhood)):
        make_consistent(members)
        values = {name: each.mean(0, dtype=np.float64).astype(np.float32) for name, each in members.items()}
        drawn = members if method.count > 1 else {}
        error = {name: by_rows(partial(_spread, name), each) for name, each in drawn.items()}
        distribution, notes = distribution_of(case, drawn, Fields(values, {}, error), ensemble)
        progress((number + 1) / steps)
        yield (
            number,
            Analysis(
                case.static,
                case.time + (number + 1) * method.step,
                values,
                {},
                error,
                table,
                nothing,
                nothing,
                nothing,
                nothing,
                name,
                "none",
                notes,
                box=case.box,
                units=dict(case.units),
                start=case.time,
                distribution=distribution,
            ),
        )


def _spread(name: str, members: np.ndarray) -> np.ndarray:
    """Standard deviation of members (member, ...) in analysis space."""
    return np.asarray(to_analysis(name, members)).std(0, ddof=1)
