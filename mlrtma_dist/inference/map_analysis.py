"""Maps of an analysis with the reports it was made of: a variable, the wind, the surface chart, the flight category."""

import numpy as np

from mlrtma_dist.inference.derived import DERIVED, Derived
from mlrtma_dist.inference.map_atlas import Atlas, describe_range, number_words, title_of
from mlrtma_dist.inference.map_canvas import Sheet
from mlrtma_dist.inference.map_marks import (
    BARB_SPACING,
    SMOOTHED,
    Winds,
    barb_legend,
    draw_isobars,
    draw_winds,
    isobar_interval,
    speed_of,
)
from mlrtma_dist.inference.map_picture import Picture, Tiles
from mlrtma_dist.inference.map_settings import MapUnit
from mlrtma_dist.inference.map_stations import (
    MODELS,
    NUMBERS,
    SYMBOLS,
    draw_categories,
    draw_models,
    draw_numbers,
    draw_sky,
)
from mlrtma_dist.inference.map_style import ROBUST, category_scale
from mlrtma_dist.names import LIMITED_CEILING, VARIABLES, Variable
from mlrtma_dist.physics.flight_category import CATEGORIES

REPORTED = "#8b0000"  # barbs of stations, beside the analysed ones


def analysis_map(atlas: Atlas, variable: Variable | Derived, tiles: Tiles) -> Sheet | None:
    """The map of one variable on the rank that draws it; on the others None."""
    unit, name = atlas.unit(variable), variable.name
    values = unit.show(_field(atlas, variable))
    limits, picture = tiles.range(values, ROBUST), tiles.picture(values)
    facts = describe_range(limits, unit.label) if name != "ceiling" else _describe_ceiling(values, unit, tiles)
    if picture is None:
        return None
    circles = name == "sky_cover"
    chosen = atlas.stations.thinned(atlas.base, atlas.stations.reporting(name), SYMBOLS if circles else NUMBERS)
    facts = f"{facts} {_reports(atlas, chosen, name)}"
    names = variable.needs if isinstance(variable, Derived) else (name,)
    sheet = Sheet(atlas.base, title_of(variable), atlas.subtitle(*names), [facts, *atlas.notes()])
    scale = atlas.scale(name, limits)
    label = f"{unit.label}; white: no ceiling" if name == "ceiling" else unit.label
    sheet.bar(sheet.field(picture, scale), label, scale.arrows(limits), scale.ticks)
    sheet.geography()
    if circles:
        draw_sky(atlas.stations, chosen, sheet)
    else:
        draw_numbers(atlas.stations, chosen, sheet, name, unit)
    return sheet


def wind_map(atlas: Atlas, tiles: Tiles) -> Sheet | None:
    """Wind speed, and barbs of the analysis and of stations, in one unit; None on ranks that do not draw it."""
    unit = atlas.settings.units.of_wind
    speed = unit.show(speed_of(atlas.analysis))
    limits, picture = tiles.range(speed, ROBUST), tiles.picture(speed)
    winds = Winds.sampled(atlas.analysis, atlas.base, tiles)
    if picture is None or winds is None:
        return None
    stations = atlas.stations
    chosen = stations.thinned(atlas.base, stations.reporting("u10", "v10"), MODELS)
    facts = f"{barb_legend(unit)} {describe_range(limits, unit.label)}"
    if len(chosen):
        facts += f" Red barbs: {_share(atlas, chosen, 'u10', 'v10')}."
    sheet = Sheet(atlas.base, "10 m wind", atlas.subtitle("u10", "v10"), [facts, *atlas.notes()])
    scale = atlas.scale("wind_speed", limits)
    sheet.bar(sheet.field(picture, scale), unit.label, scale.arrows(limits), scale.ticks)
    sheet.geography()
    reported = stations.winds(atlas.base, chosen)
    draw_winds(winds.where(_free(winds, reported, atlas)), sheet, unit)
    draw_winds(reported, sheet, unit, REPORTED)
    return sheet


def surface_map(atlas: Atlas, tiles: Tiles) -> Sheet | None:
    """The surface chart: pressure at sea level with isobars, and station models; None on ranks that do not draw it."""
    entry = DERIVED["sea_level_pressure"]
    unit = atlas.unit(entry)
    values = unit.show(entry.field(atlas.analysis))
    limits, picture = tiles.range(values, ROBUST), tiles.picture(values)
    if picture is None:
        return None
    stations = atlas.stations
    chosen = stations.thinned(atlas.base, stations.reporting("psfc", "t2m"), MODELS)
    interval = isobar_interval(atlas.base.static.domain, unit)
    facts = f"Isobars every {interval:g} {unit.label}, of the field smoothed over {SMOOTHED:g} km."
    facts = f"{facts} {describe_range(limits, unit.label)}"
    models = [f"Stations: {_share(atlas, chosen, 'psfc', 't2m')}. {_model_legend(atlas)}"] if len(chosen) else []
    sheet = Sheet(atlas.base, title_of(entry), atlas.subtitle(*entry.needs), [facts, *models, *atlas.notes()])
    scale = atlas.scale(entry.name, limits)
    sheet.bar(sheet.field(picture, scale), unit.label, scale.arrows(limits), scale.ticks)
    sheet.geography()
    draw_isobars(picture, sheet, unit)
    draw_models(stations, chosen, sheet, atlas.settings.units)
    return sheet


