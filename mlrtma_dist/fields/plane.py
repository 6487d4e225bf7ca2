"""The first guess of a plane, which has no terrain and may hold fields that are nobody's weather."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.interpolate import bilinear, closes
from mlrtma_dist.grid.points import Points


@dataclass(frozen=True)
class PlaneFirstGuess:
    """Fields of a plane as a first guess (``fields.first_guess.FirstGuess``); a plane has no terrain.

    Attributes:
        domain: the plane; values: variable -> field, shape (y, x); name: for provenance.
    """

    domain: Domain
    values: Mapping[str, np.ndarray]
    name: str

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess in analysis space, shape (n,)."""
        row, column = points.position[:, 1] / self.domain.spacing, points.position[:, 0] / self.domain.spacing
        field = names.to_analysis(variable, self.values[variable])
        return bilinear(field, row, column, periodic=closes(self.domain))

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """Zero: the background's error is what its covariance describes, shape (n,)."""
        return np.zeros(len(points))
