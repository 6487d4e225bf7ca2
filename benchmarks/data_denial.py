"""Claim: with fewer stations learned analyses lose no faster than 3D-Var, and the errors they expect grow as well.

    python benchmarks/data_denial.py [--methods vit vit_hybrid threedvar]
    python benchmarks/data_denial.py --remove variables --methods vit threedvar
    python benchmarks/data_denial.py --remove networks --cases benchmarks/report_types.yaml --methods vit threedvar

On the national hours that choose, or those of another configuration of `mlrtma verify`, a tenth of the stations (by the
hash of their names) is withheld. Of the others a share is removed, by another hash, or the reports of some variables,
or of a network; what is left is analysed. A table for each variable: rmse at the withheld stations, and beside it the
standard deviation that the method expects of it. Last the ratio of the first method's rmse to the last one's, pooled
over variables, for each removal.
"""

import argparse
from pathlib import Path

import numpy as np
from accuracy_data import OneTime

from mlrtma_dist import config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_released

SHARES = (0, 25, 50, 75, 95, 100)  # percent of the stations that are removed
VERIFYING, PARTS = 10, 100  # a tenth of the stations is withheld; the others are divided into hundredths
VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc", "wind_speed", "sky_cover")
KINDS = {
    "nothing": (),
    "temperature": ("t2m",),
    "dew point": ("d2m",),
    "wind": ("u10", "v10", "gust"),
    "pressure": ("psfc",),
    "sky, ceiling, visibility": ("sky_cover", "ceiling", "visibility"),
    "all but temperature": ("d2m", "u10", "v10", "gust", "psfc", "sky_cover", "ceiling", "visibility"),
}


def removals(reports: Observations, way: str) -> dict[str, np.ndarray]:
    """What is removed in turn of a table of n reports, in words -> mask (n,)."""
    if way == "variables":
        return {kind: np.isin(reports.variable, variables) for kind, variables in KINDS.items()}
    if way == "networks":
        each = {str(name): reports.network == name for name in np.unique(reports.network)}
        return {"nothing": np.zeros(len(reports), bool)} | each
    hundredth = folds(reports, count=PARTS, seed=1)
    return {f"{share} %": hundredth < share for share in SHARES}


def matches_of(names: tuple[str, ...], way: str, path: Path) -> dict[str, Matches]:
    """What was removed -> matches at the withheld stations of all hours."""
    settings = load_settings("classical")
    assumed = assumptions(settings)
    section = config.build(CasesSection, config.load_yaml(path)["cases"], str(path))
    source = open_cases(section, assumed)
    static, window = load_static(source.contents.domain), section.reports.window
    methods = build(names, Means(settings.only(VARIABLES), trained=load_released(names, static.domain)))
    tables: dict[str, list[Matches]] = {}
    for number, time in enumerate(source.time):
        reports = source.reports(number)
        verifying = folds(reports, count=VERIFYING, seed=0) == 0
        for removed, rows in removals(reports, way).items():
            left = verifying | ~rows
            cases = Limited.to(VARIABLES, OneTime(reports[left], time, Judge(assumed, window), static=static))
            analyst = Analyst(cases, methods, Part(Box.whole(static.domain.shape)))
            whole = match_fold(analyst, 0, verifying[left], 0, assumed)
            tables.setdefault(removed, []).append(whole.select(whole.scored))
    return {removed: Matches.concatenate(parts) for removed, parts in tables.items()}


def table(of_removals: dict[str, Matches], names: tuple[str, ...], variable: str) -> list[str]:
    """Lines of Markdown: rmse (expected) of every method for every removal."""
    lines = [f"| {variable}: removed | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for removed, whole in of_removals.items():
        cells = [cell(whole.select(method=name, variable=variable)) for name in names]
        lines.append(f"| {removed} | {' | '.join(cells)} |")
    return lines


def cell(own: Matches) -> str:
    """The rmse of one variable by one method, in brackets the deviation that the method expects."""
    return f"{_rmse(own):.3g} ({np.sqrt(np.mean(own.deviation**2)):.3g})"


def _rmse(own: Matches) -> float:
    return float(np.sqrt(np.mean(own.error**2)))


def main() -> None:
    """Print the tables; the last line is the ratio for every share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["vit", "vit_hybrid", "threedvar"])
    parser.add_argument("--remove", choices=["stations", "variables", "networks"], default="stations")
    parser.add_argument("--cases", default="choose", help="of configs/verification, or a file")
    options = parser.parse_args()
    names = tuple(options.methods)
    of_removals = matches_of(names, options.remove, config.find("verification", options.cases))
    for variable in VARIABLES:
        print("\n".join(["", *table(of_removals, names, variable)]))
    ratios = []
    for removed, whole in of_removals.items():
        first, last = (whole.select(method=name) for name in (names[0], names[-1]))
        logs = [np.log(_rmse(first.select(variable=v)) / _rmse(last.select(variable=v))) for v in VARIABLES]
        ratios.append(f"{removed} {np.exp(np.mean(logs)):.3f}")
    print(f"\nrmse of {names[0]} over {names[-1]}, removed: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
