"""B^1/2 by Fourier modes: the covariance's own root; 4D-Var of shallow water with it on tiles as on one process."""

import numpy as np
import pytest
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.methods.fourdvar import Observations, Window, minimise
from mlrtma_dist.methods.spectral_root import SpectralRoot
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.physics.balance import random_balanced
from mlrtma_dist.physics.shallow_water import ShallowWater

SHAPE = (7, 8)
PLANE = Alone(SHAPE, (True, True))
MODEL = ShallowWater(spacing=20e3, coriolis=1e-4)
DEPTH = torch.tensor([300.0, 0.0, 0.0], dtype=torch.float64)[:, None, None]


def flows(cases: int, seed: int) -> torch.Tensor:
    """States that began in balance, of different winds."""
    state = random_balanced(MODEL, PLANE, depth=300.0, speed=4.0, length=60e3, seed=seed, cases=cases)
    return MODEL.run(state, 150.0, 2)


COVARIANCE = CrossCovariance.estimate([flows(60, 1).numpy()])


def test_the_root_times_its_adjoint_is_the_covariance_between_points():
    white = torch.zeros(1, 3, *SHAPE, dtype=torch.float64, requires_grad=True)
    root = SpectralRoot(COVARIANCE, PLANE)
    covector = torch.zeros(1, 3, *SHAPE, dtype=torch.float64)
    covector[0, 1, 3, 5] = 1.0
    adjoint = torch.autograd.grad(root(white), white, covector)[0]
    torch.testing.assert_close(adjoint, root(covector), rtol=0, atol=1e-12)
    everywhere = np.stack(np.divmod(np.arange(56), 8), 1)
    for field in range(3):
        expected = COVARIANCE.between(everywhere, np.full(56, field), np.array([[3, 5]]), np.array([1]))
        np.testing.assert_allclose(root(adjoint)[0, field].flatten(), expected[:, 0], atol=1e-10)


def window(here, truth: torch.Tensor) -> Window:
    """One step in time, h, u and v observed at every third point of the whole plane, by the rank that has it."""
    part = (..., *here.box.slices)
    observed = []
    for k, state in enumerate(truth):
        noise = torch.from_numpy(np.random.default_rng(k).normal(size=state.shape))
        seen = (torch.arange(SHAPE[0])[:, None] * SHAPE[1] + torch.arange(SHAPE[1])) % 3 == 0
        own = seen[here.box.slices]
        value = (MODEL.to_centres(state) + noise)[part][..., own].flatten()
        observed.append(
            Observations(
                value, torch.ones_like(value), lambda x, own=own: MODEL.to_centres(x, here)[..., own].flatten()
            )
        )
    return Window(
        DEPTH.expand(1, 3, *here.box.shape),
        SpectralRoot(COVARIANCE, here),
        lambda x: MODEL.run(x, 150.0, 1, here),
        observed,
        total=here.total,
    )


@pytest.mark.slow
@pytest.mark.parametrize("table", [(1, 2), (2, 2)])
def test_fourdvar_of_shallow_water_on_tiles_is_that_of_one_process(table):
    states = [flows(1, 2)]
    states.append(MODEL.run(states[-1], 150.0, 1))
    most = {"outer_loops": 1, "tolerance": 1e-10, "kept": True}
    whole = minimise(window(PLANE, torch.stack(states)), **most)
    error, before = ((each - states[-1]).square().mean() for each in (whole.states[-1], DEPTH))
    assert float(error) < 0.2 * float(before)

    def of_tile(here):
        return here.box, minimise(window(here, torch.stack(states)), **most)

    for box, answer in run_tiles(SHAPE, table, of_tile, periodic=(True, True)):
        part = (..., *box.slices)
        for own, one in zip(answer.states, whole.states, strict=True):
            torch.testing.assert_close(own, one[part], rtol=0, atol=1e-8)
        assert answer.costs == pytest.approx(whole.costs, rel=1e-10)


def test_a_plane_of_another_shape_or_with_sides_is_refused():
    for here in (Alone((7, 10), (True, True)), Alone(SHAPE, (True, False))):
        with pytest.raises(InputError, match=r"expected a plane of \(7, 8\) points that wraps"):
            SpectralRoot(COVARIANCE, here)
