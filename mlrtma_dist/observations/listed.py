"""What the operational station lists say of each report: rejected, or a mesonet's that no use list allows.

A name on a list is a station of that name, whatever its type and place, as in the system the lists come from. Names of
mesonets end there in an "a" or "x" in the eighth column after blanks, which does not count.
"""

import numpy as np

from mlrtma_dist.observations.reports import wind_partner
from mlrtma_dist.observations.station_lists import ALL_PARTS, NO_LISTS, StationLists
from mlrtma_dist.observations.sun import solar_elevation
from mlrtma_dist.observations.table import Flag, Observations

MESONETS = ("188", "195", "288", "295")  # PrepBUFR report types
# Gusts are the anemometer's: they are rejected with the wind.
QUANTITIES = {"t": ("t2m",), "q": ("d2m",), "p": ("psfc",), "w": ("u10", "v10", "gust")}


def check_lists(observations: Observations, lists: StationLists) -> Observations:
    """Flag what the lists take out with ``Flag.STATION_LIST``.

    Lists of the day count where the sun's centre is above the horizon at the report's place and time, those of the
    night elsewhere; a report without place or time is in neither.

    Use lists concern mesonets: report types 188, 195, 288, 295, and rows whose source names a provider. A mesonet's
    wind stays if its provider, its station or its station in the bin of the wind's direction is listed; its gust
    if provider or station is; its visibility if its station is.
    """
    if lists == NO_LISTS:
        return observations
    name = _Words(observations.station, listed_names)
    flagged = np.zeros(len(observations), dtype=bool)
    elevation = None
    for quantity, names in lists.rejected.items():
        kind, _, part = quantity.partition("_")
        rows = np.isin(observations.variable, QUANTITIES[kind]) & name.among(names)
        if part and rows.any():
            if elevation is None:
                elevation = solar_elevation(observations.latitude, observations.longitude, observations.time)
            rows &= elevation > 0.0 if part == "day" else elevation <= 0.0  # NaN is neither
        flagged |= rows
    return observations.flagged(flagged | _not_allowed(observations, name, lists), Flag.STATION_LIST)


def listed_names(station: np.ndarray) -> np.ndarray:
    """Names as the lists write them: without blanks around and without a mesonet's mark in the eighth column."""
    short = np.char.strip(station)
    marked = (np.char.str_len(short) == 8) & (np.char.endswith(short, " a") | np.char.endswith(short, " x"))
    return np.where(marked, np.char.strip(np.char.rstrip(short, "ax")), short)


def wind_bin(eastward: np.ndarray, northward: np.ndarray, bins: int) -> np.ndarray:
    """The bin, 1 to ``bins`` clockwise from north, from which a wind (m/s, shape (n,)) blows.

    A wind from exactly north is in the last bin, as in the system the lists come from; a calm, whose direction is
    none, too.
    """
    direction = np.rad2deg(np.arctan2(-eastward, -northward)) % 360.0
    number = np.floor(np.nan_to_num(direction) * bins / 360.0).astype(np.int64) + 1
    return np.where((direction == 0.0) | (direction == 360.0), bins, np.minimum(number, bins))


class _Words:
    """A column of words, each compared once however many rows repeat it."""

    def __init__(self, column: np.ndarray, clean=np.char.strip):
        words, self.number = np.unique(column, return_inverse=True)
        self.words = clean(words).tolist()

    def among(self, rows) -> np.ndarray:
        """Mask of the rows whose word is in a set, shape (n,)."""
        return np.array([word in rows for word in self.words], dtype=bool)[self.number]

    def mapped(self, number: dict[str, int]) -> np.ndarray:
        """The number of each row's word, 0 where it has none, shape (n,)."""
        return np.array([number.get(word, 0) for word in self.words], dtype=np.int64)[self.number]


def _not_allowed(observations: Observations, name: _Words, lists: StationLists) -> np.ndarray:
    """Mask of the mesonets' rows that no use list allows, shape (n,)."""
    mesonet = _Words(observations.network).among(MESONETS) | (observations.provider != "")
    refused = np.zeros(len(observations), dtype=bool)
    if not mesonet.any():
        return refused
    if lists.visibility_stations is not None:
        refused |= mesonet & (observations.variable == "visibility") & ~name.among(lists.visibility_stations)
    if lists.providers is None and lists.wind_stations is None and not lists.bins:
        return refused
    allowed = _by_provider(observations, lists) | name.among(lists.wind_stations or ())
    wind = np.isin(observations.variable, ("u10", "v10"))
    if lists.bins:
        allowed |= wind & _by_direction(observations, name, lists)
    return refused | (mesonet & (wind | (observations.variable == "gust")) & ~allowed)


def _by_provider(observations: Observations, lists: StationLists) -> np.ndarray:
    pairs = lists.providers or ()
    whole = {provider for provider, part in pairs if part == ALL_PARTS}
    exact = {f"{provider}/{part}" for provider, part in pairs}
    provider = _Words(observations.provider, lambda words: np.char.partition(words, "/")[:, 0])
    return provider.among(whole) | _Words(observations.provider).among(exact)


def _by_direction(observations: Observations, name: _Words, lists: StationLists) -> np.ndarray:
    partner = wind_partner(observations)
    eastward = np.where(observations.variable == "u10", observations.value, observations.value[partner])
    northward = np.where(observations.variable == "u10", observations.value[partner], observations.value)
    # a station's bins as the bits of a number
    allowed = name.mapped({station: sum(1 << b for b in bins) for station, bins in lists.wind_bins.items()})
    return (partner >= 0) & ((allowed >> wind_bin(eastward, northward, lists.bins)) & 1 == 1)
