"""The Bayes-optimal analysis of Gaussian fields on a periodic plane: the limit that no method can pass.

    H ~ N(0, S)                       the truth
    x_b = H + e_b,  e_b ~ N(0, B)     background
    y_o = H at the places + e_o,  e_o ~ N(0, r^2)    observations

All Gaussian, so the analysis of least squared error is the mean of H given x_b and y_o, in two steps. The background
alone, in Fourier space where S and B are diagonal (Wiener 1949):

    m = S (S + B)^-1 x_b,   P = S (S + B)^-1 B

then the observations, in observation space (Kalman 1960, with operator G that picks points):

    x_a = m + P G^T (G P G^T + r^2)^-1 (y_o - G m),   A = P - P G^T (G P G^T + r^2)^-1 G P

Optimal interpolation that knows the background covariance only is the second step with m = x_b, P = B: it ignores
that the truth is smooth itself.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.plane import PlaneMethod, columns_of


@dataclass(frozen=True)
class OptimalAnalysis:
    """Analyses of one kind of Gaussian world.

    Attributes:
        covariance: P, of what is not yet known where only the background is.
        share: by which m is made of x_b in Fourier space, shape of ``covariance.power``.
        observation_error: r, standard deviation.
    """

    covariance: SpectralCovariance
    share: np.ndarray
    observation_error: float

    @classmethod
    def bayes(cls, truth: SpectralCovariance, background: SpectralCovariance, observation_error: float):
        """The exact posterior.

        Args:
            truth: S, the covariance of the truth; background: B, that of the background's error.
            observation_error: standard deviation r.
        """
        share = truth.power / (truth.power + background.power)
        return cls(SpectralCovariance(truth.shape, share * background.power), share, observation_error)

    @classmethod
    def interpolation(cls, background: SpectralCovariance, observation_error: float):
        """Optimal interpolation with the background covariance only."""
        return cls(background, np.ones_like(background.power), observation_error)

    def analyse(self, background: np.ndarray, places: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The analysis x_a, shape (y, x).

        Args:
            background: x_b, shape (y, x).
            places: grid points (y, x) of the observations, integers of shape (n, 2).
            values: y_o, shape (n,).
        """
        shape = self.covariance.shape
        mean = np.fft.irfft2(self.share * np.fft.rfft2(background), shape)
        weights = cho_solve(self._innovation(places), values - mean[tuple(places.T)])
        spread = np.zeros(shape)
        np.add.at(spread, tuple(places.T), weights)
        return mean + self.covariance.apply(spread)

    def error(self, places: np.ndarray) -> np.ndarray:
        """Standard deviation of the error that the analysis expects of itself, shape (y, x)."""
        rows, columns = np.indices(self.covariance.shape)
        everywhere = np.stack([rows.ravel(), columns.ravel()], 1)
        towards = self.covariance.between(places, everywhere)
        explained = np.einsum("np,np->p", towards, cho_solve(self._innovation(places), towards))
        variance = np.maximum(self.covariance.variance - explained, 0.0)
        return np.sqrt(variance).reshape(self.covariance.shape)

    def covariance_of_error(self, places: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Covariance A of the analysis error between grid points.

        Args:
            places: of the observations, integers of shape (n, 2); points: grid points (y, x), shape (m, 2).

        Returns:
            Shape (m, m).
        """
        towards = self.covariance.between(places, points)
        explained = towards.T @ cho_solve(self._innovation(places), towards)
        return self.covariance.between(points, points) - explained

    def _innovation(self, places: np.ndarray):
        matrix = self.covariance.between(places, places)
        matrix[np.diag_indices_from(matrix)] += self.observation_error**2
        return cho_factor(matrix, lower=True)


def as_method(analysis: OptimalAnalysis, variable: str) -> PlaneMethod:
    """The analysis of one variable of a plane's cases as a method."""

    def analyse(case: Case) -> np.ndarray:
        places, _, values, _ = columns_of(case, (variable,))
        return analysis.analyse(case.background_of(variable).astype(np.float64), places, values)[None]

    return PlaneMethod((variable,), analyse)
