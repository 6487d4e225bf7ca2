"""Kriging by a library, GSTools (Mueller et al. 2022, Geosci. Model Dev. 15, 3161), beside the methods of the registry.

Universal kriging with elevation as external drift, on the sphere, of the departures from the first guess that every
method starts from: the large scales are not left to the library, which finds them worse (docs/accuracy.md). The
exponential variogram is fitted by the library to the departures of the hour, in narrow bins near zero where
the stations are dense: with its own few bins the error of the temperature is 7 % larger, of the wind 15 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import gstools
import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical

BIN_EDGES = np.concatenate([[0.0], np.geomspace(10.0, 1500.0, 25)])  # km
KRIGING = "kriging"  # name of the method
PAIRED = 1000  # stations whose pairs give the variogram; all of 2,400 take 6 times as long and change nothing
LEAST = 10  # reports from which a variogram is fitted; of fewer the first guess stays
LEAST_NUGGET = 0.01  # of the variance: two stations at one place are else one equation twice
FIRST_LENGTH = 200.0  # km, where the fit begins; it does not decide the end


class Kriging:
    """Universal kriging with elevation as drift; see ``methods.departure_method.DepartureMethod``."""

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "KrigingFit":
        """Fit variogram and drift; ``error`` is not used: the nugget is the library's own estimate of it."""
        return KrigingFit(points, departure)


class KrigingFit:
    """Kriging with its observations; see ``methods.departure_method.Fit``.

    Attributes:
        nugget: variance that no neighbour explains, of an observation, analysis space.
    """

    def __init__(self, points: Points, departure: np.ndarray):
        self.weight, self.nugget, self._last = np.ones(len(points)), 0.0, (None, None)
        self._scale = float(np.std(departure)) if len(points) >= LEAST else 0.0
        if self._scale == 0.0:
            return
        value = departure / self._scale  # pascals and logarithms alike near one, where the library's search begins
        place = points.latitude, points.longitude
        model = _variogram(place, value)
        self.nugget = model.nugget * self._scale**2
        self._library = gstools.krige.Krige(
            model, place, value, ext_drift=points.elevation / 1e3, exact=False, cond_err="nugget", pseudo_inv=False
        )

    def increment(self, points: Points) -> np.ndarray:
        """Kriged departure at the points, shape (m,)."""
        return self._both(points)[0]

    def error(self, points: Points) -> np.ndarray:
        """Kriging deviation without the nugget, shape (m,); NaN where the reports are too few for a variogram."""
        return self._both(points)[1]

    def _both(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Increment and error; the library makes both at once, so the last ones are kept."""
        if self._last[0] is not points:
            self._last = points, self._execute(points)
        return self._last[1]

    def _execute(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        if self._scale == 0.0 or not len(points):
            return np.zeros(len(points)), np.full(len(points), np.nan)
        value, variance = self._library(
            (points.latitude, points.longitude), ext_drift=points.elevation / 1e3, store=False
        )
        error = np.sqrt(np.maximum(variance * self._scale**2 - self.nugget, 0.0))
        return value * self._scale, error


def _variogram(place, value: np.ndarray) -> gstools.CovModel:
    """The exponential model fitted to standardised departures."""
    edges = BIN_EDGES.copy()  # the library writes into them
    sample = {"sampling_size": PAIRED, "sampling_seed": 1} if len(value) > PAIRED else {}
    centre, gamma, count = gstools.vario_estimate(
        place, value, edges, latlon=True, geo_scale=gstools.KM_SCALE, return_counts=True, **sample
    )
    model = gstools.Exponential(latlon=True, geo_scale=gstools.KM_SCALE, var=0.7, nugget=0.3, len_scale=FIRST_LENGTH)
    model.set_arg_bounds(nugget=[LEAST_NUGGET, np.inf])
    filled = count > 0
    model.fit_variogram(centre[filled], gamma[filled], init_guess="current", max_eval=10_000)
    return model


@dataclass(frozen=True)
class KrigingMethod:
    """Kriging of every variable's departures as a method of cases (`methods.method.Method`).

    Attributes:
        settings: of the classical methods; their variables are analysed.
    """

    settings: Classical

    def analyse(self, case: Case, neighbourhood=None) -> ClassicalAnswer:
        """Krige the departures of a case; see `methods.method.Method.analyse`."""
        fits = {}
        for name in self.settings.variables:
            rows = case.used & (case.observations.variable == name)
            fits[name] = KrigingFit(case.points[rows], case.departure[rows])
        return ClassicalAnswer(case, fits, self.settings.variables)


def build_with_kriging(names: Sequence[str], means: Means) -> dict[str, Method]:
    """Methods by name: those of the registry, and "kriging"."""
    registered = build([name for name in names if name != KRIGING], means)
    return {name: KrigingMethod(means.settings) if name == KRIGING else registered[name] for name in names}
