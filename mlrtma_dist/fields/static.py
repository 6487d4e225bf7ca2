"""Static: what does not change with the weather -- terrain, land, and the points that carry both."""

import logging
import pathlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlrtma_dist.config import ConfigError, expand
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.cell_means import cell_means
from mlrtma_dist.fields.simulated_terrain import simulate_terrain
from mlrtma_dist.grid.domain import EARTH_RADIUS, Domain, wrap_longitude
from mlrtma_dist.grid.interpolate import bilinear, regrid, same_grid, smooth
from mlrtma_dist.grid.points import Points, cartesian, plane_positions
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.gridded import read_one
from mlrtma_dist.io.shores import ShoreGrid

log = logging.getLogger(__name__)

# Sea air reaches some tens of km inland within hours; over 25 km the land fraction falls smoothly from shore to
# inland, and a station at a bay is told from one on the plain.
LAND_RADIUS = 25e3
# Cold air pools in valleys that are 5 to 20 km across (Whiteman 2000, Mountain Meteorology, chapter 11): relief
# is the height above the mean terrain within 20 km.
TERRAIN_RADIUS = 20e3
# m, standard deviation of the weights of a mean that is the same on all grids, so that what is learnt on one can be
# used on another. On 20 km it is what the radii above give; on 2.5 km they give 9 and 11 km.
BROAD = 23.5e3
SIMULATED = "simulated"
SHORES = "shores"
SEED = 20220824  # of the simulated terrain: one toy for all
MAKE = "mlrtma domain makes terrain and land from any elevation file"
WAY_OUT = (
    "set MLRTMA_REAL_DATA to the folder that holds terrain/, write 'terrain: null' and 'land: null' in the domain,"
    f" or make them: {MAKE}"
)


class StaticError(InputError):
    """Terrain or land mask that cannot be had; names domain and file."""


