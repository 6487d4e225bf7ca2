"""Claim: weights serve where they have not learnt, and on other continents: their error beside that of 3D-Var.

    python benchmarks/other_domains.py [--domains alaska hawaii] [--hours 20]
    python benchmarks/other_domains.py --domains alaska --hours 4 --checkpoint FOLDER       of a training, not released

Every station of a domain is withheld once, alone where a domain has few stations, else in ten parts, on national
hours that do not judge. Of Alaska, Hawaii, Puerto Rico and Guam, with their terrain, and of Australia no station has
trained: scored are the four hours that choose, then some that train elsewhere. A station that training may have used,
which lies within the margin of reports around a domain that trained, is left out. Europe, Japan and South America have
trained at other hours: scored are the four that choose alone. Regions of other continents have shores and no terrain.
Printed is, for each domain and variable, the rmse of every method; last the ratio to 3D-Var, pooled over temperature,
dew point and wind.
"""

import argparse
from pathlib import Path

import numpy as np
from accuracy_data import Hour, OneTime
from judge_release import pooled_ratio

from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Corner, Domain, Size, load_domain
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.quality import MARGIN
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.twins import twin_names
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_released, load_trained

METHODS = ("vit", "vit_hybrid", "threedvar")
VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc", "wind_speed", "sky_cover")
MOST_PARTS = 10
WINDOW = np.timedelta64(3600, "s")
CONUS = "conus_20km"
LEARNT_ON = (CONUS, "europe_20km", "middle_east_20km", "east_asia_20km", "south_america_20km")  # domains that train
CHOOSE = ("20140926T2100", "20240808T0100", "20240808T0153", "20250127T2200")
JUDGE = ("20200502T0000", "20250205T2000")
SHIPPED = ("alaska", "hawaii", "puerto_rico", "guam")
REGIONS = {  # south-west corner, columns and rows of 10 km, the map's middle
    "europe": (36.0, -8.0, 360, 260, "+lat_1=48 +lat_0=48 +lon_0=10"),
    "japan": (30.0, 128.0, 170, 170, "+lat_1=37 +lat_0=37 +lon_0=137"),
    "south_america": (-42.0, -72.0, 300, 400, "+lat_1=-25 +lat_0=-25 +lon_0=-58"),
    "australia": (-43.0, 115.0, 380, 330, "+lat_1=-28 +lat_0=-28 +lon_0=134"),
}

SEEN = ("europe", "japan", "south_america")  # of which other hours have trained


def static_of(name: str) -> Static:
    """Terrain and land of a shipped domain, or of a region without terrain."""
    if name not in REGIONS:
        return load_static(load_domain(name))
    latitude, longitude, columns, rows, middle = REGIONS[name]
    projection = f"+proj=lcc {middle} +R=6371200"
    domain = Domain(name, name, projection, Size(columns, rows), 10e3, Corner(latitude, longitude), land="shores")
    return load_static(domain)


def hours(count: int) -> list[Hour]:
    """The hours that choose, then those that train, spread over the years."""
    names = sorted(path.name[len("metar_") : -len("Z.csv.gz")] for path in (data_root() / "metar_world").glob("*.gz"))
    train = [name for name in names if name not in CHOOSE + JUDGE]
    more = np.linspace(0, len(train) - 1, max(0, min(count - len(CHOOSE), len(train)))).round().astype(int)
    chosen = [*CHOOSE, *(train[number] for number in np.unique(more))][:count]
    return [
        Hour(f"metar_world/metar_{name}Z.csv.gz", f"{name[:4]}-{name[4:6]}-{name[6:11]}:{name[11:]}", "metar_world_csv")
        for name in chosen
    ]


def unseen(domain: Domain, table: Observations, learnt_on: tuple[str, ...] = LEARNT_ON) -> np.ndarray:
    """Mask (n,) of the reports inside a domain that lie too far from others for a training there to have used them."""
    rows = domain.contains(table.latitude, table.longitude)
    for name in learnt_on:
        rows &= ~load_domain(name).contains(table.latitude, table.longitude, MARGIN)
    return rows


