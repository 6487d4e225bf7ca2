"""Background error covariance as an operator: a sum of scales, aware of terrain and coast.

Each component s has the covariance

    B_s(p, q) = variance_s * kernel_s(|c_s(p) - c_s(q)|),
    c_s(p)    = (position / length, elevation / height, land fraction / land, relief / relief),

so two points are far apart when they are distant, differ in height, lie on different sides of a
coast, or one in a valley and the other on a ridge. On the sphere distances are chords, on a
plane they are straight lines. A missing scale (null) means no dependence. Positive definite
because each kernel is so in six dimensions (``kernels.py``). Between points that have a time
(``grid.points.TimedPoints``) each component is multiplied by a correlation in time, Matern's of smoothness 3/2,
(1 + a) exp(-a) with a = |t - t'| / time: a product of positive definite functions.

Nothing here forms the matrix over grid points: ``apply`` works on blocks of targets and leaves out what a compact
support makes zero; ``sources`` gives the same for fields of a grid, with the smooth components on a mesh.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from mlrtma_dist.grid.points import Points, TimedPoints, hours_of
from mlrtma_dist.linalg.kernels import KERNELS, NODE_SPACING, SUPPORT
from mlrtma_dist.linalg.mesh import Area, Mesh, lay_mesh
from mlrtma_dist.linalg.sources import Sources

BLOCK_ELEMENTS = 64_000  # of float32: 256 kB stay in the cache of a core through all passes; 1 MB takes twice as long


@dataclass(frozen=True)
class Component:
    """One scale of the covariance.

    Attributes:
        variance: in the square of the variable's analysis-space unit.
        kernel: a name of ``kernels.KERNELS``.
        length: m (radius of the support for "askey").
        height: m of elevation that count as one ``length``; None: elevation does not matter.
        land: difference in land fraction that counts as one ``length``; None: it does not matter.
        relief: m of difference in relief (height above the mean terrain around) likewise.
        time: scale in hours of the correlation in time of points that have one (it is 0.74 after one such scale);
            None: it does not fall.
    """

    variance: float
    kernel: str
    length: float
    height: float | None = None
    land: float | None = None
    relief: float | None = None
    time: float | None = None

    def __post_init__(self):
        if self.kernel not in KERNELS:
            raise ValueError(f"unknown kernel {self.kernel!r}: expected one of {', '.join(KERNELS)}")
        scales = (self.variance, self.length, self.height, self.land, self.relief, self.time)
        if any(s is not None and not s > 0 for s in scales):
            raise ValueError(f"variance and scales of a covariance component must be positive, got {scales}")

    @property
    def reach(self) -> float:
        """Distance in m beyond which the component is zero."""
        return self.length * SUPPORT[self.kernel]

    def coordinates(self, points: Points) -> np.ndarray:
        """Scaled coordinates, shape (..., 3 to 6), float64: single precision would err by half a metre."""
        columns = [points.position / self.length]
        for values, scale in ((points.elevation, self.height), (points.land, self.land), (points.relief, self.relief)):
            if scale is not None:
                columns.append((np.asarray(values, dtype=np.float64) / scale)[..., None])
        return np.concatenate(columns, axis=-1)

    def product(self, p: Points, q: Points, w: np.ndarray) -> np.ndarray:
        """B_s(p, q) @ w for a compact block ``p``, shape (n,) or (n, k), float64; see ``Covariance.apply``."""
        near = self.reached(p, q)
        if not near.any():
            return np.zeros((len(p), *w.shape[1:]))
        q, scaled = q[near], (w[near] * self.variance).astype(np.float32)
        # Coordinates are taken from the middle of the block: near it, where they matter, distances round little.
        a, b = self.coordinates(p), self.coordinates(q)
        origin = a.mean(axis=0)
        left, right = _extended((a - origin).astype(np.float32)), _extended_transposed((b - origin).astype(np.float32))
        rows, kernel = max(1, BLOCK_ELEMENTS // len(q)), KERNELS[self.kernel]
        parts = [kernel(left[i : i + rows] @ right) @ scaled for i in range(0, len(p), rows)]
        return np.concatenate(parts).astype(np.float64)

    def of_squared_distance(self, squared: np.ndarray) -> np.ndarray:
        """The covariance at squares of scaled distances, any shape, float32."""
        return KERNELS[self.kernel](squared.astype(np.float32)) * np.float32(self.variance)

    def between(self, p: Points, q: Points, squared: np.ndarray) -> np.ndarray:
        """The covariance of all p and q at squares of their scaled distances, shape (..., n, m), float32."""
        values = self.of_squared_distance(squared)
        if self.time is not None and (isinstance(p, TimedPoints) or isinstance(q, TimedPoints)):
            values *= self.in_time(p, q)
        return values

    def in_time(self, p: Points, q: Points) -> np.ndarray | float:
        """Correlation in time between all p and q, shape (..., n, m), float32; 1 where it does not fall."""
        if self.time is None:
            return 1.0
        hours = hours_of(p)[..., :, None] - hours_of(q)[..., None, :]
        return KERNELS["matern32"]((hours / self.time) ** 2).astype(np.float32)

    def mesh(self, area: Area) -> Mesh | None:
        """A mesh through an area, dense enough for this component; None: evaluate it at the points."""
        spacing = NODE_SPACING[self.kernel]
        if spacing is None or self.land is not None or self.relief is not None:  # both change from point to point
            return None
        return lay_mesh(area, spacing * self.length, spacing * (self.height or np.inf))

    def reached(self, p: Points, q: Points) -> np.ndarray:
        """Mask of ``q`` that are within reach of a block ``p``, shape (len(q),)."""
        centre, radius = p.extent
        return np.sqrt(((q.position - centre) ** 2).sum(axis=1)) <= self.reach + radius


@dataclass(frozen=True)
class Covariance:
    """A sum of components."""

    components: tuple[Component, ...]

    @property
    def variance(self) -> float:
        """Variance at a point, analysis-space unit squared."""
        return sum(c.variance for c in self.components)

    def variance_at(self, points: Points) -> np.ndarray:
        """Variance at each point, shape (n,): here the same everywhere."""
        return np.full(len(points), self.variance)

    def scaled(self, factors: np.ndarray | float) -> "Covariance":
        """The covariance with each component times its factor, or all times one."""
        each = np.broadcast_to(factors, len(self.components))
        return Covariance(
            tuple(replace(c, variance=c.variance * float(f)) for c, f in zip(self.components, each, strict=True))
        )

    def part(self, chosen: np.ndarray) -> "Covariance":
        """The sum of the chosen components, a mask of the components' number."""
        return Covariance(tuple(c for c, keep in zip(self.components, chosen, strict=True) if keep))

    def matrix(self, p: Points, q: Points) -> np.ndarray:
        """B(p, q) as a dense matrix, shape (len(p), len(q)), float32. For stations, not for grids."""
        result = np.zeros((len(p), len(q)), dtype=np.float32)
        rows = max(1, BLOCK_ELEMENTS // max(len(q), 1))
        for component in self.components:
            a, b = component.coordinates(p), component.coordinates(q)
            for i in range(0, len(p), rows):
                squared = cdist(
                    a[i : i + rows], b, "sqeuclidean"
                )  # exact where points meet, unlike |a|^2 + |b|^2 - 2ab
                result[i : i + rows] += component.between(p[i : i + rows], q, squared)
        return result

    def matrices(self, p: Points, q: Points) -> np.ndarray:
        """``matrix`` of c pairs of groups of points, whose attributes are of shape (c, n) and (c, m); (c, n, m)."""
        result = np.zeros((*p.elevation.shape, q.elevation.shape[1]), dtype=np.float32)
        for component in self.components:
            a, b = component.coordinates(p), component.coordinates(q)
            origin = a.mean(axis=1, keepdims=True)
            squared = _extended(a - origin) @ _extended_transposed(b - origin)
            result += component.between(p, q, squared)
        return result

    def apply(self, p: Points, q: Points, w: np.ndarray) -> np.ndarray:
        """B(p, q) @ w without the matrix, for a compact block of targets ``p``.

        Args:
            p: targets, n of them, near each other (a block of the grid); correct, only slower, if not.
            q: sources (stations), m of them.
            w: weights, shape (m,), or (m, k) for k products at little more than the price of one.

        Returns:
            Shape (n,) or (n, k), float64; unit of B times that of w.
        """
        if not isinstance(p, TimedPoints):
            return self.sources(q, w).at(p)
        result = np.zeros((len(p), *w.shape[1:]))
        hours, number = np.unique(p.hours, return_inverse=True)
        for index, hour in enumerate(hours):
            rows = number == index
            result[rows] = self.sources(q, w, float(hour)).at(p[rows])
        return result

    def sources(self, q: Points, w: np.ndarray, hours: float = 0.0) -> Sources:
        """The field B(., q) @ w, to be evaluated at many points; arguments as of ``apply``.

        Args:
            hours: after the analysis time, of the field; it matters where the sources have times.
        """
        if not len(q) or not isinstance(q, TimedPoints) or all(c.time is None for c in self.components):
            return Sources.of(self.components, q, w)
        target = TimedPoints.at(q[:1], hours)
        factors = [np.broadcast_to(c.in_time(q, target), (len(q), 1))[:, 0] for c in self.components]
        return Sources.weighted(self.components, q, [(w.T * factor).T for factor in factors])


def _extended(a: np.ndarray) -> np.ndarray:
    """(a, |a|^2, 1) of rows, so that its product with (-2b, 1, |b|^2)' is |a - b|^2; shape (..., n, d + 2)."""
    return np.concatenate([a, _squares(a), np.ones_like(a[..., :1])], axis=-1)


def _extended_transposed(b: np.ndarray) -> np.ndarray:
    return np.concatenate([-2 * b, np.ones_like(b[..., :1]), _squares(b)], axis=-1).mT


def _squares(a: np.ndarray) -> np.ndarray:
    """|a|^2 of the rows of ``a``, shape (..., n, 1): column by column, since sums over short rows are slow."""
    result = a[..., :1] * a[..., :1]
    for number in range(1, a.shape[-1]):
        result += a[..., number : number + 1] ** 2
    return result
