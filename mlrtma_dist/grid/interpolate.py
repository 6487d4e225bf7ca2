"""Bilinear interpolation between grids and to places, and means over a window.

Large targets are worked through in blocks, so that the memory beyond input and output stays at some tens of MB.
"""

import numpy as np
from scipy import ndimage

from mlrtma_dist.grid.domain import Domain

BLOCK = 1 << 18  # targets at a time: ten work arrays of 2 MiB each stay near the cache
SAME_GRID = 0.02  # cells; corners in files are rounded (1e-4 degree is 0.004 cells of 2.5 km)
STRAIGHT = 1e-3  # cells; below it one grid's rows and columns run along the other's


def bilinear(field: np.ndarray, row, column, *, periodic: bool | tuple[bool, bool] = False) -> np.ndarray:
    """Interpolate a field at fractional indices.

    Up to half a cell outside the grid the edge's value holds; farther out the result is NaN. A corner
    that is NaN drops out and the other weights are scaled to one; NaN remains where all weight is lost.

    Args:
        field: shape (y, x).
        row, column: fractional indices (``Domain.index``), any shapes that broadcast.
        periodic: rows and columns close on themselves; a pair for (rows, columns) apart.

    Returns:
        The broadcast shape; float32 for a float32 field, else float64.
    """
    row, column = np.broadcast_arrays(np.asarray(row, dtype=np.float64), np.asarray(column, dtype=np.float64))
    kind = np.float32 if field.dtype == np.float32 else np.float64
    field = np.ascontiguousarray(field, dtype=kind)
    closed = periodic if isinstance(periodic, tuple) else (periodic, periodic)
    result = np.empty(row.shape, dtype=kind)
    if row.ndim == 0:
        return _bilinear(field, row.reshape(1), column.reshape(1), closed).reshape(())
    if not row.size:
        return result
    step = max(1, BLOCK // row[0].size)
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        result[part] = _bilinear(field, row[part].ravel(), column[part].ravel(), closed).reshape(row[part].shape)
    return result


def _bilinear(field, row, column, closed) -> np.ndarray:
    (low, high, up), (left, right, across) = (
        _neighbours(index, count, wraps) for index, count, wraps in zip((row, column), field.shape, closed, strict=True)
    )
    up, across = up.astype(field.dtype), across.astype(field.dtype)
    flat, width = field.ravel(), field.shape[1]
    corners = [flat[i * width + j] for i in (low, high) for j in (left, right)]
    weights = [a * b for a in (1 - up, up) for b in (1 - across, across)]
    result = sum(w * c for w, c in zip(weights, corners, strict=True))
    lost = np.flatnonzero(np.isnan(result))
    if len(lost):
        finite = [~np.isnan(c[lost]) for c in corners]
        weight = sum(np.where(k, w[lost], 0) for w, k in zip(weights, finite, strict=True))
        total = sum(np.where(k, w[lost] * c[lost], 0) for w, c, k in zip(weights, corners, finite, strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            result[lost] = np.where(weight > 1e-6, total / weight, np.nan)
    return result


def _neighbours(index, count: int, wraps: bool):
    """Lower and upper neighbour along one axis and the upper one's weight, NaN outside."""
    inside = np.isfinite(index)
    index = np.where(inside, index, 0.0)
    if wraps:
        base = np.floor(index)
        weight = index - base
        lower = base.astype(np.int64) % count
        upper = (lower + 1) % count
    else:
        inside &= (index >= -0.5) & (index <= count - 0.5)
        index = np.clip(index, 0, count - 1)
        lower = np.minimum(index.astype(np.int64), count - 2)
        weight = index - lower
        upper = lower + 1
    return lower, upper, np.where(inside, weight, np.nan)


def closes(domain: Domain) -> tuple[bool, bool]:
    """Whether a grid closes on itself along (rows, columns): a periodic plane, or all round the earth."""
    round_earth = domain.is_geographic and abs(domain.size.x * domain.spacing - 360.0) < 0.5 * domain.spacing
    return domain.periodic, domain.periodic or round_earth


def same_grid(one: Domain, other: Domain, tolerance: float = SAME_GRID) -> bool:
    """Whether two grids have the same points, to ``tolerance`` cells at every corner."""
    if one.shape != other.shape or one.is_plane != other.is_plane:
        return False
    if one.is_plane:
        return one.spacing == other.spacing
    index = _lattice_index(one, other, 2)
    return all(np.abs(f - e).max() <= tolerance for f, e in zip(index, _lattice(other, 2), strict=True))


def regrid(field: np.ndarray, source: Domain, target: Domain) -> np.ndarray:
    """Interpolate a field bilinearly to another grid, NaN outside the source.

    Args:
        field: shape ``source.shape``.

    Returns:
        Shape ``target.shape``, float32 for a float32 field.
    """
    result = np.empty(target.shape, dtype=np.float32 if field.dtype == np.float32 else np.float64)
    straight = _straight(source, target)
    rows = max(1, BLOCK // target.size.x)
    for start in range(0, target.size.y, rows):
        part = slice(start, min(start + rows, target.size.y))
        if straight is None:
            row, column = source.index(*target.latitude_longitude(part))
        else:
            row, column = straight[0][part, None], straight[1][None, :]
        result[part] = bilinear(field, row, column, periodic=closes(source))
    return result


def _lattice(domain: Domain, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of count x count points spread over a grid."""
    rows = np.linspace(0, domain.size.y - 1, count).round().astype(int)
    columns = np.linspace(0, domain.size.x - 1, count).round().astype(int)
    return np.meshgrid(rows, columns, indexing="ij")


def _lattice_index(source: Domain, target: Domain, count: int):
    """Where that lattice of ``target`` lies in ``source``, fractional indices."""
    rows, columns = _lattice(target, count)
    return source.index(*target.latitude_longitude(rows[:, 0], columns[0]))


def _straight(source: Domain, target: Domain) -> tuple[np.ndarray, np.ndarray] | None:
    """Source row of every target row and source column of every target column, where these exist.

    Between grids of one projection the index is linear; then no point needs projecting (24 million
    points take 20 s to project, 1 s to interpolate).
    """
    rows, columns = _lattice(target, 7)
    found_row, found_column = _lattice_index(source, target, 7)
    if not (np.isfinite(found_row).all() and np.isfinite(found_column).all()):
        return None
    row = np.polyfit(rows[:, 0], found_row[:, 0], 1)
    column = np.polyfit(columns[0], found_column[0], 1)
    if (
        max(np.abs(np.polyval(row, rows) - found_row).max(), np.abs(np.polyval(column, columns) - found_column).max())
        > STRAIGHT
    ):
        return None
    return np.polyval(row, np.arange(target.size.y)), np.polyval(column, np.arange(target.size.x))


def smooth(field: np.ndarray, radius: int, *, periodic: bool = False) -> np.ndarray:
    """Weighted mean around each point, the weight falling to zero ``radius`` points away.

    Two box means of half the radius, one after the other: a tent in each direction, at a cost that
    does not grow with the radius. At an edge the outermost value is repeated.

    Args:
        field: shape (y, x), without NaN.
        radius: grid points; 0 returns the field.

    Returns:
        Shape (y, x), dtype of the field.
    """
    if radius < 1:
        return field
    width = 2 * max(1, round(radius / 2)) + 1
    mode = "wrap" if periodic else "nearest"
    return ndimage.uniform_filter(ndimage.uniform_filter(field, width, mode=mode), width, mode=mode)
