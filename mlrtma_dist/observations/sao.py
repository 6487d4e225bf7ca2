"""Surface airways observations (SAO) in netCDF, as the WXP decoders wrote them, as observations.

These files hold gross errors: longitudes of -790 degrees, dew points of 9999 degC, directions of 999 degrees, negative
visibilities, altimeter settings of 0 or 9999 hPa. Every one stays a row and is flagged: the position here, values out
of range by ``quality.check_range``; a direction outside 0 to 360 gives components, an altimeter setting of 0 gives a
pressure, without a value and with ``Flag.RANGE``.

Layers (CC, a character each): 0 clear, 1 to 8 oktas with 2 scattered, 6 broken, 8 overcast, 9 the sky obscured, and
thin or partial ones, s b o x, which make no ceiling (Federal Meteorological Handbook No. 1, of 1982).
"""

import datetime
import logging

import numpy as np

from mlrtma_dist.io.netcdf_reports import ReportFileError, read_columns, require
from mlrtma_dist.names import ICE
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.observations.positions import clean_positions
from mlrtma_dist.observations.sky import BKN, FULL, SCT, summarise_sky
from mlrtma_dist.observations.stations import StationList
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.wind import components

log = logging.getLogger(__name__)
NETWORK = "sao"
NEEDED = ("id", "time", "lat", "lon", "elev", "T", "TD", "SPD", "DIR", "GUST", "ALTIM", "VIS", "ZCL", "CC")
SIGNATURE = frozenset({"id", "T", "TD", "ALTIM", "ZCL", "CC"})  # variables by which such a file is known
TIME = "%Y %m %d %H:%M UTC"
# cover, whether a ceiling
LAYERS = {
    "0": (0.0, False),
    "1": (1 / 8, False),
    "2": (SCT, False),
    "3": (3 / 8, False),
    "4": (4 / 8, False),
    "5": (5 / 8, True),
    "6": (BKN, True),
    "7": (7 / 8, True),
    "8": (FULL, True),
    "9": (FULL, True),
    "s": (SCT, False),
    "b": (BKN, False),
    "o": (FULL, False),
    "x": (np.nan, False),
}
NO_LAYER = ("/", "")  # any other character is a doubt


def read_sao(data: bytes, name: str, *, stations: StationList | None = None) -> Observations:
    """Read a SAO file.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, and for errors.
        stations: where stations stand whose reports carry no position; None: such rows are flagged.

    Returns:
        Values in SI, a row for each value that is not missing.

    Raises:
        ReportFileError: truncated, damaged, or without the variables of a SAO file.
    """
    columns = read_columns(data, name, NEEDED)
    require(columns, NEEDED, name, "SAO")
    if columns["CC"].ndim != 1 or columns["ZCL"].ndim != 2:
        raise ReportFileError(f"{name}: expected CC and ZCL over reports and layers")
    log.info("%s: %d reports", name, len(columns["id"]))
    latitude, longitude, placed = clean_positions(columns["lat"], columns["lon"])
    time = np.array([_time(text) for text in columns["time"]], dtype="datetime64[s]")
    log.info("%s: %d reports without a possible position", name, int((~placed).sum()))
    if stations is not None:
        listed = stations.find(columns["id"])
        locatable = ~placed & np.isfinite(listed[0])
        own = latitude, longitude, columns["elev"]
        latitude, longitude, columns["elev"] = (np.where(locatable, *pair) for pair in zip(listed, own, strict=True))
        placed |= locatable
        log.info("%s: %d of them stand in %s", name, int(locatable.sum()), ", ".join(stations.files))
    flags = np.where(placed, 0, int(Flag.POSITION)) | np.where(np.isnat(time), int(Flag.TIME), 0)
    place = {
        "station": columns["id"],
        "latitude": latitude,
        "longitude": longitude,
        "elevation": columns["elev"],
        "time": time,
    }
    values, no_value = _values(columns)
    tables = []
    for variable, value in values.items():
        impossible = no_value.get(variable, np.zeros(len(flags), dtype=bool))
        there = np.isfinite(value) | impossible
        rows = {key: column[there] for key, column in place.items()}
        marked = flags | np.where(impossible, int(Flag.RANGE), 0)
        tables.append(
            Observations.build(
                network=NETWORK, variable=np.full(there.sum(), variable), value=value[there], flags=marked[there],
                source=name, **rows,
            )
        )  # fmt: skip
    return Observations.concatenate(tables)


def _values(columns: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each variable in SI, NaN where missing, and where something is said that gives no value; shape (reports,)."""
    speed, direction = columns["SPD"], columns["DIR"]
    with np.errstate(invalid="ignore"):
        turned = ((direction < 0) | (direction > 360)) & np.isfinite(speed) & (speed != 0)
    eastward, northward = components(speed, np.where(turned, np.nan, direction))
    layers = columns["ZCL"].shape[1]
    words = np.array([list(word.ljust(layers, "/")[:layers]) for word in columns["CC"]]).reshape(-1, layers)
    amounts = [LAYERS.get(str(word), (np.nan, False)) for word in words.ravel()]
    height, fullest = summarise_sky(
        np.array([c for c, _ in amounts]).reshape(words.shape),
        np.array([c for _, c in amounts], dtype=bool).reshape(words.shape),
        np.isin(words, list(LAYERS)),
        columns["ZCL"],
        ~np.isin(words, [*LAYERS, *NO_LAYER]),
    )
    pressure = station_pressure(100.0 * columns["ALTIM"], columns["elev"])
    senseless = np.isnan(pressure) & np.isfinite(columns["ALTIM"]) & np.isfinite(columns["elev"])
    return {
        "t2m": columns["T"] + ICE,
        "d2m": columns["TD"] + ICE,
        "u10": eastward,
        "v10": northward,
        "gust": columns["GUST"],
        "psfc": pressure,
        "visibility": 1000.0 * columns["VIS"],
        "ceiling": height,
        "sky_cover": fullest,
    }, {"u10": turned, "v10": turned, "psfc": senseless}


def _time(text: str) -> np.datetime64:
    try:
        return np.datetime64(datetime.datetime.strptime(text, TIME), "s")
    except ValueError:
        return np.datetime64("NaT", "s")
