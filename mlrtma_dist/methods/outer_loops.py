"""3D-Var with outer loops: the most probable state given observations that are nonlinear functions of it.

    J(x) = 1/2 (x - m)^T B^-1 (x - m) + 1/2 (y_o - H(x))^T R^-1 (y_o - H(x))

by Gauss and Newton (Courtier, Thepaut and Hollingsworth 1994, section 3): H is linearised at x_k, G = H'(x_k), and the
quadratic problem is solved exactly in the space of observations,

    x* = m + B G^T w,    (G B G^T + R) w = y_o - H(x_k) + G (x_k - m),

then x_k+1 = x_k + a (x* - x_k) with the first a of 1, 1/2, 1/4, ... by which J falls as much as Armijo (1966) asks; x*
- x_k is a direction of descent, so there is one. The loops end when J does.

H looks at single points, so all x_k are m + B L^T z, with z of one number for each variable at each observed place and
L that picks those places: P = L B L^T is all that the loops need of B. Then J = 1/2 z^T P z + 1/2 |y_o - H|^2 / R.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mlrtma_dist.linalg.cross_spectral import CrossCovariance

MOST_HALVINGS = 12
ARMIJO = 1e-4  # share of the fall that the slope promises


class Operator(Protocol):
    """H and its tangent, point by point; see `observations.indirect.IndirectTypes`."""

    def values(self, state: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """H(x), shape (n,), of states (n, variable) at the places of the observations."""
        ...

    def tangent(self, state: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Derivatives by the variables there, shape (n, variable)."""
        ...


@dataclass(frozen=True)
class Found:
    """What the loops found.

    Attributes:
        field: x, shape (variable, y, x).
        costs: J at the first state and after every loop.
        weights: z, shape (n, variable); state: x where the observations are, shape (n, variable).
    """

    field: np.ndarray
    costs: tuple[float, ...]
    weights: np.ndarray
    state: np.ndarray


@dataclass(frozen=True)
class OuterLoops:
    """The method.

    Attributes:
        covariance: m and B, of the variables.
        operator: H.
        inflation: factor on R of every type, shape (type,).
        most_loops: after so many the last state is the answer; enough: relative fall of J below which the loops end.
    """

    covariance: CrossCovariance
    operator: Operator
    inflation: np.ndarray
    most_loops: int = 30
    enough: float = 1e-6

    def analyse(self, places: np.ndarray, kinds: np.ndarray, values: np.ndarray, error: np.ndarray) -> np.ndarray:
        """The analysis, shape (variable, y, x); arguments as of `best_linear.BestLinear.analyse`."""
        return self.minimise(places, kinds, values, error).field

    def minimise(self, places, kinds, values, error, first: np.ndarray | None = None) -> Found:
        """Minimise J.

        Args:
            places, kinds, values, error: as of `best_linear.BestLinear.analyse`.
            first: another analysis, shape (variable, y, x), where H is linearised first; None: the mean.
        """
        problem = _Problem(self, places, kinds, values, error)
        z, state = np.zeros((len(values), len(problem.mean))), np.tile(problem.mean, (len(values), 1))
        if first is not None:
            z = problem.linearised(first[:, *places.T].T)
            state = problem.state(z)
        costs = [problem.cost(z, state)]
        for _ in range(self.most_loops):
            step = problem.linearised(state) - z
            moved = problem.state(step) - problem.mean
            slope = float(np.sum(moved * problem.gradient(z, state)))
            for share in 0.5 ** np.arange(MOST_HALVINGS):
                new = problem.cost(z + share * step, state + share * moved)
                if falls := new <= costs[-1] + ARMIJO * share * slope:
                    break
            if not falls:
                break
            z, state = z + share * step, state + share * moved
            costs.append(new)
            if costs[-2] - new <= self.enough * costs[-2]:
                break
        return Found(self._field(places, z), tuple(costs), z, state)

    def _field(self, places: np.ndarray, z: np.ndarray) -> np.ndarray:
        count = len(self.covariance.mean)
        kinds = np.tile(np.arange(count), len(places))
        increment = self.covariance.spread(np.repeat(places, count, 0), kinds, z.ravel(), count)
        return self.covariance.mean[:, None, None] + increment


class _Problem:
    """J of one case, at the observed places alone."""

    def __init__(self, method: OuterLoops, places, kinds, values, error):
        offset, shape = places[:, None] - places[None], method.covariance.shape
        rows = method.covariance.rows[:, :, offset[..., 0] % shape[0], offset[..., 1] % shape[1]]
        size = len(places) * len(rows)
        self.prior = rows.transpose(2, 0, 3, 1).reshape(size, size)  # P, from (place, variable) to (place, variable)
        self.mean, self.operator = method.covariance.mean, method.operator
        self.kinds, self.values, self.variance = kinds, values, method.inflation[kinds] * error**2

    def state(self, z: np.ndarray) -> np.ndarray:
        """x at the places, shape (n, variable)."""
        return self.mean + (self.prior @ z.ravel()).reshape(z.shape)

    def cost(self, z: np.ndarray, state: np.ndarray) -> float:
        """J."""
        misfit = self.values - self.operator.values(state, self.kinds)
        return 0.5 * float(np.sum(z * (state - self.mean)) + np.sum(misfit**2 / self.variance))

    def gradient(self, z: np.ndarray, state: np.ndarray) -> np.ndarray:
        """g with dJ = g . dx for changes dx = P dz of the state at the places, shape (n, variable)."""
        misfit = self.values - self.operator.values(state, self.kinds)
        return z - self.operator.tangent(state, self.kinds) * (misfit / self.variance)[:, None]

    def linearised(self, state: np.ndarray) -> np.ndarray:
        """z = G^T w of the quadratic problem with H linearised at a state."""
        tangent, count = self.operator.tangent(state, self.kinds), len(self.values)
        misfit = self.values - self.operator.values(state, self.kinds)
        rows = np.einsum("ia,iaj->ij", tangent, self.prior.reshape(count, -1, self.prior.shape[1]))
        matrix = np.einsum("ija,ja->ij", rows.reshape(count, count, -1), tangent)
        matrix[np.diag_indices(count)] += self.variance
        weights = cho_solve(cho_factor(matrix, lower=True), misfit + np.sum(tangent * (state - self.mean), 1))
        return tangent * weights[:, None]
