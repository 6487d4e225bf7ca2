"""4D-Var: the state at the start of a window, and the errors of a model in it, by all observations of the window.

    x_0 = x_b + B^1/2 v        x_k = M(x_k-1) + Q^1/2 w_k        z = (v, w_1, ..., w_K)
    J(z) = |z|^2 / 2 + sum over k of |R_k^-1/2 (y_k - H_k(x_k))|^2 / 2

Without Q the model is exact in the window (strong constraint) and z is v. The incremental method (Courtier et al. 1994)
is that of Gauss and Newton: with F(z) all observations' equivalents, each over its error, and G = dF/dz about z_i an
outer loop solves

    (1 + G^T G) z = G^T (R^-1/2 y - F(z_i) + G z_i)

by conjugate gradients, whose products with G and G^T are tangent linear and adjoint of the whole window
(`physics.linearise`), or, in the dual form (Courtier 1997), which a window may choose, where it knows how to
precondition it,

    z = G^T a     (1 + G G^T) a = R^-1/2 y - F(z_i) + G z_i

A step that would raise J is halved. Model, operators, B and R are arguments; vectors are those
of a tile, and sums over tiles make the answer that of one process. `methods.fourdvar_members` has the B of members.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.solve import conjugate_gradient
from mlrtma_dist.physics.linearise import Linearised

log = logging.getLogger(__name__)
MOST_HALVINGS = 8
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Observations:
    """Observations of one time, those that this tile owns, n of them.

    Attributes:
        value: shape (n,).
        deviation: of the error of each, above 0, shape (n,).
        operator: H: a state to its equivalents of the observations, shape (n,).
    """

    value: Tensor
    deviation: Tensor
    operator: Map

    def __post_init__(self):
        if self.value.dim() != 1 or self.value.shape != self.deviation.shape:
            raise InputError(
                f"4D-Var: expected values and deviations of n observations, got the shapes {tuple(self.value.shape)}"
                f" and {tuple(self.deviation.shape)}"
            )
        if not bool((self.deviation > 0).all()):
            raise InputError("4D-Var: expected observation errors with deviations above 0; leave such reports out")


class Derivatives(Protocol):
    """The observations' equivalents as a linear map, G (`physics.linearise.Linearised`)."""

    def tangent(self, perturbation: Tensor) -> Tensor:
        """G dz, shape (n,)."""
        ...

    def adjoint(self, covector: Tensor) -> Tensor:
        """G^T y, shape of the control."""
        ...


class ObservedWindow(ABC):
    """The problem of one window: a control of independent errors of deviation one, and what is observed.

    Attributes:
        observed: of each time, the first at the start; None where nothing is observed.
        total: sum of a tensor over the tiles.
    """

    observed: Sequence[Observations | None]
    total: Map

    @property
    def dual(self) -> bool:
        """Whether the linearised problem is solved in the dual form."""
        return False

    @property
    @abstractmethod
    def nothing(self) -> Tensor:
        """The control z = 0, shape (fields, *state)."""

    @abstractmethod
    def states(self, control: Tensor) -> list[Tensor]:
        """x_0 to x_K. Collective."""

    def equivalents(self, control: Tensor) -> Tensor:
        """F: the observations' equivalents, each over the deviation of its error, shape (n,). Collective."""
        return self.observe(self.states(control))

    def observe(self, states: list[Tensor]) -> Tensor:
        """The observations' equivalents of states x_0 to x_K, each over the deviation of its error, shape (n,)."""
        pairs = [(own, state) for own, state in zip(self.observed, states, strict=True) if own]
        return torch.cat([own.operator(state) / own.deviation for own, state in pairs] or [states[0].new_zeros(0)])

    def precondition(self, residual: np.ndarray) -> np.ndarray:
        """An approximation of (1 + G G^T)^-1 r in the dual form, symmetric and positive definite; here r itself."""
        return residual

    @property
    def scaled(self) -> Tensor:
        """R^-1/2 y, shape (n,)."""
        return torch.cat([own.value / own.deviation for own in self.observed if own] or [self.nothing.new_zeros(0)])

    def cost(self, control: Tensor, equivalents: Tensor) -> float:
        """J. Collective."""
        squares = control.square().sum() + (self.scaled - equivalents).square().sum()
        return 0.5 * float(self.total(squares))


