"""Claim: few hours of another domain bring a network that learnt over the United States nearer to the reports there.

    mlrtma train configs/training/vit_transfer_base.yaml
    python benchmarks/transfer_domains.py [--domains alaska_24km hawaii puerto_rico guam japan] [--hours 1 4 16]

The small network of transfer_curve.py, which has seen reports of the United States without Alaska and the islands
alone, goes on with 1, 4 and 16 hours of a domain: by low-rank adapters, with all weights and a small rate, or, by the
same hours alone, from random weights (``frozen`` trains outputs of added variables, of which there are none here). The
hours that choose are analysed with every station withheld once, alone where they are few, else in ten parts; a station
within the margin of reports around the United States is not scored. Printed is the rmse over that of the network which
never saw the domain, and over that of 3D-Var, geometric mean of the variables; intervals draw stations anew. Of Japan
there is temperature alone, which is all that its networks have. About an hour of a free core; what an earlier run has
left is kept.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amedas_archive import spread, write_archive, write_domain
from amedas_data import Amedas
from other_domains import CONUS, hours, matches
from transfer_training import ARCHIVES, COUNTS, OLD, SCRATCH, WORLD, add_options, stores_of, trainings

from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.weights.trained import load_trained

JAPAN = "japan"
DOMAINS = ("alaska_24km", "hawaii", "puerto_rico", "guam", JAPAN)
SCORED = ("t2m", "d2m", "u10", "v10", "psfc", "wind_speed")
MODES = ("adapters", "whole", SCRATCH)
BASE, BAR = "never there", "threedvar"
HOURS_OF_JAPAN, DRAWS = 6, 1000


@dataclass(frozen=True)
class Place:
    """A domain, and the hours of it that train and that score.

    Attributes:
        static: its terrain and land; variables: that are scored; trained: those of the networks that are trained.
        archives: configuration of samples -> times; domain: for these, or None: their own.
        chosen: time and reports of the hours that choose.
    """

    static: Static
    variables: tuple[str, ...]
    trained: tuple[str, ...]
    archives: dict[str, tuple[str, ...]]
    domain: str | None
    chosen: list[tuple[np.datetime64, Observations]]


def place_of(name: str, folder: Path) -> Place:
    """A domain of `DOMAINS`; the files of Japan are written into a folder."""
    if name != JAPAN:
        chosen = [(hour.moment, hour.read()) for hour in hours(4)]
        return Place(load_static(load_domain(name)), SCORED, OLD, {WORLD: ARCHIVES[WORLD]}, name, chosen)
    folder.mkdir(parents=True, exist_ok=True)
    static = write_domain(folder)
    archive = write_archive(folder, max(COUNTS), str((folder / "japan.yaml").resolve()), ("t2m",))
    of_choice = Amedas.read(choose=True)
    numbers = sorted(of_choice.full[spread(len(of_choice.full), HOURS_OF_JAPAN)])
    chosen = [(of_choice.time[number], of_choice.table(np.array([number]))) for number in numbers]
    return Place(static, ("t2m",), ("t2m",), archive, None, chosen)


def methods_of(place: Place, folder: Path, options: argparse.Namespace) -> dict[str, Method]:
    """The network that never saw the domain, what has been trained from it, and 3D-Var."""
    checkpoints = {BASE: options.base}
    most = sum(map(len, place.archives.values()))
    for name, training in trainings(options):
        if training.hours > most:
            continue
        if not options.scores_only:
            stores = stores_of(training.hours, folder, place.archives, place.domain)
            training.run(folder, options.base, stores, (f"settings.variables=[{', '.join(place.trained)}]",))
        if training.last(folder).exists():
            checkpoints[name] = training.last(folder)
    methods = {name: load_trained(checkpoint).method for name, checkpoint in checkpoints.items()}
    for method in methods.values():
        method.settle(place.static.domain)
    settings = load_settings("classical").only(place.variables)
    return methods | build((BAR,), Means(settings))


def paired(own: Matches, other: Matches) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Variable -> station, and squared errors of two methods, at the reports that both are scored at."""
    pairs = {}
    for name in own.variables:
        of = [each.select(variable=name) for each in (own, other)]
        if not np.array_equal(of[0].station, of[1].station):
            raise ValueError(f"{name}: the matches of two methods are of other stations")
        both = np.isfinite(of[0].error) & np.isfinite(of[1].error)
        pairs[name] = of[0].station[both], of[0].error[both] ** 2, of[1].error[both] ** 2
    return pairs


def pooled(own: Matches, other: Matches, seed: int = 0) -> tuple[float, float, float]:
    """Ratio of two methods' rmse, geometric mean of the variables, and its interval of 95 % by stations drawn anew."""
    pairs = {name: each for name, each in paired(own, other).items() if len(each[0])}
    stations = np.unique(np.concatenate([each[0] for each in pairs.values()]))
    sums = np.zeros((len(pairs), 2, len(stations)))
    for number, (station, *squares) in enumerate(pairs.values()):
        index = np.searchsorted(stations, station)
        sums[number] = [np.bincount(index, weights=each, minlength=len(stations)) for each in squares]
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(stations), len(stations)) for _ in range(DRAWS)]
    ratios = np.array([_ratio(sums[:, :, each].sum(-1)) for each in drawn])
    low, high = np.nanquantile(ratios, (0.025, 0.975))
    return float(_ratio(sums.sum(-1))), float(low), float(high)


def _ratio(sums: np.ndarray) -> np.floating:
    """Of sums of squares (variable, 2), over the variables that a draw has."""
    some = (sums > 0).all(1)
    return np.exp(0.5 * np.log(sums[some, 0] / sums[some, 1]).mean()) if some.any() else np.float64(np.nan)


def rows(name: str, whole: Matches) -> Iterator[dict]:
    """What is printed of each method of a domain."""
    references = {of: whole.select(method=of) for of in (BASE, BAR)}
    stations = len(np.unique(whole.station))
    for method in whole.methods:
        own = whole.select(method=method)
        ratios = {of: pooled(own, reference) for of, reference in references.items()}
        yield {"domain": name, "method": method, "stations": stations, "reports": len(own), **ratios}


def words(row: dict) -> str:
    """A row of Markdown."""
    cells = ["{:.3f} ({:.3f} to {:.3f})".format(*row[of]) for of in (BASE, BAR)]
    return f"| {row['domain']} | {row['stations']} | {row['reports']} | {row['method']} | {' | '.join(cells)} |"


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, (1, 4, 16), MODES)
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=list(DOMAINS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    table = []
    print(f"| domain | stations | reports | method, hours | rmse over {BASE} (95 %) | over {BAR} (95 %) |")
    print("|---|---|---|---|---|---|", flush=True)
    for name in options.domains:
        folder = options.folder / name
        place = place_of(name, folder)
        methods = methods_of(place, folder, options)
        each = [
            matches(place.static, reports, time, methods, place.variables, (CONUS,)) for time, reports in place.chosen
        ]
        for row in rows(name, Matches.concatenate(each)):
            table.append(row)
            print(words(row), flush=True)
    (options.folder / "domains.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
