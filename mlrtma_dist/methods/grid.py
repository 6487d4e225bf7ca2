"""Grid: gridded files as they are, such as another centre's analysis, which is scored like a method of our own.

The answer is the file's field interpolated bilinearly from its own grid and carried to a point's own height
(`fields.gridded`). No report is used, and where the file has no value there is none: NaN.
"""

import logging
from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.gridded import GriddedFirstGuess, load_gridded
from mlrtma_dist.grid.points import Points
from mlrtma_dist.io.field_codes import FieldCode
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.names import VARIABLES

log = logging.getLogger(__name__)
ROWS = 64  # of the grid that are evaluated at a time


@dataclass(frozen=True)
class GridFiles:
    """The files of the method.

    Attributes:
        paths: gridded files of one or several times; codes: what their own codes mean, by the user.
    """

    paths: tuple[str, ...]
    codes: tuple[FieldCode, ...] = ()


@dataclass(frozen=True)
class GridMethod:
    """Gridded files as a method (`methods.method.Method`).

    Attributes:
        files: that are read.
    """

    files: GridFiles
    _last: list = field(default_factory=list, init=False, repr=False, compare=False)

    def analyse(self, case: Case, neighbourhood=None) -> "GridAnswer":
        """Read the fields of the case's time; see `methods.method.Method.analyse`.

        Raises:
            InputError: files that hold nothing near the time, on the domain, or of the case's variables.
        """
        gridded = self._read(case)
        names = tuple(name for name in case.variables or VARIABLES if name in gridded.variables)
        if not names:
            expected, there = ", ".join(case.variables), ", ".join(sorted(gridded.variables)) or "none"
            raise InputError(f"method grid: {gridded.name}: expected some of {expected}, it has {there}")
        return GridAnswer(case, gridded, names)

    def _read(self, case: Case) -> GriddedFirstGuess:
        """The fields of a case's time, read once for all stations that are withheld in turn."""
        key = case.domain.name, case.time
        if not self._last or self._last[0] != key:
            gridded = load_gridded(self.files.paths, case.static, case.time, self.files.codes)
            if gridded.note:
                log.warning("method grid at %s: %s", case.time, gridded.note)
            self._last[:] = [key, gridded]
        return self._last[1]


@dataclass(frozen=True)
class GridAnswer:
    """The fields of a file as an answer (`methods.method.Answer`); their error is not known.

    Attributes:
        case: what was analysed; gridded: the fields of its time; variables: that both have.
    """

    case: Case
    gridded: GriddedFirstGuess
    variables: tuple[str, ...]
    everywhere = True

    @property
    def weight(self) -> np.ndarray:
        """NaN for every report, as none is used, shape (n,)."""
        return np.full(len(self.case.used), np.nan)

    @property
    def observation_error(self) -> np.ndarray:
        """NaN for every report, as none is used, shape (n,)."""
        return np.full(len(self.case.used), np.nan)

    def fields(self, share: Share = ALONE, progress=lambda name, part: None) -> Fields:
        """The file's fields on the case's box; see `methods.method.Answer.fields`."""
        box = self.case.box
        values = {name: np.empty(box.shape, np.float32) for name in self.variables}
        for start in range(box.y0, box.y1, ROWS):
            rows = slice(start, min(start + ROWS, box.y1))
            points = self.case.grid_points(rows)
            for name in self.variables:
                mean = VARIABLES[name].from_analysis(self.gridded.mean(name, points))
                values[name][rows.start - box.y0 : rows.stop - box.y0] = mean.reshape(-1, box.shape[1])
            progress(self.variables[-1], (rows.stop - box.y0) / box.shape[0])
        return Fields(values)

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The file's field at points, analysis space, shape (m,), and an unknown error."""
        return self.gridded.mean(variable, points), np.full(len(points), np.nan)
