"""What is drawn over the field of a map: wind barbs, and stations with their departures."""

from dataclasses import dataclass

import numpy as np
from matplotlib.patheffects import withStroke

from mlrtma_dist.grid.domain import rotate
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.map_canvas import INK, Base, Sheet
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.names import Variable
from mlrtma_dist.observations.table import Flag

# A report that is late, elsewhere or a copy is not doubted: only these are marked as rejected.
DOUBTED = Flag.PROVIDER | Flag.RANGE | Flag.POSITION | Flag.ELEVATION | Flag.GROSS | Flag.BUDDY | Flag.CONSISTENCY
KNOTS = 3600.0 / 1852.0
BARB_SPACING = 0.36  # inches


@dataclass(frozen=True)
class Barbs:
    """Winds at every n-th grid point.

    Attributes:
        rows, columns: of the grid.
        u, v: eastward and northward, m s-1, shape (rows, columns).
    """

    rows: np.ndarray
    columns: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @classmethod
    def sampled(cls, analysis: Analysis, base: Base, tiles: Tiles) -> "Barbs | None":
        """The barbs of an analysis on the rank that draws, None elsewhere. Collective."""
        domain = analysis.static.domain
        step = int(np.ceil(domain.size.x * BARB_SPACING / base.size[0]))
        rows, columns = (np.arange(step // 2, n, step) for n in domain.shape)
        u, v = (tiles.sample(analysis.values[name], rows, columns) for name in ("u10", "v10"))
        return None if u is None or v is None else cls(rows, columns, u, v)


def draw_barbs(barbs: Barbs, sheet: Sheet) -> None:
    """Draw winds, turned from the earth's axes to the map's."""
    domain, south = sheet.base.static.domain, np.zeros(barbs.u.shape, bool)
    u, v = barbs.u * KNOTS, barbs.v * KNOTS
    if not domain.is_plane:
        latitude, longitude = domain.latitude_longitude(barbs.rows, barbs.columns)
        u, v = rotate(u, v, -domain.convergence(latitude, longitude))
        south = latitude < 0  # there barbs point to the other side
    halo = [withStroke(linewidth=1.9, foreground="white", alpha=0.75)]
    sheet.axes.barbs(
        domain.x[barbs.columns],
        domain.y[barbs.rows],
        u,
        v,
        length=5.4,
        linewidth=0.6,
        color=INK,
        flip_barb=south,
        zorder=4,
        path_effects=halo,
        sizes={"emptybarb": 0.08, "spacing": 0.16, "height": 0.45},
    )


def draw_stations(analysis: Analysis, sheet: Sheet, variable: Variable, *, scale: float, colours: str, norm) -> None:
    """Draw used stations in the colour of their departure from the first guess, the others in a shape of their own."""
    table, departure = analysis.observations, analysis.background_departure * scale
    x, y = sheet.base.place(table.latitude, table.longitude)
    on_map = np.isfinite(x) & (table.variable == variable.name)
    used = on_map & used_rows(analysis)
    unused = on_map & table.good & ~used
    rejected = on_map & ~used & ((table.flags & np.uint32(DOUBTED)) != 0)
    area = float(np.clip(6.0e3 / max(1, used.sum()), 9.0, 36.0))  # points^2: thousands of stations still leave gaps
    order = np.flatnonzero(used)[np.argsort(np.nan_to_num(np.abs(departure[used])))]  # the largest on top
    if len(order):
        word = "over" if variable.transform == "log" else "minus"
        sheet.axes.scatter(
            x[order],
            y[order],
            s=area,
            c=departure[order],
            cmap=colours,
            norm=norm,
            edgecolors=INK,
            linewidths=0.35,
            zorder=5,
            label=f"used ({len(order)}), coloured by observation {word} first guess",
        )
    if unused.any():
        sheet.axes.scatter(
            x[unused],
            y[unused],
            s=area + 4,
            marker="^",
            facecolors="none",
            edgecolors=INK,
            linewidths=0.7,
            zorder=5,
            label=f"withheld or unused ({unused.sum()})",
        )
    if rejected.any():
        sheet.axes.scatter(
            x[rejected],
            y[rejected],
            s=0.9 * area + 4,
            marker="x",
            c="#c000c0",
            linewidths=0.9,
            zorder=6,
            label=f"rejected by quality control ({rejected.sum()})",
        )
