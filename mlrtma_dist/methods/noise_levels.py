"""Settings of the noise levels that a denoiser is trained at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NoiseLevels:
    """Noise levels that a denoiser is trained at.

    Attributes:
        sigma_min, sigma_max: range of noise levels, in units of the departures' deviation, that are trained, all
            logarithms as often; the largest must drown the largest scale: a Gaussian of length l (points) has modes of
            deviation up to l sqrt(2 pi).
        levels: noise levels at which every case shown is trained at once, spread evenly over the range: reading a case
            costs more than noising it.
    """

    sigma_min: float = 0.02
    sigma_max: float = 80.0
    levels: int = 1

    def check_levels(self) -> None:
        """Raise ValueError unless there are levels."""
        if self.levels < 1:
            raise ValueError(f"levels: expected at least 1, got {self.levels}")
        if not 0.0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"expected 0 < sigma_min < sigma_max, got {self.sigma_min:g} and {self.sigma_max:g}")
