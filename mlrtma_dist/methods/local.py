"""Optimal interpolation from the nearest observations: what one block of targets needs.

Legend: H picks the stations out of the field, so with B the background covariance
HBH' = B(stations, stations), BH' = B(targets, stations), R = diag(r^2), d = y_o - H(x_b).
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.robust import huber_weight

MOST_ITERATIONS = 8
SETTLED = 0.02  # largest change of a Huber weight at which the iteration ends


def cells(position: np.ndarray, size: float) -> list[np.ndarray]:
    """Group points into cubes of edge ``size`` m.

    Args:
        position: shape (n, 3), m.

    Returns:
        Index arrays; each point is in exactly one.
    """
    if not len(position):
        return []
    _, group = np.unique(np.floor(position / size).astype(np.int64), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1)


def nearest(tree: cKDTree, position: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` stations nearest to the centre of a block of positions (m, 3); fewer if there are fewer."""
    _, chosen = tree.query(position.mean(axis=0), k=min(count, tree.n))
    return np.atleast_1d(chosen)


def robust_weights(hbh: np.ndarray, d: np.ndarray, r: np.ndarray, limit: float | None) -> np.ndarray:
    """Huber weights of the observations about the analysis they make, by reweighting (Holland and Welsch 1977).

    Minimises 1/2 dx' B^-1 dx + sum rho((d - H dx) / r) with rho Huber's function; a weight v stands for the
    observation error r^2 / v.

    Args:
        hbh: B at the stations, shape (n, n).
        d, r: departures and observation errors, shape (n,).
        limit: in units of r; None: all weights one.
    """
    v = np.ones(len(d))
    if limit is None:
        return v
    for _ in range(MOST_ITERATIONS):
        a = hbh.astype(np.float64)
        a[np.diag_indices(len(d))] += r**2 / v
        residual = (r**2 / v) * cho_solve(cho_factor(a, lower=True, overwrite_a=True, check_finite=False), d)  # d - H dx
        before, v = v, huber_weight(residual / r, limit)
        if np.abs(v - before).max() < SETTLED:
            break
    return v


def posterior_variance(b: Covariance, targets: Points, stations: Points, r_squared: np.ndarray) -> np.ndarray:
    """diag(B - BH'(HBH' + R)^-1 HB) at the targets, shape (m,).

    Args:
        r_squared: observation error variances, weights of quality control included, shape (n,).
    """
    if not len(stations):
        return np.full(len(targets), b.variance)
    a = b.matrix(stations, stations).astype(np.float64)
    a[np.diag_indices(len(stations))] += r_squared
    bh = b.matrix(targets, stations).astype(np.float64)
    explained = np.einsum("mn,nm->m", bh, cho_solve(cho_factor(a, lower=True, overwrite_a=True, check_finite=False), bh.T))
    return np.maximum(b.variance - explained, 0.0)
