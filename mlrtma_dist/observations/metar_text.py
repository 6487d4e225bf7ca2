"""Raw METAR text as observations: bulletins of the telecommunication system, or one report a line.

A report begins with station and time (KDEN 240553Z) and ends with "=", the bulletin, or the next report. Forecasts
(TAF) look alike at the start and are left out. The text knows day and hour: month and year are those that bring the
report nearest to the analysis time, or to the date in the file's name. It knows no positions: they come from a list.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.observations.metar_parse import Metar, parse_metar
from mlrtma_dist.observations.sky import summarise_words
from mlrtma_dist.observations.stations import StationList, find_stations
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.wind import components

log = logging.getLogger(__name__)
NETWORK = "metar"
SEARCHED = 20_000  # bytes in which a file of reports has its first one
_STATION_TIME = r"([A-Z][A-Z0-9]{3})\s?(\d{6})Z"
_PREFIX = r"(?:(?:METAR|SPECI|TAF|COR|AMD|CC[A-Z]|RTD|AUTO)\s+)*"
# A full date before a report, in its line or above it, as archives write it: 202208240653, 2022/08/24 06:53,
# "KDEN,2022,08,24,06,53,". It holds for the first report that follows.
_DATE = (
    r"^[ \t\"]*(?:[A-Z0-9]{3,4},)?((?:19|20)\d\d)([-/,]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"[ T_,]?([01]\d|2[0-3])[:,]?([0-5]\d)(?::?\d\d)?(?:Z|[ \t]?UTC)?[\s,\"]+(?=[A-Z])"
)
_DATED = re.compile(_DATE, re.MULTILINE)
_FIRST = re.compile(rf"(?:^[ \t\"]*|{_DATE}){_PREFIX}{_STATION_TIME}", re.MULTILINE)
_REPORT = re.compile(rf"(?<![^\s\",])({_PREFIX}){_STATION_TIME}\s*")
_VALIDITY = re.compile(r"\d{4}/\d{4}\b|\d{6}\b")  # of a forecast, after the time of issue
_NIL = re.compile(r"(?:AUTO )?NIL\b")
_NAMED_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?:[_T-]?(\d\d)(\d\d)?)?(?!\d)")
# What ends a report besides "=": control characters, a bulletin's heading (SAUS70 KWBC 241200 RRA), a remark of the
# archive.
_END = re.compile(
    r"[\x00-\x08\x0e-\x1f=]+|^\s*(?:\d{3}\s+)?[A-Z]{4}\d\d [A-Z]{4} \d{6}(?: [A-Z]{3})?[ \t\r]*$|^[ \t]*#.*$",
    re.MULTILINE,
)
ANOTHER_DAY = np.timedelta64(1, "D")  # a report's day and hour and its archive's date do not differ by more


class Report(NamedTuple):
    """One report of a text: station, "ddhhmm", what follows them, and the full date before it, where there is one."""

    station: str
    time: str
    body: str
    date: np.datetime64 | None


def is_metar_text(data: bytes) -> bool:
    """Whether some bytes hold METAR reports: one begins a line near the start."""
    return _FIRST.search(data[:SEARCHED].decode("latin-1")) is not None


def split_reports(text: str) -> list[Report]:
    """Cut text into reports, each once, in the order of the text; NIL and TAF left out."""
    reports: dict[Report, None] = {}
    date, begin = None, 0
    for dated in (*_DATED.finditer(text), None):
        for number, report in enumerate(_undated(text[begin : dated.start() if dated else len(text)])):
            reports[report._replace(date=date) if number == 0 else report] = None
        if dated:
            year, _, month, day, hour, minute = dated.groups()
            date, begin = _instant(year, month, day, hour, minute), dated.end()
    return list(reports)


def _undated(text: str) -> Iterator[Report]:
    """The reports of a text in which no full dates stand."""
    for part in _END.split(text):
        words = " ".join(part.split())
        starts = list(_REPORT.finditer(words))
        for number, start in enumerate(starts):
            end = starts[number + 1].start() if number + 1 < len(starts) else len(words)
            body = words[start.end() : end].strip(' ",')
            if body and "TAF" not in start.group(1) and not _NIL.match(body) and not _VALIDITY.match(body):
                yield Report(start.group(2), start.group(3), body, None)


def _instant(year: str, month: str, day: str, hour: str, minute: str) -> np.datetime64 | None:
    try:
        return np.datetime64(f"{year}-{month}-{day}T{hour}:{minute}", "s")
    except ValueError:  # 30 February
        return None


def read_metar_text(
    data: bytes, name: str, *, stations: StationList | None = None, near: np.datetime64 | None = None
) -> Observations:
    """Read METAR text.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, for errors, and for the date where ``near`` is None.
        stations: where the stations stand, before the places that are known anyway (``stations.find_stations``).
        near: a time within two weeks of the reports; None: the date in the file's name.

    Returns:
        Values in SI, a row for each value that a report has; ``psfc`` from the altimeter setting where the station's
        height is known. A station that is in no list has no position and ``Flag.POSITION``.

    Raises:
        InputError: no station is in a list, no date, or no report.
    """
    reports = split_reports(data.decode("latin-1"))
    if not reports:
        raise InputError(f"{name}: expected METAR reports such as 'KDEN 240553Z 18005KT ...', found none")
    if any(report.date is None for report in reports):
        near = _date_in(name) if near is None else near
    station = np.array([report.station for report in reports])
    dates = np.array([near if report.date is None else report.date for report in reports], dtype="datetime64[s]")
    time = _times(reports, dates)
    latitude, longitude, elevation = find_stations(station, stations, name)
    log.info("%s: %d reports of %d stations", name, len(reports), len(set(station.tolist())))
    values = _values([parse_metar(report.body) for report in reports], elevation)
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


def read_report_texts(
    texts: Sequence[str], dates: np.ndarray, elevation: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Read the texts of reports that stand beside columns decoded from them.

    Args:
        texts: the text of each row, "" where there is none.
        dates: the time of each row, datetime64[s], to which that of its report is near, shape (n,).
        elevation: of each row's station, m, NaN where not known; shape (n,).

    Returns:
        Each variable in SI, NaN where missing; a mask of the rows that have a report; the time of each report, NaT
        where it has no possible one within a day of ``dates``. Each of shape (n,).
    """
    firsts = [next(iter(split_reports(text)), None) if text else None for text in texts]
    told = np.array([report is not None for report in firsts], dtype=bool)
    reports = [report or Report("", "000000", "", None) for report in firsts]
    times = _times([report._replace(date=date) for report, date in zip(reports, dates, strict=True)], dates)
    return _values([parse_metar(report.body) for report in reports], elevation), told, times


