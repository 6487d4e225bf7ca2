"""Methods that solve a whole periodic plane at once: the exercises' exact and estimated analyses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import ALONE, Fields, Share


def columns_of(case: Case, types: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The used reports of a plane: grid points (n, 2), numbers of their types, values and errors, shape (n,) each."""
    table, used = case.observations, case.used
    number = {name: index for index, name in enumerate(types)}
    kind = np.array([number[str(name)] for name in table.variable[used]], dtype=np.int64)
    return case.grid_place[used].astype(np.int64), kind, table.value[used], table.error[used]


@dataclass(frozen=True)
class PlaneMethod:
    """A function of a whole plane as a method.

    Attributes:
        variables: that are analysed.
        analysis: of a case on the whole plane; its result has shape (variable, y, x), SI.
    """

    variables: tuple[str, ...]
    analysis: Callable[[Case], np.ndarray]

    def analyse(self, case: Case, neighbourhood=None) -> "PlaneAnswer":
        """Analyse a case on the whole plane."""
        fields = self.analysis(case).astype(np.float32)
        return PlaneAnswer(case, dict(zip(self.variables, fields, strict=True)))


@dataclass(frozen=True)
class PlaneAnswer:
    """Fields of a plane as an answer (`methods.method.Answer`); the methods know no error of single points."""

    case: Case
    values: dict[str, np.ndarray]
    everywhere = True

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return tuple(self.values)

    @property
    def weight(self) -> np.ndarray:
        """One for each used report, NaN for the others, shape (n,)."""
        return np.where(self.case.used, 1.0, np.nan)

    @property
    def observation_error(self) -> np.ndarray:
        """The reports' own errors, NaN where not used, shape (n,)."""
        return np.where(self.case.used, self.case.observations.error, np.nan)

    def fields(self, share: Share = ALONE, progress=lambda name, part: None) -> Fields:
        """The analysis and, where the source has one, the background."""
        return Fields(self.values, dict(self.case.background))

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Bilinear interpolation of the analysis, shape (m,), and an unknown error."""
        spacing = self.case.domain.spacing
        row, column = points.position[:, 1] / spacing, points.position[:, 0] / spacing
        value = bilinear(self.values[variable], row, column, periodic=True)
        return value, np.full(len(points), np.nan)


class PlaneBackground:
    """The background of a plane's cases, to which no report is added."""

    def analyse(self, case: Case, neighbourhood=None) -> PlaneAnswer:
        """The background on the case's box."""
        fields = {name: case.background_of(name).astype(np.float32) for name in case.variables}
        return PlaneAnswer(case, fields)
