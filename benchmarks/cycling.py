"""Cycling: 24 hours analysed one after the other, each with the previous analysis as background, and each by itself.

    python benchmarks/cycling.py [--folds 3] [--hours 24] [--figure docs/images/cycling.png]

The surface airways observations of 1995-03-18, 00 to 23 UTC, on a CONUS grid of 20 km. A part of the stations, with
all their names, is withheld through the whole day, so that no earlier hour tells of them; then the next part. Every
withheld station of every hour is scored: the previous analysis as it is, the cycled 3D-Var, and a 3D-Var whose first
guess is a regression on the hour's own reports. Parameters are those of classical.yaml, estimated on 06 and 18 UTC of
this day among others, with the regression as first guess.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from jobs.inputs import load_settings, read_all
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import Size, load_domain
from mlrtma_dist.inference.analyse import analyse, at_reports, solve
from mlrtma_dist.inference.problem import Problem, pose
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.names import variable
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums

DAY = np.datetime64("1995-03-18T00", "s")
HOUR = np.timedelta64(3600, "s")
WINDOW = np.timedelta64(1800, "s")
VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc")
COARSER = 8  # grid points of 2.5 km to one: analyses are asked at stations, the grid only carries the background
WAYS = {"previous": "previous analysis", "cycled": "3D-Var, cycled", "alone": "3D-Var, hour by itself"}


def coarse_conus() -> Static:
    """The CONUS domain at 20 km."""
    fine = load_domain("conus")
    size = Size(*(1 + (n - 1) // COARSER for n in (fine.size.x, fine.size.y)))
    return load_static(replace(fine, name="conus_20km", spacing=COARSER * fine.spacing, size=size))


def errors(problem: Problem, fits) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are scored and, there, analysis minus report in analysis space."""
    rows = problem.withheld & np.isfinite(problem.departure) & verifiable(problem.observations, problem.departure)
    rows &= problem.static.domain.contains(problem.points.latitude, problem.points.longitude)
    return rows, (at_reports(problem, fits, rows)[0] - problem.value)[rows]


def run_day(static: Static, hours: list[Observations], settings: Classical, held: list[np.ndarray], folder: Path):
    """Analyse a day without the stations of ``held``, cycled and hour by hour.

    Yields:
        Hour, way, variable (n,), station (n,), error (n,).
    """
    previous: tuple[str, ...] = ()
    for hour, (table, withheld) in enumerate(zip(hours, held, strict=True)):
        asked = {"time": DAY + hour * HOUR, "window": WINDOW, "withheld": withheld}
        alone = pose(static, table, settings, **asked)
        fits = solve(alone, "threedvar", settings)
        rows, error = errors(alone, fits)
        names = alone.observations.variable[rows], alone.observations.station[rows]
        yield hour, "alone", *names, error
        problem = alone
        if previous:
            problem = pose(static, table, settings, background=previous, **asked)
            fits = solve(problem, "threedvar", settings)
            # The same reports as above, judged by the regression, whatever the previous analysis thinks of them
            value, _ = at_reports(problem, fits, rows)
            yield hour, "cycled", *names, (value - problem.value)[rows]
            yield hour, "previous", *names, -problem.departure[rows]
        made = analyse(problem, fits, settings, "threedvar")
        state = State(static.domain, asked["time"], made.values, static.terrain, "cycled analysis")
        previous = (str(write_state(folder / f"{hour:02d}.nc", state)),)


