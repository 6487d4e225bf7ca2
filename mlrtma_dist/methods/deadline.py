"""Deadline: how many steps and members of the diffusion assimilation are ready within some seconds.

The first members cost an evaluation of the denoiser and optimal interpolation, every further step one or two guided
evaluations. Steps are given up first, down to none: members of optimal interpolation are valid ones. Then members are.
"""

from dataclasses import replace

from mlrtma_dist.diffusion.schedule import evaluations
from mlrtma_dist.methods.diffusion_sampling import Sampling

FEWEST = 2  # members that have a spread


def within(sampling: Sampling, without: float, evaluation: float) -> Sampling:
    """The sampling itself, or the largest part of it that is ready in time.

    Args:
        sampling: with its limit of seconds, of which both measurements have used up their own.
        without: seconds of ``at_once`` members without a step; evaluation: of one guided evaluation of as many.
    """
    left = sampling.seconds - without - evaluation
    batches = -(-sampling.members // sampling.at_once)
    order = 1 if sampling.sampler == "dpm" else 2
    started = without if sampling.warm_start is not None else 0.0
    for steps in range(sampling.steps, 0, -1):
        if batches * (started + evaluations(steps, order) * evaluation) <= left:
            return replace(sampling, steps=steps)
    if batches * without <= left:
        return replace(sampling, steps=0)
    ready = int(left / without) * sampling.at_once if without > 0.0 else sampling.members
    return replace(sampling, steps=0, members=min(sampling.members, max(FEWEST, ready)))
