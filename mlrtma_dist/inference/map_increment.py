"""Maps of an analysis's increment with the departures of its stations."""

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.map_atlas import Atlas, title_of
from mlrtma_dist.inference.map_canvas import Sheet
from mlrtma_dist.inference.map_marks import draw_stations
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.map_settings import MapUnit
from mlrtma_dist.inference.map_style import INCREMENTS_SHOWN, increment_scale
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.names import Variable


def increment_map(atlas: Atlas, variable: Variable, tiles: Tiles) -> Sheet | None:
    """Increment, and on the same colours the departures of the stations used; None on ranks that do not draw it."""
    analysis, ratio, unit = atlas.analysis, variable.transform == "log", atlas.unit(variable)
    factor = 1.0 / np.log(2.0) if ratio else unit.factor  # ratios are shown as powers of two
    after, before = (variable.to_analysis(fields[variable.name]) for fields in (analysis.values, analysis.first_guess))
    increment = (after - before) * np.float32(factor)
    limits, size = tiles.range(increment), tiles.range(np.abs(increment), (INCREMENTS_SHOWN,))
    picture = tiles.picture(increment)
    if picture is None:
        return None
    plane = atlas.base.static.domain.is_plane
    mine = analysis.observations.variable == variable.name
    used = mine & used_rows(analysis)
    drawn = not plane and bool(mine.any())
    facts = _departures(analysis, used, ratio=ratio, unit=unit)
    if plane:
        facts += " Stations have no place on this plane and are not drawn."
    title = f"{title_of(variable)}: analysis {'over' if ratio else 'minus'} first guess"
    sheet = Sheet(atlas.base, title, atlas.subtitle(variable.name), [facts, *atlas.notes()], legend=drawn)
    departure = analysis.background_departure[used] * factor
    scale = increment_scale(variable, size, departure, atlas.settings.increments.get(variable.name))
    label = "ratio" if ratio else unit.of_difference
    sheet.bar(sheet.field(picture, scale), label, scale.arrows(limits), scale.ticks)
    sheet.geography()
    if drawn:
        draw_stations(analysis, sheet, variable, factor=factor, scale=scale)
        sheet.legend()
    return sheet


def _departures(analysis: Analysis, used: np.ndarray, *, ratio: bool, unit: MapUnit) -> str:
    """Bias and rms of the departures at the stations used, before and after; of logarithms as they are."""
    factor, label, word = (1.0, "", "over") if ratio else (unit.factor, f" {unit.of_difference}", "minus")
    texts = []
    for name, departure in (("first guess", analysis.background_departure), ("analysis", analysis.analysis_departure)):
        finite = departure[used & np.isfinite(departure)] * factor
        if finite.size:
            mean = f"{round(finite.mean(), 2) + 0.0:+.2f}".replace("-", "−")
            texts.append(f"{word} {name}: mean {mean}, rms {np.sqrt(np.mean(finite**2)):.2f}{label}")
    if not texts:
        return "No station was used."
    what = "Natural logarithm of observation" if ratio else "Observation"
    return f"{what} {'; '.join(texts)} (at the stations used: not a measure of skill)."
