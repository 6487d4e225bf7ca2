"""Sampling: how members of the posterior are drawn from a trained denoiser, the section ``diffusion:`` of a run."""

import math
from dataclasses import dataclass

from mlrtma_dist.linalg.noise import WORD

GUIDANCES = ("mmps", "jfps", "pigdm", "sda", "dps")
ABOUT = ("threedvar", "oi", "vit", "vit_hybrid")  # they know the error of their analysis
SAMPLERS = ("heun", "stochastic", "dpm")


@dataclass(frozen=True)
class Sampling:
    """How members are drawn.

    Attributes:
        members: number of them.
        guidance: how reports enter an evaluation of the denoiser: mmps, jfps, pigdm, sda or dps (docs/diffusion.md).
        sampler: heun, stochastic (Heun's steps with new noise) or dpm (DPM-Solver++).
        steps: noise levels; 0: none, the members are those of optimal interpolation.
        warm_start: noise level that is added to the members of optimal interpolation, as a factor of the departures'
            deviation, from which the sampler starts; null: it starts from noise alone.
        iterations: of conjugate gradients in every evaluation of mmps.
        seconds: that all members of a case may take; fewer steps, then none, then fewer members are drawn where the
            measured cost of an evaluation says that more would not be ready (`methods.deadline`); null: no limit.
        at_once: members that are computed together; fewer need less memory.
        seed: of all noise.
        about: for weights that were trained on errors of analyses (``background: analysis``): the method of the
            registry about whose analysis members are drawn; threedvar, oi, vit or vit_hybrid.
    """

    members: int = 20
    guidance: str = "jfps"
    sampler: str = "dpm"
    steps: int = 4
    warm_start: float | None = 3.0
    iterations: int = 5
    seconds: float | None = None
    at_once: int = 10
    seed: int = 1
    about: str = "threedvar"

    def __post_init__(self):
        for name, least in (("members", 2), ("steps", 0), ("iterations", 1), ("at_once", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"diffusion: {name}: expected at least {least}, got {getattr(self, name)}")
        if self.seed >= WORD:
            raise ValueError(f"diffusion: seed: expected 0 to {WORD - 1}, got {self.seed}")
        for name, choices in (("guidance", GUIDANCES), ("sampler", SAMPLERS), ("about", ABOUT)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"diffusion: {name}: expected one of {', '.join(choices)}, got {getattr(self, name)!r}"
                )
        if self.seconds is not None and not self.seconds > 0.0:
            raise ValueError(f"diffusion: seconds: expected more than 0, or null, got {self.seconds:g}")
        if self.warm_start is not None and not 0.0 < self.warm_start < math.inf:
            raise ValueError(f"diffusion: warm_start: expected more than 0, or null, got {self.warm_start:g}")

    @property
    def needs_covariance(self) -> bool:
        """Whether the covariance of the departures is needed."""
        return self.warm_start is not None or self.seconds is not None or self.guidance == "jfps" or not self.steps
