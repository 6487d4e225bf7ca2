"""The space differences of Arakawa and Lamb (1981): energy and potential enstrophy of shallow water are conserved.

On the square C-grid the cell [y, x] holds depth h at its centre, u on its west face, v on its south face, and the
potential vorticity q = (f + dv/dx - du/dy) / h at its south-west corner:

       q[y+1,x] -- v[y+1,x] -- q[y+1,x+1]
          |                        |
        u[y,x]      h[y,x]      u[y,x+1]
          |                        |
        q[y,x] ---- v[y,x] ---- q[y,x+1]

The functions take fields with one point to spare on each side and return fields without it, so that what they are
given may be a tile with its rim. Shapes are (batch, y, x). Source: A. Arakawa and V. R. Lamb, "A potential enstrophy
and energy conserving scheme for the shallow water equations", Mon. Wea. Rev. 109 (1981), 18-36, section 3.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Fluxes:
    """What the momentum equations need.

    Attributes:
        mass_u, mass_v: mass flux through the west and south faces, depth times wind, m2 s-1.
        vorticity: potential vorticity q at south-west corners, m-1 s-1.
        head: kinetic energy plus g times the height of the surface, at centres, m2 s-2.
    """

    mass_u: Tensor
    mass_v: Tensor
    vorticity: Tensor
    head: Tensor


def at(field: Tensor, y: int, x: int) -> Tensor:
    """The inner points of a field (..., y, x), looked at ``y`` rows north and ``x`` columns east (-1, 0 or 1)."""
    rows, columns = field.shape[-2:]
    return field[..., 1 + y : rows - 1 + y, 1 + x : columns - 1 + x]


def depth_u(h: Tensor) -> Tensor:
    """Depth on west faces, the mean of two cells."""
    return 0.5 * (at(h, 0, 0) + at(h, 0, -1))


def depth_v(h: Tensor) -> Tensor:
    """Depth on south faces, the mean of two cells."""
    return 0.5 * (at(h, 0, 0) + at(h, -1, 0))


def depth_corner(h: Tensor) -> Tensor:
    """Depth at south-west corners, the mean of four cells."""
    return 0.25 * (at(h, 0, 0) + at(h, 0, -1) + at(h, -1, 0) + at(h, -1, -1))


def absolute_vorticity(u: Tensor, v: Tensor, coriolis: Tensor, spacing: float) -> Tensor:
    """f + dv/dx - du/dy at south-west corners, s-1; ``coriolis`` has the shape (y, 1) of the result's rows."""
    return coriolis + (at(v, 0, 0) - at(v, 0, -1) - at(u, 0, 0) + at(u, -1, 0)) / spacing


def kinetic_energy(u: Tensor, v: Tensor) -> Tensor:
    """(mean of u2 over two faces + mean of v2 over two faces) / 2 at centres, m2 s-2."""
    return 0.25 * (at(u, 0, 0) ** 2 + at(u, 0, 1) ** 2 + at(v, 0, 0) ** 2 + at(v, 1, 0) ** 2)


def momentum(fluxes: Fluxes, spacing: float) -> tuple[Tensor, Tensor]:
    """du/dt and dv/dt without friction, m s-2."""
    head = fluxes.head
    u = _across_u(fluxes.vorticity, fluxes.mass_v) - _along_u(fluxes.vorticity, fluxes.mass_u)
    v = -_across_v(fluxes.vorticity, fluxes.mass_u) - _along_v(fluxes.vorticity, fluxes.mass_v)
    return (u - (at(head, 0, 0) - at(head, 0, -1)) / spacing, v - (at(head, 0, 0) - at(head, -1, 0)) / spacing)


def divergence(mass_u: Tensor, mass_v: Tensor, spacing: float) -> Tensor:
    """Divergence of the mass flux at centres, m s-1."""
    return (at(mass_u, 0, 1) - at(mass_u, 0, 0) + at(mass_v, 1, 0) - at(mass_v, 0, 0)) / spacing


