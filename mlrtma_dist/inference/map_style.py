"""How a variable looks on a map: colours, limits, ticks, units for people.

Colour maps are perceptually uniform (Crameri et al. 2020, The misuse of colour in science communication,
Nature Communications 11, 5444); increments diverge from white at zero.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from mlrtma_dist.inference.field_range import FieldRange
from mlrtma_dist.names import Variable

ROBUST = (0.5, 99.5)  # percentiles shown; what is beyond takes the end colour, and the bar gets an arrow
DEPARTURES_SHOWN = 90.0  # percentile of the departures inside the scale of increments
INCREMENTS_SHOWN = 99.0
UNITS = {"degC": "°C", "m s-1": "m s⁻¹"}


@dataclass(frozen=True)
class Style:
    """Colours of an analysis.

    Attributes:
        colours: a matplotlib colour map.
        limits: of the scale in the unit for people; None takes robust percentiles of the field.
        symmetric: the scale is centred on zero.
        ticks: where the bar is labelled, with the label.
    """

    colours: str
    limits: tuple[float, float] | None = None
    symmetric: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


def _ticks(*values: float, last: str) -> tuple[tuple[float, str], ...]:
    return tuple((v, f"{v:g}") for v in values[:-1]) + ((values[-1], last),)


STYLES = {
    "t2m": Style("inferno"),
    "d2m": Style("viridis"),
    "u10": Style("PuOr_r", symmetric=True),
    "v10": Style("PuOr_r", symmetric=True),
    "wind": Style("magma_r"),
    "gust": Style("magma_r"),
    "psfc": Style("cividis"),
    # low is what matters, and is dark; a decade takes the same width everywhere
    "visibility": Style("magma", (0.1, 20.0), ticks=_ticks(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, last="20")),
    "ceiling": Style("magma", (0.03, 20.0), ticks=_ticks(0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 20.0, last="none")),
    "sky_cover": Style("Blues_r", (0.0, 100.0)),  # the sky: deep blue where clear, white where overcast
}
INCREMENT_COLOURS = "RdBu_r"
DRIER_COLOURS = "BrBG"  # of dew point, visibility, ceiling: brown is less, green more
INCREMENT_STYLES = {"d2m": DRIER_COLOURS, "visibility": DRIER_COLOURS, "ceiling": DRIER_COLOURS, "sky_cover": "PuOr"}


def unit_of(variable: Variable) -> str:
    """The unit shown to people."""
    return UNITS.get(variable.display[0], variable.display[0])


def display_values(variable: Variable, values: np.ndarray) -> np.ndarray:
    """Values in the unit for people, any shape."""
    _, factor, offset = variable.display
    return values * factor + offset


def analysis_norm(style: Style, values: FieldRange, logarithmic: bool) -> tuple[Normalize, str]:
    """Scale of an analysis and the arrows of its bar.

    Args:
        style: of the variable.
        values: of the field in the unit for people, with the percentiles ROBUST.
        logarithmic: a colour stands for a ratio.
    """
    low, high = style.limits or values.percentiles
    if style.symmetric:
        low, high = -max(abs(low), abs(high), 1e-6), max(abs(low), abs(high), 1e-6)
    if high - low < 1e-6 * max(1.0, abs(high)):  # a constant field still needs a scale
        low, high = low - 0.5, high + 0.5
    if style.limits is None:
        edges = MaxNLocator(nbins=24).tick_values(low, high)
        low, high = edges[0], edges[-1]
    return (LogNorm if logarithmic else Normalize)(low, high), _arrows(values, low, high)


def increment_norm(
    variable: Variable, increment: FieldRange, size: FieldRange, departure: np.ndarray
) -> tuple[Normalize, str]:
    """Symmetric scale of increments and departures: in the unit for people, or log2 of the ratio for logarithms.

    Args:
        variable: which.
        increment: of the field, on that scale.
        size: of the field's absolute values, with the percentile INCREMENTS_SHOWN.
        departure: of the stations used, shape (n,), on that scale.
    """
    finite = np.abs(departure[np.isfinite(departure)])
    limit = max([*size.percentiles, *([np.percentile(finite, DEPARTURES_SHOWN)] if finite.size else []), 1e-6])
    limit = np.ceil(limit) if variable.transform == "log" else MaxNLocator(nbins=8).tick_values(0.0, limit)[-1]
    return Normalize(-limit, limit), _arrows(increment, -limit, limit)


def ratio_label(power: float) -> str:
    """``x 4``, ``1`` or ``x 1/4`` of a power of two."""
    whole = int(round(abs(power)))
    return "1" if whole == 0 else f"× {2**whole}" if power > 0 else f"× 1/{2**whole}"


def _arrows(values: FieldRange, low: float, high: float) -> str:
    ends = values.low < low, values.high > high
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[ends]
