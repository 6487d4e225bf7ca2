"""Labels: gridded analyses that training takes as the truth, on the points of a domain's box.

A label is read as a background is (`fields.gridded`): interpolated bilinearly from its own grid, temperature, dew point
and pressure carried from its terrain to that of the domain. It is not interpolated in time.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.gridded import GriddedFirstGuess, load_gridded
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.points import Points
from mlrtma_dist.io.field_codes import FieldCode


class LabelError(InputError):
    """A file that is no label of the variables; names file and variable."""


def load_label(
    paths: Sequence[str | Path],
    static: Static,
    time: np.datetime64,
    variables: Sequence[str],
    codes: tuple[FieldCode, ...] = (),
) -> GriddedFirstGuess:
    """Read the analysis of a time.

    Args:
        paths: GRIB or CF netCDF files: URMA, RTMA, or any other gridded analysis, our own product among them.
        static: the domain and its terrain.
        time: datetime64[s]; fields of other times are not used.
        variables: that the files must hold.
        codes: what the files' own codes mean, by the user.

    Raises:
        LabelError: a variable is not in the files.
        BackgroundError: nothing of the time, or nothing on the domain.
        GriddedFileError: a file cannot be read.
    """
    label = load_gridded(list(paths), static, time, codes, exact=True)
    missing = [name for name in variables if name not in label.variables]
    if missing:
        raise LabelError(
            f"{', '.join(Path(path).name for path in paths)}: expected labels of {', '.join(variables)} at {time}, got"
            f" none of {', '.join(missing)}. Set variables to some of {', '.join(sorted(label.variables))}."
        )
    return label


def label_fields(
    label: GriddedFirstGuess, variables: Sequence[str], points: Points, shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    """The label of each variable at the points of a box, SI, float32, NaN where the label's grid does not reach.

    Args:
        label: of `load_label`; variables: names.
        points: of the box, row by row; shape: of the box (y, x).
    """
    return {
        name: names.from_analysis(name, label.mean(name, points)).reshape(shape).astype(np.float32)
        for name in variables
    }
