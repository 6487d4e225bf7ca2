"""Withholding: which stations are kept from the analysis so that it can be judged by them.

A station is in or out by a hash of its name (BLAKE2b, RFC 7693) and a seed, nothing else: the same on every
machine, in every run and order of rows, for its mass and its wind reports alike. With blocks, whole boxes are
hashed instead, so that the neighbours of a withheld station are withheld with it.

Of a table, the several names of one station (``twins``) are hashed as one, by the first of them in the alphabet: else
a station would be withheld under one name, analysed under another, and verify itself.
"""

import hashlib

import numpy as np

from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.twins import twin_names


def withhold(
    stations: Observations | np.ndarray,
    *,
    fraction: float,
    seed: int,
    block_km: float | None = None,
    latitude: np.ndarray | None = None,
    longitude: np.ndarray | None = None,
) -> np.ndarray:
    """Choose the stations to withhold.

    Args:
        stations: a table, or the station name of each row, shape (n,); twins are recognised in a table only.
        fraction: expected share of stations (with blocks: of boxes) withheld, in [0, 1].
        seed: another seed withholds others.
        block_km: side of the boxes withheld as a whole; None withholds station by station.
        latitude, longitude: degrees, shape (n,); needed with ``block_km`` unless a table is given.

    Returns:
        Mask of the withheld rows, shape (n,).

    Raises:
        ValueError: a fraction outside [0, 1], a block that is not positive, or blocks without positions.
    """
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"withhold: expected a fraction of stations in [0, 1], got {fraction}")
    return _uniform_of_rows("withhold", stations, seed, block_km, latitude, longitude) < fraction


def folds(
    stations: Observations | np.ndarray,
    *,
    count: int,
    seed: int,
    block_km: float | None = None,
    latitude: np.ndarray | None = None,
    longitude: np.ndarray | None = None,
) -> np.ndarray:
    """Divide the stations into folds, each to be withheld in turn; independent of ``withhold`` with the same seed.

    Args:
        stations, seed, block_km, latitude, longitude: as in ``withhold``.
        count: number of folds, equally likely.

    Returns:
        Fold of each row, 0 to count - 1, shape (n,).

    Raises:
        ValueError: fewer than 2 folds, a block that is not positive, or blocks without positions.
    """
    if count < 2:
        raise ValueError(f"folds: expected at least 2 folds, got {count}")
    return (_uniform_of_rows("folds", stations, seed, block_km, latitude, longitude) * count).astype(np.int64)


def hash_uniform(name: str, *, seed: int, purpose: str) -> float:
    """A number in [0, 1) that depends on the arguments alone; spaces around ``name`` do not count.

    53 bits are kept, so that the quotient is exact and below 1 in float64.
    """
    digest = hashlib.blake2b(f"{purpose}:{seed}:{name.strip()}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def boxes(latitude: np.ndarray, longitude: np.ndarray, block_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each position in a lattice of boxes of nearly equal area.

    Bands of latitude are ``block_km`` high; each is divided into as many whole boxes as make their width
    at its middle nearest to ``block_km``, so that no box is cut at the date line.

    Args:
        latitude, longitude: degrees, shape (n,).
        block_km: side of a box, km.
    """
    number = max(int(round(np.pi * EARTH_RADIUS / (1e3 * block_km))), 1)
    row = np.clip(np.floor((latitude + 90.0) / 180.0 * number), 0, number - 1).astype(np.int64)
    middle = np.deg2rad((row + 0.5) * 180.0 / number - 90.0)
    around = np.maximum(np.round(2.0 * np.pi * EARTH_RADIUS * np.cos(middle) / (1e3 * block_km)), 1.0)
    return row, np.floor(((longitude + 180.0) % 360.0) / 360.0 * around).astype(np.int64)


def _uniform_of_rows(purpose, stations, seed, block_km, latitude, longitude) -> np.ndarray:
    """The hash of each row's station, or of its station's box, shape (n,)."""
    if isinstance(stations, Observations):
        latitude = stations.latitude if latitude is None else latitude
        longitude = stations.longitude if longitude is None else longitude
        stations = twin_names(stations)
    names, rank = np.unique(np.char.strip(np.asarray(stations, dtype=str)), return_inverse=True)
    keys = names if block_km is None else _box_names(purpose, names, rank, block_km, latitude, longitude)
    return np.array([hash_uniform(str(key), seed=seed, purpose=purpose) for key in keys], dtype=np.float64)[rank]


def _box_names(purpose, names, rank, block_km, latitude, longitude) -> np.ndarray:
    """The name of the box of each station, shape of ``names``.

    A station seen at several places (a ship) belongs to the box of its southernmost, then westernmost place,
    whatever the order of rows; one without a position is a box of its own.
    """
    if not block_km > 0.0:
        raise ValueError(f"{purpose}: expected boxes of a positive size in km, got block_km = {block_km}")
    if latitude is None or longitude is None:
        raise ValueError(f"{purpose}: blocks of {block_km} km need the latitude and longitude of each row; give both")
    latitude, longitude = np.asarray(latitude, dtype=np.float64), np.asarray(longitude, dtype=np.float64)
    placed = np.flatnonzero((np.abs(latitude) <= 90.0) & np.isfinite(longitude))
    order = placed[np.lexsort((longitude[placed], latitude[placed], rank[placed]))]
    present, first = np.unique(rank[order], return_index=True)
    row, column = boxes(latitude[order[first]], longitude[order[first]], block_km)
    labels = names.astype(object)
    labels[present] = [f"box {block_km:g} {r} {c}" for r, c in zip(row, column, strict=True)]
    return labels
