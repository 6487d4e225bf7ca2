"""Raw METAR text as observations: bulletins of the telecommunication system, or one report a line.

A report begins with station and time (KDEN 240553Z) and ends with "=", the bulletin, or the next report. Forecasts
(TAF) look alike at the start and are left out. The text knows day and hour: month and year are those that bring the
report nearest to the analysis time, or to the date in the file's name. It knows no positions: they come from a list.
"""

import logging
import re

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.observations.metar_parse import Metar, parse_metar
from mlrtma_dist.observations.sky import WORDS, summarise_sky
from mlrtma_dist.observations.stations import StationList
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.wind import components

log = logging.getLogger(__name__)
NETWORK = "metar"
SEARCHED = 20_000  # bytes in which a file of reports has its first one
_FIRST = re.compile(rb"(?m)^[ \t]*(?:METAR |SPECI )?(?:COR )?[A-Z][A-Z0-9]{3} \d{6}Z[ \r\n]")
_REPORT = re.compile(r"(?:(?<=\s)|^)([A-Z][A-Z0-9]{3}) (\d\d)(\d\d)(\d\d)Z(?=\s|=)")
_VALIDITY = re.compile(r"\d{4}/\d{4}\b|\d{6}\b")  # of a forecast, after the time of issue
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?:[_T-]?(\d\d)(\d\d)?)?(?!\d)")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]+")


def is_metar_text(data: bytes) -> bool:
    """Whether some bytes hold METAR reports: one begins a line near the start."""
    return _FIRST.search(data, 0, SEARCHED) is not None


def split_reports(text: str) -> list[tuple[str, str, str]]:
    """Cut text into (station, "ddhhmm", body), each report once, in the order of the text; NIL and TAF left out."""
    reports: dict[tuple[str, str, str], None] = {}
    for bulletin in _CONTROL.split(text):
        for part in bulletin.split("="):
            words = " ".join(part.split())
            starts = list(_REPORT.finditer(words))
            for number, start in enumerate(starts):
                end = starts[number + 1].start() if number + 1 < len(starts) else len(words)
                body = words[start.end() : end].strip()
                before = words[: start.start()].rstrip()
                if not body or body.startswith("NIL") or _VALIDITY.match(body) or before.endswith(("TAF", "TAF AMD")):
                    continue
                body = body.removesuffix(" METAR").removesuffix(" SPECI")  # of the next report
                reports[start.group(1), "".join(start.group(2, 3, 4)), body] = None
    return list(reports)


def read_metar_text(
    data: bytes, name: str, *, stations: StationList | None, near: np.datetime64 | None = None
) -> Observations:
    """Read METAR text.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, for errors, and for the date where ``near`` is None.
        stations: where the stations stand.
        near: a time within two weeks of the reports; None: the date in the file's name.

    Returns:
        Values in SI, a row for each value that a report has; ``psfc`` from the altimeter setting where the station's
        height is known. A station that is in no list has no position and ``Flag.POSITION``.

    Raises:
        InputError: no list of stations, no date, or no report.
    """
    if stations is None:
        raise InputError(
            f"{name}: METAR text carries no positions: give lists of stations (--stations FILE ...;"
            " name, elevation, latitude, longitude: docs/observations.md)"
        )
    near = _date_in(name) if near is None else near
    reports = split_reports(data.decode("latin-1"))
    if not reports:
        raise InputError(f"{name}: expected METAR reports such as 'KDEN 240553Z 18005KT ...', found none")
    station = np.array([r[0] for r in reports])
    time = _times([r[1] for r in reports], near.astype("datetime64[s]"))
    latitude, longitude, elevation = stations.find(station)
    lost = np.unique(station[np.isnan(latitude)])
    log.info("%s: %d reports of %d stations", name, len(reports), len(set(station.tolist())))
    if len(lost):
        some = " ".join(lost[:8]) + (" ..." if len(lost) > 8 else "")
        lists = ", ".join(stations.files)
        log.warning("%s: %d stations stand in no list (%s) and have no position: %s", name, len(lost), lists, some)
    values = _values([parse_metar(r[2]) for r in reports], elevation)
    flags = np.where(np.isnan(latitude), int(Flag.POSITION), 0) | np.where(np.isnat(time), int(Flag.TIME), 0)
    place = {"latitude": latitude, "longitude": longitude, "elevation": elevation, "time": time, "flags": flags}
    tables = []
    for variable, value in values.items():
        there = np.isfinite(value)
        columns = {key: column[there] for key, column in place.items()}
        tables.append(
            Observations.build(
                station=station[there], network=NETWORK, variable=np.full(there.sum(), variable), value=value[there],
                source=name, **columns,
            )
        )  # fmt: skip
    return Observations.concatenate(tables)


def _values(metars: list[Metar], elevation: np.ndarray) -> dict[str, np.ndarray]:
    """Each variable in SI, shape (reports,), NaN where missing."""
    numbers = [field for field in Metar._fields if field != "sky"]
    columns = {field: np.array([getattr(m, field) for m in metars], dtype=np.float64) for field in numbers}
    eastward, northward = components(columns["speed"], columns["direction"])
    layers = max((len(m.sky) for m in metars), default=0)
    cover = np.full((len(metars), layers), np.nan)
    base, ceiling, told = cover.copy(), np.zeros(cover.shape, dtype=bool), np.zeros(cover.shape, dtype=bool)
    for row, metar in enumerate(metars):
        for layer, (word, height) in enumerate(metar.sky):
            cover[row, layer], ceiling[row, layer] = WORDS[word]
            base[row, layer], told[row, layer] = height, True
    height, fullest = summarise_sky(cover, ceiling, told, base)
    return {
        "t2m": columns["temperature"],
        "d2m": columns["dew_point"],
        "u10": eastward,
        "v10": northward,
        "gust": columns["gust"],
        "psfc": station_pressure(columns["altimeter"], elevation),
        "visibility": columns["visibility"],
        "ceiling": height,
        "sky_cover": fullest,
    }


def _times(texts: list[str], near: np.datetime64) -> np.ndarray:
    """The times "ddhhmm" in the month that brings each nearest to ``near``; NaT where there is no such day or hour."""
    number = np.array([int(t) for t in texts], dtype=np.int64)
    day, hour, minute = number // 10000, number // 100 % 100, number % 100
    best = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[s]")
    shortest = np.full(len(texts), np.inf)
    for month in near.astype("datetime64[M]") + np.arange(-1, 2):
        days = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
        seconds = ((day - 1) * 24 + hour) * 3600 + minute * 60
        time = month.astype("datetime64[s]") + seconds.astype("timedelta64[s]")
        distance = np.abs((time - near).astype(np.float64))
        nearer = (day >= 1) & (day <= days) & (hour < 24) & (minute < 60) & (distance < shortest)
        best[nearer], shortest[nearer] = time[nearer], distance[nearer]
    return best


def _date_in(name: str) -> np.datetime64:
    for year, month, day, hour, minute in _DATE.findall(name):
        try:
            return np.datetime64(f"{year}-{month}-{day}T{hour or '12'}:{minute or '00'}", "s")
        except ValueError:
            continue
    raise InputError(
        f"{name}: METAR text tells day and hour, not month and year: name the analysis time (--time), or write the"
        " date into the file's name (metar_20190701_1200.txt)"
    )
