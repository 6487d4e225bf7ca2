"""What `analyse` and `verify` share where they take station reports: options, checks, reading, what to ask of them."""

import numpy as np

from jobs.inputs import check_precedence, check_times, read_all, read_lists
from mlrtma_dist import clock
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.observations.table import Observations

OPTIONS = {
    "--domain": ("domain", "a shipped domain (conus, alaska, hawaii, guam, puerto_rico, *_1km) or a YAML file"),
    "--observations": ("observations...", "observation files: PrepBUFR, MADIS or SAO netCDF, METAR text, CSV; .gz too"),
    "--stations": ("stations...", "lists of stations: METAR text names no positions, SAO not all"),
    "--station-lists": ("station_lists...", "operational reject and use lists and error tables, for quality control"),
    "--background": ("background...", "gridded first guess: GRIB, CF netCDF, an earlier analysis; none: a regression"),
    "--ensemble": ("ensemble...", "gridded files, one a member, for letkf, envar, hybrid"),
    "--time": ("time", "analysis time in UTC, e.g. 2022-08-24T06:00; none: the full hour nearest to the reports"),
}


def check(run) -> None:
    """Check what a run says of its reports before anything is read.

    Raises:
        ValueError: a time, a window, an order of sources or a code that cannot be meant.
    """
    check_times(run.time, run.window_minutes)
    check_precedence(run.precedence)
    parse_codes(run.codes)


def read(run) -> Observations:
    """The reports of a run's files, one table; see ``inputs.read_all``."""
    return read_all(run.observations, run.mapping, stations=run.stations, precedence=run.precedence, time=run.time)


def asked(run, observations: Observations) -> dict[str, object]:
    """What a run asks of ``inference.problem.pose``: time, window, gridded files, lists."""
    return {
        "time": clock.parse_time(run.time) if run.time else clock.nearest_hour(observations.time),
        "window": np.timedelta64(round(run.window_minutes * 60), "s"),
        "background": run.background,
        "ensemble": run.ensemble,
        "codes": parse_codes(run.codes),
        "lists": read_lists(run.station_lists),
    }
