"""Maps of the error that an analysis expects of itself: of an ensemble, the deviation of its members."""

import numpy as np

from mlrtma_dist.inference.map_atlas import Atlas, describe_range, title_of
from mlrtma_dist.inference.map_canvas import Sheet
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.map_style import ROBUST, Style, field_scale
from mlrtma_dist.names import Variable

ERROR_STYLE = Style("YlGnBu")


def error_map(atlas: Atlas, variable: Variable, tiles: Tiles) -> Sheet | None:
    """Standard deviation of the analysis error of a variable, of logarithms as the factor that it is; None on ranks
    that do not draw it."""
    ratio, unit = variable.transform == "log", atlas.unit(variable)
    error = atlas.analysis.error[variable.name]
    values = np.exp(error) if ratio else error * np.float32(unit.factor)
    label = "factor" if ratio else unit.of_difference
    limits, picture = tiles.range(values, ROBUST), tiles.picture(values)
    facts = describe_range(limits, label)
    if picture is None:
        return None
    title = f"{title_of(variable)}: standard deviation of the analysis error, as the method expects it"
    sheet = Sheet(atlas.base, title, atlas.subtitle(variable.name), [facts, *atlas.notes()])
    scale = field_scale(ERROR_STYLE, limits, False)
    sheet.bar(sheet.field(picture, scale), label, scale.arrows(limits), scale.ticks)
    sheet.geography()
    return sheet
