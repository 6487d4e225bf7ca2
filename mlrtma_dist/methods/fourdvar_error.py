"""The error of 4D-Var's analysis of reports: the variances of the linear window's posterior covariance.

    d_a = S z the departures at the analysis time        R^-1/2 H d = G z the reports' equivalents
    P   = S S' - S G' (1 + G G')^-1 G S'                 S S' = B, S G' = B H' R^-1/2 c^|k| where departures persist

**Where departures persist** P is that of `window_variance`, in closed form: points of a block share the reports that
reduce it most. **With an emulator** members are drawn from it (randomised maximum likelihood, Oliver et al. 1996; an
ensemble of data assimilations, Isaksen et al. 2010):

    z_m, e_m ~ N(0, 1)        S (z_m - G' (1 + G G')^-1 (G z_m + e_m)) ~ N(0, P)

M draws alone have the variance with a sampling error of sqrt(2 / M) of it. They give its ratio to that where departures
persist, P_0, instead: draws of the same noise from both windows differ little, and the ratio changes slowly from place
to place. With K a Gaussian smoothing along the grid

    P = P_0 K(sum over m of the squares of draws) / K(sum over m of the squares where departures persist)
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from torch import Tensor

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.noise import normal
from mlrtma_dist.methods import local
from mlrtma_dist.methods.fourdvar import ObservedWindow, best_control
from mlrtma_dist.physics.linearise import Linearised

MOST_REPORTS = 128  # that decide the error of a block
CANDIDATES = 4  # nearest reports for each of them, of which they are chosen
CELL = 120e3  # m; edge of a block
SMOOTHING = 150e3  # m; standard deviation of K
SEED = 4


@dataclass(frozen=True)
class WindowReports:
    """The reports of one variable in a window, n of them.

    Attributes:
        cells: of the grid around each, numbers of points row by row, shape (4, n); weights: of the same.
        age: number of steps between its time and the analysis', shape (n,).
        deviation: of its error, shape (n,).
    """

    cells: np.ndarray
    weights: np.ndarray
    age: np.ndarray
    deviation: np.ndarray

    def merged(self, correlation: float) -> "WindowReports":
        """Reports of one departure (one place and time; with a correlation of 1 one place) as one that says as much."""
        keys = np.column_stack([self.cells.T, self.weights.T, self.age * (correlation < 1.0)])
        _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        deviation = np.bincount(number.ravel(), self.deviation**-2.0) ** -0.5
        return WindowReports(self.cells[:, first], self.weights[:, first], self.age[first], deviation)

    def equals(self, other: "WindowReports") -> bool:
        """Whether others are at the same places and times with the same errors: they reduce the error as much."""
        return all(np.array_equal(getattr(self, each.name), getattr(other, each.name)) for each in fields(self))

    def __getitem__(self, rows: np.ndarray) -> "WindowReports":
        return WindowReports(self.cells[:, rows], self.weights[:, rows], self.age[rows], self.deviation[rows])

    def __len__(self) -> int:
        return len(self.age)


def window_variance(
    points: Points, covariance: Covariance, reports: WindowReports, correlation: float, most: int = MOST_REPORTS
) -> np.ndarray:
    """diag(P) where departures persist, of one variable, in the square of its unit, shape (m,).

    Args:
        points: of the grid, row by row, m of them; covariance: B; correlation: c.
        most: reports that decide the error of a block of points: those that alone would reduce it most.
    """
    variance, reports = covariance.variance_at(points), reports.merged(correlation)
    if not len(reports):
        return variance
    nearest = reports.cells[reports.weights.argmax(0), np.arange(len(reports))]
    tree = cKDTree(points.position[nearest])
    for block in local.cells(points.position, CELL):
        own = points[block]
        rows = local.nearest(tree, own.position, CANDIDATES * most)
        if len(rows) > most:
            towards = covariance.matrix(own, points[nearest[rows]]) * correlation ** np.abs(reports.age[rows])
            information = (towards.astype(np.float64) ** 2).sum(0) / (
                covariance.variance + reports.deviation[rows] ** 2
            )
            rows = rows[np.argpartition(-information, most)[:most]]
        variance[block] -= _explained(points, own, covariance, reports[rows], correlation)
    return np.maximum(variance, 0.0)


def _explained(
    points: Points, own: Points, covariance: Covariance, reports: WindowReports, correlation: float
) -> np.ndarray:
    """diag(B H' (H B H' + R)^-1 H B) at m points of the grid's, shape (m,)."""
    corners, place = np.unique(reports.cells, return_inverse=True)
    weights = np.zeros((len(reports), len(corners)))
    np.add.at(weights, (np.arange(len(reports)), place.reshape(reports.cells.shape)), reports.weights)
    system = weights @ covariance.matrix(points[corners], points[corners]).astype(np.float64) @ weights.T
    system *= correlation ** np.abs(reports.age[:, None] - reports.age)
    towards = (
        covariance.matrix(own, points[corners]).astype(np.float64) @ weights.T * correlation ** np.abs(reports.age)
    )
    solved = np.linalg.solve(system + np.diag(reports.deviation**2), towards.T)
    return np.einsum("mn,nm->m", towards, solved)


