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
    """du/dt and dv/dt without friction, m s-2.

    Every cell couples its four faces, with weights that the q of its four corners give. ``rising`` (twice the corners
    south-west and north-east, once the others) and ``falling`` (the reverse) are alpha to delta of Arakawa and Lamb,
    ``northward`` and ``westward`` (differences of q across the cell) epsilon and phi. What a cell gives to the energy
    of one face it takes from another.
    """
    q, head = fluxes.vorticity / 24, fluxes.head
    south_west, south_east, north_west, north_east = q[..., :-1, :-1], q[..., :-1, 1:], q[..., 1:, :-1], q[..., 1:, 1:]
    diagonal, other = south_west + north_east, south_east + north_west
    rising, falling = 2 * diagonal + other, diagonal + 2 * other
    leaning, turned = north_east - south_west, north_west - south_east
    northward, westward = leaning + turned, turned - leaning
    u = (
        _east(rising) * at(fluxes.mass_v, 1, 0)
        + _west(falling) * at(fluxes.mass_v, 1, -1)
        + _west(rising) * at(fluxes.mass_v, 0, -1)
        + _east(falling) * at(fluxes.mass_v, 0, 0)
        - _east(northward) * at(fluxes.mass_u, 0, 1)
        + _west(northward) * at(fluxes.mass_u, 0, -1)
    )
    v = (
        _south(westward) * at(fluxes.mass_v, -1, 0)
        - _north(westward) * at(fluxes.mass_v, 1, 0)
        - _north(rising) * at(fluxes.mass_u, 0, 1)
        - _north(falling) * at(fluxes.mass_u, 0, 0)
        - _south(rising) * at(fluxes.mass_u, -1, 0)
        - _south(falling) * at(fluxes.mass_u, -1, 1)
    )
    return (u - (at(head, 0, 0) - at(head, 0, -1)) / spacing, v - (at(head, 0, 0) - at(head, -1, 0)) / spacing)


def _east(cells: Tensor) -> Tensor:
    """Of cells that begin one row and column before the points wanted: the cell east of a west face."""
    return cells[..., 1:, 1:]


def _west(cells: Tensor) -> Tensor:
    """The cell west of a west face."""
    return cells[..., 1:, :-1]


def _north(cells: Tensor) -> Tensor:
    """The cell north of a south face."""
    return cells[..., 1:, 1:]


def _south(cells: Tensor) -> Tensor:
    """The cell south of a south face."""
    return cells[..., :-1, 1:]


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
