"""Estimate what optimal interpolation in time assumes: time scales, and what of a report's error lasts.

    python benchmarks/time_scales.py [--variables t2m d2m u10 psfc] [--correlation exponential matern32 gaussian]

The settings `window` of configs/methods/classical.yaml come from here. Lengths are kept; variances, time scales, the
error of reports and the part of it that lasts (a component of a length of 3 km) maximise the likelihood of departures,

    log p(d) = -1/2 (d' K^-1 d + log |K| + n log 2 pi),   K = HBH' + R,

of eight windows of two hours on both sides, from the first half of the days of metar_plains (hours that train; the
second half scores). Half of the stations of each window, by the hash of their names.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from time_windows import Hours

from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.settings import VariableSettings, load_settings
from mlrtma_dist.methods.window import WindowCase
from mlrtma_dist.observations.withhold import withhold

WINDOWS, MINUTES = 8, 120.0
LASTING = 3e3  # m; length of the component that is a station's own
FARTHEST = 5.0  # deviations of the departures beyond which a report does not count
CORRELATIONS = {  # of age over time scale, and their derivatives by the logarithm of the time scale
    "exponential": (lambda a: np.exp(-a), lambda a: a * np.exp(-a)),
    "matern32": (lambda a: (1 + a) * np.exp(-a), lambda a: a * a * np.exp(-a)),
    "gaussian": (lambda a: np.exp(-a * a / 2), lambda a: a * a * np.exp(-a * a / 2)),
}


@dataclass(frozen=True)
class Sample:
    """The reports of one variable in one window.

    Attributes:
        departure: shape (n,); age: hours between all pairs, (n, n); kernel: correlation in place of each component.
    """

    departure: np.ndarray
    age: np.ndarray
    kernel: np.ndarray


def rows_of(case: WindowCase, name: str) -> np.ndarray:
    """Mask of the used reports of a variable that are not far off, of half of the stations of a window, shape (n,)."""
    rows = case.used & (case.observations.variable == name) & withhold(case.observations, fraction=0.5, seed=1)
    deviation = 1.4826 * np.median(np.abs(case.departure[rows]))
    return rows & (np.abs(case.departure) < FARTHEST * deviation)


def sample(case: WindowCase, name: str, components: tuple[Component, ...]) -> Sample:
    """The `rows_of` a window."""
    rows = rows_of(case, name)
    points, hours = case.points[rows], case.hours[rows]
    units = [replace(c, variance=1.0, time=None) for c in components]
    kernel = np.stack([Covariance((unit,)).matrix(points, points) for unit in units]).astype(np.float64)
    return Sample(case.departure[rows], np.abs(hours[:, None] - hours), kernel)


def negative(parameters: np.ndarray, samples: list[Sample], correlation: str) -> tuple[float, np.ndarray]:
    """Minus the log likelihood of all samples, and its gradient.

    Args:
        parameters: logarithms of the variances (k,), of the time scales (k,), and of the variance of reports' errors.
    """
    value, slope = CORRELATIONS[correlation]
    count = (len(parameters) - 1) // 2
    variance, scale = np.exp(parameters[:count]), np.exp(parameters[count:-1])
    total, gradient = 0.0, np.zeros(len(parameters))
    for each in samples:
        parts = [v * k * value(each.age / s) for v, k, s in zip(variance, each.kernel, scale, strict=True)]
        own = np.exp(parameters[-1])
        matrix = sum(parts) + own * np.eye(len(each.departure))
        factor = cho_factor(matrix, lower=True)
        inverse = cho_solve(factor, np.eye(len(matrix)))
        weight = inverse @ each.departure
        total += 0.5 * each.departure @ weight + np.log(np.diagonal(factor[0])).sum()
        towards = 0.5 * (inverse - np.outer(weight, weight))
        for number, (v, k, s) in enumerate(zip(variance, each.kernel, scale, strict=True)):
            gradient[number] += (towards * parts[number]).sum()
            gradient[count + number] += (towards * (v * k * slope(each.age / s))).sum()
        gradient[-1] += own * np.trace(towards)
    return total, gradient


def estimate(samples: list[Sample], own: VariableSettings, components: tuple[Component, ...], correlation: str):
    """The settings of most likelihood, and that likelihood per report."""
    error = own.observation_error**2
    start = np.log([*(c.variance for c in components), *([12.0, 6.0, 3.0, 3.0][: len(components)]), 0.5 * error])
    count = len(components)
    limits = [(None, None)] * count + [(np.log(0.2), np.log(1000.0))] * count + [(np.log(0.01 * error), None)]
    best = minimize(
        negative, start, (samples, correlation), jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 40}
    )
    number = sum(len(each.departure) for each in samples)
    return np.exp(best.x), -best.fun / number - 0.5 * np.log(2 * np.pi)


def main() -> None:
    """Print the settings of every variable."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variables", nargs="+", default=["t2m", "d2m", "u10", "psfc"])
    parser.add_argument("--correlation", nargs="+", default=["matern32"], choices=list(CORRELATIONS))
    run = parser.parse_args()
    settings = load_settings("classical").only(("t2m", "d2m", "u10", "v10", "psfc"))
    cases = Hours.of("plains", settings).windows(WINDOWS, MINUTES)
    for name in run.variables:
        own = settings.variables[name]
        last = Component(0.5 * own.observation_error**2, "askey", LASTING)
        components = (*(c for c in own.covariance), last)
        alike = ("u10", "v10") if name == "u10" else (name,)
        samples = [sample(case, each, components) for case in cases for each in alike]
        for correlation in run.correlation:
            values, likelihood = estimate(samples, own, components, correlation)
            k = len(components)
            print(f"{name} {correlation}: log likelihood per report {likelihood:.4f}")
            print(f"  observation_error: {values[-1] ** 0.5:.3g}  (one report: {own.observation_error})")
            for component, variance, time in zip(components, values[:k], values[k:-1], strict=True):
                scale = f"{component.kernel} {component.length:g} m: time {time:.3g} h"
                print(f"  variance {variance:.3g} of {component.variance:.3g}, {scale}")


if __name__ == "__main__":
    main()
