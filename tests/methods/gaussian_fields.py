"""Three Gaussian fields on a small plane whose joint covariance is known as a matrix, and observations of them."""

import numpy as np

from mlrtma_dist.linalg.cross_spectral import CrossCovariance

SHAPE, COUNT = (6, 8), 3
EVERYWHERE = np.tile(np.stack(np.divmod(np.arange(48), 8), 1), (COUNT, 1))  # field by field, places of all 144 numbers
FIELD = np.repeat(np.arange(COUNT), 48)


def covariance() -> CrossCovariance:
    """Of smooth fields that depend on each other, estimated from many."""
    generator = np.random.default_rng(1)
    modes = np.fft.rfft2(generator.standard_normal((400, COUNT, *SHAPE)))
    wave_y, wave_x = np.fft.fftfreq(6)[:, None] * 2 * np.pi, np.fft.rfftfreq(8) * 2 * np.pi
    smooth = np.fft.irfft2(modes * np.exp(-(wave_y**2 + wave_x**2)), SHAPE) * 3.0
    smooth[:, 1] += np.roll(smooth[:, 0], 1, -1) - np.roll(smooth[:, 0], -1, -1)
    return CrossCovariance.estimate([smooth + np.array([0.5, -0.3, 0.0])[:, None, None]])


def observed(count: int, kinds: int):
    """Places, types, values and errors of some observations, at distinct points of each type."""
    generator = np.random.default_rng(2)
    places = np.stack(np.divmod(generator.choice(48, count, replace=False), 8), 1)
    kind = np.arange(count) % kinds
    return places, kind, generator.standard_normal(count), generator.uniform(0.1, 0.4, count)


def conditional_mean(prior: CrossCovariance, places, kind, values, error, inflation) -> np.ndarray:
    """E[x | y] of the joint Gaussian by dense matrices, shape (field, y, x)."""
    whole = prior.between(EVERYWHERE, FIELD, EVERYWHERE, FIELD)
    pick = np.zeros((len(values), len(FIELD)))
    pick[np.arange(len(values)), kind * 48 + places[:, 0] * 8 + places[:, 1]] = 1.0
    mean = prior.mean[FIELD]
    gain = whole @ pick.T @ np.linalg.inv(pick @ whole @ pick.T + np.diag(inflation[kind] * error**2))
    return (mean + gain @ (values - pick @ mean)).reshape(COUNT, *SHAPE)
