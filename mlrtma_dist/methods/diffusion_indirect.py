"""Reports of types that a denoiser never saw: o1 and o2 of shallow water, by their nonlinear operator.

    y = H(m + s d) + e      H(h, u, v) of `observations.indirect`, m and s the mean and the deviation of each field

They are observations of the departures d like any other (`diffusion.observed`), and training needs not know of them.
"""

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.methods.case import Case
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.nn.points import owned, sample
from mlrtma_dist.observations.indirect import TYPES, VARIABLES, IndirectTypes

OTHERS = TYPES[len(VARIABLES) :]


def indirect_reports(
    case: Case, types: IndirectTypes, units: tuple[np.ndarray, np.ndarray], here: Neighbourhood, device: torch.device
) -> Observed | None:
    """The used reports of the indirect types that a tile owns, of departures from a mean; None where the case has none.

    Args:
        case: with the reports of the whole domain.
        units: m and s of h, u and v, shape (variable,) each.
        here: the tile.
    """
    table = case.observations
    rows = np.flatnonzero(case.used & np.isin(table.variable, OTHERS))
    if not len(rows):
        return None
    places = torch.from_numpy(np.asarray(case.grid_place[rows], dtype=np.float64)).to(device)
    own = owned(places, here)
    mine, rows = places[own], rows[own.cpu().numpy()]
    second = torch.from_numpy(table.variable[rows] == OTHERS[1]).to(device)
    mean, deviation = (torch.from_numpy(each).float().to(device)[:, None] for each in units)

    def operator(field: Tensor) -> Tensor:
        state = mean + deviation * sample(field, mine, here)
        speed, phase = types.indirect(*state.unbind(1), functions=torch)
        return torch.where(second, phase, speed)

    value, error = (torch.from_numpy(getattr(table, name)[rows]).float().to(device) for name in ("value", "error"))
    return Observed(value, error.square(), operator, lambda tensor: here.total(tensor.detach()))
