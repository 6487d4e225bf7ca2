"""Claim: members of a trained denoiser are tied from point to point as the exact posterior is, within sampling error.

    python benchmarks/posterior_covariance.py --checkpoint output/exercise1/diffusion/checkpoints/best

Exercise 1, unseen cases. At random points of the plane and points so far east of them the covariance of the members is
compared with that of the exact posterior A (`methods.optimal`). A covariance of M Gaussian members has the standard
error sqrt((A_pp A_qq + A_pq^2) / (M - 1)); printed is the root mean square of the differences in units of it, 1 where
they are sampling error alone, and the mean covariance over the exact one with its standard error over cases. The first
line of each distance is of draws from the exact posterior themselves: it shows how far the measure is from 1 by chance.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from diffusion_posterior import SAMPLERS, SEED

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.weights.trained import load_trained

DISTANCES = (0, 1, 2, 4, 8)  # points between the two of a pair
EXACT = "draws of the exact posterior"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path("output/exercise1/diffusion/checkpoints/best"))
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--observations", type=int, default=GaussianPlane().observations, help="of each case")
    parser.add_argument("--points", type=int, default=100, help="of each case and distance")
    parser.add_argument("--only", nargs="+", default=["jfps, warm, DPM-Solver++ 4"], help="beginnings of names")
    options = parser.parse_args()
    names = [name for name in SAMPLERS if name.startswith(tuple(options.only))]
    results = compare(names, options)
    print("| sampler | points apart | rms of the differences, in standard errors | covariance over the exact one |")
    print("|---|---|---|---|")
    for name, distances in results.items():
        for distance, rows in distances.items():
            square, ratio = np.array(rows).T
            error = ratio.std(ddof=1) / np.sqrt(len(ratio))
            print(f"| {name} | {distance} | {np.sqrt(square.mean()):.2f} | {ratio.mean():.3f} +- {error:.3f} |")


def compare(names: list[str], options) -> dict[str, dict[int, list[tuple[float, float]]]]:
    """Of each sampler, distance and case: the mean squared difference in standard errors, and the ratio."""
    method = load_trained(options.checkpoint).method if names else None
    world = GaussianPlane(seed=SEED, observations=options.observations)
    domain, random = load_domain("plane"), np.random.default_rng(SEED)
    cases = world.on(domain, 0, options.cases)
    exact = OptimalAnalysis.bayes(*world.covariances, world.observation_error)
    results = {name: {distance: [] for distance in DISTANCES} for name in (EXACT, *names)}
    for number in range(options.cases):
        case = cases.case(number, Box.whole(domain.shape))
        first = np.stack([random.integers(0, size, options.points) for size in domain.shape], 1)
        pairs = {distance: (first + (0, distance)) % domain.shape for distance in DISTANCES}
        places = np.concatenate([first, *pairs.values()])
        matrix = exact.covariance_of_error(case.place, places)
        drawn = {EXACT: random.multivariate_normal(np.zeros(len(places)), matrix, options.members, method="eigh")}
        for name in names:
            posterior, unit = method.posterior(case, method.assumed_errors(case))
            sampling = replace(SAMPLERS[name], members=options.members, at_once=32)
            departures = posterior.members(sampling)[:, 0].cpu().numpy() * unit[0]
            drawn[name] = departures[:, places[:, 0], places[:, 1]]
        own = np.arange(options.points)
        for name, members in drawn.items():
            departure = members - members.mean(0)
            for number_of, distance in enumerate(DISTANCES, start=1):
                other = own + number_of * options.points
                sample = (departure[:, own] * departure[:, other]).sum(0) / (options.members - 1)
                covariance = matrix[own, other]
                variance = (matrix[own, own] * matrix[other, other] + covariance**2) / (options.members - 1)
                results[name][distance].append(
                    (float(np.mean((sample - covariance) ** 2 / variance)), float(sample.mean() / covariance.mean()))
                )
    return results


if __name__ == "__main__":
    main()
