"""How far one grossly wrong report reaches when quality control lets it pass.

    python benchmarks/gross_error.py [--methods vit vit_hybrid threedvar] [--stations 6]

The national hour 2024-08-08 01 UTC, judged by quality control; then the temperature of one station is made wrong by
20 K, or its pressure by 30 hPa, no check is made again, and the hour is analysed anew: regression, first guess and all.
Printed is by how much the analysis changes at the station and around it, at the terrain's height, in eight directions:
the mean of the absolute change, of which the median over stations (drawn at random on land, far from the edge) stands
in the table. 3D-Var weighs reports down that do not fit, as its settings say; the networks have learnt what they do.
"""

import argparse
from dataclasses import replace

import numpy as np
from accuracy_data import OneTime, conus
from other_domains import WINDOW, hours

from mlrtma_dist.fields.static import station_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.report_encoding import regression_on
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.weights.trained import load_released

WRONG = {"t2m": 20.0, "psfc": 3000.0}
UNIT = {"t2m": (1.0, "K"), "psfc": (100.0, "hPa")}
DISTANCES = (0, 10, 30, 100, 300, 1000)  # km
DIRECTIONS = 8
INNER = 400e3  # m from the edge of the domain


def ring(latitude: float, longitude: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitude, longitude and distance (km) of a place and of the points around it, by great circles."""
    distance = np.concatenate([[0], np.repeat(DISTANCES[1:], DIRECTIONS)])
    azimuth = np.concatenate([[0.0], np.tile(np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS, len(DISTANCES) - 1)])
    angle, phi = distance * 1e3 / EARTH_RADIUS, np.deg2rad(latitude)
    north = np.sin(phi) * np.cos(angle) + np.cos(phi) * np.sin(angle) * np.cos(azimuth)
    turn = np.arctan2(np.sin(azimuth) * np.sin(angle) * np.cos(phi), np.cos(angle) - np.sin(phi) * north)
    return np.rad2deg(np.arcsin(north)), longitude + np.rad2deg(turn), distance


def around(case: Case, row: int) -> tuple[Points, np.ndarray]:
    """The station of a report and the points around it that lie in the domain, m of them, and the distance of each."""
    *places, distance = ring(case.points.latitude[row], case.points.longitude[row])
    inside = case.domain.contains(*places)
    elevation = np.where(distance == 0, case.points.elevation[row], np.nan)  # elsewhere the terrain's
    return station_points(case.static, *(each[inside] for each in (*places, elevation))), distance[inside]


def on_regression(case: Case) -> Case:
    """The case with a first guess of its used reports, whatever they are."""
    variables = case.observations.variable
    rows = {str(name): case.used & (variables == name) & np.isfinite(case.value) for name in np.unique(variables)}
    return replace(case, first_guess=regression_on(case, rows, case.points))


def wrong(case: Case, row: int) -> Case:
    """The case with one value wrong."""
    value = case.observations.value.copy()
    value[row] += WRONG[str(case.observations.variable[row])]
    return on_regression(replace(case, observations=replace(case.observations, value=value)))


def chosen(case: Case, variable: str, count: int) -> np.ndarray:
    """Numbers of reports of a variable at stations far from the edge and on land."""
    points = case.points
    rows = case.used & (case.observations.variable == variable) & (points.land > 0.9)
    rows &= case.domain.contains(points.latitude, points.longitude, -INNER)
    return np.random.default_rng(0).choice(np.flatnonzero(rows), count, replace=False)


def changes(name: str, variable: str, count: int) -> np.ndarray:
    """Median over stations of the mean absolute change by one method at every distance, SI, shape (distances,)."""
    settings = load_settings("classical")
    (hour,) = hours(2)[1:]
    source = OneTime(hour.read(), hour.moment, Judge(assumptions(settings), WINDOW))
    case = on_regression(Limited.to((variable,), source).case(0, Box.whole(conus().domain.shape)))
    trained = load_released((name,), conus().domain)
    method = build((name,), Means(settings.only((variable,)), trained=trained))[name]
    before, result = method.analyse(case), []
    for row in chosen(case, variable, count):
        points, distance = around(case, row)
        changed = method.analyse(wrong(case, row)).at(variable, points)[0] - before.at(variable, points)[0]
        result.append([np.abs(changed[distance == each]).mean() for each in DISTANCES])
    return np.median(result, axis=0)


def main() -> None:
    """Print a row for every variable and method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["vit", "vit_hybrid", "threedvar"])
    parser.add_argument("--stations", type=int, default=6)
    options = parser.parse_args()
    heads = ["wrong by, method", "at the station", *(f"{each} km" for each in DISTANCES[1:])]
    print("|", " | ".join(heads), "|")
    print("|---" * len(heads) + "|")
    for variable, by in WRONG.items():
        factor, unit = UNIT[variable]
        for name in options.methods:
            row = [f"{each / factor:.3f}" for each in changes(name, variable, options.stations)]
            print("|", " | ".join([f"{variable} {by / factor:g} {unit}, {name}", *row]), "|", flush=True)


if __name__ == "__main__":
    main()
