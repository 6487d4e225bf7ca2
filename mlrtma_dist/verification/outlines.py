"""Outlines: the coasts and borders that the report draws behind its stations."""

import numpy as np

from mlrtma_dist.fields.static import SIMULATED, Static
from mlrtma_dist.grid.domain import wrap_longitude
from mlrtma_dist.io.coastlines import Extent, read_lines, resolution_for

MARGIN = 1.0  # degrees around the domain: the report's maps end a little beyond the outermost stations
SAMPLES = 65  # points along each edge and across, from which a domain's latitudes and longitudes are taken
ACROSS = 600  # pixels of a map in the report; what is thinner than two of them is left out
KINDS = ("coast", "countries", "states")


def outlines(static: Static) -> list[np.ndarray]:
    """Coasts, borders and states around a domain.

    Args:
        static: the domain; the shore of a simulated one is not the earth's, so it has none.

    Returns:
        Lines of longitude and latitude in degrees, each of shape (k, 2) without NaN.

    Raises:
        CoastlineError: the coastline data are not installed.
    """
    domain = static.domain
    if domain.is_plane or domain.land == SIMULATED:
        return []
    rows, columns = (np.unique(np.linspace(0, size - 1, SAMPLES).astype(int)) for size in domain.shape)
    latitude, longitude = domain.latitude_longitude(rows, columns)
    finite = np.isfinite(latitude) & np.isfinite(longitude)
    latitude, longitude = latitude[finite], longitude[finite]
    middle = np.rad2deg(np.angle(np.exp(1j * np.deg2rad(longitude)).mean()))
    reach = np.abs(wrap_longitude(longitude - middle)).max() + MARGIN
    pixel = domain.spacing_metres * domain.size.x / ACROSS / 1000.0
    south, north = latitude.min() - MARGIN, latitude.max() + MARGIN
    extent = Extent(south, north, coast_km2=(2 * pixel) ** 2, lake_km2=(12 * pixel) ** 2)
    stretches = []
    for kind in KINDS:
        lines = read_lines(kind, resolution_for(pixel), extent)
        with np.errstate(invalid="ignore"):  # NaN separates two lines
            inside = np.abs(wrap_longitude(lines[:, 0] - middle)) <= reach
            inside &= (lines[:, 1] >= extent.south) & (lines[:, 1] <= extent.north)
        stretches += _runs(lines, inside)
    return stretches


def _runs(lines: np.ndarray, inside: np.ndarray) -> list[np.ndarray]:
    """The stretches of ``lines`` (n, 2) on which ``inside`` (n,) holds, of two points or more."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return [lines[start:end] for start, end in edges.reshape(-1, 2) if end - start > 1]
