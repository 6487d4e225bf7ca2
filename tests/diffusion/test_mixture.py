"""Samplers beside the exact posterior of a mixture of Gaussians: what each guidance loses where a prior is none."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from mlrtma_dist.diffusion.jfps import jfps
from mlrtma_dist.diffusion.mmps import mmps
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.diffusion.samplers import dpm_solver, stochastic_heun
from mlrtma_dist.diffusion.schedule import karras_sigmas

POINTS, MEMBERS, LARGEST, SMALLEST = 6, 800, 40.0, 0.01
PLACE = torch.arange(POINTS, dtype=torch.float64)
SHAPE = torch.exp(-0.5 * (PLACE[:, None] - PLACE) ** 2 / 1.5**2) + 1e-6 * torch.eye(POINTS, dtype=torch.float64)
EVERY = torch.eye(POINTS, dtype=torch.float64)


@dataclass(frozen=True)
class Mixture:
    """p(x) = sum over k of w_k N(x; m_k, C_k).

    Attributes:
        weight: w, shape (k,); mean: m, shape (k, x); covariance: C, shape (k, x, x). All float64.
    """

    weight: Tensor
    mean: Tensor
    covariance: Tensor

    @property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (x,) and covariance (x, x)."""
        mean = self.weight @ self.mean
        away = self.mean - mean
        return mean, torch.einsum("k,kij->ij", self.weight, self.covariance + away[:, :, None] * away[:, None])

    def posterior(self, operator: Tensor, value: Tensor, variance: Tensor) -> "Mixture":
        """The posterior given y = H x + e, exactly: H (n, x), y (..., n) and variances of e (n,)."""
        expected = self.mean @ operator.T
        within = operator @ self.covariance @ operator.T + torch.diag(variance)
        gain = self.covariance @ operator.T @ torch.linalg.inv(within)
        evidence = self.weight.log() + MultivariateNormal(expected, within).log_prob(value[..., None, :])
        mean = self.mean + torch.einsum("kij,...kj->...ki", gain, value[..., None, :] - expected)
        return Mixture(evidence.softmax(-1), mean, self.covariance - gain @ operator @ self.covariance)

    def __call__(self, noised: Tensor, sigma: float) -> Tensor:
        """E[x | x_t] for x_t of shape (member, 1, 1, x): the noised field is one observation of every point."""
        points = noised.shape[-1]
        every = torch.eye(points, dtype=noised.dtype)
        posterior = self.posterior(every, noised[:, 0, 0], torch.full((points,), sigma**2, dtype=noised.dtype))
        return torch.einsum("mk,mki->mi", posterior.weight, posterior.mean)[:, None, None]


@dataclass(frozen=True)
class Classical:
    """The increment of `diffusion.jfps` by the covariance of the whole mixture, which is what a classical B is."""

    prior: Tensor
    operator: Tensor
    variance: Tensor

    def increment(self, sigma: float, innovation: Tensor) -> Tensor:
        """C H^T (R + H C H^T)^-1 d."""
        points = len(self.prior)
        left = torch.linalg.inv(torch.linalg.inv(self.prior) + torch.eye(points, dtype=torch.float64) / sigma**2)
        across = left @ self.operator.T
        inner = self.operator @ across + torch.diag(self.variance)
        return (innovation @ torch.linalg.solve(inner, across.T))[:, None, None]


def observed(operator: Tensor, value: Tensor, variance: Tensor) -> Observed:
    """The observations as samplers have them."""
    return Observed(value, variance, lambda field: field[:, 0, 0] @ operator.T.to(field.dtype), lambda tensor: tensor)


SCALES = Mixture(
    torch.tensor([0.5, 0.5], dtype=torch.float64),
    torch.zeros(2, POINTS, dtype=torch.float64),
    torch.stack([0.3**2 * SHAPE, 1.5**2 * SHAPE]),
)
MODES = Mixture(
    torch.tensor([0.35, 0.65], dtype=torch.float64),
    torch.tensor([-1.5, 1.5], dtype=torch.float64)[:, None].expand(2, POINTS),
    torch.stack([0.15 * SHAPE, 0.15 * SHAPE]),
)


