"""A picture of the diffusion assimilation at work: from noise to a member, and members beside the exact posterior.

    python benchmarks/diffusion_picture.py --checkpoint output/exercise1/diffusion/checkpoints/best --output picture.png

Exercise 1, one unseen case. First row: what the denoiser of the posterior makes of the noised field at falling noise
levels. Second row: the truth with the observations, mean and error of the exact posterior, mean and spread of the
members.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusion_posterior import SEED

from mlrtma_dist.diffusion.jfps import jfps
from mlrtma_dist.diffusion.samplers import dpm_solver
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.weights.trained import load_trained

STEPS, MEMBERS = 6, 64


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=Path("output/exercise1/diffusion/checkpoints/best"))
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    method = load_trained(options.checkpoint).method
    world = GaussianPlane(seed=SEED)
    case = world.on(load_domain("plane"), 0, 1).case(0, Box.whole(world.shape))
    background = case.background["field"].astype(np.float64)
    exact = OptimalAnalysis.bayes(*world.covariances, world.observation_error)
    posterior, unit = method.posterior(case, method.assumed_errors(case))
    answer = method.drawing(Sampling(members=MEMBERS, guidance="jfps", at_once=MEMBERS)).analyse(case)
    mean, error = exact.analyse(background, case.place, case.observations.value), exact.error(case.place)
    figure, axes = plt.subplots(2, STEPS, figsize=(2.3 * STEPS, 5.2), layout="constrained")
    stages = denoising(posterior, method.settings.sigma_max)
    for axis, (sigma, departure) in zip(axes[0], stages, strict=True):
        show(axis, background + departure * unit[0], f"noise level {sigma:.3g}")
    fields = answer.fields()
    panels = [
        (case.truth["field"], "truth, 200 observations"),
        (mean, "mean of the exact posterior"),
        (fields.values["field"], f"mean of {MEMBERS} members"),
        (answer.members[0].values["field"], "one member"),
        (error, "error of the exact posterior"),
        (fields.error["field"], "spread of the members"),
    ]
    for axis, (values, title) in zip(axes[1], panels, strict=True):
        is_error = title.split()[0] in ("error", "spread")
        show(axis, values, title, (0.0, 0.3) if is_error else (-2.5, 2.5), "viridis" if is_error else "RdBu_r")
    axes[1, 0].plot(*case.place.T[::-1], "k.", markersize=1.5)
    figure.savefig(options.output, dpi=90)


def denoising(posterior, sigma_max: float) -> list[tuple[float, np.ndarray]]:
    """What the denoiser of the posterior gives at every noise level of a cold start."""
    stages: list[tuple[float, np.ndarray]] = []
    guided = jfps(posterior.denoiser, posterior.reports.observed(posterior.neighbourhood), posterior.gain)

    def watched(noised: torch.Tensor, sigma: float) -> torch.Tensor:
        field = guided(noised, sigma)
        stages.append((sigma, field[0, 0].numpy()))
        return field

    generator = torch.Generator().manual_seed(1)
    start = sigma_max * torch.randn(1, 1, *posterior.neighbourhood.box.shape, generator=generator)
    dpm_solver(watched, start, karras_sigmas(sigma_max, posterior.levels[0], STEPS))
    return stages


def show(axis, values: np.ndarray, title: str, limits: tuple[float, float] = (-2.5, 2.5), colours="RdBu_r") -> None:
    """One field."""
    axis.imshow(values, origin="lower", vmin=limits[0], vmax=limits[1], cmap=colours)
    axis.set_title(title, fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])


if __name__ == "__main__":
    main()
