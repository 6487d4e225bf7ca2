"""Stations on analysis maps: reports as numbers, circles, barbs or whole station models, thinned to be legible."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.map_canvas import INK, Base, Sheet
from mlrtma_dist.inference.map_marks import Winds, draw_winds
from mlrtma_dist.inference.map_settings import MapUnit, Units
from mlrtma_dist.inference.map_style import STATION_COLOURS
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.names import LIMITED_CEILING, VARIABLES
from mlrtma_dist.physics.flight_category import CATEGORIES

NUMBERS, SYMBOLS, MODELS = 0.30, 0.22, 0.80  # inches between stations of a kind of mark, so that none overlap
HALO = [withStroke(linewidth=1.8, foreground="white", alpha=0.85)]
MODEL_BARB = 8.8  # its shaft of 19 points carries the feathers beyond the numbers
QUARTERS = 4  # of the sky, of a station's circle
Texts = tuple[tuple[str, tuple[float, float], str], ...]  # text, offset from the station in points, colour


@dataclass(frozen=True)
class Stations:
    """The stations of whose reports an analysis was made, one row each.

    Attributes:
        name: identifiers, in their order; latitude, longitude: degrees; elevation: m. Shape (n,) each.
        values: variable -> value in SI, NaN where the station has none; derived fields among them. Shape (n,) each.
    """

    name: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    elevation: np.ndarray
    values: dict[str, np.ndarray]

    @classmethod
    def of(cls, analysis: Analysis) -> "Stations":
        """The stations used, with what they reported and what is derived from that as from the fields."""
        table = analysis.observations[used_rows(analysis)]
        name, first, station = np.unique(table.station, return_index=True, return_inverse=True)
        values = {variable: np.full(len(name), np.nan) for variable in analysis.values if variable in VARIABLES}
        for variable, column in values.items():
            rows = table.variable == variable
            column[station[rows]] = table.value[rows]
        elevation = table.elevation[first]
        for entry in DERIVED.values():
            if set(entry.needs) <= set(values):
                values[entry.name] = entry.of({need: values[need] for need in entry.needs}, elevation)
        return cls(name, table.latitude[first], table.longitude[first], elevation, values)

    def reporting(self, *names: str) -> np.ndarray:
        """Mask (n,) of the stations that have all of these."""
        columns = [np.isfinite(self.values[name]) for name in names]
        return np.all(columns, axis=0) if len(self.name) else np.zeros(0, bool)

    def thinned(self, base: Base, rows: np.ndarray, spacing: float) -> np.ndarray:
        """Stations that are nowhere nearer to each other, or to the edge of the map, than their marks need.

        Those with more reports go first, and of these the order of the names decides: from hour to hour the same
        stations are shown.

        Args:
            base: of the map.
            rows: mask (n,) of those that may be shown.
            spacing: inches from one to the next.

        Returns:
            Indices of stations; none on a plane, where stations have no place.
        """
        x, y = base.place(self.latitude, self.longitude)
        (west, east, south, north), (width, height) = base.extent, base.size
        place = np.column_stack([(x - west) / (east - west) * width, (y - south) / (north - south) * height])  # inches
        with np.errstate(invalid="ignore"):
            inside = ((place > 0.45 * spacing) & (place < np.array([width, height]) - 0.45 * spacing)).all(axis=1)
        reports = np.sum([np.isfinite(column) for column in self.values.values()], axis=0)
        chosen: list[int] = []
        cells: dict[tuple[int, int], list[int]] = {}
        candidates = np.flatnonzero(rows & inside)
        for index in candidates[np.argsort(-reports[candidates], kind="stable")]:
            row, column = (place[index] / spacing).astype(int)
            near = [k for r in (-1, 0, 1) for c in (-1, 0, 1) for k in cells.get((row + r, column + c), ())]
            if all(np.hypot(*(place[index] - place[k])) >= spacing for k in near):
                cells.setdefault((row, column), []).append(index)
                chosen.append(index)
        return np.array(chosen, dtype=int)

    def winds(self, base: Base, chosen: np.ndarray) -> Winds:
        """The winds of some of the stations."""
        place = base.place(self.latitude[chosen], self.longitude[chosen])
        columns = self.latitude, self.longitude, self.values["u10"], self.values["v10"]
        return Winds(*place, *(column[chosen] for column in columns))


def draw_numbers(stations: Stations, chosen: np.ndarray, sheet: Sheet, name: str, unit: MapUnit) -> None:
    """Write reports of a variable where they were made."""
    texts = [number_text(value, name, unit) for value in stations.values[name][chosen]]
    _write(stations, chosen, sheet, [((text, (0.0, 0.0), INK),) for text in texts])


def number_text(value: float, name: str, unit: MapUnit) -> str:
    """A report as it stands on a map; ceilings in feet are hundreds of feet, and a dash where there is none."""
    if name == "ceiling" and value >= LIMITED_CEILING:
        return "–"
    number = float(unit.show(value))
    if name == "ceiling" and unit.name == "foot":
        return f"{round(number / 100.0):03d}"
    if name == "visibility" or unit.name in ("inHg", "kPa"):
        return f"{number:.2g}" if name == "visibility" else f"{number:.4g}"
    return str(round(number)).replace("-", "−")


def draw_sky(stations: Stations, chosen: np.ndarray, sheet: Sheet, size: float = 46.0) -> None:
    """Circles that are filled as far as the sky is covered, in quarters; ``size``: points^2."""
    x, y = sheet.base.place(stations.latitude[chosen], stations.longitude[chosen])
    cover = stations.values["sky_cover"][chosen] if "sky_cover" in stations.values else np.full(len(chosen), np.nan)
    style = {"edgecolors": INK, "linewidths": 0.7, "zorder": 5}
    sheet.axes.scatter(x, y, s=size, facecolors="white", **style)
    quarters = np.rint(np.nan_to_num(cover) * QUARTERS).astype(int)
    for number in range(1, QUARTERS + 1):
        rows = quarters == number
        if rows.any():  # clockwise from the top, as the circles of surface charts are filled
            wedge = Path.wedge(90.0 - 360.0 * number / QUARTERS, 90.0) if number < QUARTERS else Path.unit_circle()
            sheet.axes.scatter(x[rows], y[rows], s=size, marker=wedge, color=INK, linewidths=0.0, zorder=5.1)


def draw_categories(stations: Stations, chosen: np.ndarray, sheet: Sheet) -> None:
    """Circles in the colour of the flight category."""
    x, y = sheet.base.place(stations.latitude[chosen], stations.longitude[chosen])
    numbers = stations.values["flight_category"][chosen].astype(int)
    colours = [STATION_COLOURS[CATEGORIES[number]] for number in numbers]
    sheet.axes.scatter(x, y, s=30, c=colours, edgecolors="white", linewidths=0.6, zorder=5)


def draw_models(stations: Stations, chosen: np.ndarray, sheet: Sheet, units: Units) -> None:
    """Draw station models: sky, wind, temperature, dew point, pressure (WMO-No. 485, appendix II-4)."""
    if {"u10", "v10"} <= set(stations.values):
        windy = chosen[stations.reporting("u10", "v10")[chosen]]
        draw_winds(stations.winds(sheet.base, windy), sheet, units.of_wind, length=MODEL_BARB)
    draw_sky(stations, chosen, sheet, size=30.0)
    _write(stations, chosen, sheet, [_model(stations, index, units) for index in chosen])


def _model(stations: Stations, index: int, units: Units) -> Texts:
    """The numbers of a station, each at its place around the circle."""

    def text(name: str) -> str:
        value = stations.values[name][index] if name in stations.values else np.nan
        return number_text(value, name, units.of(VARIABLES[name])) if np.isfinite(value) else ""

    pressure = stations.values["sea_level_pressure"][index]
    tenths = f"{round(pressure / 10.0) % 1000:03d}" if np.isfinite(pressure) else ""
    return (
        (text("t2m"), (-9.0, 6.5), "#b00000"),
        (text("d2m"), (-9.0, -6.5), "#006400"),
        (tenths, (11.0, 6.5), INK),
    )


def _write(stations: Stations, chosen: np.ndarray, sheet: Sheet, texts: Sequence[Texts]) -> None:
    """Write the texts of each station around its place."""
    x, y = sheet.base.place(stations.latitude[chosen], stations.longitude[chosen])
    for place, around in zip(np.column_stack([x, y]), texts, strict=True):
        for text, offset, colour in around:
            if text:
                sheet.axes.annotate(
                    text,
                    place,
                    offset,
                    textcoords="offset points",
                    ha="center",
                    va="center",
                    fontsize=6.8,
                    color=colour,
                    path_effects=HALO,
                    zorder=6,
                )
