"""Models of departures from the first guess, for 4D-Var of reports: d_k+1 = M(d_k, d_k-1).

    persistence   M = d_k
    lam           M = f(x_b(k) + d_k, x_b(k-1) + d_k-1) - x_b(k+1)

f is a step of the forecast emulator `methods.lam`, which begins with two states: the first step of a window, before
which there is none, is persistence.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.nn.neighbourhood import Alone

Model = Callable[[int, Tensor | None, Tensor], Tensor]  # number k, d_k-1 and d_k (variable, y, x) -> d_k+1


def persistence(number: int, before: Tensor | None, now: Tensor) -> Tensor:
    """Departures stay where they are."""
    return now


class ForecastDepartures:
    """A forecast emulator as a model of departures, in double precision, without a boundary."""

    def __init__(self, method: LamMethod, case: Case, first: np.datetime64, guesses: Tensor):
        """Make ready what does not depend on the departures.

        Args:
            method: a trained emulator of one member; case: on the whole domain.
            first: time of the window's first state; guesses: x_b of every time, SI, shape (times, variable, y, x).
        """
        self._method = copy.copy(method)
        self._method.network = copy.deepcopy(method.network).cpu().double().requires_grad_(False).eval()
        self._guesses, self._here = guesses, Alone(case.domain.shape, (case.domain.periodic,) * 2)
        mean, deviation = method.target_units
        self._mean, self._deviation = (torch.from_numpy(each)[:, None, None] for each in (mean, deviation))
        self._fixed = []
        for number in range(len(guesses) - 1):
            channels = method.fixed_channels(case, first + number * method.step)
            self._fixed.append(torch.from_numpy(channels[None]).double())

    def __call__(self, number: int, before: Tensor | None, now: Tensor) -> Tensor:
        """d_k+1, shape (variable, y, x)."""
        if before is None:
            return now
        states = (self._normalised(number - 1, before), self._normalised(number, now))
        coming = self._method.advance(*states, self._fixed[number], None, self._here)[0]
        return coming * self._deviation + self._mean - self._guesses[number + 1]

    def _normalised(self, number: int, departure: Tensor) -> Tensor:
        return ((self._guesses[number] + departure - self._mean) / self._deviation)[None]
