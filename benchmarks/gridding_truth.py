"""Claim: between hours of reports an analysis in place and time is nearer to a known truth than interpolation in time.

    python benchmarks/gridding_truth.py [--times 6] [--stations 300] [--methods oi_time pinn pinn-heat]
        [--base "linear between 3D-Var" pinn]
    python benchmarks/gridding_truth.py --domain conus_20km --stations 1000 --times 2 --methods oi_time pinn pinn@1500

Simulated weather (`simulation.simulated_hour`) moves, ages and has fronts and a course of the day; stations report at
every full hour, and the fields half way between two hours, where no report is, are compared with the truth at every
point of the domain. Each time has a seed of its own, and another time of the day. Rivals have the reports of 2.5 hours
on both sides; linear interpolation has the 3D-Var of the hour before and of the hour after. The last row has what no
method may use: 3D-Var of reports at the half hour itself. "pinn-heat" is pinn without the equation of heat,
"pinn@1500" has a network for every subdomain of 1500 km at most. Then the ratio of each method's mean square error to
that of the base, with the interval of 95 % by resampled times.
"""

import argparse
import time

import numpy as np
from gridding_scores import Scores, built, ratios, table
from time_windows import HOUR, MINUTE, Hours

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.method import Fields
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.simulation.simulated_hour import simulate_hour

NAMES = ("t2m", "d2m", "u10", "v10", "psfc")
FIRST, STEP = np.datetime64("2022-07-01T00:30:00"), 31 * HOUR  # all times of the day come in turn
BASE, LIMIT = "linear between 3D-Var", "3D-Var of the half hour's own reports"
AROUND = (-150, -90, -30, 30, 90, 150)  # minutes from the half hour to the hours that report


def fields_of(hours: Hours, name: str, number: int, **window) -> tuple[Fields, float]:
    """The analysis of a time over the grid, and seconds of one core."""
    case, began = hours.case(number, **window), time.process_time()
    fields = built(name, hours.settings).analyse(case).fields()
    return fields, time.process_time() - began


def rivals(own: Hours, between: Hours, methods: tuple[str, ...]):
    """Name -> values, expected deviations and seconds, at the third of the half hours of ``between``."""
    around = [fields_of(own, "threedvar", number) for number in (2, 3)]
    took = sum(seconds for _, seconds in around)
    before, after = (fields for fields, _ in around)
    yield "3D-Var of the nearest hour", before.values, before.error, took / 2
    halves = (
        {name: 0.5 * (getattr(before, part)[name] + getattr(after, part)[name]) for name in NAMES}
        for part in ("values", "error")
    )
    yield BASE, *halves, took
    for name in methods:
        fields, seconds = fields_of(between, name, 2, minutes=150.0)
        yield name, fields.values, fields.error, seconds


def hours_of(static, moment: np.datetime64, settings, stations: int, seed: int):
    """The hours about a half hour, the half hours between them, the truth of it, and the hour of its own reports."""
    tables = []
    for minutes in AROUND:
        at = moment + minutes * MINUTE
        reports = simulate_hour(static, at, stations=stations, seed=seed).observations
        tables.append(_at(reports, at))
    every, first = Observations.concatenate(tables), moment - 150 * MINUTE
    hours = Hours.between(static, every, settings, first, first + 6 * HOUR)
    between = Hours.between(static, every, settings, moment - 2 * HOUR, moment + 3 * HOUR)
    whole = simulate_hour(static, moment, stations=stations, seed=seed)
    own = Hours.between(static, _at(whole.observations, moment), settings, moment, moment + HOUR)
    return hours, between, whole.truth.values, own


def _at(reports: Observations, time_of_all: np.datetime64) -> Observations:
    """Reports of the time of which they are true, without the minutes by which stations are early or late."""
    columns = {name: getattr(reports, name) for name in reports.__dataclass_fields__}
    return Observations(**columns | {"time": np.full(len(reports), time_of_all)})


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=6)
    parser.add_argument("--stations", type=int, default=300)
    parser.add_argument("--domain", default="toy")
    parser.add_argument("--methods", nargs="+", default=["oi_time", "pinn"])
    parser.add_argument("--base", nargs="+", default=[BASE], help="over whose mean square errors those of others are")
    options = parser.parse_args()
    static, settings = load_static(load_domain(options.domain)), load_settings("classical").only(NAMES)
    scores: dict[str, Scores] = {}
    for number in range(options.times):
        moment = FIRST + number * STEP
        hours, between, truth, own = hours_of(static, moment, settings, options.stations, seed=100 + number)
        own_reports, seconds = fields_of(own, "threedvar", 0)
        answers = [
            *rivals(hours, between, tuple(options.methods)),
            (LIMIT, own_reports.values, own_reports.error, seconds),
        ]
        for method, values, error, took in answers:
            score = scores.setdefault(method, Scores())
            score.seconds.append(took)
            for name in NAMES:
                score.put("every point", name, number, values[name] - truth[name], error[name])
    print("\n".join(table(scores)))
    for base in options.base:
        print("", *ratios(scores, base), sep="\n")


if __name__ == "__main__":
    main()
