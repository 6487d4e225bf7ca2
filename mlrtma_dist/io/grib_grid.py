"""The grid of a GRIB message: its Domain, and its values turned to rows northward, columns eastward.

Grid definition templates 3.0 (latitude-longitude), 3.1 (rotated), 3.10 (Mercator), 3.20 (polar
stereographic), 3.30 (Lambert) of WMO FM 92 GRIB2, and their GRIB1 twins. Latitudes are used as given.
"""

import dataclasses

import numpy as np
import pyproj

from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size, locate_corner, wrap_longitude
from mlrtma_dist.io.grib_messages import GribError
from mlrtma_dist.io.grib_names import get
from mlrtma_dist.io.grid_field import oblong_domain

# Scanning mode, flag table 3.4
WESTWARD, NORTHWARD, COLUMNS_FIRST, BOUSTROPHEDON, STAGGERED = 0x80, 0x40, 0x20, 0x10, 0x0F
GRID_RELATIVE = 0x08  # resolution and component flags, table 3.3
SOUTH_POLE = 0x80  # projection centre flag, table 3.5
GRIB1_POLAR_LATITUDE = 60.0  # GRIB1 states the spacing of polar stereographic grids there, always
# Stated points are rounded: GRIB1 to 1e-3 degree, some writers truncate; a sphere of the wrong radius
# (6367470 for 6371200 m) moves the far corner of the smallest grid of ours by 2.6e-3.
CORNER_PRECISION = 1.5e-3
SPACING_PRECISION = 1e-3  # degrees over a whole row: below it the spacings in x and y count as one


def orient(values: np.ndarray, columns: int, rows: int, mode: int) -> np.ndarray:
    """Bring values in a message's scanning order to shape (y, x), rows northward, columns eastward.

    Args:
        values: shape (rows * columns,), in the order of the message.
        mode: the scanning mode, flag table 3.4.
    """
    grid = values.reshape((columns, rows) if mode & COLUMNS_FIRST else (rows, columns))
    if mode & BOUSTROPHEDON:  # every other line runs back
        grid = grid.copy()
        grid[1::2] = grid[1::2, ::-1]
    if mode & COLUMNS_FIRST:
        grid = grid.T
    grid = grid[:, ::-1] if mode & WESTWARD else grid
    grid = grid if mode & NORTHWARD else grid[::-1]
    return np.ascontiguousarray(grid)


def scanning_mode(handle, where: str) -> int:
    """The scanning mode of a message.

    Raises:
        GribError: rows are offset against each other (staggered grids).
    """
    mode = get(handle, "scanningMode", -1, int)
    if mode < 0 or mode & STAGGERED:
        raise GribError(f"{where}: expected a scanning mode without staggered rows, got {mode}")
    return mode


def grid_relative(handle) -> bool:
    """Whether winds are along the grid's axes."""
    return bool(get(handle, "resolutionAndComponentFlags", 0, int) & GRID_RELATIVE)


def message_domain(handle, where: str) -> Domain:
    """The grid of a message.

    Raises:
        GribError: a kind of grid that a Domain cannot hold; names it and those that can be read.
    """
    kind = get(handle, "gridType", "unknown")
    if kind not in _BUILDERS:
        raise GribError(
            f"{where}: grid type {kind!r}: expected one of {', '.join(_BUILDERS)}; interpolate the file first"
        )
    size = Size(*(get(handle, k, 0, int) for k in ("Nx", "Ny")))
    if not (2 <= size.x < 2**31 - 1 and 2 <= size.y < 2**31 - 1):
        raise GribError(f"{where}: expected at least 2 x 2 points, got {size.x} x {size.y}")
    try:
        return _BUILDERS[kind](handle, size, where)
    except GribError:
        raise
    except (ValueError, TypeError, pyproj.exceptions.ProjError) as error:
        raise GribError(f"{where}: {kind} grid whose parameters make no grid: {error}") from error


def _degrees(handle, key: str) -> float:
    value = get(handle, key, None, float)
    if value is None or not abs(value) <= 720.0:
        raise ValueError(f"expected degrees in {key}, got {value}")
    return value


def _first_point(handle) -> tuple[float, float]:
    return _degrees(handle, "latitudeOfFirstGridPointInDegrees"), _degrees(handle, "longitudeOfFirstGridPointInDegrees")


def _earth(handle) -> str:
    """The figure of the earth as PROJ parameters."""
    axes = [get(handle, f"earth{axis}AxisInMetres", None, float) for axis in ("Major", "Minor")]
    if None not in axes:  # an ellipsoid of edition 2
        if not all(6.3e6 < axis < 6.4e6 for axis in axes):
            raise ValueError(f"expected axes of the earth between 6300 and 6400 km, got {axes}")
        return f"+a={axes[0]!r} +b={axes[1]!r}"
    if get(handle, "earthIsOblate", 0, int):
        return "+a=6378160.0 +rf=297.0"  # edition 1's oblate earth, IAU 1965
    radius = get(handle, "radius", None, float)
    if radius is None or not 6.3e6 < radius < 6.4e6:
        raise ValueError(f"expected the earth's radius between 6300 and 6400 km, got {radius}")
    return f"+R={radius!r}"


def _spacing(handle, keys=("DxInMetres", "DyInMetres")) -> float:
    x, y = (get(handle, k, 0.0, float) for k in keys)
    if not 0 < x < 1e7 or abs(x - y) > 1e-6 * x:
        raise ValueError(f"expected one positive spacing in x and y, got {x} and {y} m")
    return x


