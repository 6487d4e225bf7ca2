"""How large the background error is at this hour: one factor on the covariance, by maximum likelihood.

A covariance is estimated once, over many hours; the departures of one hour may be smaller (a quiet
afternoon, a good background) or larger (a front, a clear night in the mountains). The factor s maximises
the composite likelihood of the departures d in small groups of neighbouring stations,

    log p(d | s) = -1/2 sum_k [ log(s lambda_k + r^2) + z_k^2 / (s lambda_k + r^2) ],   z = Q'd,

with HBH' = Q diag(lambda) Q' in each group (Varin, Reid and Firth 2011), times a log-normal prior
about 1, so that few reports change little. Departures are cut at three robust deviations. Only
observations that the analysis uses take part.
"""

import numpy as np
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.robust import median_scale

GROUP = 100  # stations of a group: correlation inside, independence between
PRIOR = 0.7  # standard deviation of log s: two thirds of the hours within a factor of two
FACTORS = np.exp(np.linspace(-3.0, 2.0, 101))
CUT = 3.0  # robust deviations


def estimate_amplitude(covariance: Covariance, points: Points, departure: np.ndarray, error: np.ndarray) -> float:
    """The factor on ``covariance`` that the departures ask for.

    Args:
        points: n stations.
        departure: observation minus first guess, analysis space, shape (n,).
        error: observation error standard deviation, shape (n,).
    """
    if not len(points):
        return 1.0
    limit = CUT * max(median_scale(departure), float(np.median(error)))
    clipped = np.clip(departure, -limit, limit)
    score = -0.5 * (np.log(FACTORS) / PRIOR) ** 2
    with threadpool_limits(1):  # the matrices are small: threads cost more than they give
        for group in _groups(points.position):
            values, vectors = np.linalg.eigh(covariance.matrix(points[group], points[group]).astype(np.float64))
            squared = (vectors.T @ clipped[group]) ** 2
            total = FACTORS[:, None] * np.maximum(values, 0.0) + float(np.mean(error[group] ** 2))
            score -= 0.5 * (np.log(total) + squared / total).sum(axis=1)
    return float(FACTORS[np.argmax(score)])


def _groups(position: np.ndarray) -> list[np.ndarray]:
    """Leaves of a k-d tree: compact groups of at most GROUP stations."""
    groups, stack = [], [cKDTree(position, leafsize=GROUP).tree]
    while stack:
        node = stack.pop()
        if node.lesser is None:
            groups.append(np.asarray(node.indices))
        else:
            stack += [node.lesser, node.greater]
    return groups
