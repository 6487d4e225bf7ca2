"""Rotating shallow water over terrain, on any part of a domain.

    dh/dt = -div(h u)
    du/dt = -q k x (h u) - grad(K + g (h + b)) + nu / h div(h grad u)        q = (f + zeta) / h,  K = |u|^2 / 2

in space by Arakawa and Lamb (1981), see `arakawa_lamb`, in time by the classical Runge-Kutta scheme of order four
(Kutta 1901). Without friction the space differences conserve

- mass, exactly, also in time: on periodic domains and between walls;
- energy, on periodic domains and between walls, over any terrain;
- potential enstrophy, on periodic domains. Between walls it takes a vorticity of its own on the wall (Ketefian and
  Jacobson 2009), which is not built here;

so the last two drift by the error of the time scheme alone. The friction is that of Gent (1993): it takes
nu * sum(h |grad u|^2) of energy and adds no momentum. A state is a tensor (batch, 3, y, x) of h, u, v, placed as
`arakawa_lamb` draws it: u and v of row or column 0 lie on the domain's first side, where they are no unknowns.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.names import STANDARD_GRAVITY
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood, Rim
from mlrtma_dist.physics import arakawa_lamb
from mlrtma_dist.physics.arakawa_lamb import Fluxes, at
from mlrtma_dist.physics.runge_kutta import runge_kutta
from mlrtma_dist.physics.sides import RIM, SIDES, Extended, close, free_faces

# RK4 is stable where dt * frequency < 2.828 and dt * decay < 2.785; a gravity wave on the C-grid has the frequency
# 2 sqrt(2) c / d at most, friction the decay 8 nu / d2.
WAVE_LIMIT, DECAY_LIMIT = 1.0, 2.785 / 8.0
MARGIN = 0.8


@dataclass(frozen=True, eq=False)
class ShallowWater:
    """The equations on a domain.

    Attributes:
        spacing: width of the square cells, m.
        gravity: m s-2.
        coriolis: f in the middle row of the domain, s-1; beta: its increase northward, m-1 s-1.
        viscosity: nu, m2 s-1.
        terrain: height b of the ground at the centres of the cells held here, shape (y, x), m; None for a plane.
        sides: what the domain's sides in y and in x are: periodic, wall or open.
        surface: height of the water's surface outside, m, above all terrain; for open sides.
    """

    spacing: float
    gravity: float = STANDARD_GRAVITY
    coriolis: float = 0.0
    beta: float = 0.0
    viscosity: float = 0.0
    terrain: Tensor | None = None
    sides: tuple[str, str] = ("periodic", "periodic")
    surface: float | None = None

    def __post_init__(self):
        if not (self.spacing > 0.0 and self.gravity > 0.0 and self.viscosity >= 0.0):
            raise InputError(
                f"expected spacing and gravity above 0 and a viscosity of at least 0, got {self.spacing},"
                f" {self.gravity} and {self.viscosity}."
            )
        if len(self.sides) != 2 or any(side not in SIDES for side in self.sides):
            raise InputError(f"sides: expected two (in y, in x) of {', '.join(SIDES)}; got {self.sides}.")
        if self.beta and self.sides[0] == "periodic":
            raise InputError(
                f"beta = {self.beta:g} on a domain that is periodic in y: f would jump where it wraps. Use"
                " walls or open sides in y."
            )
        if ("open" in self.sides) != (self.surface is not None):
            raise InputError(
                f"surface is the height of the water outside open sides: sides are {self.sides}, surface"
                f" is {self.surface}. Give both or neither."
            )

    @property
    def periodic(self) -> tuple[bool, bool]:
        """Whether y, x wrap, as a neighbourhood says it."""
        return self.sides[0] == "periodic", self.sides[1] == "periodic"

    def tendency(self, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Tensor:
        """d(state)/dt, the state's units per second; 0 for winds on a side.

        Args:
            state: h, u, v, shape (batch, 3, y, x): m, m s-1, m s-1.
            neighbourhood: what lies around; by default the state is the whole domain.

        Raises:
            InputError: shapes or sides of state, terrain and neighbourhood that do not suit each other.
        """
        here = self.neighbourhood(state, neighbourhood)
        around = self.extend(state, here)
        mass_u = arakawa_lamb.depth_u(around.h) * at(around.u, 0, 0)
        mass_v = arakawa_lamb.depth_v(around.h) * at(around.v, 0, 0)
        head = arakawa_lamb.kinetic_energy(around.u, around.v) + self.gravity * at(around.h + around.terrain, 0, 0)
        fluxes = Fluxes(mass_u, mass_v, self.potential_vorticity(around, here), head)
        u, v = arakawa_lamb.momentum(fluxes, self.spacing)
        if self.viscosity:
            friction = arakawa_lamb.friction(around.h, around.u, around.v, self.spacing)
            u, v = u + self.viscosity * friction[0], v + self.viscosity * friction[1]
        free_v, free_u = free_faces(self.sides, here.domain, here.box, state)
        h = -arakawa_lamb.divergence(mass_u, mass_v, self.spacing)
        return torch.stack((h, u * free_u, v * free_v), dim=1)

    def step(self, state: Tensor, seconds: float, neighbourhood: Neighbourhood | None = None) -> Tensor:
        """The state (batch, 3, y, x) after one step of the classical Runge-Kutta scheme; arguments as of `tendency`."""
        here = self.neighbourhood(state, neighbourhood)
        return runge_kutta(lambda at_stage: self.tendency(at_stage, here), state, seconds)

    def run(self, state: Tensor, seconds: float, steps: int, neighbourhood: Neighbourhood | None = None) -> Tensor:
        """The state after so many steps of so many seconds each; arguments as of `tendency`."""
        here = self.neighbourhood(state, neighbourhood)
        for _ in range(steps):
            state = self.step(state, seconds, here)
        return state

    def to_centres(self, state: Tensor, neighbourhood: Neighbourhood | None = None) -> Tensor:
        """h, u, v at the centres of cells, shape (batch, 3, y, x): the winds are means of two faces."""
        around = self.extend(state, self.neighbourhood(state, neighbourhood))
        h, u, v = (part[..., 1:-1, 1:-1] for part in (around.h, around.u, around.v))
        return torch.stack((at(h, 0, 0), 0.5 * (at(u, 0, 0) + at(u, 0, 1)), 0.5 * (at(v, 0, 0) + at(v, 1, 0))), dim=1)

    def stable_seconds(self, state: Tensor, neighbourhood: Neighbourhood | None = None) -> float:
        """A step that is stable for every state of the batch, s: 0.8 of the limit for waves on the fastest wind.

        The fastest wind and the deepest water count together, wherever they are, on any tile.
        """
        here = self.neighbourhood(state, neighbourhood)
        h, u, v = state.detach().abs().amax((0, 2, 3))
        h, u, v = here.largest(torch.stack((h, u, v))).tolist()
        wave = WAVE_LIMIT * self.spacing / ((self.gravity * h) ** 0.5 + u + v)
        decay = DECAY_LIMIT * self.spacing**2 / self.viscosity if self.viscosity else float("inf")
        return MARGIN * min(wave, decay)

    def neighbourhood(self, state: Tensor, neighbourhood: Neighbourhood | None) -> Neighbourhood:
        """The given neighbourhood, or `Alone`; raises InputError where it does not suit the state or the sides."""
        if state.dim() != 4 or state.shape[1] != 3:
            raise InputError(f"expected a state (batch, 3, y, x) of h, u, v, got the shape {tuple(state.shape)}.")
        here = Alone(tuple(state.shape[-2:]), self.periodic) if neighbourhood is None else neighbourhood
        if tuple(here.periodic) != self.periodic:
            raise InputError(
                f"the neighbourhood wraps in (y, x): {tuple(here.periodic)}, but the sides are"
                f" {self.sides}. Make both alike."
            )
        here.check(state)
        if self.terrain is not None and tuple(self.terrain.shape) != here.box.shape:
            raise InputError(
                f"expected terrain on the points held here, {here.box.shape}, got"
                f" {tuple(self.terrain.shape)}. Cut it to the box {here.box}."
            )
        return here

    def extend(self, state: Tensor, here: Neighbourhood) -> Extended:
        """The state with its rim of two points, the winds on sides set."""
        if self.terrain is not None:
            ground = self.terrain.to(state).expand(len(state), 1, *self.terrain.shape)
            state = torch.cat((state, ground), dim=1)
        h, u, v, *ground = here.rim(state, Rim.around(RIM, RIM), "replicate").unbind(1)
        around = Extended(h, u, v, ground[0] if ground else 0.0)
        return close(around, self.sides, here.domain, here.box, self.gravity, self.surface)

    def potential_vorticity(self, around: Extended, here: Neighbourhood) -> Tensor:
        """q at south-west corners, m-1 s-1, with one point to spare: (batch, y + 2, x + 2)."""
        coriolis = self.coriolis_at(here.box, here.domain[0], around.h)
        vorticity = arakawa_lamb.absolute_vorticity(around.u, around.v, coriolis, self.spacing)
        return vorticity / arakawa_lamb.depth_corner(around.h)

    def coriolis_at(self, box: Box, rows: int, like: Tensor) -> Tensor:
        """f on the rows of corners around a box, shape (y + 2, 1), s-1."""
        corners = torch.arange(box.y0 - 1, box.y1 + 1, device=like.device, dtype=torch.float64)
        northward = (corners - rows / 2) * self.spacing
        return (self.coriolis + self.beta * northward).to(like.dtype)[:, None]
