"""What is drawn over the field of a map: wind barbs, isobars, and stations with their departures."""

from dataclasses import dataclass

import numpy as np
from matplotlib.patheffects import withStroke
from scipy.ndimage import gaussian_filter

from mlrtma_dist.grid.domain import Domain, rotate
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.map_canvas import INK, Base, Sheet
from mlrtma_dist.inference.map_picture import Picture, Tiles
from mlrtma_dist.inference.map_settings import MapUnit
from mlrtma_dist.inference.map_style import Scale
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.names import Variable
from mlrtma_dist.observations.table import Flag

# A report that is late, elsewhere or a copy is not doubted: only these are marked as rejected.
DOUBTED = Flag.PROVIDER | Flag.RANGE | Flag.POSITION | Flag.ELEVATION | Flag.GROSS | Flag.BUDDY | Flag.CONSISTENCY
ISOBAR = "#1f3f8f"
BARB_SPACING = 0.36  # inches
# half feather, feather and pennant
BARBS = {"knot": (5.0, 10.0, 50.0), "m/s": (2.5, 5.0, 25.0), "km/h": (10.0, 20.0, 100.0), "mph": (5.0, 10.0, 50.0)}
# km; sea-level pressure over mountains depends on the temperature of each valley, which isobars must not show
SMOOTHED = 30.0
# intervals of isobars on domains wider than 2000 km, than 800 km and on smaller ones
INTERVALS = {
    "hPa": (4.0, 2.0, 1.0),
    "Pa": (400.0, 200.0, 100.0),
    "kPa": (0.4, 0.2, 0.1),
    "inHg": (0.1, 0.05, 0.02),
    "mmHg": (3.0, 1.0, 0.5),
}


