"""Claim: what analyses add to a 2.5 km ensemble at withheld stations: ten members of MEPS, southern Norway, one hour.

    python benchmarks/meps_norway.py
    python benchmarks/meps_norway.py --method threedvar diffusion --checkpoint output/meps/diffusion/checkpoints/best
    python benchmarks/meps_norway.py --method diffusion --checkpoint FOLDER --diffusion "{steps: 8, members: 20}"

The members of 2018-03-26 07 UTC are the background, and the official stations of that hour on the domain the reports:
beyond it there is no background. They are withheld in ten parts by the hash of their names. Settings and observation
errors are the shipped ones; nothing is fitted to this hour but what the methods themselves scale to the reports that
are not withheld. Cases that train (configs/samples/members_meps.yaml) are of other hours. Methods of the registry are
compared by name, learned ones with --checkpoint or the weights that come with them.

Printed is, for each variable and method: rmse, bias and CRPS with 95 % intervals for which stations are drawn, the rmse
at the stations of the WMO alone, the deviation that the method expects of a report over the rmse, and the ratio of the
CRPS to that of a reference. The CRPS is that of a method's own distribution, else of a Gaussian with the error that it
expects of itself and the observation's; a method that expects none has the deviation of its errors at the stations of
the other parts. Of the raw ensemble it is that of the ten members.
"""

import argparse
import csv
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
from accuracy_data import WINDOW, OneTime

from mlrtma_dist import config
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.ensemble import Ensemble, load_ensemble
from mlrtma_dist.fields.static import load_static, station_points
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods import registry
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.names import ICE
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.physics.moisture import dew_point_of_vapour, vapour_pressure
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_ensemble, crps_of_matches
from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.paired import CRPS, STATIONS, PairedErrors, spread_over_error
from mlrtma_dist.verification.scores import common_reports
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_released, load_trained

FOLDER, TIME = "meps_norway", np.datetime64("2018-03-26T07:00", "s")
GRIDDED = ("air_temperature_2m", "relative_humidity_2m")
NETWORKS = {
    "wmo": "kdvh_Norway_wmo",
    "met": "kdvh_Norway_nowmo_met",
    "other": "kdvh_Norway_nowmo_nomet",
    "smhi": "smhi_Sweden",
}
RAW, FIRST_GUESS, REFERENCE = "raw ensemble", "first_guess", "threedvar"
METHODS = (FIRST_GUESS, "nearest", "gaussian_weights", "oi", "threedvar", "letkf", "envar", "hybrid")
PARTS = 10


def read_stations() -> Observations:
    """Temperature and, of its relative humidity, dew point of every station of the hour; ``network`` says whose."""
    tables = []
    for network, file in NETWORKS.items():
        with gzip.open(data_root() / FOLDER / f"{file}_2018032607.txt.gz", "rt", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter=";"))
        columns = {key: np.array([_number(row[key]) for row in rows]) for key in ("lat", "lon", "z", "TA", "UU")}
        temperature = columns["TA"] + ICE
        dew_point = dew_point_of_vapour(0.01 * columns["UU"] * vapour_pressure(temperature))
        for variable, value in (("t2m", temperature), ("d2m", dew_point)):
            there = np.isfinite(value)
            table = Observations.build(
                station=np.array([row["sourceId"] for row in rows]),
                network=network,
                latitude=columns["lat"],
                longitude=columns["lon"],
                elevation=columns["z"],
                time=TIME,
                variable=variable,
                value=value,
                source=file,
            )
            tables.append(table[there])
    return Observations.concatenate(tables)


def _number(text: str) -> float:
    return np.nan if text == "NA" else float(text)


def open_hour(settings: Classical) -> OneTime:
    """The hour as a case whose first guess is the members' mean."""
    static = load_static(load_domain(FOLDER))
    files = [data_root() / FOLDER / f"meps_2_5km_20180326T00Z_{name}.nc" for name in GRIDDED]
    members = load_ensemble(files, static, TIME, exact=True)
    table = read_stations()
    table = table[static.domain.contains(table.latitude, table.longitude)]
    return OneTime(table, TIME, Judge(assumptions(settings), WINDOW), members, static, members)


def match_all(hour: OneTime, means: registry.Means, names: tuple[str, ...]) -> Matches:
    """Every method at every station, withheld once, and the raw ensemble."""
    assert means.settings is not None
    analyst = hour.analyst(registry.build(names, means))
    parts, assumed = folds(hour.table, count=PARTS, seed=0), assumptions(means.settings)
    matches = Matches.concatenate(match_fold(analyst, 0, parts == part, part, assumed) for part in range(PARTS))
    tables = [raw_ensemble(hour, matches.select(method=names[0]))]
    tables += [
        dressed(matches.select(method=name, variable=variable)) for name in names for variable in matches.variables
    ]
    return Matches.concatenate(tables)


