"""The answer of 4D-Var of reports: on the grid, with the error of `methods.fourdvar_error` where it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist import names as variables
from mlrtma_dist.fields.consistency import limits_of, make_consistent
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.learned import GridAnswer
from mlrtma_dist.methods.method import ALONE, Fields, Share

Variances = Callable[[], dict[str, np.ndarray]]


@dataclass(frozen=True)
class FourDVarAnswer(GridAnswer):
    """The analysis on the case's box (`methods.method.Answer`).

    Attributes:
        base: that of optimal interpolation in time; rows: of the reports that 4D-Var used.
        variances: computes those of the error on the whole domain, square of analysis space: variable -> (y, x).
        iterations: of the conjugate gradients.
    """

    base: ClassicalAnswer
    rows: np.ndarray
    variances: Variances
    iterations: int
    everywhere = False

    @classmethod
    def cut(
        cls,
        base: ClassicalAnswer,
        guess: dict[str, np.ndarray],
        departures: np.ndarray,
        rows: np.ndarray,
        variances: Variances,
        iterations: int,
    ) -> "FourDVarAnswer":
        """The answer of first guess and departures on the whole domain, analysis space, (variable, y, x)."""
        case, box = base.case, base.case.box
        pairs = zip(guess, departures, strict=True)
        fields = {name: variables.from_analysis(name, guess[name] + own) for name, own in pairs}
        make_consistent(fields, case.reported)
        values = {name: field[box.slices].astype(np.float32) for name, field in fields.items()}
        around = {}
        for name, field in fields.items():
            increment = np.pad(variables.to_analysis(name, field) - guess[name], 1, mode="edge")
            around[name] = increment[box.y0 : box.y1 + 2, box.x0 : box.x1 + 2].astype(np.float32)
        return cls(case, values, around, base, rows, variances, iterations)

    @property
    def weight(self) -> np.ndarray:
        """That of the interpolation's quality control, NaN for reports that 4D-Var did not use, shape (n,)."""
        return self._of_rows(self.base.weight)

    @property
    def observation_error(self) -> np.ndarray:
        """That of the interpolation, NaN for reports that 4D-Var did not use, shape (n,)."""
        return self._of_rows(self.base.observation_error)

    def _of_rows(self, values: np.ndarray) -> np.ndarray:
        result = np.full(len(values), np.nan)
        result[self.rows] = values[self.rows]
        return result

    @cached_property
    def _variances(self) -> dict[str, np.ndarray]:
        """On the box and one point around it, square of analysis space, (y + 2, x + 2); computed when asked for."""
        box = self.case.box
        rows, columns = slice(box.y0, box.y1 + 2), slice(box.x0, box.x1 + 2)
        return {name: np.pad(each, 1, mode="edge")[rows, columns] for name, each in self.variances().items()}

    def fields(self, share: Share = ALONE, progress=lambda name, part: None) -> Fields:
        """The analysis, its first guess and its error on the box."""
        variances = self._variances  # before progress is reported: it is what takes the time
        fields, points = super().fields(share, progress), self.case.grid_points()
        for name, own in variances.items():
            spread = self.case.first_guess.spread(name, points).reshape(self.case.box.shape)
            fields.error[name] = np.hypot(np.sqrt(own[1:-1, 1:-1]), spread).astype(np.float32)
        return fields

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """First guess at the points' own height plus the interpolated increment, analysis space, shape (m,).

        The variance of the error is interpolated between grid points. NaN at points that the box does not own.
        Variables limit each other as on the grid.
        """
        names = (variable, *(name for name in limits_of(variable, self.case.reported) if name in self.values))
        values = {name: super(FourDVarAnswer, self).at(name, points)[0] for name in names}
        if len(points) and not any(variables.VARIABLES[name].transform != "identity" for name in names):
            make_consistent(values, self.case.reported)
        place, own = self.places(points)
        variance = np.where(own, bilinear(self._variances[variable], *place.T), np.nan)
        return values[variable], np.hypot(np.sqrt(variance), self.case.first_guess.spread(variable, points))
