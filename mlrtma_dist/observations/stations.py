"""Where stations stand: lists that the user gives, and behind them the aerodromes of the package airportsdata.

METAR text, and many tables, name stations and give no place. Two forms of a list, told from the content:

* columns between blanks, one line per station: name, [network,] elevation (m), two numbers that are not read, latitude,
  longitude, and what may follow -- the form of the operational station lists of surface analyses;
* CSV with a header: station, latitude, longitude and, if known, elevation (m), or the columns of a public list
  (``FORMS``).
"""

import csv
import functools
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import airportsdata
import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.file_kind import read_unpacked
from mlrtma_dist.units import UNITS

log = logging.getLogger(__name__)
WAY_OUT = "give lists of stations (--stations FILE ...; name, elevation, latitude, longitude: docs/observations.md)"
UNKNOWN_ELEVATIONS = (-9999.0, 9999.0, 99999.0)  # what such lists write where no height is known


class Form(NamedTuple):
    """The columns of a list in CSV: the station's name, joined by "-" of one or several; latitude; longitude;
    elevation and its unit."""

    name: tuple[str, ...]
    latitude: str
    longitude: str
    elevation: str
    unit: str = "m"


OWN_FORM = Form(("station",), "latitude", "longitude", "elevation")
# The lists that archives publish: NOAA's ISD history, OurAirports, the networks of the Iowa Environmental Mesonet.
FORMS = (
    OWN_FORM,
    Form(("usaf", "wban"), "lat", "lon", "elev(m)"),
    Form(("ident",), "latitude_deg", "longitude_deg", "elevation_ft", "foot"),
    Form(("stid",), "lat", "lon", "elev"),
)


@dataclass(frozen=True)
class StationList:
    """Where stations stand.

    Attributes:
        places: name -> latitude, longitude (degrees, in [-180, 180)), elevation (m, NaN where not known).
        files: what they were read from, for messages.
    """

    places: dict[str, tuple[float, float, float]]
    files: tuple[str, ...]

    def find(self, names: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Latitude, longitude and elevation of each name, shape (n,); NaN where the name is in no list."""
        nowhere = (np.nan, np.nan, np.nan)
        places = np.array([self.places.get(str(name), nowhere) for name in names], dtype=np.float64).reshape(-1, 3)
        return places[:, 0], places[:, 1], places[:, 2]


@functools.cache
def aerodromes() -> dict[str, tuple[float, float, float]]:
    """Latitude, longitude (degrees) and elevation (m) of the world's aerodromes, by ICAO location indicator and, in
    the United States, by the identifier of the aviation authority."""
    places: dict[str, tuple[float, float, float]] = {}
    for kind in ("LID", "ICAO"):  # where both name a station, the location indicator is the station's
        for name, entry in airportsdata.load(kind).items():
            places[name] = (entry["lat"], entry["lon"], entry["elevation"] * UNITS["foot"].factor)
    return places


def find_stations(names: np.ndarray, stations: StationList | None, source: str):
    """Where stations stand: by the user's lists, else by the list of aerodromes.

    Args:
        names: of the stations, shape (n,).
        stations: the user's lists; None: there are none.
        source: the file that names the stations, for messages.

    Returns:
        Latitude, longitude (degrees) and elevation (m), each of shape (n,); NaN where a name is in no list.

    Raises:
        InputError: no station is in a list.
    """
    both = StationList({**aerodromes(), **(stations.places if stations else {})}, ())
    latitude, longitude, elevation = both.find(names)
    lost = np.unique(names[np.isnan(latitude)])
    lists = ", ".join((*(stations.files if stations else ()), "airportsdata"))
    some = " ".join(lost[:8]) + (" ..." if len(lost) > 8 else "")
    if len(lost) and np.isnan(latitude).all():
        raise InputError(f"{source}: none of its stations is in a list ({lists}): {some}; {WAY_OUT}")
    if len(lost):
        log.warning(
            "%s: %d stations stand in no list (%s) and have no position: %s; %s",
            *(source, len(lost), lists, some, WAY_OUT),
        )
    return latitude, longitude, elevation


def read_stations(paths) -> StationList:
    """Read station lists; a station in several stands where the first one puts it.

    Raises:
        InputError: a file that is no such list; names file and line.
    """
    places: dict[str, tuple[float, float, float]] = {}
    for path in paths:
        read = _read(Path(path))
        places = read | places
        log.info("%s: %d stations", path, len(read))
    return StationList(places, tuple(Path(p).name for p in paths))


def _read(path: Path) -> dict[str, tuple[float, float, float]]:
    try:
        text = read_unpacked(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not text; expected a list of stations") from error
    lines = text.splitlines()
    header = [cell.strip().strip('"').lower() for cell in lines[0].split(",")] if lines else []
    form = next((form for form in FORMS if {*form.name, form.latitude, form.longitude} <= set(header)), None)
    rows = _csv(path, text, header, form) if form else _columns(path, lines)
    places: dict[str, tuple[float, float, float]] = {}
    impossible = 0
    for name, latitude, longitude, elevation in rows:
        if not (abs(latitude) <= 90 and -180 <= longitude <= 360):  # lists write 99.99, -99.99 for "not known"
            impossible += 1
            continue
        height = np.nan if elevation in UNKNOWN_ELEVATIONS else elevation
        places.setdefault(name, (latitude, (longitude + 180) % 360 - 180, height))
    if impossible:
        log.warning("%s: %d stations left out: latitude beyond 90 or longitude beyond 360 degrees", path, impossible)
    if not places:
        raise InputError(f"{path}: expected a list of stations, found no line of one")
    return places


def _columns(path: Path, lines: list[str]):
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        numbers = words[2:] if len(words) > 2 and _number(words[1]) is None else words[1:]
        read = [_number(word) for word in numbers[:5]]
        if len(read) < 5 or None in read:
            raise InputError(
                f"{path}: line {number}: expected name, elevation, two numbers, latitude, longitude (or a CSV whose"
                f" header has station, latitude, longitude, elevation), got {line.strip()[:80]!r}"
            )
        yield words[0], read[3], read[4], read[0]


def _csv(path: Path, text: str, header: list[str], form: Form):
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        next(reader)
        for row in filter(None, reader):  # without blank lines
            cells = {key: cell.strip() for key, cell in zip(header, row, strict=False)}
            station = [cells.get(column, "") for column in form.name]
            latitude, longitude = _number(cells.get(form.latitude, "")), _number(cells.get(form.longitude, ""))
            if latitude is None or longitude is None or not all(station):
                if form is not OWN_FORM:  # an archive's list has stations of which it knows no place
                    continue
                line = f"{path}: line {reader.line_num}"
                raise InputError(f"{line}: expected a station's name and numbers as latitude and longitude, got {row}")
            elevation = _number(cells.get(form.elevation, ""))
            if elevation is None or elevation in UNKNOWN_ELEVATIONS:
                elevation = np.nan
            yield "-".join(station), latitude, longitude, elevation * UNITS[form.unit].factor
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from error


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
