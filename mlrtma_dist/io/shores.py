"""Shores as a grid: the share of land in fine pixels of latitude and longitude, drawn from the coastline data.

Shores of GSHHG (`io.coastlines`), thinned to 1 km, are painted level by level -- land, lakes on it, islands in these --
by matplotlib's Agg, whose smooth edges are the share of a pixel that a polygon covers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from mlrtma_dist.grid.domain import EARTH_RADIUS, Domain, wrap_longitude
from mlrtma_dist.io.coastlines import Extent, Polygon, read_polygons

LAND, LAKE, ISLAND, ICE = 1, 2, 3, 5  # levels of GSHHG; the front of Antarctica's ice is its shore
PAINTED = {LAND: 1.0, ICE: 1.0, LAKE: 0.0, ISLAND: 1.0}  # in this order; an island lies in a lake
FINEST = 0.005  # degrees: half of the distance to which the shores were thinned
PIXELS = 5  # along the side of a cell of the domain
SAMPLES = 65  # points along each side of a domain from which its latitudes and longitudes are taken


@dataclass(frozen=True)
class ShoreGrid:
    """The share of land around a domain (`io.elevation.ElevationGrid`).

    Attributes:
        polygons: shores, in the order in which they are painted.
        origin: longitude and latitude of the south-west pixel, degrees.
        step: of both, degrees.
        shape: pixels in (y, x).
    """

    polygons: tuple[Polygon, ...]
    origin: tuple[float, float]
    step: float
    shape: tuple[int, int]
    name: str = "shores of GSHHG"

    @classmethod
    def around(cls, domain: Domain) -> "ShoreGrid":
        """The shores around a domain.

        Raises:
            CoastlineError: the coastline data are not installed.
        """
        places = (np.unique(np.linspace(0, size - 1, SAMPLES).round().astype(int)) for size in domain.shape)
        latitude, longitude = domain.latitude_longitude(*places)
        finite = np.isfinite(latitude) & np.isfinite(longitude)
        latitude, longitude = latitude[finite], longitude[finite]
        middle = float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(longitude)).mean())))
        # between two samples an edge may bulge by as much as they are apart
        margin = np.rad2deg(domain.spacing_metres * (2.0 + max(domain.shape) / SAMPLES) / EARTH_RADIUS)
        south, north = max(-90.0, latitude.min() - margin), min(90.0, latitude.max() + margin)
        wide = margin / np.cos(np.deg2rad(min(89.0, np.abs(latitude).max() + margin)))
        reach = min(180.0, np.abs(wrap_longitude(longitude - middle)).max() + wide)
        step = max(FINEST, np.rad2deg(domain.spacing_metres / EARTH_RADIUS) / PIXELS)
        shape = (round((north - south) / step), round(2.0 * reach / step))
        order = list(PAINTED)
        polygons = sorted(read_polygons("i", Extent(south, north)), key=lambda each: order.index(each.level))
        return cls(tuple(polygons), (middle - reach + 0.5 * step, south + 0.5 * step), float(step), shape)

    def only(self, choose: Callable[[Polygon], bool]) -> "ShoreGrid":
        """The grid of some of the polygons."""
        return replace(self, polygons=tuple(each for each in self.polygons if choose(each)))

    @property
    def spacing_metres(self) -> float:
        """Distance of neighbouring rows, m."""
        return float(np.deg2rad(self.step) * EARTH_RADIUS)

    def index(self, latitude, longitude) -> tuple[np.ndarray, np.ndarray]:
        """Fractional (row, column) of positions in degrees."""
        centre = self.origin[0] + 0.5 * self.step * (self.shape[1] - 1)
        x = centre + wrap_longitude(np.asarray(longitude) - centre)
        return (np.asarray(latitude) - self.origin[1]) / self.step, (x - self.origin[0]) / self.step

    def position(self, row, column) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude in degrees of fractional (row, column)."""
        latitude, longitude = (
            o + self.step * np.asarray(i) for o, i in zip(self.origin[::-1], (row, column), strict=True)
        )
        return latitude, wrap_longitude(longitude)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """The share of land in the pixels of a part, float32."""
        size = rows.stop - rows.start, columns.stop - columns.start
        west, south = (o + self.step * (i.start - 0.5) for o, i in zip(self.origin, (columns, rows), strict=True))
        box = (west, west + self.step * size[1]), (south, south + self.step * size[0])
        canvas = RendererAgg(size[1], size[0], 72.0)
        pen = canvas.new_gc()
        pen.set_linewidth(0.0)
        for polygon in self.polygons:
            colour = (PAINTED[polygon.level],) * 3
            for turn in _turns(polygon.points, box):
                pixels = (polygon.points + (turn - box[0][0], -box[1][0])) / self.step
                canvas.draw_path(pen, Path(pixels), IdentityTransform(), colour)
        red = np.asarray(canvas.buffer_rgba())[::-1, :, :]
        return (red[..., 0] * (red[..., 3] / np.float32(255.0**2))).astype(np.float32)


def _turns(points: np.ndarray, box: Sequence[tuple[float, float]]) -> list[float]:
    """The turns around the earth, degrees, by which a polygon touches a box of longitude and latitude."""
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    if north < box[1][0] or south > box[1][1]:
        return []
    return [turn for turn in (-360.0, 0.0, 360.0) if east + turn > box[0][0] and west + turn < box[0][1]]
