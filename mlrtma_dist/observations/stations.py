"""A list of stations given by the user: where each stands. METAR text names stations and says nothing of their place.

Two forms, told from the content:

* columns between blanks, one line a station: name, [network,] elevation (m), two numbers that are not read, latitude,
  longitude, and what may follow -- the form of the operational station lists of surface analyses;
* CSV with a header that has station, latitude, longitude and, if known, elevation (m).
"""

import csv
import io
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.file_kind import read_unpacked

log = logging.getLogger(__name__)
UNKNOWN_ELEVATIONS = (-9999.0, 9999.0, 99999.0)  # what such lists write where no height is known


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
    header = [cell.strip().lower() for cell in lines[0].split(",")] if lines else []
    rows = _csv(path, text, header) if {"station", "latitude", "longitude"} <= set(header) else _columns(path, lines)
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


def _csv(path: Path, text: str, header: list[str]):
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        next(reader)
        for row in filter(None, reader):  # without blank lines
            cells = dict(zip(header, row, strict=False))
            latitude, longitude = _number(cells.get("latitude", "")), _number(cells.get("longitude", ""))
            if latitude is None or longitude is None or not cells.get("station", "").strip():
                line = f"{path}: line {reader.line_num}"
                raise InputError(f"{line}: expected a station's name and numbers as latitude and longitude, got {row}")
            elevation = _number(cells.get("elevation", ""))
            yield cells["station"].strip(), latitude, longitude, np.nan if elevation is None else elevation
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from error


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
