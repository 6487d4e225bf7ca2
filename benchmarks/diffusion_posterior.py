"""How near are samples of a trained denoiser to the exact posterior? Exercise 1, unseen cases, ratios to the exact one.

    python benchmarks/diffusion_posterior.py --checkpoint output/exercise1/diffusion/checkpoints/best
    python benchmarks/diffusion_posterior.py --observations 20 --only "jfps, warm, DPM"
    python benchmarks/diffusion_posterior.py --checkpoint output/exercise1/one_pass/checkpoints/best

Of every sampler: evaluations of the denoiser (a vector-Jacobian product counts 2), CRPS, rmse of the mean, spread on
the grid and at the observations, each divided by that of the exact posterior (`methods.optimal`), and the share of
truths outside the members' range, divided by the share expected. CRPS is the fair one (Ferro 2014), the rmse is divided
by sqrt(1 + 1/M). The standard error is that of the CRPS ratio over cases.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion import soft_mask as masks
from mlrtma_dist.diffusion.denoiser import Counted
from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.posterior import Posterior
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian
from mlrtma_dist.weights.trained import load_trained

SEED = 20261127  # of cases that no training has seen
SAMPLERS = {
    "optimal interpolation about D(0), no step": Sampling(steps=0),
    "jfps, warm, DPM-Solver++ 4": Sampling(guidance="jfps", steps=4),
    "jfps, warm, DPM-Solver++ 8": Sampling(guidance="jfps", steps=8),
    "jfps, warm, Heun 4": Sampling(guidance="jfps", sampler="heun", steps=4),
    "jfps, warm, Heun 8": Sampling(guidance="jfps", sampler="heun", steps=8),
    "jfps, cold, DPM-Solver++ 16": Sampling(guidance="jfps", steps=16, warm_start=None),
    "jfps, cold, Heun 16": Sampling(guidance="jfps", sampler="heun", steps=16, warm_start=None),
    "mmps, warm, DPM-Solver++ 8": Sampling(guidance="mmps", steps=8),
    "mmps, cold, DPM-Solver++ 16": Sampling(guidance="mmps", steps=16, warm_start=None),
    "pigdm, cold, DPM-Solver++ 32": Sampling(guidance="pigdm", steps=32, warm_start=None),
    "sda, cold, DPM-Solver++ 64": Sampling(guidance="sda", steps=64, warm_start=None),
}
SOFT_MASK = "soft mask (RePaint), 300 steps"
ONE_PASS = "one pass"
STEPS_OF_MASK, KERNEL = 300, 1.0  # points: the kernel's width


@dataclass
class Scores:
    """Sums over points of one case: of the members, then of the exact posterior."""

    crps: tuple[float, float]
    square: tuple[float, float]
    variance: tuple[float, float]
    at_reports: tuple[float, float]
    outside: float


def score(members: np.ndarray, truth: np.ndarray, mean: np.ndarray, error: np.ndarray, places: tuple) -> Scores:
    """Scores of members (member, y, x) beside those of the exact mean and error (y, x)."""
    count = len(members)
    fair = crps_ensemble(members.reshape(count, -1), truth.ravel(), fair=True).mean()
    exact = crps_gaussian(mean.ravel(), error.ravel(), truth.ravel()).mean()
    variance = members.var(0, ddof=1)
    square = np.mean((members.mean(0) - truth) ** 2) / (1.0 + 1.0 / count)
    outside = np.mean((truth < members.min(0)) | (truth > members.max(0)))
    return Scores(
        (fair, exact),
        (square, np.mean((mean - truth) ** 2)),
        (variance.mean(), np.mean(error**2)),
        (variance[places].mean(), np.mean(error[places] ** 2)),
        outside,
    )


def by_mask(posterior: Posterior, members: int, denoiser) -> Tensor:
    """Members of the soft mask."""
    reports, here = posterior.reports, posterior.neighbourhood
    target, mask = masks.kernels(reports.places, reports.value.float(), KERNEL, here)
    keys = torch.stack([torch.ones(members, dtype=torch.int64), torch.arange(members)], 1).to(posterior.device)
    noise = lambda step: normal(keys, here.box, posterior.channels, step).float()  # noqa: E731
    low, high = posterior.levels
    start = high * noise(0)
    sigmas = karras_sigmas(high, low, STEPS_OF_MASK)
    return masks.soft_mask(denoiser, start, sigmas, lambda step: noise(1 + step), target.expand_as(start), mask)


def main() -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=Path("output/exercise1/diffusion/checkpoints/best"))
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--observations", type=int, default=GaussianPlane().observations, help="of each case")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", nargs="+", default=[""], help="samplers whose names begin so")
    parser.add_argument("--at-once", type=int, default=32, help="members at once")
    options = parser.parse_args()
    trained = load_trained(options.checkpoint)
    method = trained.method
    method.network.to(options.device)
    world = GaussianPlane(seed=SEED, observations=options.observations)
    cases = world.on(load_domain("plane"), 0, options.cases)
    exact = OptimalAnalysis.bayes(*world.covariances, world.observation_error)
    offered = (ONE_PASS,) if trained.name == "one_pass" else (*SAMPLERS, SOFT_MASK)
    names = [name for name in offered if name.startswith(tuple(options.only))]
    print(f"{options.cases} cases, {options.observations} observations, {options.members} members, {options.device}\n")
    print("| sampler | evaluations | CRPS | rmse | spread | spread at observations | outside | s per member |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        print(row(name, method, cases, exact, options), flush=True)
    return 0


def row(name: str, method, cases, exact: OptimalAnalysis, options) -> str:
    """The line of one sampler."""
    scores, seconds, evaluations = [], 0.0, 0
    for number in range(options.cases):
        case = cases.case(number, Box.whole(cases.contents.domain.shape))
        mean = exact.analyse(case.background["field"].astype(np.float64), case.place, case.observations.value)
        posterior, unit = method.posterior(case, method.assumed_errors(case))
        counted = Counted(posterior.denoiser)
        posterior = replace(posterior, denoiser=counted)
        began = time.perf_counter()
        if name == SOFT_MASK:
            departures = by_mask(posterior, options.members, counted)
        else:
            sampling = replace(SAMPLERS.get(name, Sampling()), members=options.members, at_once=options.at_once)
            departures = posterior.members(sampling)
        members = case.background["field"] + departures[:, 0].cpu().numpy() * unit[0]
        seconds += time.perf_counter() - began
        evaluations += counted.evaluations / -(-options.members // min(options.at_once, options.members))
        scores.append(score(members, case.truth["field"], mean, exact.error(case.place), tuple(case.place.T)))
    ratio = partial(_ratio, scores)
    crps, deviation = ratio("crps"), _deviation(scores)
    expected = 2.0 / (options.members + 1)
    outside = np.mean([each.outside for each in scores]) / expected
    roots = [np.sqrt(ratio(part)) for part in ("square", "variance", "at_reports")]
    per_member = seconds / options.cases / options.members
    return (
        f"| {name} | {evaluations / options.cases:.0f} | {crps:.3f} +- {deviation:.3f} | "
        + " | ".join(f"{each:.3f}" for each in roots)
        + f" | {outside:.2f} | {per_member:.3g} |"
    )


def _ratio(scores: list[Scores], part: str) -> float:
    pairs = np.array([getattr(each, part) for each in scores])
    return pairs[:, 0].sum() / pairs[:, 1].sum()


def _deviation(scores: list[Scores]) -> float:
    """Standard error of the CRPS ratio, by leaving out one case after the other."""
    if len(scores) < 2:
        return np.nan
    left = [_ratio(scores[:number] + scores[number + 1 :], "crps") for number in range(len(scores))]
    return float(np.std(left) * np.sqrt(len(scores) - 1))


if __name__ == "__main__":
    sys.exit(main())
