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

from mlrtma_dist.config import data_root
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Size, load_domain
from mlrtma_dist.inference.analyse import analyse, at_reports
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.names import variable
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums

DAY = np.datetime64("1995-03-18T00", "s")
HOUR = np.timedelta64(3600, "s")
WINDOW = np.timedelta64(1800, "s")
VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc")
COARSER = 8  # grid points of 2.5 km to one: analyses are options at stations, the grid only carries the background
WAYS = {"previous": "previous analysis", "cycled": "3D-Var, cycled", "alone": "3D-Var, hour by itself"}


def coarse_conus() -> Static:
    """The CONUS domain at 20 km."""
    fine = load_domain("conus")
    size = Size(*(1 + (n - 1) // COARSER for n in (fine.size.x, fine.size.y)))
    return load_static(replace(fine, name="conus_20km", spacing=COARSER * fine.spacing, size=size))


def scored(case: Case) -> np.ndarray:
    """Mask of the withheld reports that are scored, shape (n,)."""
    rows = case.withheld & np.isfinite(case.departure) & verifiable(case.observations, case.departure)
    return rows & case.domain.contains(case.points.latitude, case.points.longitude)


def run_day(static: Static, hours: list[Observations], settings: Classical, masks: list[np.ndarray], folder: Path):
    """Analyse a day without the stations of ``masks``, cycled and hour by hour.

    Yields:
        Hour, way, variable (n,), station (n,), error (n,).
    """
    judge, box = Judge(assumptions(settings), WINDOW), Box.whole(static.domain.shape)
    method = build(("threedvar",), Means(settings=settings))["threedvar"]
    previous = ""
    for hour, (table, withheld) in enumerate(zip(hours, masks, strict=True)):
        time = DAY + hour * HOUR
        case = judge.case(static, time, table, None, box, withheld=withheld)
        answer, rows = method.analyse(case), scored(case)
        names = case.observations.variable[rows], case.observations.station[rows]
        yield hour, "alone", *names, (at_reports(case, answer, rows)[0] - case.value)[rows]
        if previous:
            background = load_gridded([previous], static, time)
            case = judge.case(static, time, table, background, box, withheld=withheld)
            answer = method.analyse(case)
            # The same reports as above, judged by the regression, whatever the previous analysis thinks of them
            value, _ = at_reports(case, answer, rows)
            yield hour, "cycled", *names, (value - case.value)[rows]
            yield hour, "previous", *names, -case.departure[rows]
        analysis = analyse(case, answer, "threedvar")
        state = State(static.domain, time, analysis.values, static.terrain, "cycled analysis")
        previous = str(write_state(folder / f"{hour:02d}.nc", state))


@dataclass(frozen=True)
class Errors:
    """Analysis minus report, one row each: hour, way, variable, station and error in analysis space, shape (n,)."""

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


def print_hours(errors: Errors) -> dict[tuple[str, str], np.ndarray]:
    """Print rmse by hour; returns it by variable and way, shape (hours,), NaN where there is none."""
    hours, result = int(errors.hour.max()) + 1, {}
    for name in VARIABLES:
        for way in WAYS:
            hour, _, squares = errors.of(way, name)
            sums, count = (np.bincount(hour, weights, hours) for weights in (squares, np.ones(len(hour))))
            with np.errstate(invalid="ignore"):
                result[name, way] = np.sqrt(sums / count)
    print("hour " + "".join(f"{f'{name} {way}':>16}" for name, way in result))
    for hour in range(hours):
        print(f"{hour:4d} " + "".join(f"{series[hour]:16.3f}" for series in result.values()))
    return result


def print_day(errors: Errors) -> float:
    """Print rmse over all hours but the first, with intervals by station; returns cycled / alone of t2m."""
    print(f"\n{'':<6}{'way':<24}{'n':>7}{'rmse':>9}{'95 % interval':>20}{'over alone':>12}{'95 % interval':>18}")
    for name in VARIABLES:
        # the same reports for all ways: a station's rows stand in the same order in each
        columns = {}
        for way in WAYS:
            hour, station, squares = errors.of(way, name)
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
    """Draw rmse against hour, one panel per variable."""
    figure, axes = plt.subplots(1, len(VARIABLES), figsize=(3.0 * len(VARIABLES), 3.0), layout="constrained")
    for axis, name in zip(axes, VARIABLES, strict=True):
        properties = variable(name)
        unit, factor, _ = properties.display if name == "psfc" else (properties.unit, 1.0, 0.0)
        for (way, words), style in zip(WAYS.items(), (":", "-", "--"), strict=True):
            axis.plot(by_hour[name, way] * factor, style, label=words)
        axis.set(title=properties.long_name, xlabel="hour, UTC", ylabel=unit, ylim=(0, None))
    axes[0].legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print rmse by hour and way, then over the day with intervals; the ratio cycled / alone of t2m is last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=3, help="parts of the stations")
    parser.add_argument("--hours", type=int, default=24, help="of the day, from 00 UTC")
    parser.add_argument("--figure", type=Path, help="PNG file to write")
    options = parser.parse_args()
    if not 2 <= options.hours <= 24:
        parser.error(f"--hours: expected 2 to 24, of which the first begins the cycle unscored, got {options.hours}")
    static, settings = coarse_conus(), load_settings("classical", VARIABLES)
    files = [data_root() / "sao" / f"950318{hour:02d}_sao.cdf" for hour in range(options.hours)]
    hours = [Reports((str(file),)).table for file in files]
    parts = folds(Observations.concatenate(hours), count=options.folds, seed=0)  # one division for the whole day
    parts = np.split(parts, np.cumsum([len(table) for table in hours])[:-1])
    kept = [np.isin(table.variable, VARIABLES) for table in hours]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(options.folds):
            tables = [table[rows] for table, rows in zip(hours, kept, strict=True)]
            masks = [(part == fold)[rows] for part, rows in zip(parts, kept, strict=True)]
            results += list(run_day(static, tables, settings, masks, Path(folder)))
            print(f"part {fold + 1} of {options.folds} done", flush=True)
    errors = Errors.join(results)
    by_hour = print_hours(errors)
    ratio = print_day(errors)
    if options.figure:
        draw(options.figure, by_hour)
    print(f"t2m, cycled over hour by itself, 01 UTC and later: rmse ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
