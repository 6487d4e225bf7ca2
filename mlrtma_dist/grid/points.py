"""Points: places at which something is analysed or was measured -- a grid's, or stations'."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from mlrtma_dist.grid.domain import EARTH_RADIUS, Domain


@dataclass(frozen=True)
class Points:
    """Places and what the covariances know of them; every attribute has n rows.

    Attributes:
        latitude, longitude: degrees; zero on a plane.
        position: Cartesian coordinates in m, shape (n, 3), on the sphere (distances are chords), or on
            a plane (third coordinate zero).
        elevation: height above mean sea level, m, shape (n,).
        land: land fraction around the point in [0, 1], shape (n,).
        relief: elevation minus the mean terrain around the point, m, shape (n,): negative in a valley.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    position: np.ndarray
    elevation: np.ndarray
    land: np.ndarray
    relief: np.ndarray

    def __len__(self) -> int:
        return len(self.latitude)

    @cached_property
    def extent(self) -> tuple[np.ndarray, float]:
        """Centre of n >= 1 points, m, shape (3,), and the radius in m within which all of them lie."""
        centre = mean_row(self.position)
        offset = self.position - centre
        return centre, float(np.sqrt(np.einsum("ni,ni->n", offset, offset).max()))

    def __getitem__(self, rows) -> "Points":
        """Select rows by a mask, slice or index array."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def equals(self, other: "Points") -> bool:
        """Whether all that is known of the places is the same."""
        same = type(self) is type(other)
        return same and all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


@dataclass(frozen=True)
class TimedPoints(Points):
    """Places with a time each.

    Attributes:
        hours: after the analysis time, negative before it, shape (n,).
    """

    hours: np.ndarray

    @classmethod
    def at(cls, points: Points, hours: np.ndarray | float) -> "TimedPoints":
        """Points at times in hours after the analysis time: one for all, or shape (n,)."""
        columns = {f.name: getattr(points, f.name) for f in fields(Points)}
        return cls(**columns, hours=np.broadcast_to(np.asarray(hours, dtype=np.float64), (len(points),)).copy())


def hours_of(points: Points) -> np.ndarray:
    """Hours after the analysis time of each point, shape of its attributes; zero of points without a time."""
    own = getattr(points, "hours", None)
    return np.zeros(points.elevation.shape) if own is None else own


def distinct(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Each of n places once: the row of one point of each place, shape (m,), and each point's place, shape (n,)."""
    rows = np.column_stack([points.position, points.elevation, points.land, points.relief])
    _, first, number = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, number.ravel()


def cartesian(latitude, longitude, radius: float = EARTH_RADIUS) -> np.ndarray:
    """Cartesian coordinates in m of positions in degrees on a sphere, shape (..., 3)."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    cosine = np.cos(phi)
    return radius * np.stack([cosine * np.cos(lam), cosine * np.sin(lam), np.sin(phi)], axis=-1)


def mean_row(a: np.ndarray) -> np.ndarray:
    """Mean of the rows of an array (n, k), shape (k,): ten times as fast as ``a.mean(axis=0)`` where k is small."""
    return np.full(len(a), 1.0 / len(a)) @ a


def plane_positions(domain: Domain, rows=slice(None), columns=slice(None)) -> np.ndarray:
    """Coordinates in m of a box of a plane domain, shape (y, x, 3)."""
    x, y = np.meshgrid(domain.x[columns], domain.y[rows])
    return np.stack([x, y, np.zeros_like(x)], axis=-1)


def plane_points(domain: Domain, place: np.ndarray) -> Points:
    """Places of a plane, which has no terrain and no sea, by their grid coordinates (y, x), shape (n, 2)."""
    position = np.stack([domain.spacing * place[:, 1], domain.spacing * place[:, 0], np.zeros(len(place))], axis=1)
    zero = np.zeros(len(place))
    return Points(zero, zero, position, zero, np.ones(len(place)), zero)
