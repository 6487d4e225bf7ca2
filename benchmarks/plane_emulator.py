"""What `plane_adjoints.py` and `fourdvar_emulators.py` share: emulators of shallow water on a plane.

The world is that of `fourdvar_shallow.py`. An emulator's long step is ten minutes, four steps of the model's own; it
gives the state after each of the four, and carries on from the last. It learns from pairs, a state and the next four,
of the cases that B is estimated from, none of which is judged. Perturbed states are such states with half a draw of B
and white noise of a tenth of the climate's deviation on them: they are not in balance, and rough.

Weights are kept in a folder and used again where the file is there; one network is minutes of one core.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import fourdvar_shallow as plane
import torch
from descent import descend
from torch import Tensor, nn

from mlrtma_dist.methods.spectral_root import SpectralRoot
from mlrtma_dist.nn.product_step import ProductStep, ProductStepConfig
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.physics.derivative_loss import derivative_errors, derivatives
from mlrtma_dist.physics.residual import path_residual

PARTS = 4  # of a long step, of the model's own step each
LONG_SECONDS = PARTS * plane.WORLD.step
LONG_STEPS = plane.STEPS // PARTS  # between two times of observation
MEAN = torch.tensor([plane.WORLD.depth, 0.0, 0.0])[:, None, None]
DEVIATION = torch.tensor([7.2, 6.2, 6.2])[:, None, None]  # of the climate, m and m s-1
CHANGE = torch.tensor([0.46, 0.27, 0.27])[:, None, None]  # of a long step
KINDS = ("U-net", "product")


def true_step(state: Tensor) -> Tensor:
    """States (case, 3, y, x) a long step later."""
    return plane.MODEL.run(state, plane.WORLD.step, PARTS, plane.HERE)


def true_path(state: Tensor) -> Tensor:
    """The states of a long step, shape (PARTS + 1, case, 3, y, x)."""
    path = [state]
    for _ in range(PARTS):
        path.append(plane.MODEL.step(path[-1], plane.WORLD.step, plane.HERE))
    return torch.stack(path)


class Emulator(nn.Module):
    """A network as a long step: states (case, 3, y, x) in m and m s-1; it computes in the precision of its weights."""

    def __init__(self, kind: str):
        super().__init__()
        if kind == "U-net":
            self.network = UNet(UNetConfig(3, 3 * PARTS, widths=(16, 24), groups=0))
            nn.init.zeros_(self.network.head.weight)
            nn.init.zeros_(self.network.head.bias)
        else:
            self.network = ProductStep(ProductStepConfig(3, 3 * PARTS, width=16, layers=2, kernel=(3, 3)))

    def path(self, state: Tensor) -> Tensor:
        """The states at the start and after each part, shape (PARTS + 1, case, 3, y, x)."""
        mean, deviation, change = (each.to(state) for each in (MEAN, DEVIATION, CHANGE))
        scaled = ((state - mean) / deviation).to(self.network.head.weight)
        changes = self.network(scaled, plane.HERE).to(state).unflatten(1, (PARTS, 3)).movedim(1, 0)
        return torch.cat([state[None], state + change * changes])

    def forward(self, state: Tensor) -> Tensor:
        """The state a long step later."""
        return self.path(state)[-1]

    def between(self, state: Tensor) -> Tensor:
        """The state at the next time of observation, as `fourdvar_shallow.forward`."""
        for _ in range(LONG_STEPS):
            state = self(state)
        return state


@dataclass(frozen=True)
class Recipe:
    """How an emulator is trained.

    Attributes:
        derivatives: weight of the errors of tangent linear and adjoint in white directions.
        residual: weight of the equations' residual at perturbed states.
        perturbed: whether the truth of perturbed states is in the data, as half of every batch.
        steps, batch, rate: of Adam; the rate falls as a cosine.
    """

    derivatives: float = 0.0
    residual: float = 0.0
    perturbed: bool = False
    steps: int = 800
    batch: int = 16
    rate: float = 3e-3


RECIPES = {
    "forecast": Recipe(),
    "+ residual": Recipe(residual=1.0),
    "+ TL and AD": Recipe(derivatives=10.0),
    "+ perturbed states": Recipe(perturbed=True),
}


@dataclass(frozen=True)
class Data:
    """What emulators learn from, float32.

    Attributes:
        usual, perturbed: pairs, shape (pair, PARTS + 1, 3, y, x).
        directions: for each usual pair dx, y, M dx, M^T y in deviations of the climate, shape (4, pair, 3, y, x).
    """

    usual: Tensor
    perturbed: Tensor
    directions: Tensor

    @classmethod
    def of(cls, states: Tensor, root: SpectralRoot, seed: int = 0) -> "Data":
        """From states (time, case, 3, y, x) of cases that are not judged, and B^1/2."""
        random = torch.Generator().manual_seed(seed)
        parts = [cls._block(block, root, random) for block in states.flatten(0, 1).split(32)]
        usual, perturbed, directions = (torch.cat(each, 1).float() for each in zip(*parts, strict=True))
        return cls(usual.movedim(1, 0).contiguous(), perturbed.movedim(1, 0).contiguous(), directions)

    @staticmethod
    def _block(states: Tensor, root: SpectralRoot, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        noise, white, dx, y = (torch.randn(states.shape, generator=random, dtype=states.dtype) for _ in range(4))
        rough = states + 0.5 * root(noise) + 0.1 * DEVIATION * white
        with torch.no_grad():
            paths = true_path(states), true_path(rough)
        learnt = derivatives(true_step, states, DEVIATION * dx, y / DEVIATION)
        return *paths, torch.stack([dx, y, learnt[0] / DEVIATION, learnt[1] * DEVIATION])


def train(kind: str, data: Data, recipe: Recipe, seed: int = 0) -> tuple[Emulator, float]:
    """An emulator in float32 and the seconds that its training took."""
    torch.manual_seed(seed)
    random, emulator = torch.Generator().manual_seed(seed), Emulator(kind)

    def loss() -> Tensor:
        return _loss(emulator, data, recipe, torch.randint(len(data.usual), (recipe.batch,), generator=random))

    seconds = descend(emulator, loss, recipe.rate, recipe.steps)
    return emulator.eval(), seconds


def _loss(emulator: Emulator, data: Data, recipe: Recipe, chosen: Tensor) -> Tensor:
    """Errors of the data in changes of a long step, the residual in the same unit, derivatives in deviations."""
    half = len(chosen) // 2
    pairs = data.usual[chosen]
    if recipe.perturbed:
        pairs = torch.cat([pairs[:half], data.perturbed[chosen[half:]]])
    pairs = pairs.movedim(1, 0)
    loss = ((emulator.path(pairs[0])[1:] - pairs[1:]) / CHANGE).square().mean()
    if recipe.residual:
        free = emulator.path(data.perturbed[chosen[:half], 0])
        wrong = path_residual(lambda x: plane.MODEL.tendency(x, plane.HERE), free, plane.WORLD.step)
        loss = loss + recipe.residual * (wrong / CHANGE).square().mean()
    if recipe.derivatives:
        dx, y, *truth = data.directions[:, chosen[:half]]
        scaled = lambda x: (emulator(MEAN + DEVIATION * x) - MEAN) / DEVIATION  # noqa: E731
        state = (data.usual[chosen[:half], 0] - MEAN) / DEVIATION
        errors = derivative_errors(scaled, state, dx, y, tuple(truth))
        loss = loss + recipe.derivatives * sum(error.square().mean() for error in errors)
    return loss


def trained(kind: str, name: str, data: Callable[[], Data], cases: int, folder: Path) -> tuple[Emulator, float]:
    """The emulator of a recipe, from the folder's file or trained and kept there, and the seconds of its training.

    A file of another recipe, or of data of another number of cases, is replaced.
    """
    path = folder / f"{kind}_{name.strip('+ ').replace(' ', '_')}.pt"
    recipe = asdict(RECIPES[name]) | {"cases": cases}
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        if kept["recipe"] == recipe:
            emulator = Emulator(kind)
            emulator.load_state_dict(kept["weights"])
            return emulator.eval(), kept["seconds"]
    emulator, seconds = train(kind, data(), RECIPES[name])
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"recipe": recipe, "weights": emulator.state_dict(), "seconds": seconds}, path)
    return emulator, seconds
