"""The equations of the air near the ground, as residuals of fields along terrain: zero where the fields obey them.

    heat        T_t + V . grad T + w (T_z + g / c_p) - kappa lap T = Q_T
    moisture    D_t + V . grad D + w (D_z + lift)    - kappa lap D = Q_D
    momentum    u_t + V . grad u + w u_z - f v + p_x / rho + r u - nu lap u
                v_t + V . grad v + w v_z + f u + p_y / rho + r v - nu lap v
    hydrostatic p_z + g p / (R T_v)
    moist       max(D - T, 0)

T temperature, D dew point, (u, v) wind, p pressure, functions of place, height z and time; subscripts are derivatives
at constant height, so that p_x is the pressure gradient of the equations of motion (Holton 2004, chapters 2 and 3).
V = share (u, v) + steering is the wind that advects: wind at 10 m is weaker than that of the layer above it, and what
moves with the weather is steered from aloft. Along terrain h the air rises by w = V . grad h. A parcel that rises cools
by g / c_p, and its dew point falls by ``lift`` = 1.8 K/km (125 m of cloud base per K of depression, Lawrence 2005).
Friction r, diffusion kappa = nu, share and steering are unknowns of a fit, not constants. So are the sources Q,
heating and evaporation; they are left out here, and a fit takes from the residuals what smooth sources explain.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.names import DRY_AIR, STANDARD_GRAVITY
from mlrtma_dist.nn.space_time import Jet
from mlrtma_dist.physics.moisture import RATIO_OF_GASES, vapour_pressure

HEAT_CAPACITY = 1004.7  # J kg-1 K-1
LIFT = 0.0018  # K per m by which the dew point of rising air falls
TERMS = ("heat", "moisture", "momentum", "hydrostatic", "moist")
NEEDS = {
    "heat": ("t2m", "u10", "v10"),
    "moisture": ("d2m", "u10", "v10"),
    "momentum": ("u10", "v10", "psfc"),
    "hydrostatic": ("psfc", "t2m"),
    "moist": ("t2m", "d2m"),
}
X, Y, Z, T = range(4)


@dataclass(frozen=True)
class Ground:
    """The ground at n points.

    Attributes:
        slope: of the terrain to the east and to the north, shape (2, n).
        coriolis: parameter f, s-1, shape (n,).
    """

    slope: Tensor
    coriolis: Tensor


@dataclass(frozen=True)
class Unknowns:
    """What the equations do not say, for m members.

    Attributes:
        share: of the wind at 10 m in the wind that advects, (m, 1); steering: to the east and north, m/s, (2, m, 1).
        diffusion: m2 s-1; friction: s-1, (m, 1) each.
    """

    share: Tensor
    steering: Tensor
    diffusion: Tensor
    friction: Tensor


def residuals(
    fields: Mapping[str, Jet], ground: Ground, unknowns: Unknowns, terms: tuple[str, ...] = TERMS
) -> dict[str, Tensor]:
    """Residuals of the terms whose fields are there, shape (m, n) each, or (2, m, n) of the momentum; SI.

    Args:
        fields: name -> its jet by the coordinates (east, north, height, m, and time, s), values of shape (m, n).
        ground: at the points; unknowns: of the members; terms: names of ``TERMS``.
    """
    result = {}
    for term in terms:
        if set(NEEDS[term]) <= set(fields):
            result[term] = _RESIDUALS[term](fields, ground, unknowns)
    return result


def _change(field: Jet, fields: Mapping[str, Jet], ground: Ground, unknowns: Unknowns, gradient: float = 0.0) -> Tensor:
    """Change of a parcel's value without sources: tendency, advection along terrain, diffusion."""
    east = unknowns.share * fields["u10"].value + unknowns.steering[0]
    north = unknowns.share * fields["v10"].value + unknowns.steering[1]
    rise = east * ground.slope[0] + north * ground.slope[1]
    advection = east * field.first[X] + north * field.first[Y] + rise * (field.first[Z] + gradient)
    return field.first[T] + advection - unknowns.diffusion * (field.second[X] + field.second[Y])


def _heat(fields, ground, unknowns) -> Tensor:
    return _change(fields["t2m"], fields, ground, unknowns, STANDARD_GRAVITY / HEAT_CAPACITY)


def _moisture(fields, ground, unknowns) -> Tensor:
    return _change(fields["d2m"], fields, ground, unknowns, LIFT)


def _momentum(fields, ground, unknowns) -> Tensor:
    u, v, pressure = fields["u10"], fields["v10"], fields["psfc"]
    volume = DRY_AIR * virtual_temperature(fields) / pressure.value  # 1 / rho
    east = _change(u, fields, ground, unknowns) - ground.coriolis * v.value + volume * pressure.first[X]
    north = _change(v, fields, ground, unknowns) + ground.coriolis * u.value + volume * pressure.first[Y]
    return torch.stack([east + unknowns.friction * u.value, north + unknowns.friction * v.value])


def _hydrostatic(fields, ground, unknowns) -> Tensor:
    pressure = fields["psfc"]
    return pressure.first[Z] + STANDARD_GRAVITY * pressure.value / (DRY_AIR * virtual_temperature(fields))


def _moist(fields, ground, unknowns) -> Tensor:
    return torch.relu(fields["d2m"].value - fields["t2m"].value)


def virtual_temperature(fields: Mapping[str, Jet]) -> Tensor:
    """K; of dry air where there is no dew point, of 288 K where there is no temperature."""
    if "t2m" not in fields:
        return torch.full_like(fields["psfc"].value, 288.0)
    temperature = fields["t2m"].value
    if "d2m" not in fields or "psfc" not in fields:
        return temperature
    vapour = vapour_pressure(fields["d2m"].value, functions=torch)
    return temperature / (1.0 - (1.0 - RATIO_OF_GASES) * vapour / fields["psfc"].value)


_RESIDUALS = {
    "heat": _heat,
    "moisture": _moisture,
    "momentum": _momentum,
    "hydrostatic": _hydrostatic,
    "moist": _moist,
}
