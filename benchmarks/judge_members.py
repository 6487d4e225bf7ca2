"""Claim: members about analyses are a calibrated distribution at withheld stations of hours that judge.

    python benchmarks/judge_members.py --data choose                  the four hours that choose
    python benchmarks/judge_members.py                                the hours that judge

Opens the hours that judge: once for each release of the weights, and docs/diffusion.md says when. Stations are divided
into five parts by a hash of their names, of which ``--parts`` are withheld in turn; 20 members are drawn on the grid of
20 km, about the analysis by 3D-Var and about that by the vision transformer on top of it. Printed is, for each variable
and all of them together, over 3D-Var with the error that it expects: the fair CRPS (Ferro 2014) and the rmse of the
members' mean, with 95 % intervals for which stations are drawn; then the deviation that is expected of a report over
the rmse, and the share of reports outside the members' range over the share expected.
"""

import argparse
import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from accuracy_data import HOURS, OF_EVENTS, Hour
from accuracy_withheld import workers
from judge_release import PARTS, REFERENCE, Fold

from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.paired import CRPS, STATIONS, PairedErrors, spread_over_error
from mlrtma_dist.verification.scores import common_reports
from mlrtma_dist.verification.withheld import match_fold

DOMAIN, VARIABLES, MEMBERS = "conus_20km", ("t2m", "d2m", "u10", "v10"), 20
ABOUT = {"members about 3D-Var": "threedvar", "members about vit_hybrid": "vit_hybrid"}
CHOOSE = tuple(
    Hour(f"metar_world/metar_{name}Z.csv.gz", time, "metar_world_csv")
    for name, time in (
        ("20140926T2100", "2014-09-26T21:00"),
        ("20240808T0100", "2024-08-08T01:00"),
        ("20240808T0153", "2024-08-08T01:53"),
        ("20250127T2200", "2025-01-27T22:00"),
    )
)


@functools.cache
def grid() -> Static:
    """Terrain and land of the domain on which members are drawn, read once in each process."""
    return load_static(load_domain(DOMAIN))


@functools.cache
def methods_of(checkpoint: str | None) -> dict[str, Method]:
    """3D-Var, and the ways to draw members, made once in each process."""
    from mlrtma_dist.weights.trained import load_released, load_trained  # here: torch is started in each process

    settings = load_settings("classical", VARIABLES)
    methods = build([REFERENCE], Means(settings))
    for name, about in ABOUT.items():
        released = [about] if about != REFERENCE else []
        trained = load_released([*released, *([] if checkpoint else ["diffusion"])], grid().domain)
        if checkpoint:
            trained["diffusion"] = load_trained(checkpoint).method
            trained["diffusion"].settle(grid().domain)
        means = Means(settings, trained=trained, sampling=Sampling(members=MEMBERS, about=about))
        methods[name] = build(["diffusion"], means)["diffusion"]
    return methods


@dataclass(frozen=True)
class MembersFold(Fold):
    """One part of the stations of an hour, withheld; ``checkpoint`` of the members' network."""

    checkpoint: str | None

    def matches(self) -> Matches:
        """3D-Var and members about two analyses at the stations withheld."""
        settings = load_settings("classical", VARIABLES)
        cases = replace(self.hour.cases(self.table, settings), static=grid())
        analyst = cases.analyst(methods_of(self.checkpoint))
        return match_fold(analyst, 0, self.part == self.number, self.number, assumptions(settings))


def lines(whole: Matches) -> list[str]:
    """Rows of Markdown: each way to draw members, by variable and over all."""
    rows = []
    for name in ABOUT:
        for variables in (*((each,) for each in VARIABLES), VARIABLES):
            chosen = whole.select(np.isin(whole.variable, variables))
            one, other = (chosen.select(each) for each in common_reports(chosen, name, REFERENCE))
            paired, cells = PairedErrors(one, other, draw=(STATIONS,)), []
            for kind in (CRPS, "rmse"):
                ratio = paired.ratio(kind, variables)
                cells.append(f"{ratio.value:.3f} ({ratio.lower:.3f}, {ratio.upper:.3f})")
            deviations = [spread_over_error(each.select(variable=v)) for v in variables for each in (one, other)]
            end = 1.0 / (MEMBERS + 1)  # beyond the members: the first and the last of so many ranks
            outside = np.mean((one.place < end) | (one.place > 1.0 - end)) / (2.0 * end)
            title = variables[0] if len(variables) == 1 else "all"
            cells += [f"{np.mean(deviations[::2]):.2f}", f"{np.mean(deviations[1::2]):.2f}", f"{outside:.2f}"]
            rows.append(f"| {name} | {title} | {len(one):,} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Open the hours and print the table."""
    sets = HOURS | OF_EVENTS | {"choose": CHOOSE}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(HOURS | OF_EVENTS), choices=list(sets), metavar="NAME")
    parser.add_argument("--parts", type=int, default=PARTS, help=f"of {PARTS} that are withheld in turn")
    parser.add_argument("--checkpoint", help="of the members' network; without: the weights that come with it")
    parser.add_argument("--output", type=Path, default=Path("output/judge_members"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with workers() as pool:
        futures = []
        for data in options.data:
            for hour in sets[data]:
                table = hour.read()
                part = folds(table, count=PARTS, seed=0)
                tasks = [MembersFold(hour, table, part, number, options.checkpoint) for number in range(options.parts)]
                futures += [pool.submit(task.matches) for task in tasks]
        whole = Matches.concatenate([future.result() for future in futures])
    write_matches(options.output / f"{'_'.join(options.data)}.csv", whole)
    heads = ("members", "variable", "reports", "CRPS", "rmse", "deviation / error", "the same of 3D-Var", "outside")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    print("\n".join(lines(whole)))


if __name__ == "__main__":
    main()
