"""What `emulator_line.py` and `learned_adjoints.py` share: the line's world, its emulators and their training.

The line has 64 points, 2 km apart, and water of 10 m. An emulator's step of 1000 s is twice the longest stable step of
the model's own scheme (which takes 20 steps of 50 s); it gives four states, 250 s apart, and carries on from the last.
"""

import math
from dataclasses import dataclass

import torch
from descent import descend
from torch import Tensor, nn

from mlrtma_dist.nn.layers import Convolution
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.product_step import ProductStep, ProductStepConfig
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.physics.derivative_loss import derivative_errors, derivatives
from mlrtma_dist.physics.residual import path_residual
from mlrtma_dist.physics.shallow_water_line import ShallowWaterLine

POINTS, DEPTH, PARTS = 64, 10.0, 4
MODEL = ShallowWaterLine(2e3, viscosity=1e3)
PART_SECONDS, SHORT_SECONDS = 250.0, 50.0
USUAL, UNSEEN, WIDE = (0.3, 0.8), (1.2, 1.6), (0.3, 1.6)  # root mean squares of h, m
HERE = Alone((1, POINTS), (False, True))
MEAN = torch.tensor([DEPTH, 0.0])[:, None, None]
DEVIATION = torch.tensor([0.32, 0.32])[:, None, None]  # m, m s-1


def random_states(cases: int, amplitudes: tuple[float, float], random: torch.Generator) -> Tensor:
    """Sums of five waves in h and, on their own, in u, shape (case, 2, 1, x)."""
    place = torch.arange(POINTS) * (2 * math.pi / POINTS)
    waves = torch.cat([f(number * place)[None] for number in range(1, 6) for f in (torch.cos, torch.sin)])
    fields = torch.randn(cases, 2, 10, generator=random) @ waves
    size = amplitudes[0] + (amplitudes[1] - amplitudes[0]) * torch.rand(cases, 1, 1, generator=random)
    fields = size * fields / fields.square().mean(-1, keepdim=True).sqrt()
    return (fields * torch.tensor([1.0, math.sqrt(MODEL.gravity / DEPTH)])[:, None])[:, :, None] + MEAN


def true_path(state: Tensor, steps: int) -> Tensor:
    """The states of every part of so many long steps, shape (steps * PARTS + 1, case, 2, 1, x); in float64 inside."""
    path = [state.double()]
    for _ in range(steps * PARTS):
        path.append(MODEL.run(path[-1], SHORT_SECONDS, round(PART_SECONDS / SHORT_SECONDS)))
    return torch.stack(path).to(state)


def true_step(state: Tensor) -> Tensor:
    """The state a long step later."""
    return MODEL.run(state, SHORT_SECONDS, round(PARTS * PART_SECONDS / SHORT_SECONDS))


def keep_the_middle_row(network: nn.Module) -> None:
    """Make the kernels of a plane those of a line: of one row, three points wide."""
    for layer in network.modules():
        if isinstance(layer, Convolution) and layer.kernel_size == (3, 3):
            layer.weight = nn.Parameter(layer.weight.detach()[:, :, 1:2] * 3**0.5)
            layer.kernel_size = (1, 3)


class Emulator(nn.Module):
    """A network as a long step: state (case, 2, 1, x) in m and m s-1 to the states of its parts."""

    def __init__(self, kind: str):
        super().__init__()
        if kind == "U-net":
            network = UNet(UNetConfig(2, 2 * PARTS, widths=(24, 32), groups=0))
            keep_the_middle_row(network)
            network.head.weight.data.zero_()
            network.head.bias.data.zero_()
        else:
            network = ProductStep(ProductStepConfig(2, 2 * PARTS, width=32, layers=2))
        self.network = network

    def path(self, state: Tensor) -> Tensor:
        """The states at the start and after each part, shape (PARTS + 1, case, 2, 1, x)."""
        mean, deviation = MEAN.to(state), DEVIATION.to(state)
        changes = self.network((state - mean) / deviation, HERE).unflatten(1, (PARTS, 2)).movedim(1, 0)
        return torch.cat([state[None], state + deviation * changes])

    def forward(self, state: Tensor) -> Tensor:
        """The state a long step later."""
        return self.path(state)[-1]


def residuals(path: Tensor) -> Tensor:
    """The residual of each part of a path, in deviations of the variable."""
    return path_residual(MODEL.tendency, path, PART_SECONDS) / DEVIATION.to(path)


