"""Gaussian fields on the periodic plane: their covariance against its closed form and against many draws."""

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.spectral import SpectralCovariance


def test_the_correlation_is_the_gaussian_of_the_spectrum():
    covariance = SpectralCovariance.gaussian((64, 96), 6.0, 0.4)
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in (64, 96))
    expected = 0.16 * np.exp(-2 * (y[:, None] ** 2 + x**2) / 36.0)
    np.testing.assert_allclose(covariance.row, expected, atol=1e-12)


def test_draws_have_the_covariance():
    covariance = SpectralCovariance.gaussian((64, 64), 6.0, 0.4)
    draws = np.stack([covariance.draw(1, member=member) for member in range(200)])
    # about (64 / 6)^2 * pi independent values a draw, 200 draws: standard error of a variance near 0.6 %
    assert draws.var() == pytest.approx(0.16, rel=0.03)
    for shift in (1, 3, 6):
        expected = covariance.row[0, shift]
        assert (draws * np.roll(draws, shift, -1)).mean() == pytest.approx(expected, abs=0.03 * 0.16)
        assert (draws * np.roll(draws, shift, -2)).mean() == pytest.approx(expected, abs=0.03 * 0.16)


def test_applying_the_covariance_is_multiplying_by_its_matrix():
    covariance = SpectralCovariance.gaussian((8, 10), 3.0, 1.5)
    places = np.stack(np.divmod(np.arange(80), 10), 1)
    matrix = covariance.between(places, places)
    field = np.random.default_rng(1).standard_normal((8, 10))
    np.testing.assert_allclose(covariance.apply(field).ravel(), matrix @ field.ravel(), atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def test_a_length_of_nothing_is_refused():
    with pytest.raises(InputError, match="above 0"):
        SpectralCovariance.gaussian((8, 8), 0.0, 1.0)
