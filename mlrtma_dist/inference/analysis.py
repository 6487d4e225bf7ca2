"""Analysis: everything known after one analysis of one domain at one time."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.observations.table import Observations


@dataclass(frozen=True)
class Analysis:
    """The result of one analysis.

    Attributes:
        static: domain, terrain and land mask it was made on.
        time: analysis time, datetime64[s] UTC.
        values: variable -> float32 (y, x), SI units of ``names.VARIABLES``.
        first_guess: variable -> float32 (y, x), SI.
        error: variable -> float32 (y, x), the analysis error's standard deviation in analysis
            space (natural logarithm for visibility and ceiling, else the SI unit).
        observations: every report read, with its flags, n rows.
        background_departure: observation minus first guess in analysis space, shape (n,), NaN where none.
        analysis_departure: observation minus analysis in analysis space, shape (n,), NaN where none.
        observation_error: the standard deviation assumed, analysis space, shape (n,), NaN where none.
        weight: weight of the variational quality control in (0, 1], shape (n,), NaN where not used.
        method: name of the method.
        first_guess_name: which first guess, in words.
        notes: what a reader must know ("no report of t2m: climatology"), one sentence each.
    """

    static: Static
    time: np.datetime64
    values: dict[str, np.ndarray]
    first_guess: dict[str, np.ndarray]
    error: dict[str, np.ndarray]
    observations: Observations
    background_departure: np.ndarray
    analysis_departure: np.ndarray
    observation_error: np.ndarray
    weight: np.ndarray
    method: str
    first_guess_name: str
    notes: tuple[str, ...] = ()
    box: Box | None = None
