"""State: gridded weather on a domain at one time."""

from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.grid.domain import Domain


@dataclass(frozen=True)
class State:
    """Gridded values of some variables at one time.

    Attributes:
        domain: the grid.
        time: valid time, datetime64[s] UTC.
        values: variable name -> float32 array of shape (y, x), SI units of ``names.VARIABLES``;
            winds are along the earth's axes (eastward, northward), NaN where not known.
        elevation: the height above mean sea level that the values belong to, m, shape (y, x):
            a model's own terrain, not ours.
        origin: where it came from, for provenance ("file.grib2, 12-h forecast").
    """

    domain: Domain
    time: np.datetime64
    values: dict[str, np.ndarray] = field(default_factory=dict)
    elevation: np.ndarray | None = None
    origin: str = ""
