"""Means of fine grids over the cells of a domain, and interpolation where a grid is no finer than the domain.

A grid point stands for its cell in an analysis, so that its terrain is the mean of all elevations in the cell: a single
value of a fine model would be that of one slope or summit.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mlrtma_dist.grid.domain import Domain, wrap_longitude
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.io.elevation import ElevationGrid

SAMPLES = 5  # values along a cell's side are enough for its mean; finer grids are averaged to so many before
FINER = 2.0  # times finer than the domain a grid must be for means; a coarser one is interpolated
POINTS = 2**21  # values that are read at a time: 8 MB
BEYOND = 1e-6  # weight of a value half a step beyond a coarse grid: it counts where no other tile has one
LATTICE = 65  # points along each side of the domain that are looked for in a grid
Value = Callable[[np.ndarray], np.ndarray]
Parts = Iterator[tuple[int, np.ndarray, np.ndarray]]  # number of the first cell, value times area, area


def cell_means(domain: Domain, grids: Sequence[ElevationGrid], value: Value = lambda values: values) -> np.ndarray:
    """The mean of the values of all grids in every cell of a domain.

    Values of several grids in one cell count by the area that each stands for, so that tiles may meet in a cell.

    Args:
        domain: on the earth.
        grids: fine or coarse, each of which may cover a part of the domain, or none.
        value: what is averaged of the values read, such as their positive part.

    Returns:
        Shape (y, x), float32; NaN where no grid has a value.
    """
    total, area = np.zeros((2, domain.size.y * domain.size.x))
    for grid in grids:
        for start, sums, areas in (_means if is_finer(grid, domain) else _interpolated)(domain, grid, value):
            place = slice(start, start + len(sums))
            total[place] += sums
            area[place] += areas
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(area > 0.0, total / area, np.nan).reshape(domain.shape).astype(np.float32)


def is_finer(grid: ElevationGrid, domain: Domain) -> bool:
    """Whether a grid is so much finer than a domain that it is averaged."""
    return grid.spacing_metres * FINER <= domain.spacing_metres


def _means(domain: Domain, grid: ElevationGrid, value: Value) -> Parts:
    """Sums of value times area, and areas, over runs of the domain's cells, of a fine grid in blocks."""
    step, share = max(1, int(domain.spacing_metres / (SAMPLES * grid.spacing_metres))), grid.spacing_metres**2
    for rows, columns in _windows(domain, grid):
        height = max(step, POINTS // (columns.stop - columns.start) // step * step)
        for start in range(rows.start, rows.stop, height):
            part = slice(start, min(start + height, rows.stop))
            values = value(grid.read(part, columns))
            finite = np.isfinite(values)
            sums, counts = (_blocks(each, step) for each in (np.where(finite, values, 0.0), finite))
            row, column = (_middles(each, step) for each in (part, columns))
            y, x = (np.rint(each) for each in domain.index(*grid.position(*np.meshgrid(row, column, indexing="ij"))))
            inside = (y >= 0) & (y < domain.size.y) & (x >= 0) & (x < domain.size.x) & (counts > 0)
            if inside.any():
                cell = (y[inside] * domain.size.x + x[inside]).astype(np.int64)
                first = int(cell.min())
                total, number = (np.bincount(cell - first, each[inside]) for each in (sums, counts))
                yield first, share * total, share * number


def _blocks(values: np.ndarray, step: int) -> np.ndarray:
    """Sums over blocks of ``step`` x ``step`` values; the last ones may be smaller."""
    rows, columns = (range(0, size, step) for size in values.shape)
    return np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1)


def _middles(part: slice, step: int) -> np.ndarray:
    """The middle of every block of a part, in fractional points."""
    starts = np.arange(part.start, part.stop, step)
    return 0.5 * (starts + np.minimum(starts + step, part.stop) - 1)


def _interpolated(domain: Domain, grid: ElevationGrid, value: Value) -> Parts:
    """Values of a coarse grid times the cell's area, and that area, over runs of the domain's cells."""
    windows = _windows(domain, grid)
    if not windows:
        return
    rows = windows[0][0]
    around = len(windows) > 1  # the domain crosses the grid's own seam: its whole width is taken
    columns = slice(0, grid.shape[1]) if around else windows[0][1]
    values, share = value(grid.read(rows, columns)), domain.spacing_metres**2
    block = max(1, POINTS // domain.size.x)
    for start in range(0, domain.size.y, block):
        row, column = grid.index(*domain.latitude_longitude(slice(start, start + block)))
        part = bilinear(values, row - rows.start, column - columns.start, periodic=(False, around and _closes(grid)))
        ends = zip((row, column), grid.shape, strict=True)
        between = np.logical_and.reduce([(index >= 0.0) & (index <= size - 1.0) for index, size in ends]) | around
        weight = np.where(np.isfinite(part), np.where(between, share, BEYOND * share), 0.0).ravel()
        yield start * domain.size.x, np.where(weight > 0.0, weight * part.ravel(), 0.0), weight


def _closes(grid: ElevationGrid) -> bool:
    """Whether the column after the last one is the first."""
    longitude = [float(grid.position(0, column)[1]) for column in (0, 1, grid.shape[1])]
    return bool(
        abs(wrap_longitude(longitude[2] - longitude[0])) < 0.5 * abs(wrap_longitude(longitude[1] - longitude[0]))
    )


def _windows(domain: Domain, grid: ElevationGrid) -> list[tuple[slice, slice]]:
    """The parts of a grid that cover a domain; two where the domain crosses the grid's seam, none where they are apart.

    A lattice of the domain's points is looked for in the grid, and what lies between two of its points is added.
    """
    lattice = [np.unique(np.linspace(0, size - 1, LATTICE).round().astype(int)) for size in domain.shape]
    indices = grid.index(*domain.latitude_longitude(*lattice))
    margins = [
        2.0 + 2.0 * max(float(np.nanmedian(np.abs(np.diff(each, axis=axis)))) for axis in (0, 1)) for each in indices
    ]
    inside = np.ones(indices[0].shape, dtype=bool)
    for index, margin, size in zip(indices, margins, grid.shape, strict=True):
        inside &= (index > -margin) & (index < size - 1 + margin)
    if not inside.any():
        return []
    (rows, columns), (tall, wide) = (np.sort(index[inside]) for index in indices), margins
    gaps = np.diff(columns)
    cuts = [int(gaps.argmax()) + 1] if len(gaps) and gaps.max() > 0.5 * grid.shape[1] else []
    window = _span(rows, tall, grid.shape[0])
    return [(window, _span(run, wide, grid.shape[1])) for run in np.split(columns, cuts)]


def _span(index: np.ndarray, margin: float, size: int) -> slice:
    """The points of an axis from ``margin`` before the first of ascending indices to ``margin`` after the last."""
    first = min(max(0, math.floor(index[0] - margin)), size - 1)
    return slice(first, max(first + 1, min(size, math.ceil(index[-1] + margin) + 1)))
