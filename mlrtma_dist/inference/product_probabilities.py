"""The probabilities of a product: of a visibility and a ceiling below the limits that aviation uses."""

from functools import partial

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.georeference import links
from mlrtma_dist.inference.product_fields import TIMED, Index, ProductField
from mlrtma_dist.io.netcdf_write import NetcdfVariable
from mlrtma_dist.names import EVENTS, VARIABLES

STEP = 2.0**-9  # of a probability, before compression


def probability_fields(analysis: Analysis) -> list[ProductField]:
    """A field for each limit of each variable whose distribution was analysed, such as ``visibility_below_1600``."""
    fields = []
    for name in (each for each in analysis.variables if each in analysis.probability):
        for number, limit in enumerate(EVENTS[name]):
            attributes = {
                "long_name": f"probability of {VARIABLES[name].long_name.split(';')[0]} below {limit:g} m",
                "units": "1",
                **links(analysis.static.domain),
            }
            description = NetcdfVariable(
                f"{name}_below_{limit:g}", TIMED, None, attributes, step=STEP, valid=(0.0, 1.0)
            )
            fields.append(ProductField(description, partial(_values, name, number)))
    return fields


def _values(name: str, number: int, analysis: Analysis, index: Index) -> np.ndarray:
    """Probability of a variable below the limit of a number, where an index of the box points, shape (y, x)."""
    return analysis.probability[name][number][index]
