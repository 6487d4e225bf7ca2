"""What two states, a time apart that need not be short, violate of dx/dt = f(x): Hermite and Simpson's residual.

    x_m = (x_0 + x_1) / 2 + T (f(x_0) - f(x_1)) / 8
    r = x_1 - x_0 - T (f(x_0) + 4 f(x_m) + f(x_1)) / 6

x_m is the middle of the cubic through both states with both tendencies, and r = 0 says that this cubic obeys the
equation at the start, in the middle and at the end (collocation by Lobatto's points, scheme IIIA of order four; Hairer
and Wanner 1996, section IV.5). f is the model's own discrete tendency, so there is no error of differences in space.
For the true trajectory r is of the size of T^5 (T^5 / 720 of the fifth derivative where the equation is linear): only
as T tends to 0 does it vanish. An emulator with a long step therefore gives states inside its step, too, and
`path_residual` takes them in turn: with n parts of a step the residuals of all parts together are n^4 times as small. A
one-sided or mid-point difference over the whole step would not do: its own error is that of a model with a time step of
the emulator's length.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mlrtma_dist.errors import InputError

Tendency = Callable[[Tensor], Tensor]


def residual(tendency: Tendency, before: Tensor, after: Tensor, seconds: float) -> Tensor:
    """r of two states ``seconds`` apart (or any unit of time that the tendency has), of their shape and unit.

    Collective where the tendency is.
    """
    first, last = tendency(before), tendency(after)
    middle = 0.5 * (before + after) + seconds / 8.0 * (first - last)
    return after - before - seconds / 6.0 * (first + 4.0 * tendency(middle) + last)


def path_residual(tendency: Tendency, states: Tensor, seconds: float) -> Tensor:
    """r of every two neighbours of a path.

    Args:
        states: shape (time, batch, ...), at least two times, ``seconds`` apart each.

    Returns:
        Shape (time - 1, batch, ...), unit of the states.

    Raises:
        InputError: a path of fewer than two times.
    """
    if len(states) < 2:
        raise InputError(f"residual of a path: expected two times or more, got {len(states)}.")
    before, after = states[:-1].flatten(0, 1), states[1:].flatten(0, 1)
    return torch.unflatten(residual(tendency, before, after, seconds), 0, states[1:].shape[:2])
