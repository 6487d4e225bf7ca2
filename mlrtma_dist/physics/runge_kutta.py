"""The classical Runge-Kutta scheme of order four (Kutta 1901)."""

from collections.abc import Callable

from torch import Tensor


def runge_kutta(tendency: Callable[[Tensor], Tensor], state: Tensor, step: float) -> Tensor:
    """The state after a step of time, of any shape and unit; ``tendency`` gives its change per unit of time."""
    first = tendency(state)
    second = tendency(state + 0.5 * step * first)
    third = tendency(state + 0.5 * step * second)
    fourth = tendency(state + step * third)
    return state + step / 6.0 * (first + 2.0 * second + 2.0 * third + fourth)
