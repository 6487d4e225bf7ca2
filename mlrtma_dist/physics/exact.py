"""Flows of shallow water known in closed form: what a solver is measured by, and states to begin from.

All are whole domains, shape (1, 3, y, x), float64, in the places of `arakawa_lamb`: corner [0, 0] lies at (0, 0).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.physics.shallow_water import ShallowWater


@dataclass(frozen=True)
class PoincareWave:
    """A small wave on a periodic plane that turns: exact in the limit of no amplitude (Gill 1982, chapter 8).

    Attributes:
        domain: points in y and x.
        waves: how many fit into the domain in y and in x.
        depth: of the water at rest, m; amplitude: of the surface, m.
    """

    domain: tuple[int, int]
    waves: tuple[int, int]
    depth: float
    amplitude: float

    def numbers(self, model: ShallowWater) -> tuple[float, float]:
        """Angular wave numbers l in y and k in x, m-1."""
        in_y, in_x = (
            2.0 * math.pi * count / (size * model.spacing) for count, size in zip(self.waves, self.domain, strict=True)
        )
        return in_y, in_x

    def frequency(self, model: ShallowWater) -> float:
        """sqrt(f^2 + g H (k^2 + l^2)), s-1."""
        in_y, in_x = self.numbers(model)
        return math.sqrt(model.coriolis**2 + model.gravity * self.depth * (in_x**2 + in_y**2))

    def grid_frequency(self, model: ShallowWater) -> float:
        """The frequency of the space differences, s-1: Arakawa and Lamb (1977), C-grid.

        sqrt(f^2 cos^2(k d / 2) cos^2(l d / 2) + 4 g H / d^2 (sin^2(k d / 2) + sin^2(l d / 2))).
        """
        in_y, in_x = (number * model.spacing / 2 for number in self.numbers(model))
        turning = model.coriolis * math.cos(in_x) * math.cos(in_y)
        return math.sqrt(
            turning**2 + 4 * model.gravity * self.depth / model.spacing**2 * (math.sin(in_x) ** 2 + math.sin(in_y) ** 2)
        )

    def state(self, model: ShallowWater, seconds: float) -> Tensor:
        """h, u, v after so many seconds; the crest begins at (0, 0)."""
        (in_y, in_x), omega, f = self.numbers(model), self.frequency(model), model.coriolis
        scale = model.gravity * self.amplitude / (omega**2 - f**2)
        parts = []
        for y, x, cosine, sine in (
            (0.5, 0.5, self.amplitude, 0.0),
            (0.5, 0.0, scale * omega * in_x, -scale * f * in_y),
            (0.0, 0.5, scale * omega * in_y, scale * f * in_x),
        ):
            northward, eastward = places(self.domain, model.spacing, y, x)
            phase = in_x * eastward + in_y * northward - omega * seconds
            parts.append(cosine * torch.cos(phase) + sine * torch.sin(phase))
        parts[0] = parts[0] + self.depth
        return torch.stack(parts)[None]


def zonal_jet(model: ShallowWater, domain: tuple[int, int], depth: float, speed: float, width: float) -> Tensor:
    """A steady westerly jet u = U sech^2(y / L) in the middle of the domain, in geostrophic balance with its depth.

    g h = g H - U (f L tanh(y / L) + beta (L y tanh(y / L) - L^2 log cosh(y / L))) - g b: an exact steady solution of
    the nonlinear equations with sides in y far away, over terrain that the surface does not follow.

    Args:
        domain: points in y and x.
        depth: H, m; speed: U, m s-1; width: L, m.
    """
    middle = domain[0] * model.spacing / 2
    faces = (places(domain, model.spacing, 0.5, 0.0)[0] - middle).expand(domain)
    centres = (places(domain, model.spacing, 0.5, 0.5)[0] - middle).expand(domain)
    u, s = speed / torch.cosh(faces / width) ** 2, centres / width
    turning = model.coriolis * width * torch.tanh(s)
    turning = turning + model.beta * (width * centres * torch.tanh(s) - width**2 * torch.log(torch.cosh(s)))
    h = depth - speed * turning / model.gravity
    ground = 0.0 if model.terrain is None else model.terrain.double()
    return torch.stack((h - ground, u, torch.zeros_like(u)))[None]


def places(domain: tuple[int, int], spacing: float, y: float, x: float) -> tuple[Tensor, Tensor]:
    """Metres northward (y, 1) and eastward (1, x) of the points that lie ``y``, ``x`` cells from south-west corners."""
    northward = (torch.arange(domain[0], dtype=torch.float64) + y) * spacing
    eastward = (torch.arange(domain[1], dtype=torch.float64) + x) * spacing
    return northward[:, None], eastward[None, :]
