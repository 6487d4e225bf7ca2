"""The loss of an emulator's tangent linear and adjoint against a model's (JENN: Tian 2024, arXiv 2412.01013).

    L_TL = |(E - M) dx|^2        L_AD = |(E - M)^T y|^2

E and M are the tangent linears of the emulator and of the model at the same state, dx and y directions in which they
are compared: of random, white ones the mean of either is the square of the error of all elements of the Jacobian. The
two see the same Jacobian by columns and by rows; of one draw each both together have the smaller variance.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mlrtma_dist.nn.forward_mode import push
from mlrtma_dist.physics.linearise import Linearised

Step = Callable[[Tensor], Tensor]


def derivatives(model: Step, state: Tensor, direction: Tensor, covector: Tensor) -> tuple[Tensor, Tensor]:
    """M dx and M^T y of a model, to be learnt; without gradient.

    Args:
        state: shape (batch, ...): of cases that do not depend on each other.
        direction: dx, shape of the state; covector: y, shape of the model's value.
    """
    linear = Linearised(model, state)
    return linear.tangent(direction), linear.adjoint(covector)


def derivative_errors(
    emulator: Step, state: Tensor, direction: Tensor, covector: Tensor, truth: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """E dx - M dx and E^T y - M^T y, with gradients for the emulator's weights.

    Args:
        state, direction, covector: as of `derivatives`, whose result is ``truth``.

    Returns:
        Shapes of M dx and of M^T y. Collective where the emulator is.
    """
    argument = state.detach().requires_grad_()
    tangent = push(emulator, state.detach(), direction, graph=True)
    adjoint = torch.autograd.grad(emulator(argument), argument, covector, create_graph=True)[0]
    return tangent - truth[0], adjoint - truth[1]
