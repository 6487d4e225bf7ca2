"""Correlation functions of a scaled distance r >= 0, each positive definite in six dimensions.

Their argument is r^2, or what rounding makes of it, a little below zero; they overwrite it. A pass over memory saved is
a tenth of the cost of an analysis.

Six, because a scaled coordinate of a point has six components (three of position, elevation,
land fraction, relief; see ``covariance.py``).
"""

import numpy as np

ROUNDING = 0.2  # scaled distance within which "rounded" is smooth


def askey(squared: np.ndarray) -> np.ndarray:
    """(1 - r)^4 for r < 1, else 0 (Askey 1973): rough like an exponential of e-folding about 0.22, but of
    compact support. Positive definite in d dimensions for powers >= (d + 1) / 2, so up to d = 7."""
    r = _root(np.clip(squared, 0.0, 1.0, out=squared))  # clip is three times as fast as minimum
    np.subtract(1, r, out=r)
    np.square(r, out=r)
    return np.square(r, out=r)


def matern32(squared: np.ndarray) -> np.ndarray:
    """(1 + r) exp(-r): Matern's function of smoothness 3/2, smooth at the origin, in any dimension."""
    r = _root(np.clip(squared, 0.0, np.inf, out=squared))
    decay = np.negative(r)
    np.exp(decay, out=decay)
    r += 1
    return np.multiply(r, decay, out=r)


def rounded(squared: np.ndarray) -> np.ndarray:
    """exp(e - sqrt(r^2 + e^2)), e = 0.2: an exponential that is smooth within e of the origin.

    Completely monotone in r^2, so positive definite in any dimension (Schoenberg 1938). Unlike Matern 3/2 it carries no
    slope further than e: off a coast it returns to the first guess instead of continuing the land's gradient.
    """
    squared += ROUNDING**2
    root = _root(squared)
    np.subtract(ROUNDING, root, out=root)
    return np.exp(root, out=root)


def gaussian(squared: np.ndarray) -> np.ndarray:
    """exp(-r^2 / 2), infinitely smooth, in any dimension."""
    squared *= -0.5
    return np.exp(squared, out=squared)


def _root(squared: np.ndarray) -> np.ndarray:
    return np.sqrt(squared, out=squared)


KERNELS = {"askey": askey, "rounded": rounded, "matern32": matern32, "gaussian": gaussian}
# Scaled distance beyond which the kernel is zero.
SUPPORT = {"askey": 1.0, "rounded": np.inf, "matern32": np.inf, "gaussian": np.inf}
# Scaled distance between Chebyshev points at which their polynomial errs by 2e-3 at most; None: too rough for a mesh.
NODE_SPACING = {"askey": None, "rounded": 0.1, "matern32": 0.12, "gaussian": 0.25}
