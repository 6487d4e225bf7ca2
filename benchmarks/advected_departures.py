"""Do departures from the first guess move with the wind? What 4D-Var with advection would gain on real hours.

    python benchmarks/advected_departures.py [--variables t2m d2m u10 psfc]

In a window of hours, 4D-Var of a linear model of departures, d(t) = M(t, t') d(t') + model error, is optimal
interpolation with the covariance that M carries from time to time (its dual form, Courtier 1997). Method ``oi_time`` is
that of a model in which departures stay where they are and are forgotten. Here M also carries them by c times the wind
of the first guess, the regression of each hour: a report at an hour t is one of the analysis time at the place
p - c u(p) t. The wind near the ground is not that at which weather moves, hence the factor c; c = -1, against the wind,
is the control: displaced reports of one station count as reports of different places, which is a shorter memory.

Printed is the log likelihood per report, log p(d) as in `benchmarks/time_scales.py`, of the same windows of
metar_plains (hours that train), with the settings ``window`` of configs/methods/classical.yaml.
"""

import argparse
from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from time_scales import MINUTES, WINDOWS, rows_of
from time_windows import Hours

from mlrtma_dist.grid.points import TimedPoints
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.settings import VariableSettings, load_settings
from mlrtma_dist.methods.wind import in_space
from mlrtma_dist.methods.window import WindowCase

FACTORS = (-1.0, 0.0, 0.5, 1.0, 2.0)
OWN = 10e3  # m; a component of a shorter length is a station's own and does not move


def carried(points: TimedPoints, wind: dict[str, np.ndarray], factor: float) -> TimedPoints:
    """Where the air of each report is at the analysis time, by ``factor`` times its wind in m s-1."""
    path = in_space(points, np.stack([wind["u10"], wind["v10"]], 1))
    return replace(points, position=points.position - factor * 3600.0 * points.hours[:, None] * path)


def log_likelihood(case: WindowCase, name: str, own: VariableSettings, factor: float) -> tuple[float, int]:
    """Of the departures of half of the stations, and the number of reports."""
    rows = rows_of(case, name)
    points, departure = case.points[rows], case.departure[rows]
    moved = carried(points, case.first_guess.means(("u10", "v10"), points), factor)
    matrix = own.observation_error**2 * np.eye(len(points))
    for component in own.covariance:
        at = points if component.length < OWN else moved
        matrix += Covariance((component,)).matrix(at, at)
    factors = cho_factor(matrix, lower=True)
    half = np.log(np.diagonal(factors[0])).sum() + 0.5 * len(points) * np.log(2 * np.pi)
    return -0.5 * departure @ cho_solve(factors, departure) - half, len(points)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variables", nargs="+", default=["t2m", "d2m", "u10", "psfc"])
    run = parser.parse_args()
    settings = load_settings("classical").only(("t2m", "d2m", "u10", "v10", "psfc"))
    cases = Hours.of("plains", settings).windows(WINDOWS, MINUTES)
    print(f"| variable | reports | {' | '.join(f'c = {factor:g}' for factor in FACTORS)} |")
    print("|---|---|" + "---|" * len(FACTORS))
    for name in run.variables:
        own = settings.in_window.variables[name]
        sums = [
            np.sum([log_likelihood(case, name, own, factor) for case in cases], axis=0, dtype=float)
            for factor in FACTORS
        ]
        cells = " | ".join(f"{total / count:.4f}" for total, count in sums)
        print(f"| {name} | {int(sums[0][1])} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
