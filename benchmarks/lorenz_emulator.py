"""Emulators of a step of Lorenz's (1996) model, for `learned_adjoints.py`: networks, losses and training."""

from dataclasses import dataclass

import torch
from descent import descend
from torch import Tensor, nn

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.product_step import ProductStep, ProductStepConfig
from mlrtma_dist.physics.derivative_loss import derivative_errors, derivatives
from mlrtma_dist.physics.lorenz96 import Lorenz96
from mlrtma_dist.physics.residual import residual

PLACES, MODEL = 40, Lorenz96()
RING = Alone((1, PLACES), (False, True))
MEAN, DEVIATION = 2.34, 3.64  # of the model's climate


class Emulator(nn.Module):
    """A step: states (case, place) to states."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        if kind == "MLP":
            sizes = ((PLACES, 256), (256, 256), (256, PLACES))
            first, second, last = (nn.Linear(*size) for size in sizes)
            self.network = nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last)
        else:
            self.network = ProductStep(ProductStepConfig(width=24, layers=2))

    def forward(self, state: Tensor) -> Tensor:
        """The state 0.05 units of time later."""
        scaled = (state - MEAN) / DEVIATION
        if self.kind == "MLP":
            return state + DEVIATION * self.network(scaled)
        return state + DEVIATION * self.network(scaled[:, None, None], RING)[:, 0, 0]


@dataclass(frozen=True)
class Recipe:
    """How an emulator is trained.

    Attributes:
        derivatives: weight of the errors of tangent linear and adjoint in random directions.
        residual: weight of the equations' residual, at states of the data with white noise of deviation 1 on them.
        steps, batch, rate: of Adam; the rate falls as a cosine.
    """

    derivatives: float = 0.0
    residual: float = 0.0
    steps: int = 800
    batch: int = 64
    rate: float = 2e-3


def climate(pairs: int, seed: int) -> Tensor:
    """States of the model after a long run, shape (pair, place), float64."""
    random = torch.Generator().manual_seed(seed)
    state = MODEL.run(MODEL.forcing + torch.randn(400, PLACES, generator=random, dtype=torch.float64), 400)
    states = [state := MODEL.run(state, 2) for _ in range(-(-pairs // 400))]
    return torch.cat(states)[:pairs]


def train(kind: str, states: Tensor, recipe: Recipe, seed: int) -> tuple[Emulator, float]:
    """An emulator in float64, trained in float32, and the seconds that it took; ``states`` as of `climate`."""
    torch.manual_seed(seed)
    random, emulator = torch.Generator().manual_seed(seed), Emulator(kind)
    states = states.float()

    def loss() -> Tensor:
        batch = states[torch.randint(len(states), (recipe.batch,), generator=random)]
        result = ((emulator(batch) - MODEL.step(batch)) / DEVIATION).square().mean()
        if recipe.derivatives:
            directions = [torch.randn(batch.shape, generator=random) for _ in range(2)]
            truth = derivatives(MODEL.step, batch, *directions)
            errors = derivative_errors(emulator, batch, *directions, truth)
            result = result + recipe.derivatives * sum(error.square().mean() for error in errors)
        if recipe.residual:
            free = batch + torch.randn(batch.shape, generator=random)
            wrong = residual(MODEL.tendency, free, emulator(free), MODEL.time_step) / DEVIATION
            result = result + recipe.residual * wrong.square().mean()
        return result

    seconds = descend(emulator, loss, recipe.rate, recipe.steps)
    return emulator.double().eval(), seconds
