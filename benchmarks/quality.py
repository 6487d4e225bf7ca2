"""Claim: of seeded errors of 5 standard deviations 95 % are found, and at most 1 % of the good reports flagged.

    python benchmarks/quality.py [--seeds 3] [--stations 1000] [--hours 03 09 15 21] [--around 1]

Of each variable by itself 5 % of the reports get an error of exactly 5 sigma in a random direction (a wind: of its
vector), and the whole quality control of an analysis judges them. Two meanings of sigma are measured:

* departure: the robust standard deviation of the good reports' departures from the first guess: what a centre sees;
* error: the observation error of configs/methods/classical.yaml alone, two to five times smaller.

Simulated: the world of the demonstration without its own gross errors, first guess its background. Real: surface
airways observations of hours that no parameter was estimated on, with the hour before and after as history, first
guess a regression on the reports; "good" are then all reports that got no error, the truly bad ones among them.
"""

import argparse
import os
import pathlib
import tempfile
from dataclasses import replace
from functools import partial

import numpy as np

from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.names import variable
from mlrtma_dist.observations.departures import robust_deviation
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.reports import measurements
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.simulation.reporting import Reporting
from mlrtma_dist.simulation.simulated_hour import Simulation, simulate_hour

TIME = np.datetime64("2022-08-24T06:00:00")
KINDS = {
    "t2m": ("t2m",),
    "d2m": ("d2m",),
    "wind": ("u10", "v10"),
    "psfc": ("psfc",),
    "gust": ("gust",),
    "visibility": ("visibility",),
    "ceiling": ("ceiling",),
    "sky_cover": ("sky_cover",),
}
SHARE, SIZE = 0.05, 5.0
# What the seeds are judged by; the other flags say nothing of a value.
JUDGED = Flag.RANGE | Flag.CONSISTENCY | Flag.STUCK | Flag.STEP | Flag.GROSS | Flag.BUDDY


def seed_errors(case: Case, kind: str, sigma: float, generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with errors, and masks of the reports that were seeded and that count; shape (n,) each.

    Reports with a flag before (late, outside, a copy, or bad already) count for nothing.
    """
    table = case.observations
    rows = measurements(table)[kind]
    counted = np.zeros(len(table), dtype=bool)
    counted[rows[table.good[rows].all(axis=1)]] = True
    bad = counted[rows[:, 0]] & (generator.random(len(rows)) < SHARE)
    turn = generator.uniform(0.0, 2.0 * np.pi, len(rows))
    shift = np.stack([np.cos(turn), np.sin(turn)], axis=1) if rows.shape[1] == 2 else np.sign(np.cos(turn))[:, None]
    value, seeded = table.value.copy(), np.zeros(len(table), dtype=bool)
    for column in range(rows.shape[1]):
        properties, own = variable(str(table.variable[rows[0, column]])), rows[bad, column]
        value[own] = properties.to_analysis(value[own]) + SIZE * sigma * shift[bad, column]
        if properties.transform == "log":
            value[own] = np.exp(value[own])
        seeded[own] = True
    return value, seeded, counted


def measure(judge, observations: Observations, kind: str, seeds: int) -> dict[str, tuple[float, float, float, int]]:
    """Meaning of sigma -> sigma, share found, share of the good flagged, seeded reports."""
    clean: Case = judge(observations)
    rows = measurements(clean.observations)[kind]
    rows = rows[clean.observations.good[rows].all(axis=1)]
    size = np.linalg.norm(clean.departure[rows], axis=1)
    name = KINDS[kind][0]
    sigmas = {
        "departure": max(robust_deviation(size, rows.shape[1]), 1e-6),
        "error": load_settings("classical").variables[name].observation_error,
    }
    rates = {}
    for meaning, sigma in sigmas.items():
        counts = np.zeros(4)
        for seed in range(seeds):
            value, seeded, counted = seed_errors(clean, kind, sigma, np.random.default_rng(seed))
            spoilt = replace(clean.observations, value=value, flags=observations.flags)
            flagged = (judge(spoilt).observations.flags & np.uint32(JUDGED)) != 0
            good = counted & ~seeded
            counts += (flagged & seeded).sum(), seeded.sum(), (flagged & good).sum(), good.sum()
        rates[meaning] = sigma, counts[0] / counts[1], counts[2] / counts[3], int(counts[1] / rows.shape[1])
    return rates


def case_of(static: Static, time: np.datetime64, kind: str, background, observations: Observations) -> Case:
    """The reports of a kind, judged as by an analysis; ``background`` None: against a regression."""
    judge = Judge(assumptions(load_settings("classical", KINDS[kind])), np.timedelta64(30, "m"))
    return judge.case(static, time, observations, background, Box.whole(static.domain.shape))


def simulated(kind: str, stations: int, seeds: int) -> dict[str, tuple[float, float, float, int]]:
    """The table's row of the simulated world."""
    static = load_static(load_domain("toy"))
    clean = Simulation(reporting=Reporting(gross=0.0))
    world = simulate_hour(static, TIME, stations=stations, seed=1, simulation=clean)
    table = world.observations[np.isin(world.observations.variable, KINDS[kind])]
    with tempfile.TemporaryDirectory() as folder:
        file = write_state(pathlib.Path(folder) / "background.nc", world.background)

        background = load_gridded(str(file), static, TIME)
        return measure(partial(case_of, static, TIME, kind, background), table, kind, seeds)


def real(
    kind: str, hour: int, root: pathlib.Path, seeds: int, around: int = 1
) -> dict[str, tuple[float, float, float, int]]:
    """The row of a real hour, with so many hours before and after."""
    static, time = load_static(load_domain("conus")), np.datetime64("1995-03-18T00:00:00") + np.timedelta64(hour, "h")
    files = [root / "sao" / f"950318{h:02d}_sao.cdf" for h in range(hour - around, hour + around + 1) if 0 <= h < 24]
    table = Observations.concatenate([read_observations(file) for file in files])
    table = table[np.isin(table.variable, KINDS[kind])]
    return measure(partial(case_of, static, time, kind, None), table, kind, seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stations", type=int, default=1000)
    parser.add_argument("--hours", nargs="*", default=["03", "09", "15", "21"])
    parser.add_argument("--around", type=int, default=1, help="hours before and after a real hour that are read")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    options = parser.parse_args()
    root = pathlib.Path(os.environ.get("MLRTMA_REAL_DATA", "../shared/data"))
    print(f"{'case':<14}{'variable':<12}{'sigma of':<11}{'sigma':>9}{'seeded':>8}{'found':>9}{'good flagged':>14}")
    last = (0.0, 0.0)
    cases = [("simulated", lambda kind: simulated(kind, options.stations, options.seeds))]
    for hour in options.hours if (root / "sao").is_dir() else ():
        more = (int(hour), root, options.seeds, options.around)
        cases.append((f"SAO {hour}Z", lambda kind, more=more: real(kind, *more)))
    rows = (
        (case, kind, *row)
        for case, run in reversed(cases)
        for kind in reversed(options.kinds)
        for row in reversed(run(kind).items())
    )
    for case, kind, meaning, (sigma, detected, flagged, count) in rows:
        print(
            f"{case:<14}{kind:<12}{meaning:<11}{sigma:9.3g}{count:8d}{100 * detected:8.1f} %{100 * flagged:12.2f} %",
            flush=True,
        )
        last = detected, flagged
    detected, flagged = last
    print(f"{options.kinds[0]}, simulated: good flagged {100 * flagged:.2f} %, found {100 * detected:.1f} %")


if __name__ == "__main__":
    main()
