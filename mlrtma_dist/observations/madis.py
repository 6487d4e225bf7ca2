"""MADIS METAR netCDF (Meteorological Assimilation Data Ingest System, NOAA) as observations.

The marks of MADIS's quality control stay in ``mark``: the summary letter of each value (the file's global attributes
DD_*). Z none applied, C S V K passed stage 1, 1-2, 1-3, 1-4; G on the accept list; these are used. X failed stage 1
(validity), Q stage 2 or 3 (consistency in itself, in time, in space), k stage 4 (Kalman filter), B on the reject list:
``Flag.PROVIDER``. Temperature and dew point are in tenths where the report had them. ``psfc`` is computed from the
altimeter setting and the station's height. What a wind's speed or direction is marked with holds for both components.

The file holds the text of the reports, too (``rawMETAR``). Its columns are a decode of the text, which stops at layers
with CB, loses a tenth of a degree by truncation and makes a missing dew point 0 degC (21/M): where a row has a text,
values are those of the text.
"""

import logging

import numpy as np

from mlrtma_dist.io.netcdf_reports import read_columns, require
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.observations.metar_text import read_report_texts
from mlrtma_dist.observations.positions import clean_positions
from mlrtma_dist.observations.sky import summarise_words
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.wind import components

log = logging.getLogger(__name__)
NETWORK = "madis"
NEEDED = ("stationName", "latitude", "longitude", "elevation", "timeObs")
SIGNATURE = frozenset({"stationName", "timeObs", "temperatureDD"})  # variables by which such a file is known
MEASURED = (
    *("temperature", "tempFromTenths", "dewpoint", "dpFromTenths"),
    *("windDir", "windSpeed", "windGust", "altimeter", "visibility"),
)
TEXT = "rawMETAR"
REJECTED = ("X", "Q", "k", "B")
LONGEST = 1e11  # seconds since 1970 beyond which a time is damage (year 5138)


def read_madis(data: bytes, name: str) -> Observations:
    """Read a MADIS METAR file.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, and for errors.

    Returns:
        Values in SI, a row for each value that is not missing.

    Raises:
        ReportFileError: truncated, damaged, or without the variables of a MADIS METAR file.
    """
    marks = tuple(f"{key}DD" for key in MEASURED if "Tenths" not in key)
    columns = read_columns(data, name, (*NEEDED, *MEASURED, *marks, "skyCover", "skyLayerBase", TEXT))
    require(columns, NEEDED, name, "MADIS METAR")
    size = len(columns["stationName"])
    log.info("%s: %d reports", name, size)
    place = _place(columns)
    values = _by_text(columns, _values(columns, size), place["time"])
    tables = []
    for variable, (value, mark) in values.items():
        there = np.isfinite(value)
        rejected = np.isin(mark, REJECTED)
        rows = {key: column[there] for key, column in place.items()}
        rows["flags"] = rows["flags"] | np.where(rejected[there], int(Flag.PROVIDER), 0)
        tables.append(
            Observations.build(
                network=NETWORK, variable=np.full(there.sum(), variable), value=value[there], mark=mark[there],
                source=name, **rows,
            )
        )  # fmt: skip
    return Observations.concatenate(tables)


def _place(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Station, position, time and flags of each report."""
    seconds = columns["timeObs"]
    latitude, longitude, placed = clean_positions(columns["latitude"], columns["longitude"])
    with np.errstate(invalid="ignore"):
        timed = np.abs(seconds) < LONGEST
    time = np.where(timed, np.nan_to_num(np.where(timed, seconds, 0)), 0).astype("datetime64[s]")
    return {
        "station": columns["stationName"],
        "latitude": latitude,
        "longitude": longitude,
        "elevation": columns["elevation"],
        "time": np.where(timed, time, np.datetime64("NaT", "s")),
        "flags": np.where(placed, 0, int(Flag.POSITION)) | np.where(timed, 0, int(Flag.TIME)),
    }


def _values(columns: dict[str, np.ndarray], size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Value (SI, NaN where missing) and mark of each variable, each of shape (size,)."""

    def number(key: str) -> np.ndarray:
        return columns.get(key, np.full(size, np.nan))

    def mark(key: str) -> np.ndarray:
        return columns.get(f"{key}DD", np.full(size, "", dtype="U1"))

    def precise(tenths: str, whole: str) -> np.ndarray:
        return np.where(np.isnan(number(tenths)), number(whole), number(tenths))

    eastward, northward = components(number("windSpeed"), number("windDir"))
    speed, direction = mark("windSpeed"), mark("windDir")
    wind = np.where(np.isin(direction, REJECTED), direction, speed)
    none = np.full(size, "", dtype="U1")
    values = {
        "t2m": (precise("tempFromTenths", "temperature"), mark("temperature")),
        "d2m": (precise("dpFromTenths", "dewpoint"), mark("dewpoint")),
        "u10": (eastward, wind),
        "v10": (northward, wind),
        "gust": (number("windGust"), mark("windGust")),
        "psfc": (station_pressure(number("altimeter"), columns["elevation"]), mark("altimeter")),
        "visibility": (number("visibility"), mark("visibility")),
    }
    if "skyCover" in columns and "skyLayerBase" in columns:
        ceiling, cover = summarise_words(columns["skyCover"], columns["skyLayerBase"])
        values |= {"ceiling": (ceiling, none), "sky_cover": (cover, none)}
    return values


def _by_text(columns: dict[str, np.ndarray], values: dict[str, tuple[np.ndarray, np.ndarray]], time: np.ndarray):
    """The values of the reports' text in the rows that have one, with the marks of the columns."""
    if TEXT not in columns:
        return values
    decoded, told, _ = read_report_texts(columns[TEXT].tolist(), time, columns["elevation"])
    nothing = (np.full(len(time), np.nan), np.full(len(time), "", dtype="U1"))
    pairs = {key: values.get(key, nothing) for key in decoded}
    return {key: (np.where(told, decoded[key], value), mark) for key, (value, mark) in pairs.items()}