def noise(step: int, count: int = MEMBERS) -> Tensor:
    """Standard normal numbers of a step, shape (count, 1, 1, x)."""
    generator = torch.Generator().manual_seed(100 + step)
    return torch.randn(count, 1, 1, POINTS, generator=generator, dtype=torch.float64)


def members(prior: Mixture, observations: tuple, guidance: str, sampler: str) -> Tensor:
    """Members of the posterior by the exact denoiser, shape (member, x)."""
    operator, _, variance = observations
    reports = observed(*observations)
    guided = {
        "mmps": lambda: mmps(prior, reports, iterations=POINTS, tolerance=0.0),
        "jfps": lambda: jfps(prior, reports, Classical(prior.moments[1], operator, variance)),
    }[guidance]()
    start = LARGEST * noise(-1)
    if sampler == "dpm":
        return dpm_solver(guided, start, karras_sigmas(LARGEST, SMALLEST, 32))[:, 0, 0]
    return stochastic_heun(guided, start, karras_sigmas(LARGEST, SMALLEST, 48), noise, order=1)[:, 0, 0]


@pytest.mark.parametrize("prior", [SCALES, MODES], ids=["scales", "modes"])
@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0])
def test_the_jacobian_of_the_exact_denoiser_is_the_covariance_that_all_parts_together_have(prior, sigma):
    noised = noise(0, 1)
    jacobian = torch.autograd.functional.jacobian(lambda field: prior(field, sigma), noised).reshape(POINTS, POINTS)
    variance = torch.full((POINTS,), sigma**2, dtype=torch.float64)
    left = prior.posterior(EVERY, noised[0, 0, 0], variance).moments[1]
    torch.testing.assert_close(sigma**2 * jacobian, left, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(
    ("guidance", "sampler", "least", "most"),
    [("mmps", "stochastic", 0.85, 1.35), ("mmps", "dpm", 1.4, 1.85), ("jfps", "dpm", 1.75, 2.3)],
)
def test_where_errors_are_of_two_sizes_mmps_knows_which_and_jfps_spreads_too_far(guidance, sampler, least, most):
    """Both reports are small: the small errors have the probability 0.95."""
    observations = (EVERY[[1, 4]], *(torch.tensor(each, dtype=torch.float64) for each in ([0.1, -0.15], [2.5e-3] * 2)))
    exact = SCALES.posterior(*observations)
    mean, covariance = exact.moments
    assert float(exact.weight[0]) == pytest.approx(0.953, abs=1e-3)
    fields = members(SCALES, observations, guidance, sampler)
    away = [0, 2, 3, 5]
    assert float((fields.var(0)[away].mean() / covariance.diagonal()[away].mean()).sqrt()) > least
    assert float((fields.var(0)[away].mean() / covariance.diagonal()[away].mean()).sqrt()) < most
    assert float((fields.mean(0) - mean).abs().max()) < 0.08


@pytest.mark.parametrize(
    ("guidance", "sampler", "share"), [("mmps", "stochastic", 0.6), ("mmps", "dpm", 0.55), ("jfps", "dpm", 0.54)]
)
def test_of_two_modes_each_has_members_but_the_likelier_too_few_and_jfps_leaves_some_between(guidance, sampler, share):
    """A report of 0 at one end leaves both modes: at the other end 0.65 of the members should be of the upper one."""
    observations = (EVERY[[0]], torch.zeros(1, dtype=torch.float64), torch.tensor([0.25], dtype=torch.float64))
    exact = MODES.posterior(*observations)
    assert exact.weight.tolist() == pytest.approx([0.35, 0.65])
    end = members(MODES, observations, guidance, sampler)[:, -1]
    assert float((end > 0).double().mean()) == pytest.approx(share, abs=0.05)
    spread = float((end.var() / exact.moments[1][-1, -1]).sqrt())
    assert spread == pytest.approx(0.93 if guidance == "mmps" else 0.79, abs=0.06)