def _projected(handle, size: Size, projection: str, spacing: float) -> Domain:
    """The domain whose point at the message's first corner lies where the message says."""
    latitude, longitude = _first_point(handle)
    mode = get(handle, "scanningMode", 0, int)
    transform = pyproj.Proj(projection)
    x, y = transform(longitude, latitude)
    x -= spacing * (size.x - 1) if mode & WESTWARD else 0.0
    y -= 0.0 if mode & NORTHWARD else spacing * (size.y - 1)
    return Domain("message", "grid of a GRIB message", projection, size, spacing, locate_corner(projection, x, y))


def _lambert(handle, size, where):
    one, two = _degrees(handle, "Latin1InDegrees"), _degrees(handle, "Latin2InDegrees")
    projection = (
        f"+proj=lcc +lat_1={one} +lat_2={two} +lat_0={one} +lon_0={_degrees(handle, 'LoVInDegrees')} {_earth(handle)}"
    )
    return _projected(handle, size, projection, _spacing(handle))


def _polar_stereographic(handle, size, where):
    true = GRIB1_POLAR_LATITUDE if get(handle, "edition", 2, int) == 1 else abs(_degrees(handle, "LaDInDegrees"))
    sign = -1.0 if get(handle, "projectionCentreFlag", 0, int) & SOUTH_POLE else 1.0
    projection = (
        f"+proj=stere +lat_0={sign * 90} +lat_ts={sign * true} "
        f"+lon_0={_degrees(handle, 'orientationOfTheGridInDegrees')} {_earth(handle)}"
    )
    return _projected(handle, size, projection, _spacing(handle))


def _mercator(handle, size, where):
    true, spacing = _degrees(handle, "LaDInDegrees"), _spacing(handle, ("DiInMetres", "DjInMetres"))
    earth = _earth(handle)

    def on(figure: str) -> Domain:
        # the central meridian is free in Mercator: the middle of the grid, so that no cut lies inside
        half = 0.5 * np.rad2deg(spacing * (size.x - 1) / (EARTH_RADIUS * np.cos(np.deg2rad(true))))
        backward = get(handle, "scanningMode", 0, int) & WESTWARD
        middle = wrap_longitude(_first_point(handle)[1] + (-half if backward else half))
        return _projected(handle, size, f"+proj=merc +lat_ts={true} +lon_0={middle:.6f} {figure}", spacing)

    domain = on(earth)
    if get(handle, "edition", 2, int) == 1 and _far_corner_error(handle, domain) > CORNER_PRECISION:
        # GRIB1 knows one sphere, 6367470 m, which NCEP's writers state and do not use
        other = on(f"+R={EARTH_RADIUS!r}")
        domain = other if _far_corner_error(handle, other) <= CORNER_PRECISION else domain
    return domain


def _far_corner_error(handle, domain: Domain) -> float:
    """Distance in degrees of the domain's last point from the one that the message states."""
    mode = get(handle, "scanningMode", 0, int)
    row = slice(-1, None) if mode & NORTHWARD else slice(0, 1)
    column = slice(0, 1) if mode & WESTWARD else slice(-1, None)
    latitude, longitude = domain.latitude_longitude(row, column)
    stated = _degrees(handle, "latitudeOfLastGridPointInDegrees"), _degrees(handle, "longitudeOfLastGridPointInDegrees")
    return max(abs(latitude.item() - stated[0]), abs(wrap_longitude(longitude.item() - stated[1]).item()))


def _latitude_longitude(handle, size, where, projection=None):
    mode = get(handle, "scanningMode", 0, int)
    south, west = _first_point(handle)
    steps = []
    for key, count, last, first, forward in (
        ("iDirectionIncrementInDegrees", size.x, "longitudeOfLastGridPointInDegrees", west, not mode & WESTWARD),
        ("jDirectionIncrementInDegrees", size.y, "latitudeOfLastGridPointInDegrees", south, bool(mode & NORTHWARD)),
    ):
        span = (_degrees(handle, last) - first) * (1 if forward else -1)
        span = span % 360.0 if key[0] == "i" else span
        stated = get(handle, key, None, float)
        # the two ends are precise where the stated increment is rounded (a third of a degree)
        if stated is not None and abs(span - stated * (count - 1)) > 1e-3 * count:
            raise ValueError(f"{key} is {stated}, but its {count} points span {span} degrees")
        steps.append(span / (count - 1))
    west -= 0.0 if not mode & WESTWARD else steps[0] * (size.x - 1)
    south -= 0.0 if mode & NORTHWARD else steps[1] * (size.y - 1)
    if min(steps) <= 0:
        raise ValueError(f"expected positive increments, got {steps}")
    earth = _earth(handle)
    corner = Corner(south, west)
    if abs(steps[0] - steps[1]) * max(size.x, size.y) < SPACING_PRECISION:
        return Domain(
            "message", "grid of a GRIB message", projection or f"+proj=longlat {earth}", size, steps[0], corner
        )
    if projection:
        raise ValueError(f"expected equal spacing about another pole, got {steps} degrees")
    return oblong_domain("grid of a GRIB message", size, corner, (steps[0], steps[1]))


def _rotated(handle, size, where):
    if get(handle, "angleOfRotationInDegrees", 0.0, float):
        raise ValueError("expected no rotation about the new pole")
    pole = -_degrees(handle, "latitudeOfSouthernPoleInDegrees"), _degrees(handle, "longitudeOfSouthernPoleInDegrees")
    projection = f"+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p={pole[0]} +lon_0={pole[1]} {_earth(handle)}"
    flat = _latitude_longitude(handle, size, where, projection)
    # the message counts from the new pole; a Domain's corner is a place on the earth
    return dataclasses.replace(flat, corner=locate_corner(projection, flat.corner.longitude, flat.corner.latitude))


_BUILDERS = {
    "lambert": _lambert,
    "polar_stereographic": _polar_stereographic,
    "mercator": _mercator,
    "regular_ll": _latitude_longitude,
    "rotated_ll": _rotated,
}
