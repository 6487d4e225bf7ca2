"""Terrain and land of a domain out of elevation files: what `mlrtma domain` makes.

Depths of the sea are not heights of the ground: sea level is taken there. Of a lake that the file knows by its bed,
such as the Great Lakes in models of the sea floor, the level is that of its shore.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.path import Path
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.cell_means import cell_means, is_finer
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.coastlines import Polygon
from mlrtma_dist.io.elevation import ElevationGrid
from mlrtma_dist.io.shores import ICE, LAKE, LAND, ShoreGrid

DRY = 0.99  # share of a cell that is not sea from which heights below sea level are believed
WET = 0.01  # share of it below which a cell without an elevation is sea
DEEP = 10.0  # m of relief within a lake, which no surface of water has: the file has its bed
INNER, FEWEST = 2, 9  # cells from the shore, and number of such cells, by which a lake is judged
VOIDS = 0.01  # share of the land that may lack an elevation and is taken from the nearest cell


@dataclass(frozen=True)
class Ground:
    """Terrain and land of a domain.

    Attributes:
        terrain: height above mean sea level, m; land: share of land; float32 (y, x) without NaN.
        note: how they were made, for whoever reads a product.
    """

    terrain: np.ndarray
    land: np.ndarray
    note: str


def make_ground(domain: Domain, elevation: Sequence[ElevationGrid], land: Sequence[ElevationGrid] = ()) -> Ground:
    """Make terrain and land of a domain.

    Args:
        domain: on the earth.
        elevation: grids of height above sea level, m; each may cover a part.
        land: grids of the share of land, 0 to 1; where they have no value, and without any, the shores of GSHHG count.

    Raises:
        InputError: files that do not cover the domain's land, or a land mask with other values.
    """
    shores = ShoreGrid.around(domain)
    dry = cell_means(domain, [shores.only(lambda each: each.level in (LAND, ICE))])
    heights = cell_means(domain, elevation)
    terrain = cell_means(domain, elevation, lambda values: np.maximum(values, np.float32(0.0)))
    terrain = np.where((heights < 0.0) & (dry > DRY), heights, terrain)
    lakes = [each for each in shores.polygons if each.level == LAKE]
    terrain = _filled(domain, terrain, dry, elevation)
    mask = cell_means(domain, [shores])
    for lake in lakes:
        _fill_lake(domain, terrain, mask, lake)
    if land:
        own = cell_means(domain, land)
        if not np.nanmax(own, initial=0.0) <= 1.0 or not np.nanmin(own, initial=0.0) >= 0.0:
            low, high = np.nanmin(own), np.nanmax(own)
            raise InputError(f"{land[0].name}: expected shares of land from 0 to 1, got {low:g} to {high:g}")
        mask = np.where(np.isnan(own), mask, own)
    names = ", ".join(dict.fromkeys(grid.name for grid in elevation[:3])) + (", ..." if len(elevation) > 3 else "")
    how = "mean in each cell of" if any(is_finer(grid, domain) for grid in elevation) else "interpolated from"
    source = ", ".join(grid.name for grid in land[:3]) or shores.name
    note = f"terrain: {how} {names}; land: {source}"
    return Ground(terrain.astype(np.float32), np.clip(mask, 0.0, 1.0).astype(np.float32), note)


def _filled(domain: Domain, terrain: np.ndarray, dry: np.ndarray, elevation: Sequence[ElevationGrid]) -> np.ndarray:
    """The terrain with sea level where the sea has no elevation, and small gaps of the land filled from beside them."""
    missing = np.isnan(terrain)
    terrain[missing & (dry < WET)] = 0.0
    missing &= ~(dry < WET)
    share = missing.sum() / max(1, (dry >= WET).sum())
    if share > VOIDS:
        latitude, longitude = domain.position(*np.nonzero(missing))
        raise InputError(
            f"domain {domain.name}: {100 * share:.1f} % of its land has no elevation in"
            f" {', '.join(grid.name for grid in elevation)}: name files that cover {latitude.min():.2f} to"
            f" {latitude.max():.2f} degrees north and, among others, {longitude[0]:.2f} degrees east"
        )
    if missing.any():
        nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
        terrain = terrain[tuple(nearest)]
    return terrain


def _fill_lake(domain: Domain, terrain: np.ndarray, land: np.ndarray, lake: Polygon) -> None:
    """Raise the cells of a lake to its shore's level, in place, where the file has its bed.

    A surface of water is level; a bed is not. What is judged are cells of nothing but water ``INNER`` cells and more
    from the shore; a lake without such cells is left as it is. The level is that of low land beside the shore.
    """
    row, column = domain.index(lake.points[:, 1], lake.points[:, 0])
    if not (np.isfinite(row).all() and np.isfinite(column).all()):
        return
    ends = zip((row, column), domain.shape, strict=True)
    spans = [slice(max(0, int(each.min()) - INNER), min(size, int(each.max()) + INNER + 2)) for each, size in ends]
    if any(span.stop - span.start <= 2 * INNER for span in spans):
        return
    rows, columns = np.mgrid[tuple(spans)]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    inside = Path(np.stack([column, row], axis=1)).contains_points(points).reshape(rows.shape)
    cells, dry = terrain[tuple(spans)], land[tuple(spans)]
    core = cells[binary_erosion(inside, iterations=INNER) & (dry < WET)]
    beside = cells[binary_dilation(inside, iterations=INNER) & (dry > DRY)]
    if len(core) < FEWEST or not len(beside):
        return
    level = np.quantile(beside, 0.1)
    if np.ptp(np.quantile(core, [0.05, 0.95])) > DEEP and np.median(core) < level:
        inside &= dry <= DRY
        cells[inside] = np.maximum(cells[inside], level)
