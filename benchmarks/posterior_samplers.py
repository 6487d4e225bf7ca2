"""Posterior samplers beside the exact posterior: spread, CRPS and evaluations of an exact denoiser.

A Gaussian prior on a periodic line of 128 points, correlation exp(-r^2 / 2 6^2), 20 observations of error 0.2 at random
points, 128 members. The denoiser is exact, so that whatever differs from the posterior is the sampler's.

    python benchmarks/posterior_samplers.py      # 20 seconds of one core

Prints per sampler, as ratios to the exact posterior: spread (of M members times sqrt((M + 1) / M)), spread at the
observed points, root mean square error of the mean (divided by sqrt(1 + 1 / M)) and fair CRPS (Ferro 2014), the latter
two beside truths drawn from the exact posterior; forward passes, vector-Jacobian products, and evaluations, of which
such a product counts 2. Exact draws, scored alike, show the sampling error. A warm start begins at sigma 1 from draws
of the exact posterior, which optimal interpolation gives here without any evaluation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Counted
from mlrtma_dist.diffusion.gaussian import GaussianDenoiser, GaussianIncrement
from mlrtma_dist.diffusion.guidance_dps import dps
from mlrtma_dist.diffusion.guidance_pigdm import pigdm
from mlrtma_dist.diffusion.guidance_sda import sda
from mlrtma_dist.diffusion.jfps import jfps
from mlrtma_dist.diffusion.mmps import mmps
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.diffusion.samplers import dpm_solver, heun, stochastic_heun
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.diffusion.soft_mask import kernels, soft_mask
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.verification.crps import crps_ensemble

POINTS, OBSERVED, ERROR, LENGTH = 128, 20, 0.2, 12.0  # LENGTH as of linalg.spectral: exp(-2 r^2 / LENGTH^2)
SHAPE = (1, POINTS)
LARGEST, SMALLEST, WARM = 20.0, 0.02, 1.0  # noise levels
CASES, MEMBERS, TRUTHS = 6, 128, 32
ZETA = 0.6  # of DPS; 0.3 and 1 have a larger CRPS


class Line:
    """One case: observations of a truth, everything that is exact, and noise.

    Attributes:
        observed: the observations; value, columns: theirs; increment: the true gain.
        mean, covariance: the exact posterior.
    """

    def __init__(self, case: int, members: int):
        self.members, self._random = members, np.random.default_rng(case)
        self.denoiser = GaussianDenoiser(SpectralCovariance.gaussian(SHAPE, LENGTH, 1.0))
        self.columns = np.sort(self._random.choice(POINTS, OBSERVED, replace=False))
        truth = self.denoiser.covariance.draw(case)[0]
        self.value = truth[self.columns] + ERROR * self._random.standard_normal(OBSERVED)
        variance = np.full(OBSERVED, ERROR**2)
        self.increment = GaussianIncrement(self.denoiser, self.places, variance)
        mean, self.covariance = self.increment.posterior(self.value)
        self.mean = mean[0]
        self.observed = Observed(
            torch.from_numpy(self.value),
            torch.from_numpy(variance),
            lambda field: field[:, 0, 0, self.columns],
            lambda tensor: tensor,
        )

    @property
    def places(self) -> np.ndarray:
        """Grid points (y, x) of the observations."""
        return np.stack([np.zeros_like(self.columns), self.columns], 1)

    def noise(self, _: int = 0) -> Tensor:
        """New standard normal numbers (member, 1, 1, x) at every call."""
        return torch.from_numpy(self._random.standard_normal((self.members, 1, *SHAPE)))

    def draws(self, count: int) -> np.ndarray:
        """Draws of the exact posterior, shape (count, x)."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(values.clip(min=0))
        return self.mean + self._random.standard_normal((count, POINTS)) @ root.T


Run = Callable[[Line, Counted], Tensor]


def cold(sampler: Callable, steps: int, guide: Callable = lambda line, denoiser: denoiser) -> Run:
    """A run from noise alone; ``sampler`` takes denoiser, start, sigmas and line, ``guide`` line and denoiser."""
    sigmas = karras_sigmas(LARGEST, SMALLEST, steps)
    return lambda line, denoiser: sampler(guide(line, denoiser), LARGEST * line.noise(), sigmas, line)


def warm(sampler: Callable, steps: int, guide: Callable) -> Run:
    """A run from draws of optimal interpolation with noise of deviation WARM."""
    sigmas = karras_sigmas(WARM, SMALLEST, steps)

    def run(line: Line, denoiser: Counted) -> Tensor:
        start = torch.from_numpy(line.draws(line.members)).reshape(-1, 1, *SHAPE) + WARM * line.noise()
        return sampler(guide(line, denoiser), start, sigmas, line)

    return run


def by_heun(denoiser, start, sigmas, line):
    """Heun."""
    return heun(denoiser, start, sigmas)


def by_solver(denoiser, start, sigmas, line):
    """DPM-Solver++."""
    return dpm_solver(denoiser, start, sigmas)


def stochastic(order: int) -> Callable:
    """Stochastic Heun with eta 1, or its first-order form."""
    return lambda denoiser, start, sigmas, line: stochastic_heun(denoiser, start, sigmas, line.noise, order=order)