@dataclass(frozen=True)
class Winds:
    """Winds at points of a map.

    Attributes:
        x, y: projection coordinates; latitude, longitude: degrees.
        u, v: eastward and northward, m s-1. All arrays are of one shape.
    """

    x: np.ndarray
    y: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @classmethod
    def sampled(cls, analysis: Analysis, base: Base, tiles: Tiles) -> "Winds | None":
        """The analysed wind at every n-th grid point on the rank that draws, None elsewhere. Collective.

        Its direction is that of the vector, and its speed the one that is analysed of its own, where that is so.
        """
        domain = analysis.static.domain
        step = int(np.ceil(domain.size.x * BARB_SPACING / base.size[0]))
        rows, columns = (np.arange(step // 2, n, step) for n in domain.shape)
        u, v = (tiles.sample(analysis.values[name], rows, columns) for name in ("u10", "v10"))
        speed = tiles.sample(speed_of(analysis), rows, columns)
        if u is None or v is None or speed is None:
            return None
        vector = np.hypot(u, v)
        factor = np.divide(speed, vector, out=np.zeros_like(speed), where=vector > 0.0)
        x, y = np.meshgrid(domain.x[columns], domain.y[rows])
        latitude, longitude = (x, y) if domain.is_plane else domain.latitude_longitude(rows, columns)
        return cls(x, y, latitude, longitude, factor * u, factor * v)

    def where(self, rows: np.ndarray) -> "Winds":
        """The winds of a mask or of indices."""
        columns = (self.x, self.y, self.latitude, self.longitude, self.u, self.v)
        return Winds(*(column[rows] for column in columns))


def speed_of(analysis: Analysis) -> np.ndarray:
    """Wind speed on this rank's box, m s-1: analysed of its own, or else that of the vector."""
    values = analysis.values
    return values["wind_speed"] if "wind_speed" in values else np.hypot(values["u10"], values["v10"])


def draw_winds(winds: Winds, sheet: Sheet, unit: MapUnit, colour: str = INK, length: float = 5.4) -> None:
    """Draw barbs, turned from the earth's axes to the map's."""
    if not winds.u.size:
        return
    domain = sheet.base.static.domain
    u, v = winds.u * unit.factor, winds.v * unit.factor
    if not domain.is_plane:
        u, v = rotate(u, v, -domain.convergence(winds.latitude, winds.longitude))
    half, full, pennant = BARBS[unit.name]
    sheet.axes.barbs(
        winds.x,
        winds.y,
        u,
        v,
        length=length,
        linewidth=0.6,
        color=colour,
        flip_barb=winds.latitude < 0,  # there barbs point to the other side
        zorder=4,
        path_effects=[withStroke(linewidth=1.9, foreground="white", alpha=0.75)],
        sizes={"emptybarb": 0.08, "spacing": 0.16, "height": 0.45},
        barb_increments={"half": half, "full": full, "flag": pennant},
    )


def barb_legend(unit: MapUnit) -> str:
    """What a barb's feathers are worth."""
    half, full, pennant = BARBS[unit.name]
    return f"Barbs: half {half:g}, full {full:g}, pennant {pennant:g} {unit.label}."


def isobar_interval(domain: Domain, unit: MapUnit) -> float:
    """From one isobar to the next; it depends on the domain's width alone, so that it is the same from hour to hour."""
    width = domain.spacing_metres * domain.size.x / 1000.0
    return INTERVALS[unit.name][0 if width > 2000.0 else 1 if width > 800.0 else 2]


def draw_isobars(picture: Picture, sheet: Sheet, unit: MapUnit) -> None:
    """Draw lines of equal pressure of the field smoothed over SMOOTHED, with labels.

    Args:
        picture: of the pressure in the unit of the map.
        sheet: of the map; unit: of the map.
    """
    domain, thin = sheet.base.static.domain, picture.thin
    pixel = domain.spacing_metres * thin / 1000.0  # km
    finite = np.isfinite(picture.values)
    weight = gaussian_filter(finite.astype(np.float64), SMOOTHED / pixel)
    smooth = gaussian_filter(np.where(finite, picture.values, 0.0).astype(np.float64), SMOOTHED / pixel)
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = np.where(finite, smooth / weight, np.nan)
    step = max(1, int(0.25 * SMOOTHED / pixel))
    if not finite.any():
        return
    interval = isobar_interval(domain, unit)
    levels = np.arange(np.floor(np.nanmin(smooth) / interval), np.ceil(np.nanmax(smooth) / interval) + 1) * interval
    middle = 0.5 * domain.spacing * (thin - 1)
    starts = (domain.x[0], smooth.shape[1]), (domain.y[0], smooth.shape[0])
    x, y = (start + middle + domain.spacing * thin * np.arange(0, n, step) for start, n in starts)
    lines = sheet.axes.contour(x, y, smooth[::step, ::step], levels=levels, colors=ISOBAR, linewidths=1.0, zorder=3.5)
    sheet.axes.clabel(lines, fontsize=7.5, fmt="%g", inline_spacing=3)


def draw_stations(analysis: Analysis, sheet: Sheet, variable: Variable, *, factor: float, scale: Scale) -> None:
    """Draw used stations in the colour of their departure from the first guess, the others in a shape of their own.

    Args:
        analysis, sheet, variable: of the map.
        factor: of the departures on the colour scale.
        scale: of the increment.
    """
    table, departure = analysis.observations, analysis.background_departure * factor
    x, y = sheet.base.place(table.latitude, table.longitude)
    mine = table.variable == variable.name
    mapped, used = mine & np.isfinite(x), used_rows(analysis)
    beyond = (mine & used & ~mapped).sum()
    used = mapped & used
    unused = mapped & table.good & ~used
    rejected = mapped & ~used & ((table.flags & np.uint32(DOUBTED)) != 0)
    area = float(np.clip(6.0e3 / max(1, used.sum()), 9.0, 36.0))  # points^2: thousands of stations still leave gaps
    order = np.flatnonzero(used)[np.argsort(np.nan_to_num(np.abs(departure[used])))]  # the largest on top
    if len(order):
        word = "over" if variable.transform == "log" else "minus"
        more = f"; {beyond:,} more beyond the map" if beyond else ""
        sheet.axes.scatter(
            x[order],
            y[order],
            s=area,
            c=departure[order],
            cmap=scale.colours,
            norm=scale.norm,
            edgecolors=INK,
            linewidths=0.35,
            zorder=5,
            label=f"used ({len(order):,}{more}), coloured by observation {word} first guess",
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
            label=f"withheld or unused ({unused.sum():,})",
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
            label=f"rejected by quality control ({rejected.sum():,})",
        )
