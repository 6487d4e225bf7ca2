"""What the neighbours of a report say of its place: leave-one-out optimal interpolation, all reports at once."""

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import chi2


def nearest_judges(place: np.ndarray, judges: np.ndarray, *, count: int, radius: float) -> np.ndarray:
    """The judges nearest to each place, itself excepted.

    Args:
        place: coordinates, m, shape (m, d).
        judges: mask of those that may be a neighbour, shape (m,).
        count: how many to find.
        radius: m; none is further away.

    Returns:
        Index of each neighbour, nearest first, -1 where there are fewer; shape (m, count).
    """
    judge = np.flatnonzero(judges)
    _, nearest = cKDTree(place[judge]).query(place, k=count + 1, distance_upper_bound=radius)
    nearest = np.append(judge, -1)[nearest]  # cKDTree says "none" by the number of its points
    itself = nearest == np.arange(len(place))[:, None]
    return np.take_along_axis(nearest, np.argsort(itself, axis=1, kind="stable"), axis=1)[:, :count]


def leave_one_out(rows, near, departure, error, place, *, variance, length, poor):
    """Predict the departures of ``rows`` from those of their neighbours by optimal interpolation.

    Background covariance variance exp(-distance / length) about zero. Where the neighbours' median departure
    exceeds ``poor`` standard deviations the first guess is poor around, and the variance grows with its square.

    Args:
        rows: which measurements to predict, shape (k,).
        near: their neighbours, shape (k, j), -1 for none.
        departure: of all measurements, shape (m, p).
        error: observation error standard deviation, shape (m,).
        place: coordinates, m, shape (m, d).
        variance, length: of the background error; length in m.
        poor: see above.

    Returns:
        Size of predicted minus reported departure, and error variance of the prediction, each (k,).
    """
    good = near >= 0
    near = np.where(good, near, rows[:, None])
    size = _lower_median(np.linalg.norm(departure[near], axis=-1), good) / np.sqrt(chi2.median(departure.shape[1]))
    variance = np.maximum(variance, (size / poor) ** 2 - error[rows] ** 2)[:, None]
    offset = place[near] - place[rows][:, None]
    square = (offset**2).sum(axis=-1)
    product = offset @ offset.transpose(0, 2, 1)
    between = np.sqrt(np.maximum(square[:, :, None] + square[:, None] - 2.0 * product, 0.0))
    covariance = variance[..., None] * np.exp(-between / length) * (good[:, :, None] & good[:, None])
    diagonal = np.arange(near.shape[1])
    covariance[:, diagonal, diagonal] = np.where(good, variance + error[near] ** 2, 1.0)
    to_row = variance * np.exp(-np.sqrt(square) / length) * good
    weights = np.linalg.solve(covariance, to_row[..., None])[..., 0]
    reach = 3.0 * np.sqrt(variance + error[near] ** 2)[..., None]  # no bad neighbour pulls further than 3 deviations
    predicted = np.einsum("kj,kjp->kp", weights, np.clip(departure[near], -reach, reach))
    doubt = np.maximum(variance[:, 0] - (weights * to_row).sum(axis=1), 0.0)
    return np.linalg.norm(departure[rows] - predicted, axis=1), doubt


def _lower_median(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Median of the values (k, j) that are ``good``, the lower of two middle ones, 0 where none is; shape (k,)."""
    ordered = np.sort(np.where(good, values, np.inf), axis=1)
    middle = np.maximum(good.sum(axis=1) - 1, 0) // 2
    median = np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0]
    return np.where(np.isfinite(median), median, 0.0)