def category_map(atlas: Atlas, tiles: Tiles) -> Sheet | None:
    """The flight category, of the field and of stations; None on ranks that do not draw it."""
    entry = DERIVED["flight_category"]
    values = entry.field(atlas.analysis)
    limits = tiles.range(values)
    shares = [tiles.range((values == number).astype(np.float32)).mean for number in range(len(CATEGORIES))]
    rows, columns = (np.arange(tiles.thin // 2, n - n % tiles.thin, tiles.thin) for n in tiles.shape)
    sampled = tiles.sample(values, rows, columns)  # the mean of two categories is none
    if sampled is None:
        return None
    chosen = atlas.stations.thinned(atlas.base, atlas.stations.reporting(*entry.needs), SYMBOLS)
    words = (f"{name} {100.0 * share:.1f} %" for name, share in zip(CATEGORIES, shares, strict=True))
    facts = f"Of the grid points: {', '.join(words)}."
    if len(chosen):
        facts += f" Circles: {_share(atlas, chosen, *entry.needs)}, in the colour of its own category."
    limit = f"{entry.comment[0].upper()}{entry.comment[1:]}."
    sheet = Sheet(atlas.base, "Flight category", atlas.subtitle(*entry.needs), [facts, limit, *atlas.notes()])
    scale = category_scale()
    sheet.bar(sheet.field(Picture(sampled, tiles.thin), scale), "", scale.arrows(limits), scale.ticks)
    sheet.geography()
    draw_categories(atlas.stations, chosen, sheet)
    return sheet


def _field(atlas: Atlas, variable: Variable | Derived) -> np.ndarray:
    """The values of a variable on this rank's box, SI."""
    return variable.field(atlas.analysis) if isinstance(variable, Derived) else atlas.analysis.values[variable.name]


def _describe_ceiling(values: np.ndarray, unit: MapUnit, tiles: Tiles) -> str:
    """The lowest ceiling and where there is none, in a sentence. Collective."""
    lowest = tiles.range(values).low
    without = tiles.range((values > unit.show(LIMITED_CEILING)).astype(np.float32)).mean
    return f"Minimum {number_words(lowest)} {unit.label}; no ceiling at {100.0 * without:.1f} % of the grid points."


def _share(atlas: Atlas, chosen: np.ndarray, *names: str) -> str:
    """How many of the stations are drawn, in words."""
    return f"{len(chosen):,} of {atlas.stations.reporting(*names).sum():,} stations used, thinned so that none overlap"


def _reports(atlas: Atlas, chosen: np.ndarray, name: str) -> str:
    """What the marks of the stations are, in a sentence."""
    if not len(chosen):
        return ""
    if name == "sky_cover":
        return f"Circles, filled as far as the sky is covered: {_share(atlas, chosen, name)}."
    unit = atlas.settings.units.ceiling
    what = "reported" if name in VARIABLES else "derived from reports"
    hundreds = " in hundreds of feet, – without a ceiling" if name == "ceiling" and unit == "foot" else ""
    return f"Numbers: {what}{hundreds}, {_share(atlas, chosen, name)}."


def _model_legend(atlas: Atlas) -> str:
    """What the numbers of a station model are."""
    units = atlas.settings.units
    numbers = f"Red: temperature, green: dew point, {MapUnit.of(units.temperature).label}"
    pressure = "black: sea-level pressure, the last three digits of tenths of hPa"
    return f"{numbers}; {pressure}; circles: filled as far as the sky is covered. {barb_legend(units.of_wind)}"


def _free(winds: Winds, reported: Winds, atlas: Atlas) -> np.ndarray:
    """Mask of the analysed winds whose barbs leave room for those of the stations."""
    west, east, *_ = atlas.base.extent
    room = 0.85 * BARB_SPACING * (east - west) / atlas.base.size[0]
    free = np.ones(winds.x.shape, bool)
    for x, y in zip(reported.x, reported.y, strict=True):
        free &= np.hypot(winds.x - x, winds.y - y) > room
    return free
