"""Robust scale and weights: one bad number must not decide."""

import numpy as np


def median_scale(values: np.ndarray) -> float:
    """Standard deviation of a Gaussian with the median absolute value of ``values`` (n >= 1)."""
    return 1.4826 * float(np.median(np.abs(values)))


def huber_weight(standardised: np.ndarray, limit: float | None) -> np.ndarray:
    """Weight min(1, limit / |e|) of residuals in units of their error (Huber 1964); ``limit`` None: all one."""
    if limit is None:
        return np.ones_like(standardised)
    return np.minimum(1.0, limit / np.maximum(np.abs(standardised), 1e-12))
