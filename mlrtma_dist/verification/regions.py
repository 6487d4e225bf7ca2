"""Regions: the parts of a domain and the bands of elevation that are scored by themselves.

The continental United States are divided at two meridians: 105 W is the foot of the Rocky Mountains, 90 W about
the Mississippi. Every other domain is one region. The elevation bands are the same everywhere.
"""

import numpy as np

ALL = "all"
CONUS = {
    "west of 105W": (-np.inf, -105.0),
    "105W to 90W": (-105.0, -90.0),
    "east of 90W": (-90.0, np.inf),
    "east of 105W": (-105.0, np.inf),  # everything but the mountains, beside "west of 105W"
}
MERIDIANS = {"conus": CONUS, "conus_1km": CONUS}

# Metres. Below 500 m lie the plains and coasts, above 1000 m the high plains and the West, above 2000 m the mountains.
BANDS = {
    "elevation below 500 m": (-np.inf, 500.0),
    "elevation 500-1000 m": (500.0, 1000.0),
    "elevation 1000-2000 m": (1000.0, 2000.0),
    "elevation above 2000 m": (2000.0, np.inf),
}
UNKNOWN_ELEVATION = "elevation unknown"


def regions(domain: str | None, longitude: np.ndarray, elevation: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of every region, by its label in ``scores.csv``.

    Args:
        domain: the domain's name; one without regions of its own, or None, has only "all" and the elevation bands.
        longitude: degrees east in [-180, 180), shape (n,), NaN where there is none.
        elevation: of the stations, m, shape (n,), NaN where not known.

    Returns:
        label -> mask (n,): "all" first, then west to east, then low to high. A range holds its lower edge alone.
    """
    masks = {ALL: np.ones(len(longitude), dtype=bool)}
    meridians = MERIDIANS.get(domain, {}) if domain is not None else {}
    masks |= {label: (longitude >= west) & (longitude < east) for label, (west, east) in meridians.items()}
    masks |= {label: (elevation >= low) & (elevation < high) for label, (low, high) in BANDS.items()}
    return masks | {UNKNOWN_ELEVATION: ~np.isfinite(elevation)}
