"""Background error covariances of one hour: those of the settings, scaled to the hour's departures."""

import numpy as np

from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.amplitude import scale_to_hour
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.methods.wind import MEASURED, WIND, in_space, wind_rows


class HourCovariances:
    """The covariances of every variable for a case; those of the last case are kept, as several methods want them."""

    def __init__(self, settings: Classical):
        self._settings = settings
        self._last: tuple[Case, dict[str, Covariance]] | None = None

    def of(self, case: Case, names: tuple[str, ...]) -> dict[str, Covariance]:
        """Variable -> covariance of the case, for the variables ``names``."""
        if self._last is None or self._last[0] is not case:
            self._last = case, {}
        covariances = self._last[1]
        covariances |= self._scaled(case, tuple(name for name in names if name not in covariances))
        return {name: covariances[name] for name in names}

    def _scaled(self, case: Case, names: tuple[str, ...]) -> dict[str, Covariance]:
        settings = {name: self._settings.variables[name] for name in names}
        covariances = {name: Covariance(each.covariance) for name, each in settings.items()}
        if not self._settings.amplitude:
            return covariances
        winds, scaled = wind_rows(case.observations, case.used), {}
        for name, covariance in covariances.items():
            rows = case.used & (case.observations.variable == name)
            error = settings[name].observation_error
            if name in WIND and len(winds):
                if WIND[0] in scaled:
                    scaled[name] = scaled[WIND[0]]
                    continue
                rows = winds[:, 0]
                vector = in_space(case.points[rows], case.departure[winds])
                scaled[name] = scale_to_hour(covariance, case.points[rows], vector, np.full(len(rows), error), MEASURED)
            else:
                departure, count = case.departure[rows], int(rows.sum())
                scaled[name] = scale_to_hour(covariance, case.points[rows], departure, np.full(count, error))
        return scaled
