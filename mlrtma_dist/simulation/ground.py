"""Ground: what simulated weather must know of the place, on a box of a domain."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.observations.sun import solar_elevation

# The air near the ground follows the sun of the last hours: warmest two to three hours after noon, coldest at sunrise.
LAGS, WEIGHTS = (1, 3, 6, 10), (0.35, 0.3, 0.2, 0.15)  # hours, shares


@dataclass(frozen=True)
class Ground:
    """The points of a box.

    Attributes:
        y, x: m from the domain's south-west point along the grid, shapes (y,) and (x,).
        spacing: of the points, m.
        centre: of the domain, in the same coordinates; northern: whether it lies north of the equator.
        latitude, longitude: degrees; convergence: of the grid, radians (``Domain.convergence``).
        terrain: m; land: fraction at the point; land_smooth: fraction around it; relief: terrain above its
            surroundings' mean, m.

    Fields have the shape (y, x).
    """

    y: np.ndarray
    x: np.ndarray
    spacing: float
    centre: tuple[float, float]
    northern: bool
    latitude: np.ndarray
    longitude: np.ndarray
    convergence: np.ndarray
    terrain: np.ndarray
    land: np.ndarray
    land_smooth: np.ndarray
    relief: np.ndarray

    @classmethod
    def of(cls, static: Static, box: Box) -> "Ground":
        """The ground of a box of a domain.

        Raises:
            InputError: the domain is a plane, where there is neither sun nor season.
        """
        domain = static.domain
        require_earth(domain)
        rows, columns = slice(box.y0, box.y1), slice(box.x0, box.x1)
        here = rows, columns
        latitude, longitude = domain.latitude_longitude(*here)
        middle = domain.latitude_longitude(*(slice(size // 2, size // 2 + 1) for size in domain.shape))[0][0, 0]
        step = domain.spacing_metres
        terrain = static.terrain[here].astype(np.float64)
        middle_y, middle_x = (0.5 * step * (size - 1) for size in domain.shape)
        return cls(
            np.arange(box.y0, box.y1) * step,
            np.arange(box.x0, box.x1) * step,
            step,
            (middle_y, middle_x),
            bool(middle >= 0.0),
            latitude,
            longitude,
            domain.convergence(latitude, longitude),
            terrain,
            static.land[here].astype(np.float64),
            static.land_smooth[here].astype(np.float64),
            terrain - static.terrain_smooth[here],
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Points in y and x."""
        return self.terrain.shape

    def sunshine(self, time: np.datetime64) -> np.ndarray:
        """Sine of the sun's elevation, negative at night."""
        return np.sin(np.deg2rad(solar_elevation(self.latitude, self.longitude, time)))

    def warmth(self, time: np.datetime64) -> np.ndarray:
        """Sunshine of the last hours minus the day's mean, as shares of that of a sun in the zenith."""
        felt = sum(
            weight * np.maximum(self.sunshine(time - np.timedelta64(lag, "h")), 0.0)
            for lag, weight in zip(LAGS, WEIGHTS, strict=True)
        )
        return felt - self.mean_sunshine(time)

    def mean_sunshine(self, time: np.datetime64) -> np.ndarray:
        """Daily mean of the sine of the sun's elevation, zero at night.

        With the half day's length h0, cos h0 = -tan(latitude) tan(declination):
        (h0 sin(latitude) sin(declination) + cos(latitude) cos(declination) sin h0) / pi.
        """
        declination, phi = declination_of(time), np.deg2rad(self.latitude)
        level, swing = np.sin(phi) * np.sin(declination), np.cos(phi) * np.cos(declination)
        half = np.arccos(np.clip(-level / np.maximum(swing, 1e-9), -1.0, 1.0))
        return (half * level + swing * np.sin(half)) / np.pi


def require_earth(domain: Domain) -> None:
    """Raise InputError where the domain is a plane: there is neither sun nor season."""
    if domain.is_plane:
        raise InputError(
            f"domain {domain.name} is a plane without latitude; the twins' weather needs the earth."
            " Choose a domain with a projection."
        )


def declination_of(time: np.datetime64) -> float:
    """Declination of the sun in radians: its elevation at the north pole."""
    return float(np.deg2rad(solar_elevation(np.array([90.0]), np.array([0.0]), time)[0]))