@dataclass(frozen=True)
class PosteriorDraws:
    """Draws from the posterior covariance of a window that is linearised about one control.

    Attributes:
        window: the problem; linear: of equivalents and, behind them, the state at the analysis time.
        shape: of that state.
        tolerance, most_iterations: of the conjugate gradients of each draw.
    """

    window: ObservedWindow
    linear: Linearised
    shape: tuple[int, ...]
    tolerance: float
    most_iterations: int

    @classmethod
    def about(cls, window: ObservedWindow, control: Tensor, number: int, **solver) -> "PosteriorDraws":
        """About a control, of the state of a number; ``solver``: tolerance and most_iterations."""

        def both(control: Tensor) -> Tensor:
            states = window.states(control)
            return torch.cat([window.observe(states), states[number].flatten()])

        with torch.no_grad():
            shape = tuple(window.states(control)[number].shape)
        return cls(window, Linearised(both, control, kept=True), shape, **solver)

    def tangent(self, perturbation: Tensor) -> Tensor:
        """G dz, shape (n,)."""
        return self._both(perturbation)[0]

    def adjoint(self, covector: Tensor) -> Tensor:
        """G^T y, shape of the control."""
        return self.linear.adjoint(torch.cat([covector, covector.new_zeros(int(np.prod(self.shape)))]))

    def draw(self, member: int) -> Tensor:
        """An error of the analysis, shape of the state; always the same of a member's number."""
        control = self.linear.state
        rows, columns = np.arange(control[0, 0].shape[0])[:, None], np.arange(control.shape[-1])
        fields = [normal(SEED, rows, columns, member=member, channel=n) for n in range(control[..., 0, 0].numel())]
        drawn = torch.from_numpy(np.stack(fields)).reshape(control.shape).to(control)
        equivalents, state = self._both(drawn)
        noise = normal(SEED, np.zeros(len(equivalents), int), np.arange(len(equivalents)), member=member, step=1)
        perturbed = equivalents + torch.from_numpy(noise).to(equivalents)
        solver = {"tolerance": self.tolerance, "most_iterations": self.most_iterations}
        return state - self._both(best_control(self.window, self, control, perturbed, **solver)[0])[1]

    def _both(self, perturbation: Tensor) -> tuple[Tensor, Tensor]:
        joint = self.linear.tangent(perturbation)
        size = len(joint) - int(np.prod(self.shape))
        return joint[:size], joint[size:].reshape(self.shape)


def smoothed_squares(draw: Callable[[int], Tensor], members: int, spacing: float) -> np.ndarray:
    """K of the squares of draws, shape (M, variable, y, x).

    Args:
        draw: of a member's number, shape (variable, y, x); members: number of them, M; spacing: of the grid, m.
    """
    width = (0.0, SMOOTHING / spacing, SMOOTHING / spacing)
    return np.stack([gaussian_filter(draw(n).numpy() ** 2, width, mode="nearest") for n in range(members)])
