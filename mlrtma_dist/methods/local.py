"""Optimal interpolation from the nearest observations: what one block of targets needs.

Legend: H picks the stations out of the field, so with B the background covariance
HBH' = B(stations, stations), BH' = B(targets, stations), R = diag(r^2), d = y_o - H(x_b).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.robust import reweight
from mlrtma_dist.linalg.solve import DiagonalUpdate
from mlrtma_dist.methods.threads import threads

SETTLED = 1e-4  # relative change of a Huber weight at which the iteration ends
ELEMENTS = 250_000  # of the matrices that are solved at once, 2 MB, what a core's cache holds
MOST_ITERATIONS = 200  # each costs little; contradicting stations side by side need many


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


def groups(position: np.ndarray, size: int) -> list[np.ndarray]:
    """Leaves of a k-d tree: compact groups of at most ``size`` of n positions (n, 3); rows of each."""
    result, stack = [], [cKDTree(position, leafsize=size).tree]
    while stack:
        node = stack.pop()
        if node.lesser is None:
            result.append(np.asarray(node.indices))
        else:
            stack += [node.lesser, node.greater]
    return result


class LeftOut(NamedTuple):
    """What the others give at each of n stations.

    Attributes:
        increment: shape of the departures.
        variance: of its difference from the report, shape (n,).
        kept: share of what a report has put into the analysis at its place that is still there after another analysis
            by the others, shape (n,): they take back what it has put in at their places.
    """

    increment: np.ndarray
    variance: np.ndarray
    kept: np.ndarray


def leave_one_out(
    covariance: Covariance, points: Points, departure: np.ndarray, error: np.ndarray, size: int
) -> LeftOut:
    """What the others of its group give at each of n stations.

    With A = HBH' + R of a group the residual of a station that is left out is (A^-1 d)_i / (A^-1)_ii, and its variance
    1 / (A^-1)_ii (Dubrule 1983). The weight of j at i is then -(A^-1)_ij / (A^-1)_ii, and what i puts in at j is
    -R_j (A^-1)_ji times its residual, at itself 1 - R_i (A^-1)_ii times.

    Args:
        departure: shape (n,), or (n, k): k fields of the same covariance; error: shape (n,).
        size: stations of a group, at most.
    """
    increment = np.zeros(departure.shape)
    variance, kept = np.zeros((2, len(departure)))

    def predict(group: np.ndarray) -> None:
        matrix = covariance.matrix(points[group], points[group])
        inverse = cho_solve(factored(matrix, error[group] ** 2), np.eye(len(group)))
        own, r = np.diagonal(inverse), error[group] ** 2
        variance[group] = 1.0 / own
        taken = (inverse**2 @ r - own**2 * r) / (own * (1.0 - r * own))
        kept[group] = np.clip(1.0 - taken, 0.0, 1.0)
        residual = (inverse @ departure[group]).T * variance[group]
        increment[group] = departure[group] - residual.T

    with threads() as pool:
        for _ in pool.map(predict, groups(points.position, size) if len(points) else ()):
            pass
    return LeftOut(increment, variance, kept)


def nearest(tree: cKDTree, position: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` stations, or fewer, nearest to the centre of a block of positions (m, 3)."""
    _, chosen = tree.query(position.mean(axis=0), k=min(count, tree.n))
    return np.atleast_1d(chosen)


def factored(hbh: np.ndarray, r_squared: np.ndarray) -> tuple[np.ndarray, bool]:
    """HBH' + R, shape (n, n), as ``scipy.linalg.cho_factor`` has it, in double precision; R = diag(r_squared)."""
    a = hbh.astype(np.float64)
    a[np.diag_indices(len(r_squared))] += r_squared
    return cho_factor(a, lower=True, overwrite_a=True, check_finite=False)


def solve_robustly(hbh: np.ndarray, d: np.ndarray, r: np.ndarray, limit: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Weights w of the analysis dx = BH'w, and Huber weights v of the observations about it (``robust.reweight``).

    HBH' + R is factored once; each reweighting is a correction of low rank to that.

    Args:
        hbh: B at the stations, shape (n, n), n >= 1.
        d, r: departures and observation errors, shape (n,).
        limit: in units of r; None: all v are one.
    """
    system = DiagonalUpdate(factored(hbh, r**2), d)
    solve = lambda r_squared: system.solve(r_squared - r**2)  # noqa: E731
    return reweight(solve, r, limit, settled=SETTLED, most_iterations=MOST_ITERATIONS)


def posterior_variance(b: Covariance, targets: Points, stations: Points, r_squared: np.ndarray) -> np.ndarray:
    """diag(B - BH'(HBH' + R)^-1 HB) at the targets, shape (m,).

    Args:
        r_squared: observation error variances, weights of quality control included, shape (n,).
    """
    if not len(stations):
        return b.variance_at(targets)
    bh = b.matrix(targets, stations).astype(np.float64)
    factor = factored(b.matrix(stations, stations), r_squared)
    explained = np.einsum("mn,nm->m", bh, cho_solve(factor, bh.T))
    return np.maximum(b.variance_at(targets) - explained, 0.0)


def posterior_variances(
    b: Covariance, targets: Points, members: list[np.ndarray], stations: Points, near: np.ndarray, r_squared: np.ndarray
) -> np.ndarray:
    """``posterior_variance`` of groups of targets, each with stations of its own, all groups at once.

    Args:
        targets: n of them; members: rows of each of c groups.
        stations: m of them; near: rows of the k stations of each group, shape (c, k).
        r_squared: observation error variances, weights of quality control included, shape (m,).

    Returns:
        Shape (n,).
    """
    variance, count = b.variance_at(targets), near.shape[1]
    explained = np.zeros(len(targets))
    every, sizes = np.concatenate(members), np.array([len(group) for group in members])
    start, order = np.cumsum(sizes) - sizes, np.argsort(sizes, kind="stable")
    for part in np.array_split(order, -(-len(order) * (count + sizes.max()) * count // ELEMENTS)):
        size = np.arange(sizes[part[-1]])
        rows = every[start[part, None] + size % sizes[part, None]]  # shorter groups are repeated
        observed = stations[near[part]]
        a = b.matrices(observed, observed).astype(np.float64)
        a[:, np.arange(count), np.arange(count)] += r_squared[near[part]]
        bh = b.matrices(targets[rows], observed).astype(np.float64)
        explained[rows] = np.einsum("cnk,ckn->cn", bh, np.linalg.solve(a, bh.mT))
    return np.maximum(variance - explained, 0.0)
