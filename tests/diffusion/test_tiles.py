"""Posterior samples on tiles equal those of the undivided domain, guidance included."""

import pytest
import torch

from mlrtma_dist.diffusion.guidance_dps import dps
from mlrtma_dist.diffusion.guidance_pigdm import pigdm
from mlrtma_dist.diffusion.guidance_sda import sda
from mlrtma_dist.diffusion.mmps import mmps
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.diffusion.samplers import dpm_solver, heun, stochastic_heun
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.diffusion.soft_mask import kernels, soft_mask
from mlrtma_dist.nn.layers import Convolution, GroupNorm, randomise
from mlrtma_dist.nn.points import owned, sample
from mlrtma_dist.parallel.memory import run_tiles

DOMAIN, MEMBERS, CHANNELS = (14, 18), 2, 2
# The second lies between the last column of the western tile of two and the first of the eastern one.
PLACES = torch.tensor([[2.3, 4.1], [6.5, 8.4], [6.6, 8.7], [11.0, 13.9], [0.2, 17.0]], dtype=torch.float64)
VALUES = torch.tensor([1.0, -0.5, 2.0, 0.3, -1.2], dtype=torch.float64)
GUIDANCE = {
    "mmps": lambda denoiser, observed: mmps(denoiser, observed, iterations=4),
    "sda": sda,
    "pigdm": pigdm,
    "dps": dps,
}
UNGUIDED = lambda denoiser, observed: denoiser  # noqa: E731
SAMPLERS = {
    "heun": lambda denoiser, start, sigmas, noise: heun(denoiser, start, sigmas),
    "stochastic_heun": stochastic_heun,
    "dpm_solver": lambda denoiser, start, sigmas, noise: dpm_solver(denoiser, start, sigmas),
}


class Network(torch.nn.Module):
    """A network of random weights that asks its neighbours for halos and norms; its Jacobian is not symmetric."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = Convolution(CHANNELS, 8, 3), GroupNorm(2, 8)
        self.last = Convolution(8, CHANNELS, 3)
        randomise(self, 7)

    def forward(self, noised, sigma, here):
        """The noised field damped, and a nonlinear part."""
        hidden = torch.tanh(self.norm(self.first(noised, here), here))
        return noised / (1 + sigma**2) + 0.3 * sigma / (1 + sigma) * torch.tanh(self.last(hidden, here))


def speeds(field, places, here):
    """Where places are a pair of channels' speed, a nonlinear operator."""
    return sample(field, places, here).square().sum(1).add(0.01).sqrt()


def samples_on(table, guidance, sampler, network, places=PLACES):
    """Samples of every tile, assembled to the domain."""

    def work(here):
        box = here.box
        mine = owned(places, here)
        observed = Observed(
            VALUES[: len(places)][mine],
            torch.full((int(mine.sum()),), 0.04, dtype=torch.float64),
            lambda field: speeds(field, places[mine], here),
            lambda tensor: here.total(tensor),
        )

        def noise(step):
            generator = torch.Generator().manual_seed(step + 1)
            whole = torch.randn(MEMBERS, CHANNELS, *DOMAIN, generator=generator, dtype=torch.float64)
            return whole[..., box.y0 : box.y1, box.x0 : box.x1]

        posterior = guidance(lambda noised, sigma: network(noised, sigma, here), observed)
        arguments = [posterior, 5.0 * noise(-1), karras_sigmas(5.0, 0.05, 4), noise]
        if sampler is soft_mask:
            arguments += [field.expand(CHANNELS, -1, -1) for field in kernels(places, VALUES, 1.5, here)]
        return box, sampler(*arguments)

    whole = torch.full((MEMBERS, CHANNELS, *DOMAIN), float("nan"), dtype=torch.float64)
    for box, part in run_tiles(DOMAIN, table, work):
        whole[..., box.y0 : box.y1, box.x0 : box.x1] = part
    return whole


@pytest.fixture(scope="module")
def network():
    return Network().double()


@pytest.mark.parametrize(
    ("guidance", "sampler"),
    [*(("mmps", name) for name in SAMPLERS), *((name, "dpm_solver") for name in ("sda", "pigdm", "dps"))],
)
def test_samples_on_tiles_equal_those_of_one_rank(network, guidance, sampler):
    alone = samples_on((1, 1), GUIDANCE[guidance], SAMPLERS[sampler], network)
    for table in ((1, 2), (2, 2)):
        tiled = samples_on(table, GUIDANCE[guidance], SAMPLERS[sampler], network)
        assert (tiled - alone).abs().max() < 1e-9 * (alone.max() - alone.min())
    unguided = samples_on((1, 1), UNGUIDED, SAMPLERS[sampler], network)
    assert (alone - unguided).abs().max() > 0.1  # the observations move the samples


def test_samples_with_a_soft_mask_on_tiles_equal_those_of_one_rank(network):
    alone, tiled = (samples_on(table, UNGUIDED, soft_mask, network) for table in ((1, 1), (2, 2)))
    assert (tiled - alone).abs().max() < 1e-9 * (alone.max() - alone.min())


def test_tiles_without_any_observation_draw_the_same_samples_from_the_prior(network):
    nowhere = PLACES[:0]
    alone = samples_on((1, 1), UNGUIDED, SAMPLERS["heun"], network)
    tiled = samples_on((1, 2), GUIDANCE["mmps"], SAMPLERS["heun"], network, places=nowhere)
    assert (tiled - alone).abs().max() < 1e-9
