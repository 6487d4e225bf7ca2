"""States in balance: winds without divergence, and the depth that keeps them so for the moment.

The depth is found with the model's own tendency, so the balance is that of its differences: geostrophic for slow winds,
nonlinear (Charney 1955) for fast ones, over any terrain. For periodic domains; made on the CPU, in float64.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.physics.shallow_water import ShallowWater

ROUNDS = 50  # a balance that can be had is found in fewer; each round takes its share of what is left
ENOUGH = 1e-12  # of the depth: the last digits of a double


def random_balanced(
    model: ShallowWater,
    neighbourhood: Neighbourhood,
    *,
    depth: float,
    speed: float,
    length: float,
    seed: int,
    cases: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Random states in balance: a Gaussian stream function with the spectrum exp(-k^2 L^2 / 8).

    Args:
        neighbourhood: the points wanted here; tiles get their parts of one and the same state.
        depth: mean height of the surface above the plane, m.
        speed: root mean square of the wind (both components together), over many cases, m s-1.
        length: L, m: the stream function's correlation is exp(-2 r^2 / L^2).
        seed: case number n of a seed is the same whatever ``cases`` is.

    Returns:
        Shape (cases, 3, y, x): h, u, v.

    Raises:
        InputError: the domain is not periodic, or no balance was found.
    """
    domain = neighbourhood.domain
    cells = length / model.spacing
    # <|grad psi|^2> = 8 var(psi) / L^2: the curvature of exp(-2 r^2 / L^2) at 0 is 4 / L^2 in each direction.
    covariance = SpectralCovariance.gaussian(domain, cells, speed * length / math.sqrt(8.0))
    stream = torch.from_numpy(np.stack([covariance.draw(seed, member=case) for case in range(cases)]))
    return balanced(model, stream, depth, neighbourhood).to(dtype)


def balanced(model: ShallowWater, stream: Tensor, depth: float, neighbourhood: Neighbourhood) -> Tensor:
    """The state whose winds come from a stream function and have no divergence now and in the next moment.

    The depth solves div(d(u, v)/dt) = 0 by rounds of h <- h + (g laplacian)^-1 div(d(u, v)/dt), in float64.

    Args:
        stream: at south-west corners of the whole domain, shape (batch, Y, X), m2 s-1: u = -d/dy, v = d/dx.
        depth, neighbourhood: as of `random_balanced`.

    Returns:
        Shape (batch, 3, y, x), float64.

    Raises:
        InputError: the domain is not periodic, or no balance was found (the wind is too fast for the depth).
    """
    if model.periodic != (True, True):
        raise InputError(f"balanced states are found on periodic domains, the sides are {model.sides}.")
    alone = Alone(neighbourhood.domain, model.periodic)
    whole = _on_whole(model, neighbourhood)
    stream = stream.double().cpu()
    ground = 0.0 if whole.terrain is None else whole.terrain
    h = depth - ground + torch.zeros_like(stream)
    u = -(stream.roll(-1, -2) - stream) / model.spacing
    v = (stream.roll(-1, -1) - stream) / model.spacing
    inverse = _inverse_laplacian(alone.domain, model.spacing).to(stream)
    moving = torch.ones(len(h), dtype=torch.bool)
    for _ in range(ROUNDS):
        _, u_t, v_t = whole.tendency(torch.stack((h, u, v), dim=1), alone).unbind(1)
        spread = (u_t.roll(-1, -1) - u_t + v_t.roll(-1, -2) - v_t) / model.spacing
        change = torch.fft.irfft2(inverse * torch.fft.rfft2(spread), alone.domain) / model.gravity
        # A case that has arrived stays, so that it does not depend on the others.
        h = torch.where(moving[:, None, None], h + change, h)
        moving = moving & (change.abs().amax((1, 2)) > ENOUGH * depth)
        if not bool((h > 0.0).all()):
            break
        if not bool(moving.any()):
            return _part(torch.stack((h, u, v), dim=1), neighbourhood)
    raise InputError(
        f"no balanced depth was found: the last round changed it by {float(change.abs().max()):.3g} m, the"
        f" least depth is {float(h.min()):.3g} m. Use deeper water, slower winds or a longer scale."
    )


def _on_whole(model: ShallowWater, neighbourhood: Neighbourhood) -> ShallowWater:
    """The model with the terrain of the whole domain."""
    if model.terrain is None:
        return model
    return replace(model, terrain=neighbourhood.whole(model.terrain).detach().double().cpu())


def _inverse_laplacian(domain: tuple[int, int], spacing: float) -> Tensor:
    """The inverse of the five-point Laplacian in the order of rfft2; 0 for the mean, which stays."""
    wave_y, wave_x = np.fft.fftfreq(domain[0]) * np.pi, np.fft.rfftfreq(domain[1]) * np.pi
    squares = 4.0 / spacing**2 * (np.sin(wave_y)[:, None] ** 2 + np.sin(wave_x) ** 2)
    squares[0, 0] = np.inf
    return torch.from_numpy(-1.0 / squares)


def _part(whole: Tensor, neighbourhood: Neighbourhood) -> Tensor:
    """The points held here of a field on the whole domain."""
    box, (rows, columns) = neighbourhood.box, neighbourhood.domain
    return whole[..., torch.arange(box.y0, box.y1)[:, None] % rows, torch.arange(box.x0, box.x1) % columns]
