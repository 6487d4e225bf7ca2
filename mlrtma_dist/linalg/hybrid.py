"""Hybrid background error covariance: a modelled one and a localised sample of members.

    B = beta_c^2 B_c + beta_e^2 (P_e o L),   P_e = X X' / (N - 1)

X holds the deviations of N members from their mean, L the localisation, o the product of elements (Hamill and Snyder
2000; Lorenc 2003). It answers the questions of ``covariance.Covariance``, so that every method built on that one can
use it. Nothing is formed over grid points: with w at stations,

    (P_e o L) w = sum_k X_k o (L (X_k o w)) / (N - 1)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.linalg.mesh import Area
from mlrtma_dist.linalg.sources import Sources

BLOCK_ELEMENTS = 1_000_000  # of a matrix of localisation held at a time, 8 MB


@dataclass(frozen=True)
class HybridCovariance:
    """The weighted sum of a modelled and a sampled covariance.

    Attributes:
        static: B_c; None only where its weight is 0.
        perturbations: the members' deviations from their mean at given points, shape (members, n), analysis space.
        localisation: L; None: the raw sample, for as many observations as members can fit.
        static_weight, ensemble_weight: beta_c^2 and beta_e^2.
    """

    static: Covariance | None
    perturbations: Callable[[Points], np.ndarray]
    localisation: Localisation | None
    static_weight: float
    ensemble_weight: float

    def __post_init__(self):
        if self.static_weight < 0 or self.ensemble_weight < 0 or self.static_weight + self.ensemble_weight == 0:
            raise ValueError(
                f"hybrid covariance: expected weights >= 0, not both 0, got static {self.static_weight:g} and "
                f"ensemble {self.ensemble_weight:g}"
            )
        if self.static is None and self.static_weight:
            raise ValueError("hybrid covariance: a static weight above 0 needs a static covariance, got none")

    @property
    def _static(self) -> Covariance:
        assert self.static is not None, "its weight is above 0: __post_init__"
        return self.static

    def variance_at(self, points: Points) -> np.ndarray:
        """Variance at each point, shape (n,)."""
        result = np.zeros(len(points))
        if self.static_weight:
            result += self.static_weight * self._static.variance_at(points)
        if self.ensemble_weight:
            result += self.ensemble_weight * self.perturbations(points).var(axis=0, ddof=1)
        return result

    def matrix(self, p: Points, q: Points) -> np.ndarray:
        """B(p, q) as a dense matrix, shape (len(p), len(q)); float64 where members take part, else float32."""
        if not self.ensemble_weight:
            return self.static_weight * self._static.matrix(p, q)
        at_p, at_q = self.perturbations(p), self.perturbations(q)
        sample = at_p.T @ at_q * (self.ensemble_weight / (len(at_p) - 1))
        if self.localisation is not None:
            sample *= self.localisation.matrix(p, q)
        return sample + self.static_weight * self._static.matrix(p, q) if self.static_weight else sample

    def matrices(self, p: Points, q: Points) -> np.ndarray:
        """``matrix`` of c pairs of groups of points; see ``covariance.Covariance.matrices``."""
        return np.stack([self.matrix(p[group], q[group]) for group in range(len(p))])

    def apply(self, p: Points, q: Points, w: np.ndarray) -> np.ndarray:
        """B(p, q) @ w without the matrix, shape (len(p),); see ``covariance.Covariance.apply``."""
        return self.sources(q, w).at(p)

    def sources(self, q: Points, w: np.ndarray) -> "HybridSources":
        """The field B(., q) @ w, to be evaluated at many points; see ``covariance.Covariance.sources``."""
        return HybridSources(self, self._static.sources(q, w) if self.static_weight else None, q, w)

    def apply_sample(self, p: Points, q: Points, w: np.ndarray) -> np.ndarray:
        """(P_e o L)(p, q) @ w, shape (len(p),)."""
        at_p = self.perturbations(p)
        if self.localisation is None:
            return at_p.T @ (self.perturbations(q) @ w) / (len(at_p) - 1)
        centre = p.position.mean(axis=0)
        reach = self.localisation.radius + np.sqrt(((p.position - centre) ** 2).sum(axis=1).max())
        near = np.sqrt(((q.position - centre) ** 2).sum(axis=1)) < reach
        q, result = q[near], np.zeros(len(p))
        loaded = (self.perturbations(q) * w[near]).T
        rows = max(1, BLOCK_ELEMENTS // max(len(q), 1))
        for i in range(0, len(p), rows):
            part = slice(i, i + rows)
            result[part] = np.einsum("km,mk->m", at_p[:, part], self.localisation.matrix(p[part], q) @ loaded)
        return result / (len(at_p) - 1)


@dataclass(frozen=True)
class HybridSources:
    """The field of a hybrid covariance; see ``sources.Sources``.

    Attributes:
        covariance: of the field.
        static: the field of B_c; None: it has no weight.
        points: where the m sources are; weight: of each, shape (m,).
    """

    covariance: HybridCovariance
    static: Sources | None
    points: Points
    weight: np.ndarray

    def at(self, p: Points) -> np.ndarray:
        """The field at a compact block of n points, shape (n,)."""
        result = np.zeros(len(p))
        if not len(p) or not len(self.points):
            return result
        if self.static is not None:
            result += self.covariance.static_weight * self.static.at(p)
        if self.covariance.ensemble_weight:
            result += self.covariance.ensemble_weight * self.covariance.apply_sample(p, self.points, self.weight)
        return result

    def within(self, area: Area) -> "HybridSources":
        """The same field with its modelled part made ready for the points of an area."""
        return replace(self, static=self.static.within(area)) if self.static is not None else self
