"""How large the background error is at this hour: factors on the covariance, by maximum likelihood.

A covariance is estimated once, over many hours; the departures of one hour may be smaller (a quiet
afternoon, a good background) or larger, and rougher (a clear night in the mountains). Two factors, s_1 on the
components of unlimited reach and s_2 on those of compact support, maximise the composite likelihood of the
departures d in small groups of neighbouring stations,

    log p(d | s) = -1/2 sum_groups [ log det A + d' A^-1 d ],   A = s_1 B_1 + s_2 B_2 + R

(Varin, Reid and Firth 2011), times a log-normal prior about 1, so that few reports change little. The far-reaching
components may not come to more variance than the departures have: neighbours alone cannot tell, and an analysis
that believes otherwise carries a coast's departures a thousand km out to sea. Departures are cut at three robust
deviations. Only observations that the analysis uses take part.
"""

import functools

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.kernels import SUPPORT
from mlrtma_dist.linalg.robust import median_scale
from mlrtma_dist.methods import local

GROUP = 80  # stations of a group: correlation inside, independence between
PRIOR = 0.7  # standard deviation of log s: two thirds of the hours within a factor of two
STEPS = np.linspace(-2.4, 2.4, 13)  # of log s, searched in turn for each factor: steps of 1.5, up to a factor of 11
ROUNDS = 2  # of both factors: the second hears what the first has found
CUT = 3.0  # robust deviations


def scale_to_hour(
    covariance: Covariance, points: Points, departure: np.ndarray, error: np.ndarray, measured: int = 1
) -> Covariance:
    """The covariance with the factors that an hour's departures ask for.

    Args:
        covariance: of many hours.
        points: n stations.
        departure: observation minus first guess, analysis space, shape (n,), or (n, k) of fields of this covariance.
        error: observation error standard deviation, shape (n,).
        measured: of the k, where fewer are (``methods.wind``).
    """
    if not len(points):
        return covariance
    departure = clipped(departure, float(np.median(error)), measured)
    far = np.array([np.isinf(SUPPORT[c.kernel]) for c in covariance.components])
    parts = [covariance.part(far), covariance.part(~far)]
    groups = [
        ([part.matrix(points[g], points[g]).astype(np.float64) for part in parts], departure[g], error[g] ** 2)
        for g in local.groups(points.position, GROUP)
    ]
    excess = parts[0].variance / max(float(np.sum(departure**2)) / (measured * len(points)), 1e-12)
    most = min(STEPS[-1], max(STEPS[0], -np.log(excess))) if parts[0].variance else STEPS[-1]
    logs = (min(0.0, most), 0.0)
    # a ceiling makes many steps one, and the second round asks much again
    score = functools.cache(lambda tried: _score(groups, tried, measured))
    with threadpool_limits(1):  # the matrices are small: threads cost more than they give
        for _ in range(ROUNDS):
            for which, ceiling in ((1, STEPS[-1]), (0, most)):
                if parts[which].variance:
                    tried = [(*logs[:which], min(s, ceiling), *logs[which + 1 :]) for s in STEPS]
                    logs = max(tried, key=score)
    return covariance.scaled(np.where(far, *np.exp(logs)))


def clipped(departure: np.ndarray, error: float, measured: int) -> np.ndarray:
    """Departures cut at `CUT` robust deviations, which are no less than an observation error; shape as given."""
    size = np.linalg.norm(departure.reshape(len(departure), -1), axis=1)
    limit = CUT * max(median_scale(size, measured), error) * np.sqrt(measured)
    return (departure.T * np.minimum(1.0, limit / np.maximum(size, limit))).T


def _score(groups, logs: tuple[float, ...], measured: int) -> float:
    """Composite log likelihood and log prior of the factors exp(logs)."""
    score = -0.5 * float(np.sum((np.array(logs) / PRIOR) ** 2))
    for matrices, departure, variance in groups:
        a = sum(np.exp(s) * matrix for s, matrix in zip(logs, matrices, strict=True))
        a[np.diag_indices(len(departure))] += variance
        factor = cho_factor(a, lower=True, overwrite_a=True, check_finite=False)
        score -= measured * float(np.log(np.diagonal(factor[0])).sum())
        score -= 0.5 * float(np.sum(departure * cho_solve(factor, departure, check_finite=False)))
    return score
