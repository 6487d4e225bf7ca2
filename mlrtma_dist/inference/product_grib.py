"""Product: an analysis as a GRIB2 file, with the parameters and grids of the operational RTMA (docs/product.md)."""

import pathlib
from collections.abc import Iterator

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.io.grib_write import GribField, write_grib2
from mlrtma_dist.names import VARIABLES, Variable

ANALYSIS, ANALYSIS_ERROR = 0, 7  # code table 4.3
HEIGHT_ABOVE_GROUND = 103  # code table 4.5
# The error made is at most half a step: 1/256 K and m s-1, 0.5 Pa, 0.5 m, 1/16 %.
STEPS = {"K": 2.0**-7, "m s-1": 2.0**-7, "Pa": 1.0, "m": 1.0, "%": 2.0**-3}


def write_product_grib(analysis: Analysis, directory) -> pathlib.Path:
    """Write an analysis and its error to ``directory/<domain>_<time>.grib2``, whole or not at all.

    Winds are eastward and northward, not along the grid, and flagged so. The error of visibility and ceiling, which is
    known of their logarithm, is left out: GRIB2 has no words for it.

    Args:
        analysis: fields of shape (y, x) of its domain, SI.
        directory: made where it is missing.

    Returns:
        The path of the file.

    Raises:
        ConfigError: a projection that GRIB2 cannot say.
        OSError: the file cannot be written.
    """
    domain, folder = analysis.static.domain, pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{domain.name}_{clock.compact(analysis.time)}.grib2"
    return write_grib2(path, domain, analysis.time, _fields(analysis))


def _fields(analysis: Analysis) -> Iterator[GribField]:
    for name in (v for v in VARIABLES if v in analysis.values):
        yield _field(VARIABLES[name], analysis.values[name], ANALYSIS)
        if name in analysis.error and VARIABLES[name].transform == "identity":
            yield _field(VARIABLES[name], analysis.error[name], ANALYSIS_ERROR)


def _field(variable: Variable, values: np.ndarray, process: int) -> GribField:
    unit, factor = ("%", 100.0) if variable.unit == "1" else (variable.unit, 1.0)
    *parameter, surface = variable.grib
    # RTMA says wind at 10 m above ground, gust at the ground: the level type decides whether a height is said
    level = variable.height if surface == HEIGHT_ABOVE_GROUND else None
    return GribField(np.asarray(values) * factor, tuple(parameter), (surface, level), STEPS[unit], process)
