"""Noise that does not know who draws it: a function of seed, member, step, channel and the point of the domain.

Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a counter of four words and
a key of two into four random words, so any rank draws any point without drawing those before it.

    key = (seed, member)    counter = (x, y, channel, step)
"""

import numpy as np

from mlrtma_dist.errors import InputError

ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_STEPS = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
WORD = 1 << 32


def philox(counter: tuple, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Four random words for every counter (Salmon et al. 2011, section 3.3).

    Args:
        counter: four integers or arrays of one broadcast shape, each in [0, 2^32).
        key: two integers in [0, 2^32).

    Returns:
        Four uint64 arrays of that shape with values in [0, 2^32).

    Raises:
        InputError: a number of counter or key needs more than 32 bits or is negative.
    """
    for number in (*counter, *key):
        if np.min(number) < 0 or np.max(number) >= WORD:
            raise InputError(
                f"expected whole numbers in [0, 2^32) for seed, member, step, channel and point, got {number}."
                " Choose a seed in that range."
            )
    a, b, c, d = np.broadcast_arrays(*(np.asarray(number, dtype=np.uint64) for number in counter))
    first, second = (np.uint64(number) for number in key)
    for _ in range(ROUNDS):
        left, right = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (right >> HALF) ^ b ^ first, right & LOW, (left >> HALF) ^ d ^ second, left & LOW
        first, second = (first + KEY_STEPS[0]) & LOW, (second + KEY_STEPS[1]) & LOW
    return a, b, c, d


def uniform(seed: int, rows, columns, *, member: int = 0, step: int = 0, channel: int = 0) -> np.ndarray:
    """Uniform noise in (0, 1) at points of the domain, independent from point to point, float64.

    Args:
        seed, member, step, channel: what the noise is for; each other number gives other noise.
        rows, columns: global y and x, integers or arrays of one broadcast shape.

    Raises:
        InputError: a number that is negative or needs more than 32 bits.
    """
    word = philox((columns, rows, channel, step), (seed, member))[0]
    return (word.astype(np.float64) + 0.5) / WORD


def normal(seed: int, rows, columns, *, member: int = 0, step: int = 0, channel: int = 0) -> np.ndarray:
    """Gaussian noise of unit variance; arguments as of `uniform`. By Box and Muller (1958), so within +-6.8."""
    words = philox((columns, rows, channel, step), (seed, member))
    radius, angle = ((word.astype(np.float64) + 0.5) / WORD for word in words[:2])
    return np.sqrt(-2.0 * np.log(radius)) * np.cos(2.0 * np.pi * angle)


def distinct_points(seed: int, shape: tuple[int, int], count: int, *, member: int = 0, channel: int = 0) -> np.ndarray:
    """Distinct points of a domain at random, every choice as likely, sorted by y, then x; integers of shape (count, 2).

    Args:
        seed, member, channel: as of `uniform`.
        shape: points in y and x; count: how many are wanted.
    """
    rows, columns = np.indices(shape)
    lot = uniform(seed, rows, columns, member=member, channel=channel).ravel()
    chosen = np.sort(np.argsort(lot, kind="stable")[:count])
    return np.stack(np.divmod(chosen, shape[1]), 1)
