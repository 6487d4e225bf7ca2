"""Sums over the domain that shallow water keeps: what of them is exact is said in `shallow_water`.

Each is a tensor (batch,), the same on every tile, in float64, and differentiable.
"""

import torch
from torch import Tensor

from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.physics.arakawa_lamb import absolute_vorticity, depth_corner, depth_u, depth_v
from mlrtma_dist.physics.shallow_water import ShallowWater


def mass(model: ShallowWater, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Tensor:
    """Volume of water, m3: the sum of h d^2 (d: the spacing)."""
    here = model.neighbourhood(state, neighbourhood)
    return here.total(state[:, 0].double().sum((1, 2))) * model.spacing**2


def energy(model: ShallowWater, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Tensor:
    """Energy over density, m5 s-2: the sum of (h_u u^2 + h_v v^2 + g h^2) d^2 / 2 + g h b d^2."""
    here = model.neighbourhood(state, neighbourhood)
    around = model.extend(state.double(), here)
    h, u, v = (part[..., 2:-2, 2:-2] for part in (around.h, around.u, around.v))
    ground = around.terrain if isinstance(around.terrain, float) else around.terrain[..., 2:-2, 2:-2]
    deep_u, deep_v = (part[..., 1:-1, 1:-1] for part in (depth_u(around.h), depth_v(around.h)))
    density = 0.5 * (deep_u * u**2 + deep_v * v**2 + model.gravity * h**2) + model.gravity * h * ground
    return here.total(density.sum((1, 2))) * model.spacing**2


def potential_enstrophy(model: ShallowWater, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Tensor:
    """Potential enstrophy, m s-2: the sum over corners of (f + zeta)^2 / (2 h_q) d^2.

    A corner on a side that does not wrap counts half, one on two such sides a quarter.
    """
    here = model.neighbourhood(state, neighbourhood)
    around = model.extend(state.double(), here)
    coriolis = model.coriolis_at(here.box, here.domain[0], around.h)
    vorticity = absolute_vorticity(around.u, around.v, coriolis, model.spacing)
    density = (0.5 * vorticity**2 / depth_corner(around.h))[..., 1:, 1:]
    box = here.box
    in_y = _weights(box.y0, box.y1, here.domain[0], model.periodic[0]).to(density)
    in_x = _weights(box.x0, box.x1, here.domain[1], model.periodic[1]).to(density)
    return here.total(torch.einsum("byx,y,x->b", density, in_y, in_x)) * model.spacing**2


def _weights(begin: int, end: int, size: int, periodic: bool) -> Tensor:
    """Share of the lines of corners begin..end; the last belongs to the next tile, or lies on the domain's far side."""
    lines = torch.arange(begin, end + 1)
    weights = torch.where(lines < end, 1.0, 0.0).double()
    return weights if periodic else torch.where((lines == 0) | (lines == size), 0.5, weights)
