"""Domain: the grid of an analysis -- where its points are on the earth, or on a plane.

Projections are pyproj's. The operational grids live on a sphere of radius 6371200 m; latitudes
are used as given, without a change of datum, as every GRIB writer of these grids does.
Order is (y, x), y northward.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj

from mlrtma_dist import config

EARTH_RADIUS = 6371200.0
PLANE = "plane"
MOST_POINTS = 2**31  # what GRIB can count; CONUS at 1 km has 2.4e7
ROUNDED = 0.01  # degrees by which files that end at a pole may overshoot it


@dataclass(frozen=True)
class Size:
    """Number of grid points.

    Attributes:
        x: number of columns, eastward.
        y: number of rows, northward.
    """

    x: int
    y: int


@dataclass(frozen=True)
class Corner:
    """South-west grid point.

    Attributes:
        latitude: degrees north.
        longitude: degrees east.
    """

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Domain:
    """A regular grid in a map projection.

    Attributes:
        name: of the domain, in the names of files.
        title: of the domain, for people.
        projection: a PROJ string ("+proj=lcc ...", "+proj=longlat ...", "EPSG:..."), or "plane".
        size: number of points.
        spacing: distance of points in the projection's own unit (metres; degrees for longlat, rotated or not).
        corner: the south-west grid point; absent on a plane.
        periodic: the plane closes on itself in x and y.
        terrain: gridded file (GRIB, netCDF) of terrain height in m on this or another grid, or
            "simulated" (the toy), or null: not known; sea level is taken, of which is warned in the product. A variable
            in its name, ``${NAME}``, is replaced when the file is read.
        land: likewise for the land mask (1 land, 0 water); "shores": the share of land inside the coastlines that come
            with the software; null: all land.
        note: what a reader of the product must know about the grid.
    """

    name: str
    title: str
    projection: str
    size: Size
    spacing: float
    corner: Corner | None = None
    periodic: bool = False
    terrain: str | None = None
    land: str | None = None
    note: str = ""
    EXPANDED_AT_USE = ("terrain", "land")

    def __post_init__(self):
        if not self.name.strip() or "/" in self.name or self.name.startswith("."):
            raise config.ConfigError(f"domain {self.name!r}: expected a name that can begin a file's name, without '/'")
        points = self.size.x * self.size.y
        if min(self.size.x, self.size.y) < 2 or points >= MOST_POINTS or not 0 < self.spacing < np.inf:
            raise config.ConfigError(
                f"domain {self.name}: expected 2 x 2 points or more, fewer than {MOST_POINTS}, and a positive spacing, "
                f"got {self.size.x} x {self.size.y} at {self.spacing}"
            )
        if self.is_plane:
            return
        if self.periodic:
            raise config.ConfigError(f"domain {self.name}: only a plane can be periodic, not {self.projection!r}")
        if self.corner is None:
            raise config.ConfigError(
                f"domain {self.name}: the key 'corner' (latitude, longitude of the south-west point) is missing"
            )
        try:
            pyproj.Proj(self.projection)
        except pyproj.exceptions.CRSError as error:
            raise config.ConfigError(
                f"domain {self.name}: PROJ does not know the projection {self.projection!r}: {error}"
            ) from error
        self._require_corners()

    def _require_corners(self) -> None:
        """The south-west corner is a place on the map, and no row of latitudes lies beyond a pole.

        Raises:
            ConfigError: it is not; says what came.
        """
        assert self.corner is not None, "only a plane has none"
        latitude, longitude = self.corner.latitude, self.corner.longitude
        if not (abs(latitude) <= 90 + ROUNDED and abs(longitude) <= 720) or not np.isfinite(self._origin).all():
            raise config.ConfigError(
                f"domain {self.name}: expected a south-west corner on the map {self.projection!r}, got latitude"
                f" {latitude:g}, longitude {longitude:g}"
            )
        north = latitude + self.spacing * (self.size.y - 1)
        if self.is_geographic and north > 90 + ROUNDED:
            raise config.ConfigError(
                f"domain {self.name}: {self.size.y} rows of {self.spacing:g} degrees from {latitude:g} reach"
                f" {north:g} degrees north; expected at most 90: use fewer rows"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.size.y, self.size.x

    @property
    def is_plane(self) -> bool:
        """True for a plane without latitude and longitude."""
        return self.projection == PLANE

    @property
    def is_square_torus(self) -> bool:
        """Whether shifting, mirroring and turning map the grid onto itself: it wraps and is as high as wide."""
        return self.periodic and self.shape[0] == self.shape[1]

    @property
    def is_geographic(self) -> bool:
        """True where the grid's coordinates are latitude and longitude themselves, in degrees."""
        return not self.is_plane and self._proj.crs.is_geographic and not self._is_rotated

    @cached_property
    def _is_rotated(self) -> bool:
        """True where they are latitude and longitude about another pole (ob_tran)."""
        return not self.is_plane and self._proj.crs.is_geographic and self._proj.crs.is_derived

    @property
    def spacing_metres(self) -> float:
        """Nominal distance of neighbouring points in metres."""
        if self.is_plane:
            return self.spacing
        if self.is_geographic or self._is_rotated:
            return np.deg2rad(self.spacing) * EARTH_RADIUS
        return self.spacing * self._proj.crs.axis_info[0].unit_conversion_factor  # 0.3 where the map counts in feet

    @cached_property
    def _proj(self) -> pyproj.Proj:
        return pyproj.Proj(self.projection)

    def _forward(self, longitude, latitude) -> tuple[np.ndarray, np.ndarray]:
        """Degrees to the projection's coordinates; infinite where it has none."""
        x, y = self._proj(longitude, latitude)
        return (np.rad2deg(x), np.rad2deg(y)) if self._is_rotated else (np.asarray(x), np.asarray(y))

    def _inverse(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """The projection's coordinates to degrees of longitude and latitude."""
        return self._proj(*((np.deg2rad(x), np.deg2rad(y)) if self._is_rotated else (x, y)), inverse=True)

    @cached_property
    def x(self) -> np.ndarray:
        """Projection coordinate of each column, shape (x,), metres (degrees for longlat)."""
        return self._origin[0] + self.spacing * np.arange(self.size.x)

    @cached_property
    def y(self) -> np.ndarray:
        """Projection coordinate of each row, shape (y,), metres (degrees for longlat)."""
        return self._origin[1] + self.spacing * np.arange(self.size.y)

    @cached_property
    def _origin(self) -> tuple[float, float]:
        if self.is_plane:
            return 0.0, 0.0
        assert self.corner is not None, "only a plane has none"
        x, y = self._forward(self.corner.longitude, self.corner.latitude)
        return float(x), float(y)

    def latitude_longitude(self, rows=slice(None), columns=slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees, longitude in [-180, 180), of a box of the grid, shape (y, x)."""
        self._require_earth()
        x, y = np.meshgrid(self.x[columns], self.y[rows])
        longitude, latitude = self._inverse(x, y)
        return latitude, wrap_longitude(longitude)

    def position(self, row, column) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees, longitude in [-180, 180), of fractional (row, column): undoes `index`."""
        self._require_earth()
        x, y = (o + self.spacing * np.asarray(i) for o, i in zip(self._origin, (column, row), strict=True))
        longitude, latitude = self._inverse(x, y)
        return np.asarray(latitude), wrap_longitude(longitude)

    def index(self, latitude, longitude) -> tuple[np.ndarray, np.ndarray]:
        """Fractional (row, column) of positions given in degrees; outside the grid it runs below 0 or past the end."""
        self._require_earth()
        if self.is_geographic:  # count eastwards from the corner, so that no cut lies inside the grid
            centre = self._origin[0] + 0.5 * self.spacing * (self.size.x - 1)
            x = centre + wrap_longitude(np.asarray(longitude, dtype=np.float64) - centre)
            y = np.asarray(latitude, dtype=np.float64)
        else:
            x, y = self._forward(np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64))
        return (y - self._origin[1]) / self.spacing, (x - self._origin[0]) / self.spacing

    def contains(self, latitude, longitude, margin: float = 0.0) -> np.ndarray:
        """Mask of the positions inside the grid widened by ``margin`` metres, shape of the input."""
        row, column = self.index(latitude, longitude)
        extra = margin / self.spacing_metres
        with np.errstate(invalid="ignore"):
            return (
                (row >= -extra)
                & (row <= self.size.y - 1 + extra)
                & (column >= -extra)
                & (column <= self.size.x - 1 + extra)
            )

    def convergence(self, latitude, longitude) -> np.ndarray:
        """Angle in radians, counter-clockwise, from true north to grid north at positions in degrees.

        A wind (u, v) along the grid is (u cos a - v sin a, u sin a + v cos a) along the earth,
        with a the returned angle.
        """
        if self.is_plane or self.is_geographic:
            return np.zeros(np.shape(latitude))
        if self._is_rotated:
            return self._bearing_of_rotated_pole(np.deg2rad(latitude), np.deg2rad(longitude))
        factors = self._proj.get_factors(
            np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
        )
        return -np.deg2rad(np.asarray(factors.meridian_convergence))  # PROJ counts clockwise

    def _bearing_of_rotated_pole(self, phi, lam) -> np.ndarray:
        """Counter-clockwise angle from true north to the great circle to the new pole, along which the columns of
        a rotated grid run; PROJ's convergence is measured in its map, where such a grid is not conformal."""
        pole_lam, pole_phi = np.deg2rad(self._inverse(0.0, 90.0))
        east = np.sin(pole_lam - lam) * np.cos(pole_phi)
        north = np.cos(phi) * np.sin(pole_phi) - np.sin(phi) * np.cos(pole_phi) * np.cos(pole_lam - lam)
        return -np.arctan2(east, north)

    def _require_earth(self) -> None:
        if self.is_plane:
            raise ValueError(f"domain {self.name} is a plane: it has no latitude and longitude")


def load_domain(name: str) -> Domain:
    """Read a shipped domain by name ("conus") or the YAML file of a user's own."""
    return config.load(Domain, config.find("domains", name))


def locate_corner(projection: str, x: float, y: float) -> Corner:
    """The place of a point given in a projection's own coordinates (metres or its unit; degrees for longlat).

    Raises:
        ValueError: the projection has no such point.
    """
    proj = pyproj.Proj(projection)
    native = np.deg2rad([x, y]) if proj.crs.is_geographic and proj.crs.is_derived else (x, y)
    longitude, latitude = proj(native[0], native[1], inverse=True)
    if not np.isfinite([latitude, longitude]).all():
        raise ValueError(f"the point x = {x}, y = {y} lies outside the projection {projection}")
    return Corner(float(latitude), float(longitude))


def wrap_longitude(longitude) -> np.ndarray:
    """Bring longitudes in degrees to [-180, 180)."""
    return (np.asarray(longitude) + 180.0) % 360.0 - 180.0


def rotate(u, v, angle) -> tuple[np.ndarray, np.ndarray]:
    """Turn the axes of a vector: grid to earth with ``Domain.convergence``, earth to grid with its negative."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return u * cosine - v * sine, u * sine + v * cosine
