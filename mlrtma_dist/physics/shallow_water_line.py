"""Shallow water on a line that wraps, with diffusion: the model of the emulators' page.

    du/dt + u du/dx + g dh/dx = nu d2u/dx2        dh/dt + d(u h)/dx = nu d2h/dx2

h and u stand on the same points. Both equations are differenced in flux form, d/dx (u^2 / 2 + g h) and d/dx (u h), by
centred differences of order two, so the sums of h and of u change by rounding alone. In time: the classical Runge-Kutta
scheme. A wave of small amplitude about water at rest of depth H obeys, on the grid as well,

    (h, u) = (1, +-sqrt(g / H)) a exp(-decay t) cos(k x -+ frequency t)

    frequency = sqrt(g H) sin(k d) / d        decay = nu (2 - 2 cos(k d)) / d^2

A state is a tensor (batch, 2, 1, x) of h and u, as fields of one row that `nn.neighbourhood` knows; parts of the line
give what the whole line gives.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.names import STANDARD_GRAVITY
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood, Rim
from mlrtma_dist.physics.runge_kutta import runge_kutta


@dataclass(frozen=True)
class ShallowWaterLine:
    """The equations.

    Attributes:
        spacing: d, of the points, m.
        gravity: m s-2.
        viscosity: nu, of winds and of depth, m2 s-1.
    """

    spacing: float
    gravity: float = STANDARD_GRAVITY
    viscosity: float = 0.0

    def __post_init__(self):
        if not (self.spacing > 0.0 and self.gravity > 0.0 and self.viscosity >= 0.0):
            raise InputError(
                "shallow water on a line: expected spacing and gravity above 0 and a viscosity of at least 0, got"
                f" {self.spacing}, {self.gravity} and {self.viscosity}."
            )

    def tendency(self, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Tensor:
        """d(state)/dt, the state's units per second.

        Args:
            state: h, u, shape (batch, 2, 1, x): m, m s-1.
            neighbourhood: what lies around; by default the state is the whole line.

        Raises:
            InputError: a state of another shape, or a neighbourhood that does not wrap in x.
        """
        here = self.neighbourhood(state, neighbourhood)
        around = here.rim(state, Rim.around(0, 1))
        h, u = around.unbind(1)
        flux = torch.stack((u * h, 0.5 * u.square() + self.gravity * h), 1)
        slope = (flux[..., 2:] - flux[..., :-2]) / (2.0 * self.spacing)
        bend = (around[..., 2:] - 2.0 * state + around[..., :-2]) / self.spacing**2
        return self.viscosity * bend - slope

    def run(self, state: Tensor, seconds: float, steps: int, neighbourhood: Neighbourhood | None = None) -> Tensor:
        """The state after so many steps of so many seconds each; arguments as of `tendency`."""
        tendency = partial(self.tendency, neighbourhood=self.neighbourhood(state, neighbourhood))
        for _ in range(steps):
            state = runge_kutta(tendency, state, seconds)
        return state

    def wave(self, wave_number: float, depth: float) -> tuple[float, float]:
        """Frequency and decay of small waves on the grid, s-1, for a wave number in m-1 and a depth at rest in m."""
        angle = wave_number * self.spacing
        frequency = math.sqrt(self.gravity * depth) * math.sin(angle) / self.spacing
        return frequency, self.viscosity * (2.0 - 2.0 * math.cos(angle)) / self.spacing**2

    def neighbourhood(self, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Neighbourhood:
        """The given neighbourhood, or the whole line; raises InputError where it does not suit the state."""
        if state.dim() != 4 or state.shape[1:3] != (2, 1):
            raise InputError(
                f"shallow water on a line: expected a state (batch, 2, 1, x) of h and u, got {tuple(state.shape)}."
            )
        here = Alone((1, state.shape[-1]), (False, True)) if neighbourhood is None else neighbourhood
        if not here.periodic[1]:
            raise InputError("shallow water on a line: expected a neighbourhood that wraps in x.")
        here.check(state)
        return here
