"""Cases that follow others: those before which a source has the states that a forecast begins with."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case, Cases
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.derived import Derived

log = logging.getLogger(__name__)


def with_earlier_states(time: np.ndarray, lags: Sequence[np.timedelta64]) -> np.ndarray:
    """Mask of the cases before which there is exactly one case at each lag, shape (case,).

    Args:
        time: of every case, datetime64[s], shape (case,), in any order; lags: positive; none: every case suits.
    """
    times, counts = np.unique(time, return_counts=True)
    single, suited = times[counts == 1], np.ones(len(time), bool)
    for lag in lags:
        suited &= np.isin(time - lag, single)
    return suited


def successive(
    time: np.ndarray, lags: Sequence[np.timedelta64], place: str, numbers: np.ndarray | None = None, first: bool = True
) -> np.ndarray:
    """Numbers of the cases that have their earlier states; a warning says how many others are left out, and why.

    Args:
        time, lags: see `with_earlier_states`.
        place: the cases and what needs the states, for messages.
        numbers: of the cases to choose from, shape (n,); None: all.
        first: whether this rank logs.

    Raises:
        InputError: none is left.
    """
    numbers = np.arange(len(time)) if numbers is None else numbers
    suited = numbers[with_earlier_states(time, lags)[numbers]]
    if len(suited) == len(numbers):
        return numbers
    minutes = ", ".join(f"{lag / np.timedelta64(60, 's'):g}" for lag in lags)
    if not len(suited):
        first, last = time[numbers].min(), time[numbers].max()
        raise InputError(
            f"{place}: none of {len(numbers)} cases from {first} to {last} has one state each of {minutes} minutes"
            " earlier: name a source of single times that follow each other every settings.step_minutes, such as a"
            " store of simulated weather with every: 1 or of runs of shallow_plane (states), or set"
            " settings.step_minutes or settings.steps for the source"
        )
    if first:
        log.warning(
            "%s: %d of %d cases are left out, the first of %s, as there is not one state each of %s minutes earlier",
            *(place, len(numbers) - len(suited), len(numbers), time[np.setdiff1d(numbers, suited)].min(), minutes),
        )
    return suited


@dataclass(frozen=True)
class Successive(Derived):
    """Some cases of a source (`methods.case.Cases`), which know the states before them.

    Attributes:
        source: of the cases; numbers: of those that take part, shape (n,).
    """

    numbers: np.ndarray

    @classmethod
    def of(cls, cases: Cases, lags: Sequence[np.timedelta64], place: str, first: bool = True) -> Cases:
        """The cases that have their earlier states; the source itself where all have them; see `successive`.

        Raises:
            InputError: no case has them.
        """
        numbers = successive(cases.time, lags, place, first=first)
        return cases if len(numbers) == len(cases.time) else cls(cases, numbers)

    @property
    def time(self) -> np.ndarray:
        """UTC of every case, datetime64[s], shape (n,)."""
        return self.source.time[self.numbers]

    def reports(self, number: int) -> Observations:
        """The reports of a case, n rows."""
        return self.source.reports(int(self.numbers[number]))

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case; see `methods.case.Cases.case`."""
        return self.source.case(int(self.numbers[number]), box, withheld)