@dataclass(frozen=True)
class Errors:
    """Analysis minus report, a row each: hour, way, variable, station and error in analysis space, shape (n,)."""

    hour: np.ndarray
    way: np.ndarray
    variable: np.ndarray
    station: np.ndarray
    error: np.ndarray

    @staticmethod
    def join(parts) -> "Errors":
        """One table of what ``run_day`` yields."""
        size = [len(error) for *_, error in parts]
        hour, way = (np.repeat([part[i] for part in parts], size) for i in (0, 1))
        return Errors(hour, way, *(np.concatenate([part[i] for part in parts]) for i in (2, 3, 4)))

    def of(self, way: str, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hours, stations and squared errors of one way and variable, known errors only."""
        rows = (self.way == way) & (self.variable == name) & np.isfinite(self.error)
        return self.hour[rows], self.station[rows], self.error[rows] ** 2


def print_hours(found: Errors) -> dict[tuple[str, str], np.ndarray]:
    """Print rmse by hour; returns it by variable and way, shape (hours,), NaN where there is none."""
    hours, result = int(found.hour.max()) + 1, {}
    for name in VARIABLES:
        for way in WAYS:
            hour, _, squares = found.of(way, name)
            sums, count = (np.bincount(hour, weights, hours) for weights in (squares, np.ones(len(hour))))
            with np.errstate(invalid="ignore"):
                result[name, way] = np.sqrt(sums / count)
    print("hour " + "".join(f"{f'{name} {way}':>16}" for name, way in result))
    for hour in range(hours):
        print(f"{hour:4d} " + "".join(f"{series[hour]:16.3f}" for series in result.values()))
    return result


def print_day(found: Errors) -> float:
    """Print rmse over all hours but the first, with intervals by station; returns cycled / alone of t2m."""
    print(f"\n{'':<6}{'way':<24}{'n':>7}{'rmse':>9}{'95 % interval':>20}{'over alone':>12}{'95 % interval':>18}")
    for name in VARIABLES:
        # the same reports for all ways: a station's rows stand in the same order in each
        columns = {}
        for way in WAYS:
            hour, station, squares = found.of(way, name)
            columns[way], clusters = squares[hour > 0], station[hour > 0]
        number, size = cluster_numbers(clusters)
        drawn = resampled_sums(cluster_sums(number, size, *columns.values(), np.ones(len(clusters))), seed=0)
        for column, (way, squares) in enumerate(columns.items()):
            rmse = np.sqrt(ratio_of_sums(drawn, column, len(WAYS)))
            low, high = interval(rmse, size)
            ratio = np.sqrt(squares.sum() / columns["alone"].sum())
            ends = interval(np.sqrt(ratio_of_sums(drawn, column, list(WAYS).index("alone"))), size)
            print(
                f"{name:<6}{WAYS[way]:<24}{len(squares):7d}{np.sqrt(squares.mean()):9.3f}"
                f"{f'{low:.3f} to {high:.3f}':>20}{ratio:12.3f}{f'{ends[0]:.3f} to {ends[1]:.3f}':>18}"
            )
            if (name, way) == ("t2m", "cycled"):
                answer = float(ratio)
    return answer


def draw(path: Path, by_hour: dict[tuple[str, str], np.ndarray]) -> None:
    """Draw rmse against hour, a panel a variable."""
    figure, axes = plt.subplots(1, len(VARIABLES), figsize=(3.0 * len(VARIABLES), 3.0), layout="constrained")
    for axis, name in zip(axes, VARIABLES, strict=True):
        known = variable(name)
        unit, factor, _ = known.display if name == "psfc" else (known.unit, 1.0, 0.0)
        for (way, words), style in zip(WAYS.items(), (":", "-", "--"), strict=True):
            axis.plot(by_hour[name, way] * factor, style, label=words)
        axis.set(title=known.long_name, xlabel="hour, UTC", ylabel=unit, ylim=(0, None))
    axes[0].legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print rmse by hour and way, then over the day with intervals; the ratio cycled / alone of t2m is last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=3, help="parts of the stations")
    parser.add_argument("--hours", type=int, default=24, help="of the day, from 00 UTC")
    parser.add_argument("--figure", type=Path, help="PNG file to write")
    asked = parser.parse_args()
    if not 2 <= asked.hours <= 24:
        parser.error(f"--hours: expected 2 to 24, of which the first begins the cycle unscored, got {asked.hours}")
    static, settings = coarse_conus(), load_settings("classical", VARIABLES)
    files = [data_root() / "sao" / f"950318{hour:02d}_sao.cdf" for hour in range(asked.hours)]
    hours = [read_all((str(file),)) for file in files]
    parts = folds(Observations.concatenate(hours), count=asked.folds, seed=0)  # one division for the whole day
    parts = np.split(parts, np.cumsum([len(table) for table in hours])[:-1])
    kept = [np.isin(table.variable, VARIABLES) for table in hours]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(asked.folds):
            tables = [table[rows] for table, rows in zip(hours, kept, strict=True)]
            held = [(part == fold)[rows] for part, rows in zip(parts, kept, strict=True)]
            found += list(run_day(static, tables, settings, held, Path(folder)))
            print(f"part {fold + 1} of {asked.folds} done", flush=True)
    found = Errors.join(found)
    by_hour = print_hours(found)
    ratio = print_day(found)
    if asked.figure:
        draw(asked.figure, by_hour)
    print(f"t2m, cycled over hour by itself, 01 UTC and later: rmse ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
