"""How far an equation is trusted: the covariance of its own error, by likelihood of what the base leaves of it.

The residual r of the base differs from the truth's by what the errors of the base do to it, of covariance P (draws of
the prior give it). The truth's residual is the error of the equation, of covariance s^2 K, with K exponential in place
and time: heating by a cloud is missing over its width and life, not at a point. So

    r ~ N(0, s^2 K(l, tau) + P),

and s, l and tau are those of most likelihood (Dee 1995, of model error). What smooth sources S explain is left out: all
is projected on their complement U, U' S = 0. The weight of the fit is W = L^-1 U' with L L' = s^2 U' K U.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import cholesky, null_space, solve_triangular
from torch import Tensor

LENGTHS = (1.0, 100e3, 300e3, 900e3)  # m
TIMES = (0.5 * 3600.0, 2 * 3600.0, 8 * 3600.0)  # s
HEIGHT = 1000.0  # m of height that count as a length
FACTORS = np.geomspace(0.03, 100.0, 15)  # of the typical error of the base's residual
RIDGE = 1e-4  # of K, and of P, which has fewer draws than points: for the factorisation


@dataclass(frozen=True)
class Weight:
    """The weight of an equation.

    Attributes:
        matrix: W, shape (k, n), float32.
        deviation: s, SI; length: m; time: s, of the correlation of the equation's error.
        explained: mean square of the residual that errors of the base explain, as a share.
    """

    matrix: Tensor
    deviation: float
    length: float
    time: float
    explained: float


def weigh(
    residual: np.ndarray, draws: np.ndarray, xyzt: np.ndarray, sources: np.ndarray | None, correlated: bool = True
) -> Weight:
    """The weight of an equation.

    Args:
        residual: of the base, shape (n,), or (c, n) of c components that are weighed alike.
        draws: residuals of draws less that of the base, shape (d, n) or (c, d, n).
        xyzt: coordinates of the points, shape (n, 4), m and s; sources: shape (n, q), or None.
        correlated: whether the error of the equation may be; that of a limit is none of a point's neighbours.
    """
    count = len(xyzt)
    onto = np.eye(count) if sources is None else null_space(sources.T).T  # U'
    own = residual.reshape(-1, count) @ onto.T
    spread = draws.reshape(len(own), -1, count) @ onto.T
    error = np.mean([each.T @ each / len(each) for each in spread], axis=0)
    typical = float(np.sqrt(np.trace(error) / len(error)))
    if not typical > 0.0:
        return Weight(torch.zeros(1, count), np.inf, np.inf, np.inf, 0.0)
    best, chosen = -np.inf, None
    for length, time, correlation in _correlations(xyzt, correlated):
        inner = onto @ correlation @ onto.T
        inner[np.diag_indices(len(inner))] += RIDGE
        for likelihood, factor in _likelihoods(own, error, inner, typical):
            if likelihood > best:
                best, chosen = likelihood, (factor * typical, length, time, inner)
    deviation, length, time, inner = chosen
    lower = cholesky(inner, lower=True)
    matrix = solve_triangular(lower, onto, lower=True) / deviation
    explained = typical**2 / max(float(np.mean(own**2)), 1e-30)
    return Weight(torch.from_numpy(matrix.astype(np.float32)), deviation, length, time, min(explained, 1.0))


def _correlations(xyzt: np.ndarray, correlated: bool) -> Iterator[tuple[float, float, np.ndarray]]:
    if not correlated:
        yield 0.0, 0.0, np.eye(len(xyzt))
        return
    x, y, z, t = xyzt.T
    horizontal = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    vertical, age = np.abs(z[:, None] - z) / HEIGHT, np.abs(t[:, None] - t)
    for length in LENGTHS:
        for time in TIMES:
            yield length, time, np.exp(-np.sqrt(horizontal / length**2 + vertical**2) - age / time)


def _likelihoods(residual: np.ndarray, error: np.ndarray, inner: np.ndarray, typical: float):
    """Log likelihood of the residuals (c, k) for each factor, in the basis where K is one and P diagonal."""
    lower = cholesky(inner, lower=True)
    half = solve_triangular(lower, error, lower=True)
    whitened = solve_triangular(lower, half.T, lower=True)
    values, vectors = np.linalg.eigh((whitened + whitened.T) / 2.0)
    parts = vectors.T @ solve_triangular(lower, residual.T, lower=True)
    logarithm = 2.0 * np.log(np.diagonal(lower)).sum()
    for factor in FACTORS:
        variance = (factor * typical) ** 2 + np.maximum(values, 0.0) + RIDGE * typical**2
        terms = (parts**2 / variance[:, None]).sum() + parts.shape[1] * (np.log(variance).sum() + logarithm)
        yield -0.5 * float(terms), float(factor)