def pasted(resamplings: int, width: float) -> Callable:
    """RePaint or, with kernels of ``width`` grid points, DiffDA's soft mask."""

    def sampler(denoiser, start, sigmas, line):
        fields = kernels(torch.from_numpy(line.places), line.observed.value, width, Alone(SHAPE, (False, True)))
        target, mask = (field[None] for field in fields)
        return soft_mask(denoiser, start, sigmas, line.noise, target, mask, resamplings=resamplings)

    return sampler


def by_mmps(line: Line, denoiser: Counted):
    """MMPS of 5 iterations."""
    return mmps(denoiser, line.observed, iterations=5)


def by_jfps(line: Line, denoiser: Counted):
    """JFPS with the true covariance."""
    return jfps(denoiser, line.observed, line.increment)


def by_sda(gamma: float) -> Callable:
    """SDA."""
    return lambda line, denoiser: sda(denoiser, line.observed, gamma=gamma)


RUNS: dict[str, Run] = {
    "exact posterior": lambda line, _: torch.from_numpy(line.draws(line.members)),
    **{f"SDA, gamma {gamma:g}, DPM-Solver++ 64": cold(by_solver, 64, by_sda(gamma)) for gamma in (1e-3, 1e-2, 0.1, 1)},
    "SDA, gamma 0.001, DPM-Solver++ 16": cold(by_solver, 16, by_sda(1e-3)),
    "PiGDM, DPM-Solver++ 64": cold(by_solver, 64, lambda line, d: pigdm(d, line.observed)),
    "DPS, stochastic, first order 256": cold(stochastic(1), 256, lambda line, d: dps(d, line.observed, zeta=ZETA)),
    "RePaint, 1 time 64": cold(pasted(1, 0.1), 64),
    "RePaint, 10 times 64": cold(pasted(10, 0.1), 64),
    "soft mask of width 1, 10 times 64": cold(pasted(10, 1.0), 64),
    "MMPS, Heun 16": cold(by_heun, 16, by_mmps),
    "MMPS, DPM-Solver++ 16": cold(by_solver, 16, by_mmps),
    "MMPS, DPM-Solver++ 32": cold(by_solver, 32, by_mmps),
    "MMPS, stochastic, first order 32": cold(stochastic(1), 32, by_mmps),
    "MMPS, stochastic Heun 16": cold(stochastic(2), 16, by_mmps),
    "MMPS, warm, DPM-Solver++ 4": warm(by_solver, 4, by_mmps),
    "JFPS, Heun 16": cold(by_heun, 16, by_jfps),
    "JFPS, DPM-Solver++ 16": cold(by_solver, 16, by_jfps),
    "JFPS, DPM-Solver++ 32": cold(by_solver, 32, by_jfps),
    "JFPS, warm, Heun 4": warm(by_heun, 4, by_jfps),
    "JFPS, warm, DPM-Solver++ 4": warm(by_solver, 4, by_jfps),
    "JFPS, warm, DPM-Solver++ 8": warm(by_solver, 8, by_jfps),
}


@dataclass
class Score:
    """Means over cases: variance, that at the observed points, mean square error of the mean, CRPS; and the cost."""

    sums: np.ndarray
    forward: int
    products: int


def score(run: Run, cases: int, members: int) -> Score:
    """The score of samples of all cases, each beside draws of its exact posterior."""
    sums = np.zeros(4)
    for case in range(cases):
        line = Line(case, members)
        truths = np.random.default_rng(1000 + case)  # the same for all samplers
        counted = Counted(line.denoiser)
        samples = run(line, counted).reshape(members, POINTS).numpy()
        values, vectors = np.linalg.eigh(line.covariance)
        truth = line.mean + truths.standard_normal((TRUTHS, POINTS)) * np.sqrt(values.clip(min=0)) @ vectors.T
        variance = samples.var(0) * (members + 1) / members
        error = (samples.mean(0) - truth) ** 2 / (1 + 1 / members)
        crps = crps_ensemble(np.tile(samples, TRUTHS), truth.reshape(-1), fair=True)
        sums += variance.mean(), variance[line.columns].mean(), error.mean(), crps.mean()
    return Score(sums / cases, counted.forward, counted.products)


def exact(cases: int) -> np.ndarray:
    """The same four means of the exact posterior itself, in closed form."""
    variances = [np.diag(line.covariance) for line in (Line(case, 1) for case in range(cases))]
    observed = [variance[Line(case, 1).columns].mean() for case, variance in enumerate(variances)]
    crps = np.mean([np.sqrt(variance / np.pi).mean() for variance in variances])
    return np.array([np.mean(variances), np.mean(observed), np.mean(variances), crps])


def ratios(run: Run, cases: int = CASES, members: int = MEMBERS) -> tuple[np.ndarray, Score]:
    """Spread, spread at the observed points, rmse of the mean and CRPS over those of the exact posterior."""
    result = score(run, cases, members)
    share = result.sums / exact(cases)
    return np.append(np.sqrt(share[:3]), share[3]), result


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| sampler | spread | at observations | rmse of the mean | CRPS | forward | products | evaluations |")
    print("|---|---|---|---|---|---|---|---|")
    for name, run in RUNS.items():
        share, result = ratios(run)
        cost = f"{result.forward} | {result.products} | {result.forward + 2 * result.products}"
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in share)} | {cost} |", flush=True)


if __name__ == "__main__":
    main()
