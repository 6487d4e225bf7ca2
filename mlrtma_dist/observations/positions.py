"""Positions as files say them: which are possible, and in which range they are kept."""

import numpy as np

from mlrtma_dist.grid.domain import wrap_longitude


def clean_positions(
    latitude: np.ndarray, longitude: np.ndarray, *, east: float = 180.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring positions to [-180, 180) degrees east, NaN where one cannot be.

    Args:
        latitude, longitude: degrees, shape (n,); NaN where missing.
        east: the largest longitude that counts as one; 360 where a source may count eastward only.

    Returns:
        Latitude, longitude, and a mask of the rows that have both, each of shape (n,).
    """
    with np.errstate(invalid="ignore"):
        placed = (np.abs(latitude) <= 90) & (longitude >= -180) & (longitude <= east)
        return np.where(placed, latitude, np.nan), np.where(placed, wrap_longitude(longitude), np.nan), placed
