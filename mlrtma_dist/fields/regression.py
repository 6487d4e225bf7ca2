"""The first guess without a background: robust regression on place and terrain that shrinks to climatology.

The departure from climatology is a polynomial of place and a few terms of terrain,

    y - climatology = F beta + e,   beta ~ N(0, S),   e ~ N(0, s^2),

with the posterior mean and covariance of beta (Bayesian linear regression, e.g. Rasmussen and
Williams 2006, eq. 2.8), made robust by Huber's weights about a scale s taken from the median absolute
residual. With no report the posterior is the prior: climatology, with climatology's error. Reports
in one cell of 300 km share their error and count together as one.

A cubic grows without bound where no report holds it. Outside the convex hull of a variable's reports, place in F is
that of the nearest point of the hull, and with the distance r from it climatology takes over,

    w = exp(-r / 1000 km),   mean = climatology + w F beta,   variance = w^2 F cov(beta) F' + (1 - w^2) deviation^2,

as of an anomaly from climatology that is correlated over 1000 km. At stations withheld more than 100 km outside the
hull of the others this is better by a third than the cubic (DECISIONS.md).

Pressure is regressed as its standard-atmosphere equivalent at sea level (the altimeter setting),
because the fall of pressure with height is no polynomial.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.fields import climatology
from mlrtma_dist.grid.covered_area import CoveredArea
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.robust import huber_weight, median_scale

SCALE = 1.0e6  # m; the unit of horizontal distance in the polynomial
SHARED = 300e3  # m; edge of the cells whose reports count as one
COVERED = 10e3  # m around a report that count as inside the hull
FADING = 1.0e6  # m outside the hull over which the weight of the reports falls to 1/e
HUBER_LIMIT = 1.5  # scales
ITERATIONS = 15
# Prior standard deviations of the coefficients, in units of the climatological deviation: a degree of the
# polynomial each, then elevation (per km), elevation with x and y, land fraction, relief (per km).
PRIOR_DEGREE = (1.0, 0.8, 0.3, 0.1)
PRIOR_ELEVATION, PRIOR_ELEVATION_PLACE, PRIOR_LAND, PRIOR_RELIEF = 0.4, 0.2, 0.3, 0.4


@dataclass(frozen=True)
class Coefficients:
    """Posterior of one variable's coefficients.

    Attributes:
        mean: shape (k,); covariance: shape (k, k).
        reports: number of reports that made it.
        area: their convex hull, in the polynomial's coordinates; None: there is no report.
    """

    mean: np.ndarray
    covariance: np.ndarray
    reports: int
    area: CoveredArea | None = None


@dataclass(frozen=True)
class Regression:
    """A first guess by regression; see ``first_guess.FirstGuess``.

    Attributes:
        time: for climatology.
        origin: centre of the polynomial's coordinates, m, shape (3,), and its axes east and north, shape (2, 3).
        coefficients: for each variable.
    """

    time: np.datetime64
    origin: np.ndarray
    axes: np.ndarray
    coefficients: dict[str, Coefficients]

    @property
    def name(self) -> str:
        """In words, with the number of reports behind each variable."""
        counts = ", ".join(f"{name} {c.reports}" for name, c in self.coefficients.items())
        return f"regression on place and terrain, shrinking to climatology (reports: {counts})"

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess in analysis space, shape (n,)."""
        return self.means((variable,), points)[variable]

    def means(self, variables: tuple[str, ...], points: Points) -> dict[str, np.ndarray]:
        """``mean`` of several variables: in the hulls of their reports the regressors are the same."""
        result = {}
        for names, basis, weight in self._bases(variables, points):
            anomalies = np.stack([self.coefficients[name].mean for name in names]) @ basis.T * weight
            for name, anomaly in zip(names, anomalies, strict=True):
                belief = climatology.mean(name, points.latitude, points.elevation, self.time)
                result[name] = belief + anomaly * _reduction(name, points)
        return result

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """Standard deviation from the coefficients' uncertainty and from climatology's, analysis space, shape (n,)."""
        ((_, basis, weight),) = self._bases((variable,), points)
        variance = np.einsum("nk,nk->n", basis @ self.coefficients[variable].covariance, basis)
        beyond = (1.0 - weight**2) * climatology.deviation(variable, points.latitude) ** 2
        return np.sqrt(variance * weight**2 + beyond) * _reduction(variable, points)

    def _bases(self, variables: tuple[str, ...], points: Points) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Variables that share regressors at the points, these (n, 15) and their weight (n,), 1 in the hull."""
        place = _places(points, self.origin, self.axes)
        outside: dict[CoveredArea | None, list[str]] = {}
        for name in variables:
            area = self.coefficients[name].area
            if area not in outside and (area is None or area.holds_rectangle_of(place)):
                area = None
            outside.setdefault(area, []).append(name)
        for area, names in outside.items():
            nearest, distance = (place, np.zeros(len(place))) if area is None else area.nearest(place)
            yield names, _regressors(points, nearest), np.exp(-distance * SCALE / FADING)


def basis_functions(points: Points, origin: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The regressors: all monomials of x and y to degree 3, then terrain terms; shape (n, 15)."""
    return _regressors(points, _places(points, origin, axes))


