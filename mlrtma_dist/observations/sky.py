"""Ceiling and sky cover from the cloud layers of a report.

The ceiling is the base of the lowest layer that covers more than half of the sky, or the vertical visibility into a
sky that is hidden (Federal Meteorological Handbook No. 1, chapter 9). A report that names the sky and has no such layer
has no ceiling: ``names.UNLIMITED_CEILING``. Cover is that of the fullest layer, in the middle of its class (WMO code
table 2700 and FM 15: FEW 1 to 2 oktas, SCT 3 to 4, BKN 5 to 7).
"""

import numpy as np

from mlrtma_dist.names import UNLIMITED_CEILING

FEW, SCT, BKN, FULL = 1.5 / 8, 3.5 / 8, 6.0 / 8, 1.0

# What a sky word says: cover (NaN: nothing), and whether such a layer is a ceiling. Words without a layer: CAVOK and
# NSC tell of no cloud below 1,500 m that matters to aviation and nothing of what is above; CLR, SKC and NCD of none.
WORDS = {
    "CLR": (0.0, False),
    "SKC": (0.0, False),
    "NCD": (0.0, False),
    "NSC": (np.nan, False),
    "CAVOK": (np.nan, False),
    "FEW": (FEW, False),
    "SCT": (SCT, False),
    "BKN": (BKN, True),
    "OVC": (FULL, True),
    "VV": (FULL, True),
}
DOUBTFUL = "?"  # a word that is none of these: perhaps a layer, of any cover


def summarise_words(words: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ceiling and cover of many reports from the words for their layers.

    Args:
        words: of each layer, a key of ``WORDS``; "" is none, anything else a doubt; shape (n, layers).
        base: of the layer above ground, m, NaN where not known; shape (n, layers).

    Returns:
        As of ``summarise_sky``.
    """
    kinds, index = np.unique(words, return_inverse=True)
    index = index.reshape(words.shape)
    meanings = [WORDS.get(str(kind), (np.nan, False)) for kind in kinds]
    cover = np.array([c for c, _ in meanings], dtype=np.float64)[index]
    ceiling = np.array([c for _, c in meanings], dtype=bool)[index]
    return summarise_sky(cover, ceiling, np.isin(words, list(WORDS)), base, ~np.isin(words, [*WORDS, ""]))


def summarise_sky(
    cover: np.ndarray, ceiling: np.ndarray, told: np.ndarray, base: np.ndarray, doubtful: np.ndarray | None = None
):
    """Ceiling and cover of many reports.

    Args:
        cover: of each layer, 0 to 1, NaN where not known; shape (n, layers).
        ceiling: whether the layer is one that makes a ceiling; shape (n, layers).
        told: whether there is such a layer (or such a word, CLR); shape (n, layers).
        base: of the layer above ground, m, NaN where not known; shape (n, layers).
        doubtful: whether there may be a layer that may make a ceiling, at ``base`` or, where that is NaN, anywhere;
            shape (n, layers); None: nowhere.

    Returns:
        Ceiling (m; ``UNLIMITED_CEILING`` where there is none, NaN where nothing is said, a ceiling's base is not
        known, or a doubtful layer may be lower) and cover (0 to 1, NaN where nothing is said, or a doubtful layer may
        be fuller), each of shape (n,).
    """
    doubtful = np.zeros(told.shape, dtype=bool) if doubtful is None else doubtful
    limits = told & ceiling
    lowest = np.where(limits, base, np.inf).min(axis=1, initial=np.inf)  # NaN where any is
    perhaps = np.where(doubtful, np.nan_to_num(base, nan=-np.inf, posinf=np.inf), np.inf).min(axis=1, initial=np.inf)
    height = np.where(limits.any(axis=1), np.where(lowest <= perhaps, lowest, np.nan), UNLIMITED_CEILING)
    unsettled = doubtful.any(axis=1)
    fullest = np.where(told & ~np.isnan(cover), cover, -1.0).max(axis=1, initial=-1.0)
    height = np.where(told.any(axis=1) & ~(unsettled & ~limits.any(axis=1)), height, np.nan)
    return height, np.where((fullest >= 0) & ~(unsettled & (fullest < 1.0)), fullest, np.nan)
