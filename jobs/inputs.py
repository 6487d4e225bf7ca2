"""What several verbs read, and what every output says of its making."""

import datetime
import logging
from dataclasses import replace
from pathlib import Path

import mlrtma_dist
from hpc import journal
from mlrtma_dist import clock, config
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.observations.readers import PRECEDENCE, read_observations
from mlrtma_dist.observations.station_lists import StationLists, read_station_lists
from mlrtma_dist.observations.stations import read_stations
from mlrtma_dist.observations.table import Observations

log = logging.getLogger(__name__)
WIDEST_WINDOW = 1440  # minutes: reports of the day before and of the day after tell nothing of the hour


def load_settings(name: str, variables: tuple[str, ...] = ()) -> Classical:
    """Read the classical methods' settings, of the named variables only (empty: all).

    Raises:
        ConfigError: an unknown variable.
    """
    settings = config.load(Classical, config.find("methods", name))
    unknown = [v for v in variables if v not in settings.variables]
    if unknown:
        known = ", ".join(settings.variables)
        raise config.ConfigError(f"variables: {', '.join(unknown)} not in {name}; known are {known}")
    kept = {v: s for v, s in settings.variables.items() if not variables or v in variables}
    return replace(settings, variables=kept)


def load_region(name: str) -> Domain:
    """Read a domain that lies on the earth.

    Raises:
        ConfigError: no such domain, or a plane, where no station can be.
    """
    domain = load_domain(name)
    if domain.is_plane:
        raise config.ConfigError(f"domain: {domain.name} is a plane without latitude; stations lie on the earth")
    return domain


def check_times(time: str | None, window_minutes: float) -> None:
    """Check what a run says of times before anything is read.

    Raises:
        ValueError: a text that is no time, or a window that holds nothing.
    """
    if time is not None:
        clock.parse_time(time)
    if not 0.0 < window_minutes <= WIDEST_WINDOW:
        raise ValueError(f"window_minutes: expected above 0 and up to {WIDEST_WINDOW}, got {window_minutes:g}")


def check_precedence(precedence: tuple[str, ...]) -> None:
    """Check that an order of precedence names every kind of source once.

    Raises:
        ValueError: it does not.
    """
    if sorted(precedence) != sorted(PRECEDENCE):
        raise ValueError(f"precedence: expected {', '.join(PRECEDENCE)} in some order, got {', '.join(precedence)}")


def read_all(
    files: tuple[str, ...],
    mapping: str | None = None,
    *,
    stations: tuple[str, ...] = (),
    precedence: tuple[str, ...] = PRECEDENCE,
    time: str | None = None,
) -> Observations:
    """Read observation files into one table.

    Args:
        files: of any kind of ``readers.SUPPORTED``.
        mapping: column mapping of CSV files; None: chosen by their header.
        stations: lists of stations, for METAR text.
        precedence: kinds of source, the most trusted first: of a report that several hold its copy is used.
        time: analysis time, which tells METAR text its month; None: the date in the file's name.

    Raises:
        ConfigError: no file named.
        InputError: a file that cannot be used.
    """
    if not files:
        raise config.ConfigError("observations: expected at least one file (--observations FILE ...), got none")
    columns = config.find("observations", mapping) if mapping else None
    places = read_stations(stations) if stations else None
    near = clock.parse_time(time) if time else None
    tables = []
    for file in files:
        tables.append(read_observations(file, mapping=columns, stations=places, near=near, precedence=precedence))
        log.info("%s: %d values of %d stations", file, len(tables[-1]), len(set(tables[-1].station)))
    return Observations.concatenate(tables)


def read_lists(files: tuple[str, ...]) -> StationLists:
    """Read operational station lists, of which quality control makes use.

    Raises:
        InputError: a file that is none.
    """
    lists = read_station_lists(files)
    if files:
        rejected = ", ".join(f"{len(names)} of {quantity}" for quantity, names in sorted(lists.rejected.items()))
        log.info("station lists: rejected %s", rejected or "none")
    return lists


def origin(resolved: str) -> dict[str, str]:
    """What every product says of its making, whatever its input: configuration, software, time."""
    return {
        "configuration": resolved,
        "software": f"mlrtma {mlrtma_dist.__version__}",
        "commit": commit(),
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def provenance(resolved: str, observations: tuple[str, ...], background: tuple[str, ...]) -> dict[str, str]:
    """What a product of observation files says of its making: configuration, software, input."""
    return {
        **origin(resolved),
        "observation_files": " ".join(Path(f).name for f in observations),
        "background_files": " ".join(Path(f).name for f in background),
    }


def commit() -> str:
    """The commit of the checkout that runs, see `hpc.journal.commit`."""
    return journal.commit(Path(__file__).resolve().parent.parent)