def parts(table: Observations, rows: np.ndarray) -> np.ndarray:
    """Part of each report of the mask ``rows``, all names of a station in one, -1 of the others, shape (n,)."""
    part = np.full(len(table), -1)
    stations, number = np.unique(twin_names(table)[rows], return_inverse=True)
    order = np.random.default_rng(0).permutation(len(stations))
    part[rows] = order[number] % MOST_PARTS if len(stations) > 2 * MOST_PARTS else number
    return part


def matches(
    static: Static,
    whole: Observations,
    moment: np.datetime64,
    methods: dict[str, Method],
    variables: tuple[str, ...] = VARIABLES,
    learnt_on: tuple[str, ...] = LEARNT_ON,
) -> Matches:
    """Every method at the stations of every part of an hour, of whose reports those near the domain count."""
    assumed = assumptions(load_settings("classical"))
    near = static.domain.contains(whole.latitude, whole.longitude, MARGIN)
    cases = Limited.to(variables, OneTime(whole[near], moment, Judge(assumed, WINDOW), static=static))
    analyst = Analyst(cases, methods, Part(Box.whole(static.domain.shape)))
    part = parts(whole[near], unseen(static.domain, whole[near], learnt_on))
    tables = [match_fold(analyst, 0, part == number, number, assumed) for number in range(part.max(initial=-1) + 1)]
    return Matches.concatenate(tables)


def row(title: str, own: Matches) -> str:
    """A row of Markdown: number of reports, and the rmse of every method."""
    errors = [own.select(method=name).error for name in METHODS]
    return f"| {title} | {len(errors[0])} | {' | '.join(f'{np.sqrt(np.nanmean(each**2)):.3g}' for each in errors)} |"


def main() -> None:
    """Print a table for each domain and the pooled ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", default=[*SHIPPED, *REGIONS], metavar="NAME")
    parser.add_argument("--hours", type=int, default=8)
    parser.add_argument("--checkpoint", help="of vit; else the weights that come with the software")
    parser.add_argument("--output", type=Path, help="folder for the matches")
    options = parser.parse_args()
    statics = {name: static_of(name) for name in options.domains}
    methods = {}
    for name, static in statics.items():
        trained = load_released(METHODS, static.domain)
        if options.checkpoint:
            trained["vit"] = load_trained(options.checkpoint).method
            trained["vit"].settle(static.domain)
        methods[name] = build(METHODS, Means(load_settings("classical").only(VARIABLES), trained=trained))
    tables = {name: [] for name in statics}
    for number, hour in enumerate(hours(options.hours)):
        whole = hour.read()
        for name, static in statics.items():
            if name not in SEEN:
                tables[name].append(matches(static, whole, hour.moment, methods[name]))
            elif number < len(CHOOSE):
                tables[name].append(matches(static, whole, hour.moment, methods[name], learnt_on=()))
    print(f"| domain, variable | reports | {' | '.join(METHODS)} |\n{'|---' * (2 + len(METHODS))}|")
    ratios = []
    for name, each in tables.items():
        joined = Matches.concatenate(each)
        if options.output:
            write_matches(options.output / f"{name}.csv", joined)
        for variable in VARIABLES:
            print(row(f"{name}, {variable}", joined.select(variable=variable)), flush=True)
        reference = joined.select(method=METHODS[-1])
        pooled = [pooled_ratio(joined.select(method=method), reference) for method in METHODS[:-1]]
        stations = len(np.unique(joined.station))
        ratios.append(f"| {name} | {stations} | {' | '.join(f'{ratio:.3f}' for ratio in pooled)} |")
    print(
        f"\n| rmse over that of {METHODS[-1]} | stations | {' | '.join(METHODS[:-1])} |\n{'|---' * (1 + len(METHODS))}|"
    )
    print(*ratios, sep="\n")


if __name__ == "__main__":
    main()
