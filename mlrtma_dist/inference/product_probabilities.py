"""The probabilities of a product: of values below the limits that aviation uses, and of the flight categories."""

from collections.abc import Callable
from functools import partial

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.georeference import links
from mlrtma_dist.inference.product_fields import PROBABILITY_STEP, TIMED, Index, ProductField
from mlrtma_dist.io.netcdf_write import NetcdfVariable
from mlrtma_dist.names import EVENTS, VARIABLES
from mlrtma_dist.physics.flight_category import CATEGORIES, category_probabilities


def probability_fields(analysis: Analysis) -> list[ProductField]:
    """A field for each limit of each variable whose distribution was analysed, and for each flight category.

    Their names are such as ``visibility_below_1600`` and ``flight_category_lifr``. The categories are there where the
    distributions of both visibility and ceiling were analysed.
    """
    fields = []
    for name in (each for each in analysis.variables if each in analysis.probability):
        for number, limit in enumerate(EVENTS[name]):
            words = f"probability of {VARIABLES[name].long_name.split(';')[0]} below {limit:g} m"
            fields.append(_field(analysis, f"{name}_below_{limit:g}", words, partial(_below, name, number)))
    if {"visibility", "ceiling"} <= set(analysis.probability):
        for number, category in enumerate(CATEGORIES):
            words = f"probability of the flight category {category}"
            fields.append(_field(analysis, f"flight_category_{category.lower()}", words, partial(_category, number)))
    return fields


def _field(
    analysis: Analysis, name: str, long_name: str, values: Callable[[Analysis, Index], np.ndarray]
) -> ProductField:
    """The field of one probability. CF has no standard name for it."""
    attributes = {
        "long_name": long_name,
        "units": "1",
        "cell_methods": "time: point",
        **links(analysis.static.domain),
    }
    return ProductField(NetcdfVariable(name, TIMED, None, attributes, step=PROBABILITY_STEP, valid=(0.0, 1.0)), values)


def _below(name: str, number: int, analysis: Analysis, index: Index) -> np.ndarray:
    """Probability of a variable below the limit of a number, where an index of the box points, shape (y, x)."""
    return analysis.probability[name][number][index]


def _category(number: int, analysis: Analysis, index: Index) -> np.ndarray:
    """Probability of the flight category of a number, where an index of the box points, shape (y, x)."""
    visibility, ceiling = (analysis.probability[name][(slice(None), *index)] for name in ("visibility", "ceiling"))
    return category_probabilities(visibility, ceiling)[number]