def pairs_of(cases: int, steps: int, seed: int) -> Tensor:
    """The data: every long step of trajectories of usual amplitude, shape (pair, PARTS + 1, 2, 1, x)."""
    path = true_path(random_states(cases, USUAL, torch.Generator().manual_seed(seed)), steps)
    parts = torch.arange(steps)[:, None] * PARTS + torch.arange(PARTS + 1)
    return path[parts].movedim(2, 1).flatten(0, 1)


@dataclass(frozen=True)
class Derivatives:
    """The model's tangent linear and adjoint at each pair's first state, in one random direction each, like the states.

    Shape (pair, 2, 1, x): dx, y, M dx, M^T y, all of states in deviations.
    """

    direction: Tensor
    covector: Tensor
    tangent: Tensor
    adjoint: Tensor

    @classmethod
    def of(cls, pairs: Tensor, seed: int) -> "Derivatives":
        """Those of pairs."""
        random, state = torch.Generator().manual_seed(seed), pairs[:, 0]
        direction, covector = (torch.randn(state.shape, generator=random) for _ in range(2))
        return cls(direction, covector, *derivatives(true_step, state, direction, covector))


@dataclass(frozen=True)
class Recipe:
    """How an emulator is trained.

    Attributes:
        weight: lambda of the residual; where: "data", at the data's states, or "free", at states without a truth: of
            any amplitude, and those that the emulator itself reaches from there.
        data: whether the data count at all.
        derivatives: weight of the errors of tangent linear and adjoint.
        steps, batch, rate: of Adam; the rate falls as a cosine.
    """

    weight: float = 0.0
    where: str = "data"
    data: bool = True
    derivatives: float = 0.0
    steps: int = 400
    batch: int = 32
    rate: float = 3e-3


@dataclass
class FreeStates:
    """States without a truth: random ones of any amplitude, and what the emulator makes of them for up to 20 steps."""

    states: Tensor
    random: torch.Generator

    @classmethod
    def draw(cls, cases: int, random: torch.Generator) -> "FreeStates":
        """Random states."""
        return cls(random_states(cases, WIDE, random), random)

    def carry_on(self, ends: Tensor) -> None:
        """Take the emulator's states; one in twenty, and all that have left what can be, begin anew."""
        fresh = random_states(len(ends), WIDE, self.random)
        sane = ((ends - MEAN).abs() < 6.0).flatten(1).all(1)
        keep = sane & (torch.rand(len(ends), generator=self.random) > 0.05)
        self.states = torch.where(keep[:, None, None, None], ends.detach(), fresh)


def train(
    kind: str, pairs: Tensor, recipe: Recipe, seed: int, learnt: Derivatives | None = None
) -> tuple[Emulator, float]:
    """An emulator and the seconds that its training took.

    Args:
        pairs: of the data, as of `pairs_of`.
        learnt: what `recipe.derivatives` needs.
    """
    torch.manual_seed(seed)
    random, emulator = torch.Generator().manual_seed(seed), Emulator(kind)
    free = FreeStates.draw(recipe.batch, random)

    def loss() -> Tensor:
        chosen = torch.randint(len(pairs), (recipe.batch,), generator=random)
        result = _loss(emulator, pairs[chosen].movedim(1, 0), free, recipe)
        if learnt is not None and recipe.derivatives:
            result = result + recipe.derivatives * _derivative_loss(emulator, pairs[chosen, 0], learnt, chosen)
        return result

    seconds = descend(emulator, loss, recipe.rate, recipe.steps)
    return emulator.eval(), seconds


def _loss(emulator: Emulator, batch: Tensor, free: FreeStates, recipe: Recipe) -> Tensor:
    """That of the data and of the residual; ``batch`` has the shape (PARTS + 1, case, 2, 1, x)."""
    with_free = recipe.where == "free" and recipe.weight > 0
    path = emulator.path(torch.cat([batch[0]] * recipe.data + [free.states] * with_free))
    loss = torch.zeros(())
    if recipe.data:
        loss = ((path[1:, : recipe.batch] - batch[1:]) / DEVIATION).square().mean()
    if recipe.weight:
        loss = loss + recipe.weight * residuals(path[:, -recipe.batch :]).square().mean()
    if with_free:
        free.carry_on(path[-1, -recipe.batch :])
    return loss


def _derivative_loss(emulator: Emulator, state: Tensor, learnt: Derivatives, chosen: Tensor) -> Tensor:
    truth = learnt.tangent[chosen], learnt.adjoint[chosen]
    errors = derivative_errors(emulator, state, learnt.direction[chosen], learnt.covector[chosen], truth)
    return sum(error.square().mean() for error in errors)
