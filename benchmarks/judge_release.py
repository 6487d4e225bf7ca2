"""Claim: on hours that judge, the released vision transformers are nearer to withheld stations than 3D-Var.

    python benchmarks/judge_release.py                            all sets of hours, stations and boxes of 100 km
    python benchmarks/compare_methods.py --method vit_hybrid output/judge/*_stations.csv

Opens the hours that judge: once for each release, and docs/vision_transformer.md says when. Every station is withheld
once, in five parts by a hash of its name, and in boxes: settings and hours are those of benchmarks/accuracy.py.
The matches of every set are written to output/judge; printed is, for each set, the ratio of every method's rmse to that
of 3D-Var, pooled over temperature, dew point and wind; last the same over all sets.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accuracy_data import HOURS, OF_EVENTS, Hour, conus
from accuracy_withheld import workers

from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.withheld import match_fold

METHODS = ("gaussian_weights", "threedvar", "vit", "vit_hybrid")
REFERENCE = "threedvar"
POOLED = ("t2m", "d2m", "u10", "v10")
WAYS = {"stations": None, "boxes": 100.0}  # side of the boxes, km
PARTS = 5


@dataclass(frozen=True)
class Fold:
    """One part of the stations of an hour, withheld one way; ``part`` of each row, shape (n,)."""

    hour: Hour
    table: Observations
    part: np.ndarray
    number: int

    def matches(self) -> Matches:
        """Every method at the stations withheld."""
        from mlrtma_dist.weights.trained import load_released  # here: torch is started in each process by itself

        settings = load_settings("classical")
        trained = load_released(METHODS, conus().domain)
        cases = self.hour.cases(self.table, settings)
        analyst = cases.analyst(build(METHODS, Means(settings, trained=trained)))
        return match_fold(analyst, 0, self.part == self.number, self.number, assumptions(settings))


def pooled_ratio(own: Matches, other: Matches) -> float:
    """Of two methods' rmse at the reports that both are scored at, geometric mean of the pooled variables."""
    logs = []
    for name in POOLED:
        errors = [each.select(variable=name).error for each in (own, other)]
        both = np.isfinite(errors[0]) & np.isfinite(errors[1])
        logs.append(0.5 * np.log(np.mean(errors[0][both] ** 2) / np.mean(errors[1][both] ** 2)))
    return float(np.exp(np.mean(logs)))


def line(title: str, whole: Matches) -> str:
    """A row of Markdown: the ratio of every method."""
    other = whole.select(method=REFERENCE)
    ratios = [pooled_ratio(whole.select(method=name), other) for name in METHODS if name != REFERENCE]
    return f"| {title} | {len(other):,} | {' | '.join(f'{ratio:.3f}' for ratio in ratios)} |"


def main() -> None:
    """Open the hours; the last rows are of all sets."""
    sets = HOURS | OF_EVENTS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(sets), choices=list(sets), metavar="NAME")
    parser.add_argument("--output", type=Path, default=Path("output/judge"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    names = [name for name in METHODS if name != REFERENCE]
    print(f"| set, withheld | reports | {' | '.join(names)} |\n{'|---' * (2 + len(names))}|")
    of_ways: dict[str, list[Matches]] = {way: [] for way in WAYS}
    with workers() as pool:
        for data in options.data:
            for way, km in WAYS.items():
                futures = []
                for hour in sets[data]:
                    table = hour.read()
                    part = folds(table, count=PARTS, seed=0, block_km=km)
                    futures += [pool.submit(Fold(hour, table, part, number).matches) for number in range(PARTS)]
                whole = Matches.concatenate([future.result() for future in futures])
                write_matches(options.output / f"{data}_{way}.csv", whole)
                of_ways[way].append(whole)
                print(line(f"{data}, {way}", whole), flush=True)
    for way, tables in of_ways.items():
        print(line(f"all, {way}", Matches.concatenate(tables)))


if __name__ == "__main__":
    main()
