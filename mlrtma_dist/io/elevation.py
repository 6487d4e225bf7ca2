"""Elevation files read in parts: GRIB and CF netCDF by our own readers, and every raster that GDAL reads by rasterio.

rasterio (the extra ``terrain``) reads GeoTIFF, SRTM's HGT, and most other rasters; it is imported where such a file is
read. A file may be far larger than a domain: only the part that is asked of it is read from a raster.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pyproj
from numpy.typing import ArrayLike

from mlrtma_dist.grid.domain import EARTH_RADIUS, wrap_longitude
from mlrtma_dist.io.grid_field import GriddedFileError, GridField
from mlrtma_dist.io.gridded import HEADING, NETCDF_SIGNATURES, read_one
from mlrtma_dist.units import length_of, units_of


class ElevationGrid(Protocol):
    """A grid of values that is read in parts; rows run northward, columns eastward."""

    @property
    def name(self) -> str:
        """Of the file, for notes."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Points in (y, x)."""
        ...

    @property
    def spacing_metres(self) -> float:
        """Distance of neighbouring points along y, m."""
        ...

    def index(self, latitude: ArrayLike, longitude: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Fractional (row, column) of positions in degrees; beyond the grid it runs below 0 or past the end."""
        ...

    def position(self, row: ArrayLike, column: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees of fractional (row, column)."""
        ...

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """The values of a part, float32, NaN where missing."""
        ...


def open_elevation(path: str | Path, name: str) -> ElevationGrid:
    """Open a file of elevations or of another field of the ground.

    Args:
        path: GRIB, CF netCDF, or a raster of one band that GDAL reads.
        name: of the field where the file names its fields: "terrain" or "land".

    Raises:
        GriddedFileError: the file cannot be read, holds no such field, or has no place on the earth.
        ModuleNotFoundError: a raster, and rasterio is not installed.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEADING)
    except OSError as error:
        raise GriddedFileError(f"{path}: cannot be read: {error}") from error
    if head.startswith(NETCDF_SIGNATURES) or b"GRIB" in head:
        return FieldGrid(Path(path).name, read_one(path, name))
    return open_raster(Path(path))


@dataclass(frozen=True)
class FieldGrid:
    """A field of a GRIB or netCDF file, which was read whole (`ElevationGrid`)."""

    name: str
    field: GridField

    @property
    def shape(self) -> tuple[int, int]:
        """Points in (y, x)."""
        return self.field.domain.shape

    @property
    def spacing_metres(self) -> float:
        """Distance of neighbouring points, m."""
        return self.field.domain.spacing_metres

    def index(self, latitude, longitude) -> tuple[np.ndarray, np.ndarray]:
        """Fractional (row, column) of positions in degrees."""
        return self.field.domain.index(latitude, longitude)

    def position(self, row, column) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees of fractional (row, column)."""
        return self.field.domain.position(row, column)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """The values of a part, float32, NaN where missing."""
        return self.field.values[rows, columns]


@dataclass(frozen=True)
class RasterGrid:
    """A raster that GDAL reads (`ElevationGrid`); its columns run eastward, its rows northward or southward.

    Attributes:
        path: of the file.
        projection: of the coordinates, in words that pyproj reads.
        shape: points in (y, x).
        origin: coordinates (x, y) of the south-west point; steps: distance of columns and of rows, both above 0.
        is_southward: whether the file's first row is the northernmost.
        factor, offset: value in m = factor * number + offset.
    """

    path: Path
    projection: str
    shape: tuple[int, int]
    origin: tuple[float, float]
    steps: tuple[float, float]
    is_southward: bool
    factor: float
    offset: float

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name

    @cached_property
    def _proj(self) -> pyproj.Proj:
        return pyproj.Proj(self.projection)

    @cached_property
    def _is_geographic(self) -> bool:
        return self._proj.crs.is_geographic

    @property
    def spacing_metres(self) -> float:
        """Distance of neighbouring rows, m."""
        if self._is_geographic:
            return float(np.deg2rad(self.steps[1]) * EARTH_RADIUS)
        return self.steps[1] * self._proj.crs.axis_info[0].unit_conversion_factor

    def index(self, latitude, longitude) -> tuple[np.ndarray, np.ndarray]:
        """Fractional (row, column) of positions in degrees."""
        latitude, longitude = (np.asarray(each, dtype=np.float64) for each in (latitude, longitude))
        if self._is_geographic:  # count eastwards from the corner, so that no cut lies inside the grid
            centre = self.origin[0] + 0.5 * self.steps[0] * (self.shape[1] - 1)
            x, y = centre + wrap_longitude(longitude - centre), latitude
        else:
            x, y = (np.asarray(each) for each in self._proj(longitude, latitude))
        return (y - self.origin[1]) / self.steps[1], (x - self.origin[0]) / self.steps[0]

    def position(self, row, column) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees of fractional (row, column)."""
        x = self.origin[0] + self.steps[0] * np.asarray(column)
        y = self.origin[1] + self.steps[1] * np.asarray(row)
        longitude, latitude = (x, y) if self._is_geographic else self._proj(x, y, inverse=True)
        return np.asarray(latitude), wrap_longitude(longitude)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """The values of a part, float32 m, NaN where missing."""
        import rasterio
        from rasterio.windows import Window

        count, start = rows.stop - rows.start, rows.start
        first = self.shape[0] - rows.stop if self.is_southward else start
        window = Window(columns.start, first, columns.stop - columns.start, count)
        try:
            with rasterio.open(self.path) as file:
                values = file.read(1, window=window, masked=True)
        except rasterio.errors.RasterioError as error:
            raise GriddedFileError(f"{self.path}: cannot be read: {error}") from error
        values = np.ma.filled(values.astype(np.float32) * np.float32(self.factor) + np.float32(self.offset), np.nan)
        return values[::-1] if self.is_southward else values


def open_raster(path: Path) -> RasterGrid:
    """Open a raster with rasterio.

    Raises:
        GriddedFileError: GDAL does not read it, or it has several bands, no projection, or rows that are turned.
        ModuleNotFoundError: rasterio is not installed.
    """
    import rasterio  # here: only who has such files needs it

    try:
        with rasterio.open(path) as file:
            transform, bands, crs, shape = file.transform, file.count, file.crs, file.shape
            scale, offset, words = file.scales[0], file.offsets[0], (file.units[0] or "").strip() or "m"
    except rasterio.errors.RasterioError as error:
        raise GriddedFileError(f"{path}: expected GRIB, netCDF or a raster that GDAL reads: {error}") from error
    if bands != 1 or crs is None:
        got = f"{bands} bands" if bands != 1 else "none"
        raise GriddedFileError(f"{path}: expected one band with a coordinate reference system, got {got}")
    if transform.b or transform.d or transform.a <= 0 or not transform.e:
        raise GriddedFileError(f"{path}: expected columns eastward and rows along the map: gdalwarp makes such a file")
    factor = length_of(words)
    if factor is None:
        expected = ", ".join(units_of("m"))
        raise GriddedFileError(f"{path}: expected heights in one of {expected}, got {words!r}")
    south = min(0.5 * transform.e, (shape[0] - 0.5) * transform.e)
    return RasterGrid(
        path,
        crs.to_wkt(),
        shape,
        (transform.c + 0.5 * transform.a, transform.f + south),
        (transform.a, abs(transform.e)),
        transform.e < 0,
        factor * scale,
        factor * offset,
    )
