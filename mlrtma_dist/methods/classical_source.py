"""The classical analysis as a source of a network: what it gives at points, and at every station by the others.

At a station that is used the analysis has seen the report. What the others give there, and how uncertain that is,
follows from one factorisation (`by_others`), so that one hour tells at all its stations how far the analysis is to be
trusted.
"""

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from mlrtma_dist.methods.by_others import ByOthers
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer, ClassicalMethod
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.regression_guess import on_regression
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.methods.threedvar import THREEDVAR

COLUMNS = 3  # departure, error, presence
ABSENT, NOISE = 0.3, 0.1  # in training: share of the draws without it; deviation of the noise, in scales


@dataclass(frozen=True)
class ClassicalSource:
    """3D-Var with the shipped settings, of temperature, dew point, wind, pressure and sky cover.

    Attributes:
        variables: that a network analyses; scale: of each, analysis space.
    """

    variables: tuple[str, ...]
    scale: tuple[float, ...]

    @cached_property
    def settings(self):
        """What 3D-Var assumes of each variable; not of those whose analysis is more than an interpolation."""
        settings = load_settings("classical")
        plain = [name for name, own in settings.variables.items() if own.indicators is None and own.local is None]
        return settings.only([name for name in self.variables if name in plain])

    @property
    def count(self) -> int:
        """Columns of a point or a station."""
        return COLUMNS * len(self.settings.variables)

    def answer(self, case: Case) -> ClassicalAnswer:
        """The analysis of the case; that of a case that is still used elsewhere is kept."""
        if case not in self._answers:
            method = ClassicalMethod(THREEDVAR, self.settings, self._hours)
            self._answers[case] = method.analyse(self._on_regression(case))
        return self._answers[case]

    def _on_regression(self, case: Case) -> Case:
        """The case with a regression on its used reports as first guess: the network has no background either."""
        if case not in self._regressed:
            self._regressed[case] = on_regression(case, self.settings.variables)
        return self._regressed[case]

    def by_others(self, case: Case) -> tuple[np.ndarray, np.ndarray]:
        """What the others give at each used report, and the analysis at each label, with its error; NaN elsewhere.

        Returns:
            Value and error, analysis space, shape (n,) each.
        """
        if case not in self._by_others:
            value, error = self._analysed(case, case.observations.labels)
            own = self._on_regression(case)
            others = ByOthers(own, self._hours.of(own, tuple(self.settings.variables)))
            rows = np.isfinite(others.deviation)
            value[rows], error[rows] = others.value[rows], others.deviation[rows]
            self._by_others[case] = value, error
        return self._by_others[case]

    def at_withheld(self, case: Case) -> tuple[np.ndarray, np.ndarray]:
        """The analysis at each withheld report and label, and its error, analysis space, (n,) each; NaN elsewhere."""
        return self._analysed(case, case.withheld | case.observations.labels)

    def _analysed(self, case: Case, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The analysis at the reports of a mask (n,) that it does not use, and its error, NaN elsewhere."""
        value, error = np.full((2, len(case.used)), np.nan)
        for name in self.settings.variables:
            rows = chosen & (case.observations.variable == name)
            if rows.any():
                value[rows], error[rows] = self.answer(case).at(name, case.points[rows])
        return value, error

    def columns(self, value: np.ndarray, error: np.ndarray, guess: np.ndarray) -> np.ndarray:
        """What a network is given of m places, shape (m, count): departures, errors, presence of the variables.

        Args:
            value, error: of the analysis, NaN where there is none; guess: first guess of the network, shape (m, v).
        """
        scale = np.array([self.scale[self.variables.index(name)] for name in self.settings.variables])
        present = np.isfinite(value) & np.isfinite(error)
        parts = (value - guess) / scale, error / scale
        return np.concatenate([*(np.where(present, part, 0.0) for part in parts), present], axis=1)

    @cached_property
    def _hours(self) -> HourSettings:
        return HourSettings(self.settings)

    @cached_property
    def _regressed(self) -> WeakKeyDictionary:
        return WeakKeyDictionary()

    @cached_property
    def _answers(self) -> WeakKeyDictionary:
        return WeakKeyDictionary()

    @cached_property
    def _by_others(self) -> WeakKeyDictionary:
        return WeakKeyDictionary()


def degraded(columns: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Columns (m, count) as they are given in training: absent in some draws, else with noise.

    A network that is always given the analysis learns to repeat it.
    """
    if random.random() < ABSENT:
        return np.zeros_like(columns)
    each = columns.shape[1] // COLUMNS
    noise = random.normal(0.0, NOISE, (len(columns), each)) * columns[:, 2 * each :]
    return np.concatenate([columns[:, :each] + noise, columns[:, each:]], axis=1)
