"""Claim: where stations report temperature alone, in Japan, the released weights lie near 3D-Var.

    python benchmarks/amedas.py [--hours 6]

Hourly temperature of 917 stations of Japan (`jma_t2m`, the part that chooses: other hours have trained the released
weights, these have decided nothing about them), at times spread over October and November 2023 and over the day.
Every station is withheld once, in ten parts; the domain has the shores and no terrain. Printed is the rmse of every
method by hour; last over all.
"""

import argparse

import numpy as np
from accuracy_data import WINDOW, OneTime
from amedas_data import Amedas
from other_domains import static_of

from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_released

METHODS = ("first_guess", "gaussian_weights", "threedvar", "vit", "vit_hybrid")
PARTS = 10


def tables(count: int) -> dict[np.datetime64, Observations]:
    """Time -> reports, of times spread over the hours that choose."""
    hours = Amedas.read(choose=True)
    often = hours.full
    chosen = often[np.linspace(0, len(often) - 1, count).round().astype(int)]
    return {hours.time[number]: hours.table(np.array([number])) for number in chosen}


def row(title: str, whole: Matches) -> str:
    """A row of Markdown: number of reports, and the rmse of every method."""
    errors = [whole.select(method=name).error for name in METHODS]
    return f"| {title} | {len(errors[0])} | {' | '.join(f'{np.sqrt(np.mean(each**2)):.3f}' for each in errors)} |"


def main() -> None:
    """Print a row for every hour; the last is of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=6)
    options = parser.parse_args()
    static, settings = static_of("japan"), load_settings("classical", ("t2m",))
    methods = build(METHODS, Means(settings, trained=load_released(METHODS, static.domain)))
    print(f"| hour | reports | {' | '.join(METHODS)} |\n{'|---' * (2 + len(METHODS))}|")
    joined = []
    for time, table in tables(options.hours).items():
        cases = OneTime(table, time, Judge(assumptions(settings), WINDOW), static=static)
        part = folds(table, count=PARTS, seed=0)
        analyst = cases.analyst(methods)
        each = [match_fold(analyst, 0, part == number, number, assumptions(settings)) for number in range(PARTS)]
        whole = Matches.concatenate(each)
        joined.append(whole.select(whole.scored))
        print(row(str(time)[:13], joined[-1]), flush=True)
    print(row("all", Matches.concatenate(joined)))


if __name__ == "__main__":
    main()
