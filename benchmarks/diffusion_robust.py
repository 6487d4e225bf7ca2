"""Claim: with fewer stations error and spread of the diffusion assimilation grow together, up to the background's.

    python benchmarks/diffusion_robust.py --exercise output/exercise1/diffusion/checkpoints/best
    python benchmarks/diffusion_robust.py --meps output/meps/diffusion/checkpoints/best

Exercise 1, unseen cases: a share of the 200 observations is removed; beside rmse of the mean and spread of the members
stand those of the exact posterior of the same observations. MEPS, one hour of southern Norway: of the official stations
that are not withheld a share is removed, then all reports of one variable; printed are rmse at the withheld stations
and the deviation that the method expects of these reports, beside 3D-Var. Then the temperature of one station is made
wrong by 20 K: the mean absolute change of the analysis at that station and within distances of it. The rmse of the
mean of M members is divided by sqrt(1 + 1/M).
"""

import argparse
from dataclasses import replace

import numpy as np
from accuracy_data import OneTime
from meps_norway import open_hour

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_trained

SHARES = (0, 25, 50, 75, 95, 100)  # percent of the stations that are removed
SEED = 20261127  # of cases that no training has seen
VARIABLES, PARTS, HUNDREDTHS = ("t2m", "d2m"), 5, 100
WRONG, DISTANCES = 20.0, (10.0, 30.0, 100.0)  # K; km


def exercise(checkpoint: str, cases: int, sampling: Sampling) -> None:
    """Print the table of Exercise 1."""
    world = GaussianPlane(seed=SEED)
    source = world.on(load_domain("plane"), 0, cases)
    method = load_trained(checkpoint).method.drawing(sampling)
    exact = OptimalAnalysis.bayes(*world.covariances, world.observation_error)
    print("| removed | rmse | spread | spread / rmse | rmse, exact | spread, exact | CRPS over the exact one |")
    print("|---" * 7 + "|")
    for share in SHARES:
        sums = np.zeros(6)
        for number in range(cases):
            whole = source.case(number, Box.whole(source.contents.domain.shape))
            order = np.random.default_rng(number).permutation(len(whole.observations))
            left = np.sort(order[round(share / 100 * len(order)) :])
            sums += _errors(whole, left, method, exact, sampling.members)
        rmse, spread, exact_rmse, exact_spread = np.sqrt(sums[:4] / cases)
        cells = [f"{each:.4f}" for each in (rmse, spread)] + [f"{spread / rmse:.2f}"]
        cells += [f"{each:.4f}" for each in (exact_rmse, exact_spread)] + [f"{sums[4] / sums[5]:.3f}"]
        print(f"| {share} % | {' | '.join(cells)} |", flush=True)


def _errors(whole: Case, left: np.ndarray, method: Method, exact: OptimalAnalysis, members: int) -> np.ndarray:
    """Squared error and variance of the members and of the exact posterior, then the CRPS of both; means of a case."""
    withheld = ~np.isin(np.arange(len(whole.observations)), left)
    case = replace(whole, withheld=withheld, used=whole.used & ~withheld)
    fields = method.analyse(case)
    drawn = fields.members["field"]
    truth, places = case.truth["field"], case.place[left]
    mean = exact.analyse(case.background["field"].astype(np.float64), places, case.observations.value[left])
    error = exact.error(places)
    crps = crps_ensemble(drawn.reshape(members, -1), truth.ravel(), fair=True).mean()
    return np.array(
        [
            np.mean((drawn.mean(0) - truth) ** 2) / (1.0 + 1.0 / members),
            drawn.var(0, ddof=1).mean(),
            np.mean((mean - truth) ** 2),
            np.mean(error**2),
            crps,
            crps_gaussian(mean.ravel(), error.ravel(), truth.ravel()).mean(),
        ]
    )


def meps(checkpoint: str, sampling: Sampling) -> None:
    """Print the tables of MEPS."""
    settings = load_settings("classical", VARIABLES)
    hour = open_hour(settings)
    trained = load_trained(checkpoint)
    trained.method.settle(hour.static.domain)
    names = ("threedvar", "diffusion")
    methods = build(names, Means(settings, trained={"diffusion": trained.method}, sampling=sampling))
    print(f"| removed | {' | '.join(f'{v}, {name}' for v in VARIABLES for name in names)} |\n{'|---' * 5}|")
    for share in SHARES:
        print(f"| {share} % | {_row(hour, methods, removed_share=share)} |", flush=True)
    for name in VARIABLES:
        print(f"| all {name} | {_row(hour, methods, removed_variable=name)} |", flush=True)
    wrong(hour, methods)


def _row(hour: OneTime, methods: dict[str, Method], removed_share: int = 0, removed_variable: str = "") -> str:
    """The cells of a removal: rmse at withheld stations, in brackets the deviation that is expected there."""
    assumed = assumptions(load_settings("classical", VARIABLES))
    verifying = folds(hour.table, count=PARTS, seed=0)
    gone = folds(hour.table, count=HUNDREDTHS, seed=1) < removed_share
    gone |= hour.table.variable == removed_variable
    tables = []
    for part in range(PARTS):
        left = (verifying == part) | ~gone
        source = replace(hour, table=hour.table[left])
        tables.append(match_fold(source.analyst(methods), 0, verifying[left] == part, part, assumed))
    matches = Matches.concatenate(tables)
    cells = []
    for variable in VARIABLES:
        for name in methods:
            own = matches.select(matches.scored, method=name, variable=variable)
            cells.append(f"{np.sqrt(np.mean(own.error**2)):.2f} ({np.sqrt(np.mean(own.deviation**2)):.2f})")
    return " | ".join(cells)


def wrong(hour: OneTime, methods: dict[str, Method]) -> None:
    """Print how far one wrong temperature reaches: median over ten stations."""
    print(f"\n| wrong by {WRONG:g} K | at the station | {' | '.join(f'{each:g} km' for each in DISTANCES)} |")
    print("|---" * (2 + len(DISTANCES)) + "|")
    case = hour.whole()
    rows = np.flatnonzero(case.used & (case.observations.variable == "t2m"))
    chosen = np.random.default_rng(0).choice(rows, 10, replace=False)
    for name, method in methods.items():
        before, changes = method.analyse(case).fields().values["t2m"].astype(np.float64), []
        for row in chosen:
            value = case.observations.value.copy()
            value[row] += WRONG
            moved = replace(case, observations=replace(case.observations, value=value))
            changed = np.abs(method.analyse(moved).fields().values["t2m"] - before)
            cells = np.indices(changed.shape) - case.grid_place[row][:, None, None]
            distance = np.hypot(*cells) * case.domain.spacing_metres / 1e3
            rings = [changed[np.abs(distance - each) < case.domain.spacing_metres / 1e3].mean() for each in DISTANCES]
            changes.append([changed.flat[distance.argmin()], *rings])
        print(f"| {name} | {' | '.join(f'{each:.2f}' for each in np.median(changes, axis=0))} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exercise", metavar="FOLDER", help="a checkpoint of configs/training/diffusion_exercise1")
    parser.add_argument("--meps", metavar="FOLDER", help="a checkpoint of configs/training/diffusion_meps")
    parser.add_argument("--cases", type=int, default=8, help="of the exercise")
    parser.add_argument("--members", type=int, default=20)
    options = parser.parse_args()
    sampling = Sampling(members=options.members)
    if options.exercise:
        exercise(options.exercise, options.cases, sampling)
    if options.meps:
        meps(options.meps, sampling)


if __name__ == "__main__":
    main()
