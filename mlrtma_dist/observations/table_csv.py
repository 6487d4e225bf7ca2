"""CSV tables of stations as observations, by a declared mapping of columns.

What a mapping is: ``mlrtma_dist.observations.csv_mapping``.
"""

import logging

import numpy as np

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.observations.csv_mapping import ALTIMETER, COMPOSED, TableError, form_mistakes, refuse, unit_mistakes
from mlrtma_dist.observations.csv_table import Table
from mlrtma_dist.observations.metar_text import read_report_texts
from mlrtma_dist.observations.positions import clean_positions
from mlrtma_dist.observations.sky import DOUBTFUL, summarise_words
from mlrtma_dist.observations.stations import StationList, find_stations
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.wind import components

log = logging.getLogger(__name__)
OBSCURED = 1.13 + 1e-9  # 9 oktas, written as 9, 112 or 113 percent: sky obscured, nothing of it is seen


def read_csv(data: bytes, name: str, mapping: dict, stations: StationList | None = None) -> Observations:
    """Read a CSV table.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, and for errors.
        mapping: see ``csv_mapping``.
        stations: where the stations stand whose place is not in the table, before the stations that are known anyway.

    Returns:
        Values in SI, one row for each value that is not missing. A position that is missing or impossible is NaN
        and flagged, and so is a time that the clocks of its zone show twice.

    Raises:
        TableError: a wrong mapping, an empty file, a column that is not there, a number or time that cannot be read.
        InputError: places come from lists, and no station is in one.
    """
    if mistakes := form_mistakes(mapping):
        refuse([*mistakes, *unit_mistakes(mapping)], name)
    table = Table(data, name, mapping)
    station = np.array(table.texts(mapping["station"]), dtype=str)
    latitude, longitude, elevation, placed = _places(table, station, stations)
    time, values = _by_reports(table, table.times(), elevation)
    place = {
        "station": station,
        "network": _network(table),
        "latitude": latitude,
        "longitude": longitude,
        "elevation": elevation,
        "time": time,
        "flags": np.where(placed, 0, int(Flag.POSITION)) | np.where(np.isnat(time), int(Flag.TIME), 0),
        "provider": _provider(table),
    }
    tables = []
    for variable, value in values.items():
        there = np.isfinite(value)
        rows = {key: column[there] for key, column in place.items()}
        tables.append(
            Observations.build(variable=np.full(there.sum(), variable), value=value[there], source=name, **rows)
        )
    return Observations.concatenate(tables)


def _network(table: Table) -> np.ndarray:
    network = table.mapping.get("network", "")
    if not isinstance(network, dict):
        return np.full(len(table.rows), str(network))
    return np.array(table.texts(network), dtype=str)


def _provider(table: Table) -> np.ndarray:
    provider = table.mapping.get("provider")
    if provider is None or not table.has(provider):
        return np.full(len(table.rows), "")
    return np.array(table.texts(provider), dtype=str)


def _places(table: Table, station: np.ndarray, stations: StationList | None):
    """Latitude, longitude, elevation (m), and whether there is a position; each of shape (n,)."""
    parts = [table.mapping.get(key) for key in ("latitude", "longitude", "elevation")]
    north, east, height = (part if part is not None and table.has(part) else None for part in parts)
    if north is None or east is None:
        latitude, longitude, elevation = find_stations(station, stations, table.name)
        return latitude, longitude, elevation, np.isfinite(latitude)
    latitude, longitude, placed = clean_positions(table.numbers(north), table.numbers(east), east=360.0)
    elevation = np.full(len(station), np.nan) if height is None else table.numbers(height, "m")
    return latitude, longitude, elevation, placed


def _values(table: Table, elevation: np.ndarray) -> dict[str, np.ndarray]:
    """Each variable in SI, shape (n,), NaN where missing."""
    out: dict[str, np.ndarray] = {}
    variables = table.mapping["variables"]
    for variable in VARIABLES:
        if variable in variables and table.has(variables[variable]):
            out[variable] = table.numbers(variables[variable], VARIABLES[variable].unit)
    if "wind" in variables and all(table.has(part) for part in variables["wind"].values()):
        out["u10"], out["v10"] = _wind(table, variables["wind"])
    if ALTIMETER in variables and table.has(variables[ALTIMETER]):
        pressure = station_pressure(table.numbers(variables[ALTIMETER], "Pa"), elevation)
        out["psfc"] = _first(out.get("psfc"), pressure)
        if np.isnan(elevation).all():
            log.warning("%s: altimeter settings give no station pressure: no station's elevation is known", table.name)
    if "sky" in variables and any(cover in table.header for cover in variables["sky"]["cover"]):
        words, base = table.layers(variables["sky"])
        words = np.where((words == "") & np.isfinite(base), DOUBTFUL, words)
        ceiling, cover = summarise_words(words, base)
        out |= {"ceiling": _first(out.get("ceiling"), ceiling), "sky_cover": _first(out.get("sky_cover"), cover)}
    if not out and table.mapping.get("report") is None:
        raise TableError(
            f"{table.name}: row 1: none of the mapping's variables has a column; there are {', '.join(table.header)}"
        )
    if "sky_cover" in out:
        cover = out["sky_cover"]
        out["sky_cover"] = np.where((cover > 1) & (cover <= OBSCURED), 1.0, cover)
    return out


def _first(one: np.ndarray | None, other: np.ndarray) -> np.ndarray:
    """The values of one column, of the other where it has none."""
    return other if one is None else np.where(np.isfinite(one), one, other)


def _wind(table: Table, parts: dict) -> tuple[np.ndarray, np.ndarray]:
    """Eastward and northward wind (m/s) from speed and the direction the wind comes from (degrees from north)."""
    speed = table.numbers(parts["speed"], COMPOSED["wind"]["speed"])
    direction = table.numbers(parts["direction"])
    table.require(parts["speed"], speed, 0, np.inf)
    table.require(parts["direction"], direction, 0, 360)
    return components(speed, direction)


def _by_reports(table: Table, time: np.ndarray, elevation: np.ndarray):
    """Times and values; in the rows that have a report's text those of the text: the columns are somebody's decode."""
    part = table.mapping.get("report")
    if part is None or not table.has(part):
        return time, _values(table, elevation)
    decoded, told, reported = read_report_texts(table.texts(part), time, elevation)
    nothing = np.full(len(time), np.nan)
    columns = {} if told.all() else _values(table, elevation)
    merged = {key: np.where(told, decoded[key], columns.get(key, nothing)) for key in decoded}
    return np.where(told, reported, time), columns | merged
