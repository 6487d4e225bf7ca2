"""The model of Lorenz (1996): N places on a circle, advection, damping and forcing; a benchmark of assimilation.

    dx_i/dt = (x_i+1 - x_i-2) x_i-1 - x_i + F

One unit of time stands for five days. Lorenz and Emanuel (1998) use N = 40, F = 8 and the classical Runge-Kutta scheme
with steps of 0.05.
"""

from dataclasses import dataclass

from torch import Tensor

from mlrtma_dist.physics.runge_kutta import runge_kutta


@dataclass(frozen=True)
class Lorenz96:
    """The model.

    Attributes:
        forcing: F; time_step: in the unit of time.
    """

    forcing: float = 8.0
    time_step: float = 0.05

    def tendency(self, state: Tensor) -> Tensor:
        """dx/dt of states (..., N)."""
        return (state.roll(-1, -1) - state.roll(2, -1)) * state.roll(1, -1) - state + self.forcing

    def step(self, state: Tensor) -> Tensor:
        """States (..., N) after one step of the classical Runge-Kutta scheme of order four."""
        return runge_kutta(self.tendency, state, self.time_step)

    def run(self, state: Tensor, steps: int) -> Tensor:
        """States after so many steps."""
        for _ in range(steps):
            state = self.step(state)
        return state
