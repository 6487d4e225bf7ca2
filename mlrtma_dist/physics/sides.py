"""What lies on and beyond the sides of a domain of shallow water: nothing, a wall, or open water at rest.

On a side, the wind through its faces is no unknown: it follows from the depth inside.

- ``wall``: no wind through the face, and no friction along it (free slip).
- ``open``: the Riemann invariant that comes in, u -+ 2 sqrt(g h), has the value of water at rest outside, so that
  u = +-2 (sqrt(g h) - sqrt(g h_out)) on the face, with h of the cell inside and h_out = surface - terrain. A long wave
  that comes head on leaves, also a steep one; linearised it is Flather's (1976) condition u = +-(h - h_out) sqrt(g/h).
  A wave at the angle a to the normal comes back with (1 - cos a) / (1 + cos a) of its amplitude.

Elsewhere the points beyond a side repeat the outermost ones. Sides are named (y, x), both ends of an axis alike.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.grid.box import Box

SIDES = ("periodic", "wall", "open")
RIM = 2  # points around a tile that a tendency looks at


@dataclass(frozen=True)
class Extended:
    """A state with its rim of `RIM` points: depth, winds, terrain (0.0 on a plane); shapes (batch, y + 4, x + 4)."""

    h: Tensor
    u: Tensor
    v: Tensor
    terrain: Tensor | float


def close(state: Extended, sides, domain, box: Box, gravity: float, surface: float | None) -> Extended:
    """Set the wind through the faces that lie on a side or beyond it.

    Args:
        state: with rim; beyond sides the outermost points repeated.
        sides: of y and x, each one of `SIDES`.
        domain, box: points of the domain, and those held here.
        surface: height of the free surface outside, m; None where no side is open.
    """
    outgoing = None
    if surface is not None:
        outside = torch.as_tensor(surface - state.terrain).to(state.h)
        outgoing = 2.0 * ((gravity * state.h).sqrt() - (gravity * outside).sqrt())
    winds = []
    for dim, wind, begin, kind, size in (
        (-2, state.v, box.y0, sides[0], domain[0]),
        (-1, state.u, box.x0, sides[1], domain[1]),
    ):
        if kind != "periodic":
            wind = _close_axis(wind, dim, begin, size, outgoing if kind == "open" else None)
        winds.append(wind)
    return Extended(state.h, winds[1], winds[0], state.terrain)


def _close_axis(wind: Tensor, dim: int, begin: int, size: int, outgoing: Tensor | None) -> Tensor:
    """Both ends of one axis; faces are counted from the domain's first, on which its first side lies."""
    count = wind.shape[dim]
    faces = torch.arange(begin - RIM, begin - RIM + count, device=wind.device)
    faces = faces[:, None] if dim == -2 else faces
    if outgoing is None:
        return torch.where((faces > 0) & (faces < size), wind, 0.0)
    # The cell inside a last face is the one before it; `roll` brings it here, and what it wraps is in the rim.
    wind = torch.where(faces <= 0, -outgoing, wind)
    return torch.where(faces >= size, outgoing.roll(1, dim), wind)


def free_faces(sides, domain, box: Box, like: Tensor) -> tuple[Tensor, Tensor]:
    """1 on the south and west faces whose wind is an unknown, 0 on those on a side: shapes (y, 1) and (1, x)."""
    rows = torch.arange(box.y0, box.y1, device=like.device)[:, None]
    columns = torch.arange(box.x0, box.x1, device=like.device)[None, :]
    return tuple(
        (torch.ones_like(line) if kind == "periodic" else line > 0).to(like.dtype)
        for line, kind in ((rows, sides[0]), (columns, sides[1]))
    )
