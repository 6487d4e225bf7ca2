"""Several reports of one station: which of a window a network is given beside the nearest in time."""

import numpy as np

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.window import hours_after, used_in_window


def other_times(case: Case, chosen: np.ndarray, count: int) -> np.ndarray:
    """Mask (n,) of further reports of the stations and variables of chosen ones, the nearest in time first.

    They are those that a method in time uses (`methods.window`): of a station one for each half hour, none that quality
    control flags for another reason than that another report of the station is nearer, none of a withheld station.

    A case without a first guess has none, as quality control by departures has then not been made.

    Args:
        chosen: mask of the case's reports that are given anyway, shape (n,).
        count: reports of one station and variable at most, the chosen one among them.
    """
    result = np.zeros(len(chosen), bool)
    if count < 2 or not chosen.any():
        return result
    _, variable = np.unique(case.observations.variable, return_inverse=True)
    pair = case.station_number * (variable.max() + 1) + variable
    rows = np.flatnonzero(used_in_window(case) & ~case.used & np.isin(pair, pair[chosen]))
    rows = rows[np.lexsort((rows, np.abs(hours_after(case)[rows]), pair[rows]))]
    place = np.arange(len(rows)) - np.searchsorted(pair[rows], pair[rows])  # 0 for the nearest of a station
    result[rows[place < count - 1]] = True
    return result
