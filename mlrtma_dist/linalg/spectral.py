"""Gaussian random fields on a periodic plane, whose covariance is diagonal in Fourier space.

The power spectrum exp(-k^2 L^2 / 8) gives the correlation exp(-2 r^2 / L^2) where L is small against the plane.
k is the angular wave number in radians per grid point.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.noise import normal


@dataclass(frozen=True)
class SpectralCovariance:
    """A homogeneous covariance B on a periodic plane: B v = F^-1 (power * F v).

    Attributes:
        shape: points in y and x.
        power: eigenvalues of B, shape (y, x // 2 + 1), in the order of ``numpy.fft.rfft2``.
    """

    shape: tuple[int, int]
    power: np.ndarray

    @classmethod
    def gaussian(cls, shape: tuple[int, int], length: float, deviation: float) -> "SpectralCovariance":
        """The spectrum exp(-k^2 L^2 / 8), scaled so that every point has the wanted standard deviation.

        Args:
            shape: points in y and x.
            length: L, in grid points.
            deviation: standard deviation, the field's unit.

        Raises:
            InputError: a length or deviation that is not above zero.
        """
        if not (length > 0.0 and deviation > 0.0):
            raise InputError(f"expected length and deviation above 0, got {length} and {deviation}.")
        wave_y, wave_x = np.fft.fftfreq(shape[0]) * 2 * np.pi, np.fft.rfftfreq(shape[1]) * 2 * np.pi
        power = np.exp(-(wave_y[:, None] ** 2 + wave_x**2) * length**2 / 8)
        at_a_point = np.fft.irfft2(power, shape)[0, 0]
        return cls(shape, power * deviation**2 / at_a_point)

    @cached_property
    def row(self) -> np.ndarray:
        """Covariance of point (0, 0) with every point, shape (y, x)."""
        return np.fft.irfft2(self.power, self.shape)

    @property
    def variance(self) -> float:
        """Variance at every point."""
        return float(self.row[0, 0])

    def apply(self, field: np.ndarray) -> np.ndarray:
        """B times ``field``, shape (..., y, x)."""
        return np.fft.irfft2(self.power * np.fft.rfft2(field), self.shape)

    def between(self, places: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Covariances of grid points, shapes (n, 2) and (m, 2) of integers (y, x); returns (n, m)."""
        offset = places[:, None] - others[None]
        return self.row[offset[..., 0] % self.shape[0], offset[..., 1] % self.shape[1]]

    def draw(self, seed: int, *, member: int = 0, step: int = 0, channel: int = 0) -> np.ndarray:
        """A random field with this covariance, shape (y, x), from white noise that no layout of ranks changes."""
        rows, columns = np.indices(self.shape)
        white = normal(seed, rows, columns, member=member, step=step, channel=channel)
        return np.fft.irfft2(np.sqrt(self.power) * np.fft.rfft2(white), self.shape)
