"""How a variable looks on a map: colours, ends or bands of its scale, ticks.

Colour maps are ordered in lightness or diverge from a light middle (Crameri et al. 2020, The misuse of colour in
science communication, Nature Communications 11, 5444). None reaches black: coasts, barbs and numbers are drawn in it.
"""

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from mlrtma_dist.inference.field_range import FieldRange
from mlrtma_dist.names import Variable
from mlrtma_dist.physics.flight_category import CATEGORIES

ROBUST = (0.5, 99.5)  # percentiles of a scale that no settings fix; what is beyond takes the end colour
DEPARTURES_SHOWN = 90.0  # percentile of the departures inside such a scale of increments
INCREMENTS_SHOWN = 99.0


@dataclass(frozen=True)
class Style:
    """Colours of an analysis.

    Attributes:
        colours: a matplotlib colour map.
        symmetric: a scale of the field itself is centred on zero.
        above: colour beyond the upper end, where that means something of its own.
        pale: share of white mixed in, beneath maps with many marks.
    """

    colours: str
    symmetric: bool = False
    above: str | None = None
    pale: float = 0.0

    def colour_map(self, count: int = 256) -> Colormap:
        """The colour map with so many colours."""
        colours = matplotlib.colormaps[self.colours](np.linspace(0.0, 1.0, count))
        colours[:, :3] += self.pale * (1.0 - colours[:, :3])
        colour_map = ListedColormap(colours)
        return colour_map if self.above is None else colour_map.with_extremes(over=self.above)


STYLES = {
    "t2m": Style("RdYlBu_r"),
    "d2m": Style("BrBG"),  # brown is dry, green moist
    "relative_humidity": Style("BrBG"),
    "u10": Style("PuOr_r", symmetric=True),
    "v10": Style("PuOr_r", symmetric=True),
    "wind_speed": Style("BuPu"),
    "gust": Style("BuPu"),
    "psfc": Style("YlOrBr_r"),  # brown where the ground is high
    "sea_level_pressure": Style("Spectral", pale=0.5),
    "visibility": Style("RdPu_r"),  # low is what matters, and is dark
    "ceiling": Style("RdPu_r", above="#ffffff"),
    "sky_cover": Style("Blues_r"),  # the sky: deep blue where clear, white where overcast
}
CATEGORY_COLOURS = dict(zip(CATEGORIES, ("#e07be0", "#f07070", "#7aa5f0", "#b5dfae"), strict=True))  # of the field
STATION_COLOURS = dict(zip(CATEGORIES, ("#a000a0", "#c80000", "#0038c8", "#008000"), strict=True))
INCREMENT_COLOURS = "RdBu_r"
DRIER_COLOURS = "BrBG"  # of dew point, visibility, ceiling: brown is less, green more
INCREMENT_STYLES = {"d2m": DRIER_COLOURS, "visibility": DRIER_COLOURS, "ceiling": DRIER_COLOURS, "sky_cover": "PuOr"}


@dataclass(frozen=True)
class Scale:
    """Which colour a value has.

    Attributes:
        colours: the colour map; norm: from values to its colours.
        ticks: values at which the bar is labelled, with their labels; () leaves them to matplotlib.
    """

    colours: Colormap
    norm: Normalize
    ticks: tuple[tuple[float, str], ...] = ()

    def arrows(self, values: FieldRange) -> str:
        """The ends of the bar beyond which there are values, as matplotlib calls them."""
        assert self.norm.vmin is not None and self.norm.vmax is not None, "every scale has its ends"
        ends = values.low < self.norm.vmin, values.high > self.norm.vmax
        return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[ends]


def fixed_scale(style: Style, edges: tuple[float, ...], logarithmic: bool) -> Scale:
    """A scale that settings fix.

    Args:
        style: of the variable.
        edges: two are the ends of the scale, more the edges of its bands.
        logarithmic: of a variable that is analysed as its logarithm.
    """
    if len(edges) == 2:
        return _between(style, *edges, logarithmic)
    bands = len(edges) - 1
    return Scale(style.colour_map(bands), BoundaryNorm(edges, bands), tuple((edge, f"{edge:,g}") for edge in edges))


def field_scale(style: Style, values: FieldRange, logarithmic: bool) -> Scale:
    """The scale of a field itself, from its percentiles ROBUST in the unit of the map."""
    low, high = values.percentiles
    if style.symmetric:
        low, high = -max(abs(low), abs(high), 1e-6), max(abs(low), abs(high), 1e-6)
    if high - low < 1e-6 * max(1.0, abs(high)):  # a constant field still needs a scale
        low, high = low - 0.5, high + 0.5
    if not logarithmic:
        edges = MaxNLocator(nbins=24).tick_values(low, high)
        low, high = edges[0], edges[-1]
    return _between(style, low, high, logarithmic)


def logarithmic_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Round numbers between two ends with their labels: 1, 2 and 5 of every decade; of many decades 1 alone."""
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1.0)
    steps = (1.0, 2.0, 5.0) if np.log10(high / low) < 3.5 else (1.0,)
    ticks = (step * 10.0**decade for decade in decades for step in steps)
    return tuple((tick, f"{tick:,g}") for tick in ticks if low * (1.0 - 1e-9) <= tick <= high * (1.0 + 1e-9))


def _between(style: Style, low: float, high: float, logarithmic: bool) -> Scale:
    """A continuous scale between two ends; between those of a logarithmic one a colour stands for a ratio."""
    if logarithmic and low > 0:
        return Scale(style.colour_map(), LogNorm(low, high), logarithmic_ticks(low, high))
    return Scale(style.colour_map(), Normalize(low, high))


def category_scale() -> Scale:
    """A colour for each flight category."""
    count = len(CATEGORIES)
    norm = BoundaryNorm(np.arange(count + 1) - 0.5, count)
    return Scale(ListedColormap(list(CATEGORY_COLOURS.values())), norm, tuple(enumerate(CATEGORIES)))


def increment_scale(variable: Variable, size: FieldRange, departure: np.ndarray, fixed: float | None = None) -> Scale:
    """Symmetric scale of increments and departures: in the unit of the map, or log2 of the ratio for logarithms.

    Args:
        variable: which.
        size: of the field's absolute values on that scale, with the percentile INCREMENTS_SHOWN.
        departure: of the stations used, shape (n,), on that scale.
        fixed: its end by the settings, a ratio for logarithms; None takes that of the field and the departures.
    """
    ratio = variable.transform == "log"
    if fixed is not None:
        limit = np.log2(fixed) if ratio else fixed
    else:
        finite = np.abs(departure[np.isfinite(departure)])
        limit = max([*size.percentiles, *([np.percentile(finite, DEPARTURES_SHOWN)] if finite.size else []), 1e-6])
        limit = np.ceil(limit) if ratio else MaxNLocator(nbins=8).tick_values(0.0, limit)[-1]
    colours = matplotlib.colormaps[INCREMENT_STYLES.get(variable.name, INCREMENT_COLOURS)]
    powers = range(-int(limit), int(limit) + 1) if ratio else ()
    return Scale(colours, Normalize(-limit, limit), tuple((power, ratio_label(power)) for power in powers))


def ratio_label(power: float) -> str:
    """``x 4``, ``1`` or ``x 1/4`` of a power of two."""
    whole = int(round(abs(power)))
    return "1" if whole == 0 else f"× {2**whole}" if power > 0 else f"× 1/{2**whole}"
