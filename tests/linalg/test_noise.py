"""Noise by point: the published words of Philox, the moments of its Gaussian, and no trace of who draws."""

import numpy as np
import pytest
from scipy.stats import kstest

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.noise import normal, philox, uniform

# Random123, kat_vectors, philox4x32-10: counter, key, words.
PUBLISHED = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), PUBLISHED)
def test_philox_says_the_published_words(counter, key, words):
    assert tuple(int(word) for word in philox(counter, key)) == words


def test_a_tile_draws_what_the_whole_domain_draws_there():
    rows, columns = np.indices((37, 53))
    whole = normal(3, rows, columns, member=5, step=7, channel=2)
    tile = np.s_[11:29, 40:53]
    np.testing.assert_array_equal(normal(3, rows[tile], columns[tile], member=5, step=7, channel=2), whole[tile])


@pytest.mark.parametrize("other", [{"member": 1}, {"step": 1}, {"channel": 1}, {"seed": 2}])
def test_each_number_gives_other_noise(other):
    rows, columns = np.indices((64, 64))
    first = normal(1, rows, columns).ravel()
    second = normal(other.pop("seed", 1), rows, columns, **other).ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / 64  # five standard errors


def test_normal_noise_is_gaussian_and_uniform_noise_uniform():
    rows, columns = np.indices((300, 300))
    assert kstest(normal(1, rows, columns).ravel(), "norm").pvalue > 1e-3
    assert kstest(uniform(1, rows, columns).ravel(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_does_not_fit_is_refused(seed):
    with pytest.raises(InputError, match="Choose a seed in that range"):
        normal(seed, 0, 0)
