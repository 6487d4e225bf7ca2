"""Settings of the members of a forecast: how many, and how they are drawn."""

from dataclasses import dataclass

from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.diffusion_sampling import SAMPLERS

USES = 64  # different noise of one step of a forecast, such as of a sampler's steps


@dataclass(frozen=True)
class Drawing:
    """How members of a forecast are drawn.

    Attributes:
        members: number of them.
        sampler: of a denoiser: heun, stochastic (Heun's steps with new noise) or dpm (DPM-Solver++).
        levels: noise levels of the sampler in each step of the forecast; a network trained by CRPS needs none.
        at_once: members that are computed together; fewer need less memory.
        seed: of all noise.
    """

    members: int = 10
    sampler: str = "dpm"
    levels: int = 10
    at_once: int = 10
    seed: int = 1

    def __post_init__(self):
        for name, least in (("members", 2), ("at_once", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected >= {least}, got {getattr(self, name)}")
        if not 1 <= self.levels < USES:
            raise ValueError(f"levels: expected 1 to {USES - 1}, got {self.levels}")
        if not 0 <= self.seed < WORD:
            raise ValueError(f"seed: expected 0 to {WORD - 1}, got {self.seed}")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: expected one of {', '.join(SAMPLERS)}, got {self.sampler!r}")

    def batches(self) -> list[range]:
        """Numbers of the members that are computed together."""
        return [range(n, min(n + self.at_once, self.members)) for n in range(0, self.members, self.at_once)]
