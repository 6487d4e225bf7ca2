"""Cross covariances: those of all points and shifts, by brute force; spread is between; a known truth is found."""

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.cross_spectral import CrossCovariance

SHAPE = (4, 6)


def cases(count: int, seed: int) -> np.ndarray:
    """Two fields that depend on each other, two points apart, with means of their own; a few cases of white noise."""
    white = np.random.default_rng(seed).standard_normal((count, 2, *SHAPE))
    white[:, 1] += 0.8 * np.roll(white[:, 0], (1, 2), (-2, -1))
    return white + np.array([3.0, -1.0])[:, None, None]


def test_the_estimate_is_the_sample_covariance_over_cases_and_shifts():
    sample = cases(5, 1)
    covariance = CrossCovariance.estimate([sample[:2], sample[2:]])
    np.testing.assert_allclose(covariance.mean, sample.mean((0, 2, 3)), rtol=1e-12)
    departure = sample - sample.mean((0, 2, 3))[:, None, None]
    for shift in [(0, 0), (1, 2), (3, 5), (2, 1)]:
        moved = np.roll(departure, (-shift[0], -shift[1]), (-2, -1))
        expected = np.einsum("nayx,nbyx->ab", moved, departure) / (5 * 24)
        np.testing.assert_allclose(covariance.rows[:, :, *shift], expected, atol=1e-12)


def test_a_known_dependence_is_found_where_it_is():
    covariance = CrossCovariance.estimate([cases(4000, 2)])
    expected = np.zeros((2, 2, *SHAPE))
    expected[0, 0, 0, 0], expected[1, 1, 0, 0] = 1.0, 1.64
    expected[1, 0, 1, 2] = expected[0, 1, 3, 4] = 0.8  # the second field at p + (1, 2) goes with the first at p
    np.testing.assert_allclose(covariance.rows, expected, atol=0.03)


def test_spreading_weights_is_the_product_with_the_matrix_between_points():
    covariance, generator = CrossCovariance.estimate([cases(7, 3)]), np.random.default_rng(4)
    places = np.stack([generator.integers(0, 4, 9), generator.integers(0, 6, 9)], 1)
    kinds, weights = generator.integers(0, 2, 9), generator.standard_normal(9)
    everywhere = np.stack(np.divmod(np.arange(24), 6), 1)
    for field in (0, 1):
        expected = covariance.between(everywhere, np.full(24, field), places, kinds) @ weights
        np.testing.assert_allclose(covariance.spread(places, kinds, weights, 2)[field].ravel(), expected, atol=1e-12)
    matrix = covariance.between(places, kinds, places, kinds)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def test_a_part_holds_the_covariances_among_its_fields():
    covariance = CrossCovariance.estimate([cases(7, 3)])
    np.testing.assert_array_equal(covariance.part(slice(1, 2)).rows[0, 0], covariance.rows[1, 1])
    with pytest.raises(InputError, match="expected cases"):
        CrossCovariance.estimate([])


def test_the_root_twice_is_the_covariance():
    covariance = CrossCovariance.estimate([cases(7, 3)])
    square = np.moveaxis(covariance.root @ covariance.root, (2, 3), (0, 1))
    np.testing.assert_allclose(square, covariance.spectra, atol=1e-12)
    np.testing.assert_allclose(covariance.root, covariance.root.conj().swapaxes(-1, -2), atol=1e-12)
