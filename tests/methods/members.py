"""Members for tests: deviations that are a smooth or a drawn function of place."""

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points


def waves(generator, number: int):
    """Deviations of members, sums of waves of some 500 km and of height; of zero mean over members anywhere."""
    direction = generator.normal(0.0, 1.0 / 200e3, (number, 3))
    phase, slope = generator.uniform(0.0, 6.3, number), generator.normal(0.0, 1.0, number)

    def perturbations(points: Points) -> np.ndarray:
        raw = 2.0 * np.sin(direction @ points.position.T + phase[:, None]) + slope[:, None] * points.elevation / 1500.0
        return raw - raw.mean(axis=0)

    return perturbations


def drawn(points: Points, values: np.ndarray):
    """Deviations known at the given points only, values of shape (members, n)."""
    tree = cKDTree(np.column_stack([points.position, points.elevation]))
    return lambda asked: values[:, tree.query(np.column_stack([asked.position, asked.elevation]))[1]]


def join(a: Points, b: Points) -> Points:
    """Points of both."""
    return Points(**{name: np.concatenate([value, getattr(b, name)]) for name, value in vars(a).items()})
