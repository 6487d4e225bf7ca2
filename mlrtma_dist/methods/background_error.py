"""What is assumed of a gridded background's errors at this hour, fitted to the hour's departures.

The settings tell of the errors of a regression on the reports: large, far-reaching, tied to terrain, beside reports
that err little. A model's errors are smaller and of shorter reach, its grid resolves the terrain, and what a report
differs from a grid box counts as the report's error. Five factors on what the settings assume,

    f_1: variance of the components of unlimited reach     f_4: height, land and relief of those of compact support
    f_2: variance of those of compact support              f_5: observation error
    f_3: length of those of compact support, at most 1

maximise the composite likelihood of the departures d in groups of neighbouring stations (``amplitude``), times a
log-normal prior of each factor about 1, so that few reports change little. The maximum is found by L-BFGS-B (Byrd, Lu,
Nocedal and Zhu 1995) in the factors' logarithms, with differences for derivatives.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.spatial.distance import pdist, squareform
from threadpoolctl import threadpool_limits

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component
from mlrtma_dist.linalg.kernels import KERNELS, SUPPORT
from mlrtma_dist.methods import local
from mlrtma_dist.methods.amplitude import GROUP, clipped
from mlrtma_dist.methods.settings import VariableSettings

FAR, NEAR, LENGTH, TERRAIN, ERROR = range(5)
# Standard deviation of each factor's logarithm: wider than in ``amplitude``, for the settings are of other errors.
PRIOR = np.array([1.0, 1.0, 1.0, 1.5, 1.0])
LARGEST = 2.4  # of a logarithm's size: a factor of 11, as in ``amplitude``
MOST_GROUPS = 12  # of the stations' groups, about 1000 stations: more make the factors no surer than the weather does
DIFFERENCE, SETTLED, MOST_STEPS = 1e-3, 1e-5, 30  # of logarithms; of the likelihood, relative; of the search


@dataclass(frozen=True)
class _Group:
    """Neighbouring stations: squared scaled distances (n, n) in place and in terrain by component, and departures."""

    place: tuple[np.ndarray, ...]
    terrain: tuple[np.ndarray, ...]
    departure: np.ndarray


def fit_to_hour(own: VariableSettings, points: Points, departure: np.ndarray, measured: int = 1) -> VariableSettings:
    """The settings of a variable with covariance and observation error as an hour's departures ask for.

    Args:
        own: settings of the variable.
        points: n stations.
        departure: observation minus background, analysis space, shape (n,), or (n, k) of fields of one covariance.
        measured: of the k, where fewer are (``methods.wind``).
    """
    if not len(points):
        return own
    departure = clipped(departure, own.observation_error, measured).reshape(len(points), -1)
    groups = local.groups(points.position, GROUP)
    chosen = np.unique(np.linspace(0, len(groups) - 1, min(len(groups), MOST_GROUPS)).round().astype(int))
    data = [_group(own.covariance, points[groups[number]], departure[groups[number]]) for number in chosen]
    far = sum(component.variance for component in own.covariance if _is_far(component))
    # Neighbours cannot tell whether a far component has more variance than the departures have (``amplitude``).
    most = np.log(np.sum(departure**2) / (measured * len(points)) / far + 1e-12) if far else 0.0
    bounds = np.full((len(PRIOR), 2), (-LARGEST, LARGEST))
    bounds[FAR, 1] = np.clip(most, -LARGEST, LARGEST)
    bounds[LENGTH, 1] = 0.0  # the cost of an analysis grows with the square of a compact support
    start = np.minimum(np.zeros(len(PRIOR)), bounds[:, 1])
    with threadpool_limits(1):  # the matrices are small: threads cost more than they give
        result = minimize(
            lambda logs: _cost(own, data, logs, measured),
            start,
            method="L-BFGS-B",
            bounds=bounds,
            options={"eps": DIFFERENCE, "ftol": SETTLED, "maxiter": MOST_STEPS},
        )
    return _times(own, np.exp(result.x))


def _is_far(component: Component) -> bool:
    return bool(np.isinf(SUPPORT[component.kernel]))


def _group(components: tuple[Component, ...], points: Points, departure: np.ndarray) -> _Group:
    coordinates = [component.coordinates(points) for component in components]  # three of place, then of terrain
    place, terrain = ([_squares(c[:, part]) for c in coordinates] for part in (slice(0, 3), slice(3, None)))
    return _Group(tuple(place), tuple(terrain), departure)


def _squares(coordinates: np.ndarray) -> np.ndarray:
    """Squared distances of n points, shape (n, n); zeros where there is no coordinate."""
    if not coordinates.shape[1]:
        return np.zeros((len(coordinates), len(coordinates)))
    return squareform(pdist(coordinates, "sqeuclidean"))


def _cost(own: VariableSettings, data: list[_Group], logs: np.ndarray, measured: int) -> float:
    """Negative composite log likelihood and log prior of the factors exp(logs)."""
    factors, cost = np.exp(logs), 0.5 * float(np.sum((logs / PRIOR) ** 2))
    for group in data:
        a = np.zeros_like(group.place[0])
        for component, place, terrain in zip(own.covariance, group.place, group.terrain, strict=True):
            length, height = (1.0, 1.0) if _is_far(component) else (factors[LENGTH], factors[TERRAIN])
            squared = place / length**2 + terrain / height**2
            a += component.variance * factors[FAR if _is_far(component) else NEAR] * KERNELS[component.kernel](squared)
        a[np.diag_indices(len(a))] += (own.observation_error * factors[ERROR]) ** 2
        factor = cho_factor(a, lower=True, overwrite_a=True, check_finite=False)
        cost += measured * float(np.log(np.diagonal(factor[0])).sum())
        cost += 0.5 * float(np.sum(group.departure * cho_solve(factor, group.departure, check_finite=False)))
    return cost


def _times(own: VariableSettings, factors: np.ndarray) -> VariableSettings:
    """The settings times the five factors."""

    def scaled(component: Component) -> Component:
        if _is_far(component):
            return replace(component, variance=component.variance * float(factors[FAR]))
        scales = {name: getattr(component, name) for name in ("height", "land", "relief")}
        return replace(
            component,
            variance=component.variance * float(factors[NEAR]),
            length=component.length * float(factors[LENGTH]),
            **{name: scale * float(factors[TERRAIN]) for name, scale in scales.items() if scale is not None},
        )

    error = own.observation_error * float(factors[ERROR])
    return replace(own, observation_error=error, covariance=tuple(map(scaled, own.covariance)))