def friction(h: Tensor, u: Tensor, v: Tensor, spacing: float) -> tuple[Tensor, Tensor]:
    """div(h grad u) / h and div(h grad v) / h on the faces, m-1 s-1, from fields with two points to spare (Gent 1993).

    The differences are such that sum(h u . friction) = -sum(h |grad u|^2), never above 0.
    """
    corner, inner = depth_corner(h), h[..., 1:-1, 1:-1]
    u, v = u[..., 1:-1, 1:-1], v[..., 1:-1, 1:-1]
    u_x, u_y = at(u, 0, 1) - at(u, 0, 0), at(u, 1, 0) - at(u, 0, 0)
    u_west, u_south = at(u, 0, 0) - at(u, 0, -1), at(u, 0, 0) - at(u, -1, 0)
    v_x, v_y = at(v, 0, 1) - at(v, 0, 0), at(v, 1, 0) - at(v, 0, 0)
    v_west, v_south = at(v, 0, 0) - at(v, 0, -1), at(v, 0, 0) - at(v, -1, 0)
    on_u = at(inner, 0, 0) * u_x - at(inner, 0, -1) * u_west + at(corner, 1, 0) * u_y - at(corner, 0, 0) * u_south
    on_v = at(corner, 0, 1) * v_x - at(corner, 0, 0) * v_west + at(inner, 0, 0) * v_y - at(inner, -1, 0) * v_south
    scale = spacing**2
    return on_u / (scale * depth_u(inner)), on_v / (scale * depth_v(inner))


def _across_u(q: Tensor, mass_v: Tensor) -> Tensor:
    """Alpha, beta, gamma, delta: q times the four mass fluxes v around a west face."""
    west, here, east = (at(q, 0, x) for x in (-1, 0, 1))
    north_west, north, north_east = (at(q, 1, x) for x in (-1, 0, 1))
    alpha = 2 * north_east + north + 2 * here + east
    beta = north + 2 * north_west + west + 2 * here
    gamma = 2 * north + north_west + 2 * west + here
    delta = north_east + 2 * north + here + 2 * east
    return (alpha * at(mass_v, 1, 0) + beta * at(mass_v, 1, -1) + gamma * at(mass_v, 0, -1)
            + delta * at(mass_v, 0, 0)) / 24


def _across_v(q: Tensor, mass_u: Tensor) -> Tensor:
    """Gamma, delta, alpha, beta: q times the four mass fluxes u around a south face."""
    south, here, north = (at(q, y, 0) for y in (-1, 0, 1))
    south_east, east, north_east = (at(q, y, 1) for y in (-1, 0, 1))
    gamma = 2 * north_east + north + 2 * here + east
    delta = north_east + 2 * north + here + 2 * east
    alpha = 2 * east + here + 2 * south + south_east
    beta = east + 2 * here + south + 2 * south_east
    return (gamma * at(mass_u, 0, 1) + delta * at(mass_u, 0, 0) + alpha * at(mass_u, -1, 0)
            + beta * at(mass_u, -1, 1)) / 24


def _along_u(q: Tensor, mass_u: Tensor) -> Tensor:
    """Epsilon: what makes the scheme conserve potential enstrophy, from the faces to the west and east."""
    east = at(q, 1, 1) + at(q, 1, 0) - at(q, 0, 0) - at(q, 0, 1)
    west = at(q, 1, 0) + at(q, 1, -1) - at(q, 0, -1) - at(q, 0, 0)
    return (east * at(mass_u, 0, 1) - west * at(mass_u, 0, -1)) / 24


def _along_v(q: Tensor, mass_v: Tensor) -> Tensor:
    """Phi: the same from the faces to the south and north."""
    north = at(q, 1, 0) - at(q, 1, 1) + at(q, 0, 0) - at(q, 0, 1)
    south = at(q, 0, 0) - at(q, 0, 1) + at(q, -1, 0) - at(q, -1, 1)
    return (north * at(mass_v, 1, 0) - south * at(mass_v, -1, 0)) / 24
