"""The protocol of the test data: 2 m temperature at withheld stations of the RAP hour 2022-08-24 06 UTC.

CONUS box (23-51 N, 128-65 W), report types 181, 183 and 187 with a temperature mark of 3 or less, of each station
the report nearest to the hour; 10 folds by the hash of the name; EVERY station is scored, whatever quality control
thinks of it. Nothing but these reports reaches the analysis, and nothing was tuned on them.

Many stations stand in the file twice, under a WMO and an ICAO name. Withheld by name, as the protocol says, one of the
twins still tells of the other; "by station" withholds them together, as `mlrtma verify` does; boxes withhold whole
regions.
"""

from concurrent.futures import Executor
from functools import partial

import numpy as np
from accuracy_data import HOURS, OneTime
from accuracy_tables import Row, how, rows_of
from kriging import build_with_kriging

from mlrtma_dist.methods.registry import Means
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold

METHODS = ("first_guess", "nearest", "gaussian_weights", "kriging", "oi", "threedvar")
FOLDS, BOXES = 10, (100.0, 300.0)  # km
BY_NAME = "names, twins tell"
TARGET = 1.50  # K; the simple method of the data's README: 1.54


def rap_rows(pool: Executor, methods: tuple[str, ...] = METHODS) -> list[Row]:
    """The scores by name, by station and in boxes; see the protocol above."""
    (hour,), settings = HOURS["rap"], load_settings("classical", ("t2m",))
    reports = protocol(hour.read(), hour.moment)
    rows = []
    for withheld, km in ((BY_NAME, None), (how(None), None), *((how(km), km) for km in BOXES)):
        by_name = withheld == BY_NAME
        parts = folds(reports.station if by_name else reports, count=FOLDS, seed=0, block_km=km)
        cases = hour.cases(reports, settings, twins_tell=by_name)
        work = partial(_fold, cases, settings, methods, parts)
        rows += rows_of("protocol", withheld, Matches.concatenate(list(pool.map(work, range(FOLDS)))), km)
    return rows


def _fold(cases: OneTime, settings: Classical, names: tuple[str, ...], parts: np.ndarray, fold: int) -> Matches:
    """Every method at the stations of one part, whatever quality control thinks of them."""
    analyst = cases.analyst(build_with_kriging(names, Means(settings=settings)))
    return match_fold(analyst, 0, parts == fold, fold, assumptions(settings), everything=True)


def reached(rows: list[Row]) -> str:
    """The score by the protocol beside its target."""
    (row,) = [r for r in rows if r.data == "protocol" and r.withheld == BY_NAME and r.method == "threedvar"]
    return f"protocol, 3D-Var, by name: {row.value:.3f} K; target {TARGET} K; ratio {row.value / TARGET:.3f}"


def protocol(table: Observations, time: np.datetime64) -> Observations:
    """The reports of the protocol: one per station."""
    chosen = (table.variable == "t2m") & np.isin(table.network, ("181", "183", "187"))
    chosen &= (table.flags & np.uint32(Flag.PROVIDER)) == 0
    chosen &= (table.latitude >= 23) & (table.latitude <= 51) & (table.longitude >= -128) & (table.longitude <= -65)
    table = table[chosen]
    table = table[np.argsort(np.abs(table.time - time), kind="stable")]
    return table[np.sort(np.unique(table.station, return_index=True)[1])]
