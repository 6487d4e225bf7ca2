"""Encode: observations become channels on a tile.

A type of observation takes two channels: observation minus background at the grid point in whose cell they lie
(their mean, where there are several; zero where there is none), and a mask of the points that have one. Minus
background, because that is what the analysis adds to it: where nothing was observed zero is then the best guess,
while a value of zero would be a measurement like any other. Without a background it is observation minus climatological
mean, for the same reason. The mask tells a departure of zero from no observation.
"""

import numpy as np

from mlrtma_dist.grid.box import Box


def encode(cell: np.ndarray, departure: np.ndarray, kind: np.ndarray, box: Box, channels: np.ndarray) -> None:
    """Observations on a box of the grid, written into ``channels``.

    Args:
        cell: grid points (y, x) of the domain, within the box, integers of shape (n, 2).
        departure: observation minus background, or mean, there, shape (n,).
        kind: number of each observation's type, shape (n,).
        box: the tile's points.
        channels: takes mean departures, then masks, shape (2 * kinds, y, x), float32, contiguous.
    """
    rows, columns = box.shape
    index = (kind.astype(np.int64) * rows + cell[:, 0] - box.y0) * columns + cell[:, 1] - box.x0
    # Only observed points are touched in double precision: the fields have a thousand times as many.
    points, number = np.unique(index, return_inverse=True)
    counts = np.bincount(number, minlength=len(points))
    channels.fill(0.0)
    means, masks = channels.reshape(2, -1)
    means[points] = np.bincount(number, departure, len(points)) / counts
    masks[points] = 1.0
