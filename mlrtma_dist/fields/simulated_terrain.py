"""Simulated terrain: a coast, a plain, mountains, rough on every scale as real relief is.

The power spectrum of real topography falls as a power of the wave number (Turcotte, Fractals and Chaos in
Geology and Geophysics, 2nd edition 1997, chapter 7): about k^-2 along a line, k^-3 over a plane.
"""

import numpy as np

from mlrtma_dist.grid.domain import Domain

SPECTRAL_SLOPE = 3.0
LONGEST_WAVE = 0.5  # of the grid's shorter side; longer waves are the large-scale shape below
COAST, RANGE, RANGE_WIDTH = 0.12, 0.65, 0.16  # fractions of the way from west to east
WANDER = 0.05  # by how much of the width coast and range swing from north to south (one standard deviation)
CREST, PLAIN_RISE, ROUGHNESS = 1800.0, 350.0, 450.0  # m: the range, the plain at its foot, its peaks and valleys
PLAIN_ROUGHNESS = 0.12  # of the mountains'


def simulate_terrain(domain: Domain, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make terrain and land for a domain that has none.

    Args:
        domain: only its size counts.
        seed: the same seed gives the same terrain everywhere.

    Returns:
        Terrain height in m (0 at sea, at least 1 m on land) and land mask (1 land, 0 sea), float32, shape (y, x).
    """
    generator = np.random.default_rng(seed)
    rough, bend = (_power_law_noise(domain.shape, generator) for _ in range(2))
    east = np.linspace(0.0, 1.0, domain.size.x)[None, :] + WANDER * bend
    mountains = np.exp(-(((east - RANGE) / RANGE_WIDTH) ** 2))
    plain = PLAIN_RISE * np.clip((east - COAST) / (RANGE - COAST), 0.0, 1.0)
    height = plain + CREST * mountains + ROUGHNESS * (PLAIN_ROUGHNESS + mountains) * rough
    land = east > COAST
    terrain = np.where(land, np.maximum(height, 1.0), 0.0)
    return terrain.astype(np.float32), land.astype(np.float32)


def _power_law_noise(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and standard deviation 1 with the spectral slope above, shape (y, x)."""
    white = np.fft.rfft2(generator.standard_normal(shape))
    wave_number = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    smallest = 1.0 / (LONGEST_WAVE * min(shape))
    amplitude = np.maximum(wave_number, smallest) ** (-SPECTRAL_SLOPE / 2)
    amplitude[0, 0] = 0.0
    noise = np.fft.irfft2(white * amplitude, s=shape)
    return noise / noise.std()