def _values(metars: list[Metar], elevation: np.ndarray) -> dict[str, np.ndarray]:
    """Each variable in SI, shape (reports,), NaN where missing."""
    numbers = [field for field in Metar._fields if field != "sky"]
    columns = {field: np.array([getattr(m, field) for m in metars], dtype=np.float64) for field in numbers}
    eastward, northward = components(columns["speed"], columns["direction"])
    layers = max((len(m.sky) for m in metars), default=0)
    words, base = np.full((len(metars), layers), "", dtype="U5"), np.full((len(metars), layers), np.nan)
    for row, metar in enumerate(metars):
        for layer, (word, height) in enumerate(metar.sky):
            words[row, layer], base[row, layer] = word, height
    ceiling, cover = summarise_words(words, base)
    return {
        "t2m": columns["temperature"],
        "d2m": columns["dew_point"],
        "u10": eastward,
        "v10": northward,
        "gust": columns["gust"],
        "psfc": station_pressure(columns["altimeter"], elevation),
        "visibility": columns["visibility"],
        "ceiling": ceiling,
        "sky_cover": cover,
    }


def _times(reports: Sequence[Report], dates: np.ndarray) -> np.ndarray:
    """The time of each report in the month that brings it nearest to a date, shape (n,); NaT where there is no such
    day or hour, and where the report has a date of its own that is another day's."""
    number = np.array([int(report.time) for report in reports], dtype=np.int64)
    day, hour, minute = number // 10000, number // 100 % 100, number % 100
    best = np.full(len(reports), np.datetime64("NaT"), dtype="datetime64[s]")
    shortest = np.full(len(reports), np.inf)
    for offset in (-1, 0, 1):
        month = dates.astype("datetime64[M]") + offset
        days = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
        seconds = ((day - 1) * 24 + hour) * 3600 + minute * 60
        time = month.astype("datetime64[s]") + seconds.astype("timedelta64[s]")
        distance = np.abs((time - dates).astype(np.float64))
        nearer = (day >= 1) & (day <= days) & (hour < 24) & (minute < 60) & (distance < shortest)
        best[nearer], shortest[nearer] = time[nearer], distance[nearer]
    is_dated = np.array([report.date is not None for report in reports])
    best[is_dated & (np.abs(best - dates) > ANOTHER_DAY)] = np.datetime64("NaT")
    return best


def _date_in(name: str) -> np.datetime64:
    for year, month, day, hour, minute in _NAMED_DATE.findall(name):
        try:
            return np.datetime64(f"{year}-{month}-{day}T{hour or '12'}:{minute or '00'}", "s")
        except ValueError:
            continue
    raise InputError(
        f"{name}: METAR text tells day and hour, not month and year: name the analysis time (--time), or write the"
        " date into the file's name (metar_20190701_1200.txt)"
    )
