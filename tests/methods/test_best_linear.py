"""Optimal interpolation of several types: the conditional mean of a Gaussian; of others the best linear estimate."""

import numpy as np
from gaussian_fields import conditional_mean, covariance, observed

from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.methods.best_linear import BestLinear


def test_the_analysis_is_the_conditional_mean_by_dense_matrices():
    prior, observations, inflation = covariance(), observed(15, 3), np.array([1.0, 2.0, 0.5])
    analysis = BestLinear(prior, 3, inflation).analyse(*observations)
    np.testing.assert_allclose(analysis, conditional_mean(prior, *observations, inflation), atol=1e-8)


def test_only_the_variables_are_analysed_from_all_types():
    prior, observations = covariance(), observed(15, 3)
    analysis = BestLinear(prior, 2, np.ones(3)).analyse(*observations)
    np.testing.assert_allclose(analysis, conditional_mean(prior, *observations, np.ones(3))[:2], atol=1e-8)


def test_of_a_type_that_is_not_linear_it_takes_what_is_linear():
    # x of unit variance and y = x^3 at the same point: the best linear estimate is E[x y] / E[y y] y = 3/15 y
    x = np.random.default_rng(3).standard_normal((200_000, 1, 1, 2))
    method = BestLinear(CrossCovariance.estimate([np.concatenate([x, x**3], 1)]), 1, np.ones(2))
    analysis = method.analyse(np.array([[0, 0]]), np.array([1]), np.array([4.0]), np.array([1e-6]))
    np.testing.assert_allclose(analysis[0, 0], [4.0 * 3 / 15, 0.0], atol=0.03)