@dataclass(frozen=True)
class Static:
    """Terrain and land of a domain.

    Attributes:
        domain: the grid.
        terrain: height above mean sea level, m, shape (y, x), float32.
        land: 1 land, 0 water, fractions where interpolated, shape (y, x), float32.
        terrain_smooth: mean terrain within ``TERRAIN_RADIUS``, m, shape (y, x), float32.
        land_smooth: land fraction within ``LAND_RADIUS``, shape (y, x), float32.
        has_terrain: whether the terrain is that of the place, shape (y, x), bool; elsewhere sea level is taken.
        note: what a reader of the product must know; "" where there is nothing to say.
    """

    domain: Domain
    terrain: np.ndarray
    land: np.ndarray
    terrain_smooth: np.ndarray
    land_smooth: np.ndarray
    has_terrain: np.ndarray
    note: str = ""

    @cached_property
    def broad(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean terrain, m, and land fraction with weights of the deviation ``BROAD``, shape (y, x) each, float32."""
        width = np.sqrt(6.0 * (BROAD / self.domain.spacing_metres) ** 2 + 1.0)  # points of each of two box means
        radius = 2 * round((width - 1.0) / 2.0)
        terrain, land = (smooth(each, radius, periodic=self.domain.periodic) for each in (self.terrain, self.land))
        return terrain, np.clip(land, 0.0, 1.0)


def load_static(domain: Domain) -> Static:
    """Read, interpolate or simulate the terrain and land mask of a domain.

    Raises:
        StaticError: a file is missing or damaged, holds no such field, or lies elsewhere; says what to do.
    """
    notes = [domain.note] if domain.note else []
    terrain, is_covered = _field(domain, "terrain", 0.0, notes)
    land, _ = _field(domain, "land", 1.0, notes)
    return make_static(domain, terrain, np.clip(land, 0.0, 1.0), "; ".join(notes), is_covered)


def make_static(
    domain: Domain, terrain: np.ndarray, land: np.ndarray, note: str = "", has_terrain: np.ndarray | bool = True
) -> Static:
    """Static of given terrain (m) and land mask, both of shape (y, x) without NaN; ``has_terrain``: see `Static`."""
    terrain, land = (np.ascontiguousarray(f, dtype=np.float32) for f in (terrain, land))

    def mean(field, radius):
        return smooth(field, round(radius / domain.spacing_metres), periodic=domain.periodic)

    has_terrain = np.broadcast_to(np.asarray(has_terrain, dtype=bool), domain.shape)
    if (
        domain.is_plane or not has_terrain.any()
    ):  # an exercise's plane: its unit is not the metre, and nothing varies on it
        terrain_smooth = terrain
    elif has_terrain.all():
        terrain_smooth = mean(terrain, TERRAIN_RADIUS)
    else:  # the mean of what is known; no relief where nothing is
        share = np.maximum(mean(has_terrain.astype(np.float32), TERRAIN_RADIUS), np.float32(1e-6))
        terrain_smooth = np.where(has_terrain, mean(terrain * has_terrain, TERRAIN_RADIUS) / share, terrain)
    land_smooth = land if domain.is_plane else np.clip(mean(land, LAND_RADIUS), 0.0, 1.0)
    return Static(domain, terrain, land, terrain_smooth, land_smooth, has_terrain, note)


def _field(domain: Domain, name: str, flat: float, notes: list[str]) -> tuple[np.ndarray, np.ndarray | bool]:
    """Terrain or land of a domain, shape (y, x), and where it is known; ``notes`` gets what a reader must know."""
    source = getattr(domain, name)
    if source is None:
        if not domain.is_plane:
            notes.append(f"no {name} given: {'sea level' if name == 'terrain' else 'all land'} is taken everywhere")
            log.warning("domain %s: %s; %s", domain.name, notes[-1], MAKE)
        return np.full(domain.shape, flat, dtype=np.float32), domain.is_plane
    if source == SIMULATED:
        return simulate_terrain(domain, SEED)[0 if name == "terrain" else 1], True
    if source == SHORES and name == "land" and not domain.is_plane:
        return cell_means(domain, [ShoreGrid.around(domain)]), True
    try:
        source = expand(source)
    except ConfigError as error:
        raise ConfigError(f"domain {domain.name}: {name}: {error}") from error
    if not pathlib.Path(source).is_file():
        raise StaticError(f"domain {domain.name}: the {name} file {source} does not exist: {WAY_OUT}")
    return _read(domain, name, source, notes)


def _read(domain: Domain, name: str, source: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray | bool]:
    try:
        field = read_one(source, name)
    except GriddedFileError as error:
        raise StaticError(f"domain {domain.name}: {error}: {WAY_OUT}") from error
    is_covered: np.ndarray | bool = True
    values = field.values
    if not same_grid(field.domain, domain):
        values, is_covered = _interpolate(field, domain, name, source, notes)
    if np.isnan(values).any():  # a bitmap over the sea
        values = np.where(np.isnan(values), np.float32(0.0), values)
    return values, is_covered


def _interpolate(field, domain: Domain, name: str, source: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The file's field on the domain's grid, and where the file covers it; beyond it sea level, or land."""
    filled = np.where(np.isnan(field.values), np.float32(0.0), field.values)
    values = regrid(filled, field.domain, domain)
    _reach_out(values, filled, field.domain, domain)
    outside = np.isnan(values)
    if outside.all():
        raise StaticError(f"domain {domain.name}: the {name} file {source} does not cover any of it: {WAY_OUT}")
    here = f"{field.domain.spacing_metres / 1000:.3g} km grid of {pathlib.Path(source).name}"
    if "interpolated" not in domain.note:
        notes.append(f"{name} is interpolated from the {here}")
    if outside.any():
        values[outside] = 0.0 if name == "terrain" else 1.0
        notes.append(
            f"{100 * outside.mean():.1f} % of the grid lies outside the {here}: "
            f"{'sea level' if name == 'terrain' else 'land'} is taken there"
        )
        log.warning("domain %s: %s; %s", domain.name, notes[-1], MAKE)
    return values, ~outside


def _reach_out(values: np.ndarray, field: np.ndarray, source: Domain, target: Domain) -> None:
    """Give points beyond a grid's edge the value at the edge where that lies in the point's own cell, in place."""
    outside = np.nonzero(np.isnan(values))
    place = np.stack(source.index(*target.position(*outside)))
    last = np.array(source.shape)[:, None] - 1
    nearest = np.clip(place, 0, last)
    near = np.abs(place - nearest).max(axis=0) * source.spacing_metres <= 0.5 * target.spacing_metres
    values[tuple(each[near] for each in outside)] = bilinear(field, *nearest[:, near])


def grid_points(static: Static, rows=slice(None), columns=slice(None)) -> Points:
    """The points of a box of the grid, row by row.

    Args:
        rows, columns: slices, or the numbers of rows and of columns, whose every crossing is a point.

    Returns:
        n = rows x columns points; float64 position, float32 fields.
    """
    domain = static.domain
    box = (rows, columns) if isinstance(rows, slice) else np.ix_(rows, columns)
    if domain.is_plane:
        position = plane_positions(domain, rows, columns).reshape(-1, 3)
        latitude = longitude = np.zeros(len(position))
    else:
        latitude, longitude = (a.ravel() for a in domain.latitude_longitude(rows, columns))
        position = cartesian(latitude, longitude)
    elevation = static.terrain[box].ravel()
    return Points(
        latitude,
        longitude,
        position,
        elevation,
        static.land_smooth[box].ravel(),
        elevation - static.terrain_smooth[box].ravel(),
    )


def station_points(static: Static, latitude, longitude, elevation) -> Points:
    """Places given by their position, with the land and relief that the grid knows around them.

    Outside the grid the nearest edge point's land and mean terrain hold, so that stations in the margin count. Where
    the terrain is not known no relief is either: it is zero, as it is at the grid's points there.

    Args:
        latitude, longitude: degrees, shape (n,).
        elevation: m, shape (n,); NaN where not known: the grid's terrain at the place is taken.
    """
    domain = static.domain
    latitude, longitude, elevation = (
        np.atleast_1d(np.asarray(a, dtype=np.float64)) for a in (latitude, longitude, elevation)
    )
    row, column = domain.index(latitude, longitude)
    row, column = np.clip(row, 0, domain.size.y - 1), np.clip(column, 0, domain.size.x - 1)
    terrain, mean_terrain, land = (
        bilinear(f, row, column) for f in (static.terrain, static.terrain_smooth, static.land_smooth)
    )
    elevation = np.where(np.isnan(elevation), terrain, elevation)
    has_terrain = static.has_terrain[np.rint(row).astype(np.int64), np.rint(column).astype(np.int64)]
    return Points(
        latitude,
        wrap_longitude(longitude),
        cartesian(latitude, longitude, EARTH_RADIUS),
        elevation,
        land,
        np.where(has_terrain, elevation - mean_terrain, 0.0),
    )


def with_broad_ground(static: Static, points: Points) -> Points:
    """The points with relief and land by broad means (`Static.broad`); outside the grid its edge holds."""
    if static.domain.is_plane or not len(points):
        return points
    row, column = static.domain.index(points.latitude, points.longitude)
    row, column = np.clip(row, 0, static.domain.size.y - 1), np.clip(column, 0, static.domain.size.x - 1)
    has_terrain = static.has_terrain[np.rint(row).astype(np.int64), np.rint(column).astype(np.int64)]
    terrain, land = (bilinear(field, row, column) for field in static.broad)
    return replace(points, land=land, relief=np.where(has_terrain, points.elevation - terrain, 0.0))