def _places(points: Points, origin: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Coordinates x and y of the polynomial, shape (n, 2)."""
    return (points.position - origin) @ axes.T / SCALE


def _regressors(points: Points, place: np.ndarray) -> np.ndarray:
    x, y = place.T
    z = points.elevation / 1000.0
    columns = [np.ones(len(x)), x, y, x * x, x * y, y * y]
    columns += [columns[3] * x, columns[3] * y, columns[5] * x, columns[5] * y]  # powers would take ten times as long
    return np.stack([*columns, z, z * x, z * y, points.land, points.relief / 1000.0]).T


def _prior_deviation() -> np.ndarray:
    polynomial = [PRIOR_DEGREE[degree] for degree in range(4) for _ in range(degree + 1)]
    terrain = [PRIOR_ELEVATION, PRIOR_ELEVATION_PLACE, PRIOR_ELEVATION_PLACE, PRIOR_LAND, PRIOR_RELIEF]
    return np.array(polynomial + terrain)


def _reduction(variable: str, points: Points) -> np.ndarray | float:
    """Factor from the regressed quantity to the variable: 1 but for pressure, which is regressed at sea level."""
    return climatology.standard_pressure_ratio(points.elevation) if variable == "psfc" else 1.0


def fit_regression(
    centre: Points, time: np.datetime64, reports: dict[str, tuple[Points, np.ndarray, np.ndarray]]
) -> Regression:
    """Fit the first guess.

    Args:
        centre: one point, the middle of the domain.
        time: analysis time.
        reports: for each wanted variable the points, values in analysis space and observation errors of
            its good reports, n >= 0 of them.

    Returns:
        The first guess of exactly these variables.
    """
    origin = centre.position[0]
    axes = _east_north(float(centre.latitude[0]), float(centre.longitude[0]))
    coefficients = {
        name: _fit_one(
            name,
            _places(points, origin, axes),
            points,
            value,
            error,
            time,
            float(climatology.deviation(name, centre.latitude)[0]),
        )
        for name, (points, value, error) in reports.items()
    }
    shared: dict[bytes, CoveredArea] = {}  # variables of the same reports have one hull, evaluated once
    for name, each in coefficients.items():
        if each.area is not None:
            area = shared.setdefault(each.area.vertices.tobytes(), each.area)
            coefficients[name] = replace(each, area=area)
    return Regression(time, origin, axes, coefficients)


def _fit_one(name, place, points, value, error, time, deviation) -> Coefficients:
    basis = _regressors(points, place)
    precision = np.diag(1.0 / (_prior_deviation() * deviation) ** 2)
    if not len(value):
        return Coefficients(np.zeros(len(precision)), np.linalg.inv(precision), 0)
    anomaly = (value - climatology.mean(name, points.latitude, points.elevation, time)) / _reduction(name, points)
    cells = np.unique(np.floor(points.position / SHARED), axis=0)
    share = len(cells) / len(value)  # of an independent report that one report is worth
    weight, beta = np.ones(len(value)), np.zeros(basis.shape[1])
    for _ in range(ITERATIONS):
        residual = anomaly - basis @ beta
        scale = max(median_scale(residual) if len(value) > basis.shape[1] else deviation, float(np.median(error)))
        weight = huber_weight(residual / scale, HUBER_LIMIT) if beta.any() else weight
        weighted = basis * (weight * share / scale**2)[:, None]
        posterior = np.linalg.inv(precision + weighted.T @ basis)
        beta = posterior @ (weighted.T @ anomaly)
    return Coefficients(beta, posterior, len(value), CoveredArea.around(place, COVERED / SCALE))


def _east_north(latitude: float, longitude: float) -> np.ndarray:
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    east = [-np.sin(lam), np.cos(lam), 0.0]
    north = [-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)]
    return np.array([east, north])
