"""Claim: with fewer stations learned analyses lose no faster than 3D-Var, and the errors they expect grow as well.

    python benchmarks/data_denial.py [--methods vit vit_hybrid threedvar]

On the national hours that choose, a tenth of the stations (by the hash of their names) is withheld. Of the others a
share is removed, by another hash, and what is left is analysed. A table for each variable: rmse at the withheld
stations, and beside it the standard deviation that the method expects of it. Last the ratio of the first method's rmse
to the last one's, pooled over variables, for each share.
"""

import argparse

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_released

SHARES = (0, 25, 50, 75, 95, 100)  # percent of the stations that are removed
VERIFYING, PARTS = 10, 100  # a tenth of the stations is withheld; the others are divided into hundredths
VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc", "wind_speed", "sky_cover")


def matches_of(names: tuple[str, ...]) -> dict[int, Matches]:
    """Share removed in percent -> matches at the withheld stations of all hours."""
    settings = load_settings("classical")
    path = config.find("verification", "choose")
    section = config.build(CasesSection, config.load_yaml(path)["cases"], str(path))
    cases = open_cases(section, assumptions(settings))
    trained = load_released(names, cases.contents.domain)
    methods = build(names, Means(settings.only(VARIABLES), trained=trained))
    analyst = Analyst(Limited.to(VARIABLES, cases), methods, Part(Box.whole(cases.contents.domain.shape)))
    tables: dict[int, list[Matches]] = {share: [] for share in SHARES}
    for number in range(len(cases.time)):
        reports = cases.reports(number)
        verifying = folds(reports, count=VERIFYING, seed=0) == 0
        hundredth = folds(reports, count=PARTS, seed=1)
        stations = np.unique(reports.station[verifying])
        for share in SHARES:
            whole = match_fold(analyst, number, verifying | (hundredth < share), 0, assumptions(settings))
            tables[share].append(whole.select(np.isin(whole.station, stations) & whole.scored))
    return {share: Matches.concatenate(parts) for share, parts in tables.items()}


def table(of_shares: dict[int, Matches], names: tuple[str, ...], variable: str) -> list[str]:
    """Lines of Markdown: rmse (expected) of every method for every share."""
    lines = [f"| {variable}: removed | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for share, whole in of_shares.items():
        cells = [_cell(whole.select(method=name, variable=variable)) for name in names]
        lines.append(f"| {share} % | {' | '.join(cells)} |")
    return lines


def _cell(own: Matches) -> str:
    expected = np.sqrt(np.mean(own.spread**2 + own.observation_error**2))
    return f"{_rmse(own):.3g} ({expected:.3g})"


def _rmse(own: Matches) -> float:
    return float(np.sqrt(np.mean(own.error**2)))


def main() -> None:
    """Print the tables; the last line is the ratio for every share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["vit", "vit_hybrid", "threedvar"])
    options = parser.parse_args()
    names = tuple(options.methods)
    of_shares = matches_of(names)
    for variable in VARIABLES:
        print("\n".join(["", *table(of_shares, names, variable)]))
    ratios = []
    for whole in of_shares.values():
        first, last = (whole.select(method=name) for name in (names[0], names[-1]))
        logs = [np.log(_rmse(first.select(variable=v)) / _rmse(last.select(variable=v))) for v in VARIABLES]
        ratios.append(f"{np.exp(np.mean(logs)):.3f}")
    print(f"\nrmse of {names[0]} over {names[-1]}, removed {', '.join(map(str, SHARES))} %: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
