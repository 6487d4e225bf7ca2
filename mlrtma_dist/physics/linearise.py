"""The tangent linear and the adjoint of any step: of a true model or an emulator, on a tile or on the whole domain.

    x' = M(x)        tangent linear  dx' = M dx,  M = dM/dx at x        adjoint  M^T

The adjoint is one backward pass through one evaluation that is kept. The tangent linear is one evaluation in forward
mode, or, where the graph of the adjoint is ``kept``, two backward passes through that: y' = M^T u is linear in u, so
M dx is the derivative of <dx, M^T u> by u. No matrix is stored. On tiles all are collective: halo exchanges have exact
derivatives of both modes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mlrtma_dist.nn.forward_mode import push

Step = Callable[[Tensor], Tensor]


class Linearised:
    """A step about one state.

    Attributes:
        step: state -> state, or any other differentiable function of a tensor.
        state: about which it is linearised, any shape, without gradient.
        value: of the step there, without gradient.
    """

    def __init__(self, step: Step, state: Tensor, *, kept: bool = False):
        """Evaluate the step once, and keep what its backward pass needs until this object goes.

        Args:
            kept: keep the graph of the adjoint, too, for tangent linears: some two to ten times as fast as forward
                mode where the step is many operations on small fields, of which PyTorch's forward mode asks the shape
                in Python; about three times the memory. The step must be differentiable twice.
        """
        self.step, self.state, self._kept = step, state.detach(), None
        with torch.enable_grad():
            self._argument = self.state.clone().requires_grad_()
            self._value = step(self._argument)
            if kept and self._value.requires_grad:
                covector = torch.zeros_like(self._value, requires_grad=True)
                self._kept = covector, self._gradient(covector, create_graph=True)
        self.value = self._value.detach()

    def tangent(self, perturbation: Tensor) -> Tensor:
        """M dx, shape of the value, for a perturbation of the state's shape. Collective."""
        if self._kept is None:
            return push(self.step, self.state, perturbation)
        covector, gradient = self._kept
        if not gradient.requires_grad:  # the value does not depend on the state
            return torch.zeros_like(self.value)
        return torch.autograd.grad(gradient, covector, perturbation, retain_graph=True)[0]

    def adjoint(self, covector: Tensor) -> Tensor:
        """M^T y, shape of the state, for y of the value's shape. Collective."""
        return self._gradient(covector) if self._value.requires_grad else torch.zeros_like(self.state)

    def _gradient(self, covector: Tensor, *, create_graph: bool = False) -> Tensor:
        gradient = torch.autograd.grad(
            self._value, self._argument, covector, retain_graph=True, create_graph=create_graph, allow_unused=True
        )[0]
        return torch.zeros_like(self.state) if gradient is None else gradient

    def matrix(self) -> Tensor:
        """M itself, shape (values, elements of the state), for small problems: one tangent per element."""
        columns = torch.eye(self.state.numel(), dtype=self.state.dtype).reshape(-1, *self.state.shape)
        return torch.stack([self.tangent(column).flatten() for column in columns], 1)


def with_derivative_of(step: Step, other: Step) -> Step:
    """The step whose value is that of ``step`` and whose tangent linear and adjoint are those of ``other``.

    Incremental 4D-Var of it runs the true model and minimises by an emulator's derivatives, or the other way round.
    """

    def joint(state: Tensor) -> Tensor:
        value = other(state)
        return step(state.detach()).detach() + (value - value.detach())

    return joint


def taylor_remainders(step: Step, state: Tensor, perturbation: Tensor, sizes: Tensor) -> Tensor:
    """|M(x + a dx) - M(x) - a M dx| / |a M dx| for each size a, shape of ``sizes``.

    It falls as a does where the tangent linear is right.
    """
    tangent = push(step, state, perturbation)
    with torch.no_grad():
        start = step(state)
        ends = torch.stack([(step(state + size * perturbation) - start - size * tangent).norm() for size in sizes])
    return ends / (sizes * tangent.norm())
