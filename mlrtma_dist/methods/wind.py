"""Wind as a vector: both components analysed at once, whatever way east happens to be.

Eastward and northward are directions that turn from place to place: over Alaska by 19 degrees in 750 km, at the pole
by any angle. So a wind is written as a vector in space, tangent to the earth, and what is not known of it is isotropic:

    C(p, q) = B(p, q) I,   I the 3 x 3 identity,   u = V . e_east,   v = V . e_north

One system with three right-hand sides serves both components, one variational quality control weighs the vector
(a bad direction spoils both), and the analysis does not depend on where the pole is. The vector that is analysed
may leave the tangent plane by the earth's curvature within B's reach; that part is dropped. On a plane, whose points
all have latitude and longitude zero, the directions are the same everywhere, and the components separate exactly.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.departure_method import DepartureMethod, Fit
from mlrtma_dist.observations.reports import winds
from mlrtma_dist.observations.table import Observations

WIND = ("u10", "v10")
MEASURED = 2  # components of the three that a station tells; the radial one is zero


def wind_rows(observations: Observations, used: np.ndarray) -> np.ndarray:
    """Rows of the u10 and v10 of the winds that are used, shape (m, 2), m 0 where there is none."""
    rows = winds(observations)
    return rows[used[rows].all(axis=1)]


def in_space(points: Points, wind: np.ndarray) -> np.ndarray:
    """Winds as vectors in space, shape (n, 3), from eastward and northward components (n, 2)."""
    east, north = _directions(points)
    return wind[:, :1] * east + wind[:, 1:] * north


def on_earth(points: Points, vector: np.ndarray) -> np.ndarray:
    """Eastward and northward components, shape (n, 2), of vectors in space (n, 3)."""
    phi, lam = np.deg2rad(points.latitude), np.deg2rad(points.longitude)
    x, y, z = vector.T
    cosine, sine = np.cos(lam), np.sin(lam)
    outward = cosine * x + sine * y  # from the earth's axis
    return np.stack([cosine * y - sine * x, np.cos(phi) * z - np.sin(phi) * outward], axis=1)


def fit_wind(method: DepartureMethod, points: Points, wind: np.ndarray, error: np.ndarray) -> "WindFit":
    """Fit a method of an isotropic covariance to winds.

    Args:
        method: for departures of several columns; its limit of variational quality control is one for vectors.
        points: where the n winds were measured.
        wind: departures of the eastward and northward component, m/s, shape (n, 2).
        error: of either component, shape (n,).
    """
    return WindFit(method.fit(points, in_space(points, wind), error))


@dataclass(frozen=True)
class WindFit:
    """A method fitted to winds.

    Attributes:
        vector: the fit to vectors in space.
    """

    vector: Fit

    @property
    def weight(self) -> np.ndarray:
        """Weight of each wind, shape (n,)."""
        return self.vector.weight

    @property
    def parts(self) -> tuple[Fit, ...]:
        """The fits of which the increment is made."""
        return (self.vector,)

    def increment(self, points: Points) -> np.ndarray:
        """Eastward and northward increment at the points, m/s, shape (m, 2)."""
        return self.combined(points, None, [self.vector.increment(points)])

    def combined(self, points: Points, first, increments: list[np.ndarray]) -> np.ndarray:
        """The increment from those of the parts, whatever the first guess."""
        return on_earth(points, increments[0])

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the error of either component, m/s, shape (m,)."""
        return self.vector.error(points)


@dataclass(frozen=True)
class WindComponent:
    """One component of a fitted wind; see ``methods.departure_method.Fit``.

    Attributes:
        wind: the fit of both, a ``WindFit`` or one with another error.
        column: 0: eastward, 1: northward.
        weight: of each report of this component, in the order of those reports, shape (n,).
    """

    wind: Fit
    column: int
    weight: np.ndarray

    def increment(self, points: Points) -> np.ndarray:
        """Analysis minus first guess of the component, shape (m,); ``wind`` tells both for the price of one."""
        return self.wind.increment(points)[:, self.column]

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the analysis error, shape (m,)."""
        return self.wind.error(points)


def _directions(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors to the east and to the north at each point, shape (n, 3) each."""
    phi, lam = np.deg2rad(points.latitude), np.deg2rad(points.longitude)
    east = np.stack([-np.sin(lam), np.cos(lam), np.zeros(len(points))], axis=1)
    north = np.stack([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)], axis=1)
    return east, north
