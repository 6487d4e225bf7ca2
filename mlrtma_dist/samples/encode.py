"""Encode: observations become channels on a tile.

A type of observation takes two channels: observation minus background at the grid point in whose cell they lie
(their mean, where there are several; zero where there is none), and a mask of the points that have one. Minus
background, because that is what the analysis adds to it: where nothing was observed zero is then the best guess,
while a value of zero would be a measurement like any other. Without a background it is observation minus climatological
mean, for the same reason. The mask tells a departure of zero from no observation.
"""

import numpy as np

from mlrtma_dist.nn.neighbourhood import Box


def encode(cell: np.ndarray, departure: np.ndarray, kind: np.ndarray, box: Box, kinds: int) -> np.ndarray:
    """Observations on a box of the grid.

    Args:
        cell: grid points (y, x) of the domain, within the box, integers of shape (n, 2).
        departure: observation minus background, or mean, there, shape (n,).
        kind: number of each observation's type, shape (n,).
        box: the tile's points.
        kinds: how many types there are.

    Returns:
        Mean departures, then masks, shape (2 * kinds, y, x), float32.
    """
    sums, counts = np.zeros((2, kinds, *box.shape))
    index = (kind.astype(np.int64), cell[:, 0] - box.y0, cell[:, 1] - box.x0)
    np.add.at(sums, index, departure)
    np.add.at(counts, index, 1.0)
    return np.concatenate([sums / np.maximum(counts, 1.0), counts > 0.0]).astype(np.float32)
