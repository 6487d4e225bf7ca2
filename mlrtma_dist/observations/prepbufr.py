"""NCEP PrepBUFR surface reports as observations.

Rules; codes and types are those of NCEP's "PREPBUFR processing" tables 2, 7 and 14, figures those of real files.

* Events: the stack of an observation begins with the newest event. Program VIRTMP (code 8) replaces temperature
  by virtual temperature, so ``t2m`` is the first event below it. In one GDAS file 457 of 857 temperatures are
  virtual, 1.9 K warmer on average. A temperature known only as virtual gives no row.
* Background: where a file has VIRTMP events, its TFC is virtual, too (median TFC - TOB -0.1 K before stepping
  down, +1.9 K after, +2.1 K where humidity is missing), and is made sensible with QFC.
* Quality marks: 0 keep, 1 good, 2 neutral or not checked, 3 suspect are used. 4 to 15 are not, among them 8 failed
  a check, 9 no observation error known, 14 purged by hand or by a reject list, 15 failed basic checks; they
  get ``Flag.PROVIDER``. A missing mark counts as 2.
* Pressure: types 180, 181, 188 report it; 187 has it from the altimeter setting, a fixed function of station
  pressure and height (they agree to 0.05 hPa). In all others (183, 192 to 195, 282, ...) it is estimated from
  sea-level pressure or a standard atmosphere: kept with ``Flag.PROVIDER``.
* A mass report (1xx) and a wind report (2xx) of one station, position and time are one report: wind takes the mass
  report's type as ``network`` and its elevation. What both repeat (pressure) is taken from the mass report.
* A gust has no mark of its own and takes that of the wind, measured by the same instrument.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.io.bufr import BufrError, Reports, decode
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.physics.moisture import dew_point, dew_point_error, sensible_temperature

CATEGORIES = frozenset({"ADPSFC", "SFCSHP", "MSONET"})
VIRTMP = 8
LAST_USED_MARK = 3
MEASURED_PRESSURE = (180, 181, 187, 188, 280, 281, 287, 288)
LONGEST_OFFSET = 24.0  # hours; the widest window of any NCEP analysis is 12
UNKNOWN_ELEVATION = 9999.0  # metres, written where a station is in no list
NEEDED = ("SID", "XOB", "YOB", "DHR", "TYP", "POB", "PQM", "QOB", "QQM", "TOB", "TQM", "TPC", "UOB", "VOB", "WQM")

# Factor and offset to SI by the unit that the file's own table B gives.
UNITS = {
    "MB": (100.0, 0.0),
    "PASCALS": (1.0, 0.0),
    "DEG C": (1.0, 273.15),
    "KELVIN": (1.0, 0.0),
    "MG/KG": (1e-6, 0.0),
    "M/S": (1.0, 0.0),
    "METER": (1.0, 0.0),
    "METERS": (1.0, 0.0),
    "PERCENT": (0.01, 0.0),
    "PERCENT DIVIDED BY 10": (0.1, 0.0),
    "HOURS": (1.0, 0.0),
    "DEG E": (1.0, 0.0),
    "DEG N": (1.0, 0.0),
    "DEGREE": (1.0, 0.0),
    "DEGREES": (1.0, 0.0),
}


@dataclass(frozen=True)
class _Head:
    """What every row of a report repeats; each of shape (subsets,)."""

    station: np.ndarray
    kind: np.ndarray
    network: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    elevation: np.ndarray
    time: np.ndarray
    flags: np.ndarray
    partner: np.ndarray
    provider: np.ndarray


def read_prepbufr(data: bytes, name: str) -> Observations:
    """Read the surface reports (ADPSFC, SFCSHP, MSONET) of a PrepBUFR file.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, and for errors.

    Returns:
        Values in SI, temperatures sensible, winds earth-relative, a row for each value that is not missing.

    Raises:
        BufrError: not a whole PrepBUFR file; names file and byte.
    """
    groups = decode(data, name, CATEGORIES)
    cycles: dict[int, np.datetime64] = {}
    for reports in groups:
        for time, start in zip(reports.time, reports.message, strict=True):
            if cycles.setdefault(reports.generation, time) != time:
                raise BufrError(
                    f"{name}: message at byte {start} is of {time}, those before it of {cycles[reports.generation]};"
                    " a PrepBUFR file holds one cycle"
                )
    virtual = any((r.columns["T__EVENT"].values("TPC") == VIRTMP).any() for r in groups if "T__EVENT" in r.columns)
    return Observations.concatenate([_observations(reports, name, virtual) for reports in groups])


def _observations(reports: Reports, name: str, virtual: bool) -> Observations:
    absent = [mnemonic for mnemonic in NEEDED if reports.find(mnemonic) is None]
    if absent:
        raise BufrError(f"{name}: its table of {reports.category} lacks {', '.join(absent)}: not a PrepBUFR file")
    get = _SI(reports, name)
    head = _head(reports, get, name)
    pressure, mark = get("POB"), reports.first("PQM")
    own = (head.kind < 200) | (head.partner < 0)  # a wind report repeats the pressure of its mass report
    rejected = ~np.isin(head.kind, MEASURED_PRESSURE)
    rows = [_rows(head, name, "psfc", np.where(own, pressure, np.nan), mark, get("POE"), get("PFC"), rejected)]

    temperature, temperature_mark = _sensible(reports, get)
    background, moisture_background = get("TFC"), get("QFC")
    if virtual:
        background = sensible_temperature(background, moisture_background)
    rows.append(_rows(head, name, "t2m", temperature, temperature_mark, get("TOE"), background))

    dew = get("TDO")
    dew = np.where(np.isnan(dew), dew_point(get("QOB"), pressure), dew)
    first_guess = dew_point(moisture_background, np.where(np.isnan(get("PFC")), pressure, get("PFC")))
    error = dew_point_error(get("QOE"), dew, temperature)
    rows.append(_rows(head, name, "d2m", dew, reports.first("QQM"), error, first_guess))

    mark = reports.first("WQM")
    for variable, element, guess in (("u10", "UOB", "UFC"), ("v10", "VOB", "VFC")):
        rows.append(_rows(head, name, variable, get(element), mark, get("WOE"), get(guess)))
    joined = np.where(head.partner >= 0, mark[head.partner], np.nan)
    rows.append(_rows(head, name, "gust", get("MXGS"), np.where(np.isnan(mark), joined, mark)))
    rows.append(_rows(head, name, "visibility", get("HOVI")))
    rows.append(_rows(head, name, "ceiling", get("CEILING")))
    # Sky obscured (9 oktas) is written as 113 by FM 94 (element 0 20 010), by some as 112: nothing of the sky is seen.
    rows.append(_rows(head, name, "sky_cover", np.minimum(get("TOCC"), 1.0)))
    return Observations.concatenate(rows)


class _SI:
    """First value of an element in each subset, converted to SI by the unit the file declares."""

    def __init__(self, reports: Reports, name: str):
        self.reports, self.name = reports, name

    def __call__(self, mnemonic: str) -> np.ndarray:
        factor, offset = self.conversion(mnemonic)
        return self.reports.first(mnemonic) * factor + offset

    def conversion(self, mnemonic: str) -> tuple[float, float]:
        column = self.reports.find(mnemonic)
        if column is None:
            return 1.0, 0.0
        unit = column.unit(mnemonic)
        if unit not in UNITS:
            raise BufrError(f"{self.name}: {mnemonic} is in {unit!r}; known units are {', '.join(UNITS)}")
        factor, offset = UNITS[unit]
        return factor, 0.0 if mnemonic == "TOE" else offset  # an error is a difference of temperatures


def _sensible(reports: Reports, get: _SI) -> tuple[np.ndarray, np.ndarray]:
    """Temperature (K) and its mark from the newest event that is older than every VIRTMP event; shape (subsets,)."""
    column = reports.find("TOB")
    assert column is not None, "NEEDED has it"
    size = len(reports.time)
    virtual_order = np.full(size, -1)
    is_virtual = column.values("TPC") == VIRTMP
    np.maximum.at(virtual_order, column.subset[is_virtual], column.order[is_virtual])
    chosen = column.order == virtual_order[column.subset] + 1
    value, mark = np.full(size, np.nan), np.full(size, np.nan)
    factor, offset = get.conversion("TOB")
    value[column.subset[chosen]] = column.values("TOB")[chosen] * factor + offset
    mark[column.subset[chosen]] = column.values("TQM")[chosen]
    # A mark set after VIRTMP judges the same measurement; VIRTMP's own also judges the moisture and does not count.
    later = (column.order == 0) & ~is_virtual
    mark[column.subset[later]] = column.values("TQM")[later]
    return value, mark


def _head(reports: Reports, get: _SI, name: str) -> _Head:
    station, kind = reports.first("SID"), reports.first("TYP")
    latitude, longitude, hours = get("YOB"), get("XOB"), get("DHR")
    wrong = (np.abs(latitude) > 90) | (longitude < -180) | (longitude > 360) | (np.abs(hours) > LONGEST_OFFSET)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BufrError(
            f"{name}: message at byte {reports.message[row]}: report {str(station[row])!r} is at"
            f" latitude {latitude[row]}, longitude {longitude[row]}, {hours[row]} h from the cycle;"
            f" expected -90..90, -180..360, {-LONGEST_OFFSET:g}..{LONGEST_OFFSET:g}"
        )
    flags = np.where(np.isnan(latitude) | np.isnan(longitude), np.uint32(Flag.POSITION), np.uint32(0))
    flags = np.where(np.isnan(hours), flags | np.uint32(Flag.TIME), flags)
    seconds = np.round(np.nan_to_num(hours) * 3600).astype("timedelta64[s]")
    elevation = get("ELV")
    elevation = np.where(elevation == UNKNOWN_ELEVATION, np.nan, elevation)
    kind = np.nan_to_num(kind).astype(int)
    partner = _partners(station, kind, latitude, longitude, hours, reports.first("SQN"))
    leader = np.where((kind >= 200) & (partner >= 0), partner, np.arange(len(kind)))
    network = np.where(kind > 0, kind.astype(str), "")
    longitude = (longitude + 180) % 360 - 180
    return _Head(
        station,
        kind,
        network[leader],
        latitude,
        longitude,
        elevation[leader],
        reports.time + seconds,
        flags,
        partner,
        _provider(reports),
    )


def _provider(reports: Reports) -> np.ndarray:
    """A mesonet's provider and, after a slash, its part, as in "FL-Meso/FAWN"; "" where none is given."""
    words = [
        np.full(len(reports.time), "") if reports.find(key) is None else np.char.strip(reports.first(key))
        for key in ("PRVSTG", "SPRVSTG")
    ]
    return np.where(words[1] == "", words[0], np.char.add(np.char.add(words[0], "/"), words[1]))


