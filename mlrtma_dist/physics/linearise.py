"""The tangent linear and the adjoint of any step: of a true model or an emulator, on a tile or on the whole domain.

    x' = M(x)        tangent linear  dx' = M dx,  M = dM/dx at x        adjoint  M^T

The tangent linear is one evaluation in forward mode, the adjoint one backward pass; no matrix is stored. On tiles both
are collective: halo exchanges have exact derivatives of both modes.
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

    def __init__(self, step: Step, state: Tensor):
        """Evaluate the step once, and keep what its backward pass needs until this object goes."""
        self.step, self.state = step, state.detach()
        with torch.enable_grad():
            self._argument = self.state.clone().requires_grad_()
            self._value = step(self._argument)
        self.value = self._value.detach()

    def tangent(self, perturbation: Tensor) -> Tensor:
        """M dx, shape of the value, for a perturbation of the state's shape. Collective."""
        return push(self.step, self.state, perturbation)

    def adjoint(self, covector: Tensor) -> Tensor:
        """M^T y, shape of the state, for y of the value's shape. Collective."""
        if not self._value.requires_grad:
            return torch.zeros_like(self.state)
        gradient = torch.autograd.grad(self._value, self._argument, covector, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(self.state) if gradient is None else gradient

    def matrix(self) -> Tensor:
        """M itself, shape (values, elements of the state), for small problems: one tangent per element."""
        columns = torch.eye(self.state.numel(), dtype=self.state.dtype).reshape(-1, *self.state.shape)
        return torch.stack([self.tangent(column).flatten() for column in columns], 1)


def taylor_remainders(step: Step, state: Tensor, perturbation: Tensor, sizes: Tensor) -> Tensor:
    """|M(x + a dx) - M(x) - a M dx| / |a M dx| for each size a, shape of ``sizes``.

    It falls as a does where the tangent linear is right.
    """
    tangent = push(step, state, perturbation)
    with torch.no_grad():
        start = step(state)
        ends = torch.stack([(step(state + size * perturbation) - start - size * tangent).norm() for size in sizes])
    return ends / (sizes * tangent.norm())
