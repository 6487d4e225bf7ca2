"""Accuracy: 2 m temperature at withheld stations on the RAP hour 2022-08-24 06 UTC, by the protocol of the test data.

    python benchmarks/accuracy_rap.py [--blocks KM ...]

CONUS box (23-51 N, 128-65 W), report types 181, 183 and 187 with a temperature mark of 3 or less, of each station
the report nearest to the hour; 10 folds by the hash of the name; EVERY station is scored, whatever quality control
thinks of it. Nothing but these reports reaches the analysis, and nothing was tuned on them.

Many stations stand in the file twice, under a WMO and an ICAO name. Withheld by name, as the protocol says, one of the
twins still tells of the other; "by station" withholds them together, as `mlrtma verify` does; boxes of 300 km
withhold whole regions.
"""

import argparse

import numpy as np

from jobs.inputs import load_settings, read_all
from jobs.verify import collect
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.scores import ALL, score_table

FILE = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
TIME = np.datetime64("2022-08-24T06:00", "s")
METHODS = ("first_guess", "nearest", "gaussian_weights", "oi", "threedvar")
TARGET = 1.50  # K; the simple method of the data's README: 1.54


def main() -> None:
    """Print the table; its last line is the ratio to the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=float, nargs="*", default=[], help="side of the boxes withheld, km")
    blocks = parser.parse_args().blocks
    static, settings = load_static(load_domain("conus")), load_settings("classical", ("t2m",))
    reports = protocol(read_all((str(data_root() / FILE),)))
    print(f"{len(reports)} stations")
    print(f"{'withheld':<12}{'method':<18}{'rmse K':>8}{'95 % interval':>18}{'best 98 %':>11}{'median':>8}")
    for how, km in (("by name", None), ("by station", None), *((f"{km:g} km", km) for km in blocks)):
        parts = folds(reports.station if how == "by name" else reports, count=10, seed=0, block_km=km)
        matches = collect(static, reports, settings, METHODS, parts, everything=True, twins_tell=how == "by name",
                          time=TIME, window=np.timedelta64(1800, "s"))
        clusters = None if km is None else matches.fold
        for row in score_table(matches, domain="conus", clusters=clusters):
            if row.region == ALL:
                print(f"{how:<12}{row.method:<18}{row.rmse:8.3f}"
                      f"{f'{row.lower:.3f} to {row.upper:.3f}':>18}{row.rmse98:11.3f}{row.median:8.3f}", flush=True)
                if how == "by name" and row.method == "threedvar":
                    reached = row.rmse
    print(f"threedvar, by name: {reached:.3f} K; target {TARGET} K; ratio {reached / TARGET:.3f}")


def protocol(table: Observations) -> Observations:
    """The reports of the protocol: one a station."""
    chosen = (table.variable == "t2m") & np.isin(table.network, ("181", "183", "187"))
    chosen &= (table.flags & np.uint32(Flag.PROVIDER)) == 0
    chosen &= (table.latitude >= 23) & (table.latitude <= 51) & (table.longitude >= -128) & (table.longitude <= -65)
    table = table[chosen]
    table = table[np.argsort(np.abs(table.time - TIME), kind="stable")]
    return table[np.sort(np.unique(table.station, return_index=True)[1])]


if __name__ == "__main__":
    main()
