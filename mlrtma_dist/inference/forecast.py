"""Forecast: the states that follow a case, step by step, as the writer of products takes them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.methods.case import Case
from mlrtma_dist.observations.table import Observations

if TYPE_CHECKING:  # they import torch
    from mlrtma_dist.methods.lam import Boundary, LamMethod
    from mlrtma_dist.nn.neighbourhood import Neighbourhood


def forecast(
    case: Case,
    method: "LamMethod",
    name: str,
    steps: int,
    boundary: "Boundary",
    neighbourhood: "Neighbourhood | None" = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Iterator[tuple[int, Analysis]]:
    """Number and state of every step on the case's box. Collective among the tiles.

    Args:
        case: whose truth is the state that the forecast begins with.
        method: what carries it ahead; name: its name, for the product.
        steps: how many; boundary: see `LamMethod.forecast`.
        neighbourhood: of the box; None: the box is the domain.
        progress: called with the share that is done.
    """
    nothing, table = np.empty(0), Observations.empty()
    for number, values in enumerate(method.forecast(case, steps, boundary, neighbourhood)):
        progress((number + 1) / steps)
        yield (
            number,
            Analysis(
                case.static,
                case.time + (number + 1) * method.step,
                values,
                {},
                {},
                table,
                nothing,
                nothing,
                nothing,
                nothing,
                name,
                "none",
                box=case.box,
                units=dict(case.units),
                start=case.time,
            ),
        )