def raw_ensemble(hour: OneTime, matches: Matches) -> Matches:
    """The members at the stations of a method's matches; the spread is that of one more member about their mean."""
    assert isinstance(hour.members, Ensemble)
    prediction, spread, crps = np.full((3, len(matches)), np.nan)
    for variable in matches.variables:
        rows = matches.variable == variable
        points = station_points(
            hour.static, *(getattr(matches, k)[rows] for k in ("latitude", "longitude", "elevation"))
        )
        values = np.stack([member.mean(variable, points) for member in hour.members.members])
        prediction[rows] = values.mean(axis=0)
        spread[rows] = values.std(axis=0, ddof=1) * np.sqrt(1.0 + 1.0 / len(values))
        crps[rows] = crps_ensemble(values, matches.observation[rows])
    return replace(matches, method=np.full(len(matches), RAW), prediction=prediction, spread=spread, crps=crps)


def dressed(matches: Matches) -> Matches:
    """Matches of one method and variable; where it expects no error, that of its errors in the other parts."""
    if np.isfinite(matches.deviation).any() and matches.spread.any():
        return matches
    spread = np.empty(len(matches))
    for part in np.unique(matches.fold):
        own = matches.fold == part
        variance = np.mean(matches.error[~own] ** 2) - matches.observation_error[own] ** 2
        spread[own] = np.sqrt(np.maximum(variance, 0.0))
    return replace(matches, spread=spread)


def line(own: Matches, reference: Matches, wmo: np.ndarray) -> str:
    """A row of Markdown: one method's scores of one variable."""
    number, size = cluster_numbers(own.station)
    columns = own.error**2, own.error, crps_of_matches(own), np.ones(len(own))
    sums = cluster_sums(number, size, *columns)
    drawn = resampled_sums(sums, seed=0)
    cells = []
    for column, power in ((0, 0.5), (1, 1.0), (2, 1.0)):
        low, high = interval(ratio_of_sums(drawn, column, 3) ** power, size)
        value = (sums[:, column].sum() / sums[:, 3].sum()) ** power
        cells.append(f"{value:.2f} ({low:.2f}, {high:.2f})")
    cells.append(f"{np.sqrt(np.mean(own.error[np.isin(own.station, wmo)] ** 2)):.2f}")
    cells.append(f"{spread_over_error(own):.2f}")
    both = Matches.concatenate([own, reference])
    one, two = (both.select(rows) for rows in common_reports(both, own.methods[0], reference.methods[0]))
    ratio = PairedErrors(one, two, draw=(STATIONS,)).ratio(CRPS, own.variables)
    same = own.methods == reference.methods
    cells.append("1" if same else f"{ratio.value:.3f} ({ratio.lower:.3f}, {ratio.upper:.3f})")
    name = own.methods[0]
    words = registry.METHODS[name].short if name in registry.METHODS else name
    return f"| {own.variables[0]} | {words} | {len(own)} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", nargs="+", default=list(METHODS), metavar="NAME")
    parser.add_argument("--checkpoint", nargs="+", default=[], metavar="FOLDER", help="of learned methods")
    parser.add_argument("--diffusion", default="{}", metavar="YAML", help="how members of method diffusion are drawn")
    parser.add_argument("--variables", nargs="+", default=["t2m", "d2m"], choices=["t2m", "d2m"])
    parser.add_argument("--reference", default=REFERENCE, help="the method whose CRPS the others' are divided by")
    parser.add_argument("--output", type=Path, help="file of the matches")
    options = parser.parse_args()
    settings = load_settings("classical", tuple(options.variables))
    hour = open_hour(settings)
    trained = {each.name: each.method for each in map(load_trained, options.checkpoint)}
    for method in trained.values():
        method.settle(hour.static.domain)
    names = tuple(dict.fromkeys([*options.method, options.reference]))
    trained = load_released([name for name in names if name not in trained], hour.static.domain) | trained
    drawing = config.build(Sampling, config.parse_yaml(options.diffusion, "--diffusion"), "--diffusion")
    matches = match_all(hour, registry.Means(settings, trained=trained, sampling=drawing), names)
    if options.output:
        write_matches(options.output, matches)
    wmo = hour.table.station[hour.table.network == "wmo"]
    heads = ("variable", "method", "n", "rmse", "bias", "CRPS", "rmse at WMO stations", "spread / error")
    words = registry.METHODS[options.reference].short
    print(f"| {' | '.join(heads)} | CRPS over that of {words} |\n{'|---' * (len(heads) + 1)}|")
    for variable in matches.variables:
        reference = matches.select(method=options.reference, variable=variable)
        for name in matches.methods:
            print(line(matches.select(method=name, variable=variable), reference, wmo))


if __name__ == "__main__":
    main()
