"""Regions: the domains, the parts of a domain and the bands of elevation that are scored by themselves.

Of several domains each is a region. The continental United States are divided at two meridians: 105 W is the foot of
the Rocky Mountains, 90 W about the Mississippi. The elevation bands are the same everywhere.
"""

import numpy as np

ALL = "all"
CONUS = {
    "west of 105W": (-np.inf, -105.0),
    "105W to 90W": (-105.0, -90.0),
    "east of 90W": (-90.0, np.inf),
    "east of 105W": (-105.0, np.inf),  # everything but the mountains, beside "west of 105W"
}
MERIDIANS = ("conus", "conus_1km")  # the domains that they divide

# Metres. Below 500 m lie the plains and coasts, above 1000 m the high plains and the West, above 2000 m the mountains.
BANDS = {
    "elevation below 500 m": (-np.inf, 500.0),
    "elevation 500-1000 m": (500.0, 1000.0),
    "elevation 1000-2000 m": (1000.0, 2000.0),
    "elevation above 2000 m": (2000.0, np.inf),
}
UNKNOWN_ELEVATION = "elevation unknown"


def regions(domain: np.ndarray, longitude: np.ndarray, elevation: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of every region, by its label in ``scores.csv``.

    Args:
        domain: name of each row's domain, shape (n,); one without regions of its own has only the elevation bands.
        longitude: degrees east in [-180, 180), shape (n,), NaN where there is none.
        elevation: of the stations, m, shape (n,), NaN where not known.

    Returns:
        label -> mask (n,): "all" first, then the domains where there are several, then west to east, then low to high.
        A range holds its lower edge alone.
    """
    masks = {ALL: np.ones(len(longitude), dtype=bool)}
    names = list(dict.fromkeys(domain.tolist()))
    if len(names) > 1:
        masks |= {f"domain {name}": domain == name for name in names}
    divided = np.isin(domain, list(MERIDIANS))
    if divided.any():
        masks |= {label: divided & (longitude >= west) & (longitude < east) for label, (west, east) in CONUS.items()}
    masks |= {label: (elevation >= low) & (elevation < high) for label, (low, high) in BANDS.items()}
    return masks | {UNKNOWN_ELEVATION: ~np.isfinite(elevation)}