@dataclass(frozen=True)
class Window(ObservedWindow):
    """The problem of one window whose trajectories are those of a model.

    Attributes:
        background: x_b, the state at the start, any shape.
        root: B^1/2, linear: v, of the background's shape, or, where ``fields`` is more than 1, of shape (fields,
            *state), to a departure from the background.
        model: M, from one time of the window to the next.
        observed: of each time, the first at the start; None where nothing is observed.
        model_root: Q^1/2, linear; None: the model is exact.
        total: sum of a tensor over the tiles.
        fields: number of fields of v.
    """

    background: Tensor
    root: Map
    model: Map
    observed: Sequence[Observations | None]
    model_root: Map | None = None
    total: Map = lambda tensor: tensor
    fields: int = 1

    def __post_init__(self):
        if not self.observed:
            raise InputError("4D-Var: expected a window of one time or more, got none")
        if self.fields < 1:
            raise InputError(f"4D-Var: expected a control of 1 field or more, got {self.fields}")

    @property
    def nothing(self) -> Tensor:
        """The control z = 0, shape (fields, *state): v, and w of every step where the model has errors."""
        steps = len(self.observed) - 1 if self.model_root is not None else 0
        return self.background.new_zeros(self.fields + steps, *self.background.shape)

    def states(self, control: Tensor) -> list[Tensor]:
        """x_0 to x_K. Collective."""
        own = self.fields
        states = [self.background + self.root(control[0] if own == 1 else control[:own])]
        for number in range(1, len(self.observed)):
            state = self.model(states[-1])
            states.append(state if self.model_root is None else state + self.model_root(control[own + number - 1]))
        return states


@dataclass(frozen=True)
class Trajectory:
    """What 4D-Var gives.

    Attributes:
        control: z, shape (fields, *state).
        states: x_0 to x_K.
        costs: J of the background and after each outer loop.
        iterations: of the conjugate gradients, of all outer loops.
    """

    control: Tensor
    states: list[Tensor]
    costs: list[float]
    iterations: int


def minimise(
    window: ObservedWindow,
    *,
    outer_loops: int = 3,
    tolerance: float = 1e-6,
    most_iterations: int = 500,
    kept: bool = False,
) -> Trajectory:
    """The trajectory of the least J.

    Args:
        outer_loops: linearisations at most; fewer where J no longer falls.
        tolerance: of the conjugate gradients, on the residual over the right-hand side.
        most_iterations: of each loop's conjugate gradients.
        kept: keep the graph of the window's adjoint for its tangent linear: faster, with more memory; see
            `physics.linearise.Linearised`.

    Raises:
        ConvergenceError: the conjugate gradients did not reach the tolerance.
    """
    control, scaled = window.nothing, window.scaled
    linear = Linearised(window.equivalents, control, kept=kept)
    costs, iterations = [window.cost(control, linear.value)], 0
    for _ in range(outer_loops):
        innovation = scaled - linear.value + linear.tangent(control)
        solver = {"tolerance": tolerance, "most_iterations": most_iterations}
        solved, products = best_control(window, linear, control, innovation, **solver)
        iterations += products
        step, size = solved - control, 1.0
        for _ in range(MOST_HALVINGS):
            following = Linearised(window.equivalents, control + size * step, kept=kept)
            cost = window.cost(control + size * step, following.value)
            if cost < costs[-1]:
                break
            size *= 0.5
        else:
            break  # no step along this direction lowers J: it is the least
        control, linear = control + size * step, following
        costs.append(cost)
        if costs[-2] - costs[-1] <= tolerance * costs[-2]:
            break
    with torch.no_grad():
        return Trajectory(control, window.states(control), costs, iterations)


def best_control(
    window: ObservedWindow,
    linear: Derivatives,
    control: Tensor,
    innovation: Tensor,
    *,
    tolerance: float,
    most_iterations: int,
) -> tuple[Tensor, int]:
    """The z of a linearised problem, (1 + G^T G)^-1 G^T d, shape of the control, and the iterations that it took.

    Args:
        linear: G and G^T; control: any one, for the shape; innovation: d, each over the deviation of its error, (n,).
        tolerance, most_iterations: of the conjugate gradients.

    Raises:
        ConvergenceError: the conjugate gradients did not reach the tolerance.
    """
    like, products = innovation if window.dual else control, 0

    def tensor(vector: np.ndarray) -> Tensor:
        return torch.from_numpy(vector).to(like).reshape(like.shape)

    def vector(field: Tensor) -> np.ndarray:
        return field.double().flatten().cpu().numpy()

    def system(direction: np.ndarray) -> np.ndarray:
        nonlocal products
        own, products = tensor(direction), products + 1
        return direction + vector(
            linear.tangent(linear.adjoint(own)) if window.dual else linear.adjoint(linear.tangent(own))
        )

    def dot(one: np.ndarray, other: np.ndarray) -> float:
        return float(window.total(torch.tensor(np.dot(one, other), dtype=torch.float64)))

    settings = {"dot": dot, "tolerance": tolerance, "most_iterations": most_iterations}
    if window.dual:
        weights = conjugate_gradient(system, vector(innovation), precondition=window.precondition, **settings)
        return linear.adjoint(tensor(weights)), products
    solved = conjugate_gradient(system, vector(linear.adjoint(innovation)), **settings)
    return tensor(solved), products