def _partners(station, kind, latitude, longitude, hours, sequence) -> np.ndarray:
    """For each subset the other half (mass or wind) of its report, -1 where alone.

    Halves of one report share its sequence number; in files that have none, or several, position and time decide.
    """
    partner = np.full(len(station), -1)
    place = list(zip(station.tolist(), latitude.tolist(), longitude.tolist(), hours.tolist(), strict=True))
    for keys in (list(zip(place, sequence.tolist(), strict=True)), place):
        mass = {key: row for row, key in reversed(list(enumerate(keys))) if kind[row] < 200 and partner[row] < 0}
        for row, key in enumerate(keys):
            if kind[row] >= 200 and partner[row] < 0 and key in mass and partner[mass[key]] < 0:
                partner[row], partner[mass[key]] = mass[key], row
    return partner


def _rows(
    head: _Head, name: str, variable: str, value, mark=None, error=np.nan, background=np.nan, rejected=False
) -> Observations:
    """The rows of one variable where ``value`` is not missing; arguments in SI, shape (subsets,)."""
    there = np.isfinite(value)
    bad = np.zeros(len(value), bool) if mark is None else ~np.isnan(mark) & (mark > LAST_USED_MARK)
    flags = np.where(bad | rejected, head.flags | np.uint32(Flag.PROVIDER), head.flags)
    spread = {"error": error, "background": background}
    marks = np.full(len(value), np.nan) if mark is None else mark
    words = np.where(np.isnan(marks), "", np.nan_to_num(marks).astype(int).astype(str))
    return Observations.build(
        station=head.station[there],
        network=head.network[there],
        latitude=head.latitude[there],
        longitude=head.longitude[there],
        elevation=head.elevation[there],
        time=head.time[there],
        variable=np.full(there.sum(), variable),
        value=value[there],
        flags=flags[there],
        source=name,
        mark=words[there],
        provider=head.provider[there],
        **{k: np.broadcast_to(v, value.shape)[there] for k, v in spread.items()},
    )
