"""Optimal interpolation of several variables from several types of observation: the best linear estimate.

    x_a = m_x + C_xy (C_yy + R)^-1 (y_o - m_y)

m and C are the means and covariances of the variables x and of what the types measure, y = H(x), both estimated from
cases. Of all estimates that are linear in y_o it has the least mean square error (Gauss-Markov; Gandin 1963). H needs
not be linear and is not known to the method: what of it is not linear is noise to it. Among jointly Gaussian x and y
it is the conditional mean.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mlrtma_dist.linalg.cross_spectral import CrossCovariance


@dataclass(frozen=True)
class BestLinear:
    """The method.

    Attributes:
        covariance: of all types of observation, of which the first are the variables.
        variables: how many.
        inflation: factor on R of every type, shape (type,).
    """

    covariance: CrossCovariance
    variables: int
    inflation: np.ndarray

    def analyse(self, places: np.ndarray, kinds: np.ndarray, values: np.ndarray, error: np.ndarray) -> np.ndarray:
        """The analysis x_a, shape (variable, y, x).

        Args:
            places: grid points (y, x) of the observations, integers of shape (n, 2).
            kinds: number of each one's type, shape (n,).
            values: y_o, shape (n,); error: standard deviation, shape (n,).
        """
        mean = self.covariance.mean
        matrix = self.covariance.between(places, kinds, places, kinds)
        matrix[np.diag_indices_from(matrix)] += self.inflation[kinds] * error**2
        weights = cho_solve(cho_factor(matrix, lower=True), values - mean[kinds])
        increment = self.covariance.spread(places, kinds, weights, self.variables)
        return mean[: self.variables, None, None] + increment
