"""What the other reports of an hour give at each report, by optimal interpolation with the settings of the hour.

With A = HBH' + R the residual of a report that is left out is (A^-1 d)_i / (A^-1)_ii, its variance 1 / (A^-1)_ii
(Dubrule 1983), so that one factorisation serves all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.local import leave_one_out
from mlrtma_dist.methods.settings import VariableSettings
from mlrtma_dist.methods.wind import WIND, in_space, on_earth, wind_rows

GROUP = 800  # reports by which each of them is predicted: all that matter but at the edges of a group


@dataclass(frozen=True, eq=False)
class ByOthers:
    """What the other used reports of a case give at each of them.

    Attributes:
        case: of the reports; assumed: variable -> settings of the hour. Reports of other variables are not predicted,
            nor a wind of which one component alone is used.
        weight: of the variational quality control of each report in (0, 1], shape (n,); None: it is 1.
    """

    case: Case
    assumed: Mapping[str, VariableSettings]
    weight: np.ndarray | None = None

    @property
    def increment(self) -> np.ndarray:
        """By the others, analysis space, shape (n,), NaN where there is none."""
        return self._predicted[0]

    @property
    def value(self) -> np.ndarray:
        """First guess and increment, analysis space, shape (n,), NaN where there is none."""
        return self.case.value - self.case.departure + self.increment

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of the error that is expected of the value, shape (n,), NaN where there is none."""
        return self._predicted[1]

    @property
    def kept(self) -> np.ndarray:
        """Share of a report's influence that the others leave in the next analysis, shape (n,); `local.LeftOut`."""
        return self._predicted[2]

    @cached_property
    def _predicted(self) -> np.ndarray:
        case, result = self.case, np.full((3, len(self.case.used)), np.nan)
        for name, own in self.assumed.items():
            if name in WIND:
                continue
            rows = np.flatnonzero(case.used & (case.observations.variable == name))
            result[:, rows] = self._left_out(own, rows, case.departure[rows])
        winds = wind_rows(case.observations, case.used)
        if len(winds) and set(WIND) <= set(self.assumed):
            points = case.points[winds[:, 0]]
            vectors = in_space(points, case.departure[winds])
            increment, deviation, kept = self._left_out(self.assumed[WIND[0]], winds[:, 0], vectors)
            for rows, along in zip(winds.T, on_earth(points, increment).T, strict=True):
                result[:, rows] = along, deviation, kept
        return result

    def _left_out(self, own: VariableSettings, rows: np.ndarray, departure: np.ndarray) -> tuple[np.ndarray, ...]:
        """The increment by the others, shape of ``departure``, the deviation of its error, and what they keep, (n,)."""
        weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
        variance = own.observation_error**2 / weight
        points, covariance = self.case.points[rows], Covariance(own.covariance)
        left_out = leave_one_out(covariance, points, departure, np.sqrt(variance), GROUP)
        remaining = np.maximum(left_out.variance - variance, 0.0)
        return left_out.increment, np.sqrt(remaining), left_out.kept
