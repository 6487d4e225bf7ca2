"""Reports: what simulated stations say of a truth -- with errors by kind, a bias each keeps, gaps, and gross errors.

A station's deviation of a variable is parted into a bias, drawn once for all times, and a random error of each report.
All is a function of seed, station's name, variable and time: a station says the same whoever else reports.
Values are rounded as its kind does: temperatures to tenths; by airports and ships winds to whole knots and tens of
degrees, pressure to hundredths of an inch of mercury, by a mesonet to tenths of m/s, whole degrees and tenths of hPa;
visibility and ceiling to the steps in which airports report them.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields import adjustment
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.linalg.noise import WORD, normal, uniform
from mlrtma_dist.linalg.octaves import CHANNELS, EPOCH
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.names import FOOT, ICE, LIMITED_CEILING, MILE, VARIABLES, variable
from mlrtma_dist.observations.speeds import SPEED
from mlrtma_dist.simulation.sites import KINDS, Sites

BIAS, ERROR, MISSING, GROSS, SIGN = (CHANNELS * number for number in range(61, 66))  # of the noise
WILD = 25.0  # standard deviations of a gross error
# Standard deviation and bias of each kind of ``sites.KINDS``, in analysis space.
ERRORS = {
    "t2m": ((0.5, 0.0), (0.9, 0.3), (0.8, 0.1)),
    "d2m": ((0.7, 0.0), (1.2, -0.3), (1.0, 0.0)),
    "u10": ((0.8, 0.0), (1.3, 0.0), (1.3, 0.0)),
    "v10": ((0.8, 0.0), (1.3, 0.0), (1.3, 0.0)),
    "gust": ((1.0, 0.0), (1.5, 0.0), (1.5, 0.0)),
    "psfc": ((40.0, 0.0), (80.0, 0.0), (60.0, 0.0)),
    "visibility": ((0.15, 0.0), (0.3, 0.0), (0.4, 0.0)),
    "ceiling": ((0.2, 0.0), (0.3, 0.0), (0.3, 0.0)),
    "sky_cover": ((0.1, 0.0), (0.1, 0.0), (0.1, 0.0)),
    "wind_speed": ((0.8, 0.0), (1.3, 0.0), (1.3, 0.0)),
}
REPORTED = {  # by which kinds
    **dict.fromkeys(("t2m", "d2m", "u10", "v10"), tuple(KINDS)),
    "gust": ("airport", "mesonet"),
    "psfc": ("airport", "ship"),
    "visibility": ("airport", "ship"),
    "ceiling": ("airport",),
    "sky_cover": ("airport",),
}
KNOT, INCH_OF_MERCURY = 1852.0 / 3600.0, 3386.39
# Miles in which airports report visibility (Federal Meteorological Handbook 1, table 6-1, the manual values).
MILES = np.array(
    [
        1 / 16,
        1 / 8,
        3 / 16,
        1 / 4,
        5 / 16,
        3 / 8,
        1 / 2,
        5 / 8,
        3 / 4,
        7 / 8,
        1,
        9 / 8,
        5 / 4,
        11 / 8,
        3 / 2,
        13 / 8,
        7 / 4,
        15 / 8,
        2,
        9 / 4,
        5 / 2,
        11 / 4,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
    ]
)


@dataclass(frozen=True)
class Reporting:
    """How stations report.

    Attributes:
        missing: share of values that do not come.
        gross: share of the mesonet's values with a gross error.
        persistent: standard deviation of a station's own bias as a share of its error's.
        rounded: values are rounded as networks do.
    """

    missing: float = 0.05
    gross: float = 0.02
    persistent: float = 0.5
    rounded: bool = True

    def __post_init__(self):
        for name in ("missing", "gross", "persistent"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: expected a share from 0 to 1, got {getattr(self, name):g}")

    def values(
        self, sites: Sites, truth: dict[str, np.ndarray], time: np.datetime64, seed: int
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What stations say.

        Args:
            sites: n stations; truth: variable -> what is true there, SI, shape (n,).

        Returns:
            Variable -> values, SI, shape (n,), and the mask of those that come.
        """
        if not len(sites):  # a tile without stations
            return {name: (np.zeros(0), np.zeros(0, bool)) for name in truth}
        measured, comes = {}, {}
        lots = {name: _Lots(sites.station, name, time, seed) for name in truth if name != SPEED}
        for name, true in truth.items():
            if name == SPEED:
                continue
            lot = lots[name]
            deviation, bias = error_of(name, sites.kind)
            own = bias + deviation * self.persistent * lot.normal(BIAS, lasting=True)
            random = deviation * np.sqrt(1.0 - self.persistent**2) * lot.normal(ERROR)
            measured[name] = variable(name).to_analysis(np.asarray(true, dtype=np.float64)) + own + random
            comes[name] = np.isin(sites.kind, REPORTED[name]) & (lot.uniform(MISSING) > self.missing)
        if {"t2m", "d2m"} <= set(measured):  # a hygrometer does not read above saturation
            measured["d2m"] = np.minimum(measured["d2m"], measured["t2m"])
        for name, lot in lots.items():
            wild = (sites.kind == "mesonet") & (lot.uniform(GROSS) < self.gross)
            size = WILD * error_of(name, sites.kind)[0] * np.where(lot.uniform(SIGN) < 0.5, -1.0, 1.0)
            measured[name] = variable(name).from_analysis(measured[name] + np.where(wild, size, 0.0))
        reports = round_reports(measured, sites.kind == "mesonet") if self.rounded else measured
        if {SPEED, *WIND} <= set(truth):  # is that of the reported wind
            reports[SPEED], comes[SPEED] = np.hypot(*(reports[name] for name in WIND)), comes[WIND[0]] & comes[WIND[1]]
        return {name: (reports[name], comes[name]) for name in truth if name in reports}


def numbers_of(station: np.ndarray) -> np.ndarray:
    """A number of 32 bits for each name, shape (n,): what a station's noise hangs on."""
    return np.array([zlib.crc32(str(each).encode()) for each in station], dtype=np.int64)


class _Lots:
    """Noise of stations by their names, for one variable and time; shape (n,)."""

    def __init__(self, station: np.ndarray, name: str, time: np.datetime64, seed: int):
        self.seed, self.column = seed, list(VARIABLES).index(name)
        self.rows = numbers_of(station)
        self.step = int((time - EPOCH) // np.timedelta64(60, "s")) % WORD

    def normal(self, channel: int, lasting: bool = False) -> np.ndarray:
        return normal(self.seed, self.rows, self.column, channel=channel, step=0 if lasting else self.step)

    def uniform(self, channel: int) -> np.ndarray:
        return uniform(self.seed, self.rows, self.column, channel=channel, step=self.step)


def error_of(name: str, kind: np.ndarray) -> np.ndarray:
    """Standard deviation and bias of a variable's reports by kind of station, analysis space, shape (2, n)."""
    of = dict(zip(KINDS, ERRORS[name], strict=True))
    return np.array([of[each] for each in kind]).reshape(-1, 2).T


def round_reports(values: dict[str, np.ndarray], finely: np.ndarray) -> dict[str, np.ndarray]:
    """Values as networks round them, variable -> shape (n,), SI; ``finely``, mask (n,): as a mesonet does."""
    as_reported, step = dict(values), np.where(finely, 0.1, KNOT)
    for name in ("t2m", "d2m"):
        if name in values:
            as_reported[name] = np.round(values[name] - ICE, 1) + ICE
    if {"u10", "v10"} <= set(values):
        speed = np.round(np.hypot(values["u10"], values["v10"]) / step) * step
        sector = np.deg2rad(np.where(finely, 1.0, 10.0))
        direction = np.round(np.arctan2(values["v10"], values["u10"]) / sector) * sector
        as_reported["u10"], as_reported["v10"] = speed * np.cos(direction), speed * np.sin(direction)
    if "gust" in values:
        as_reported["gust"] = np.round(values["gust"] / step) * step
    if "psfc" in values:
        hundredth = 0.01 * INCH_OF_MERCURY
        as_reported["psfc"] = np.where(
            finely, np.round(values["psfc"], -1), np.round(values["psfc"] / hundredth) * hundredth
        )
    if "visibility" in values:
        edges = 0.5 * (MILES[1:] + MILES[:-1])
        as_reported["visibility"] = MILE * MILES[np.searchsorted(edges, values["visibility"] / MILE)]
    if "ceiling" in values:
        feet = values["ceiling"] / FOOT
        coarse = np.where(feet < 5000.0, 100.0, np.where(feet < 10000.0, 500.0, 1000.0))
        rounded = np.maximum(np.round(feet / coarse), 1.0) * coarse * FOOT
        as_reported["ceiling"] = np.where(values["ceiling"] < LIMITED_CEILING, rounded, values["ceiling"])
    if "sky_cover" in values:
        as_reported["sky_cover"] = np.round(8.0 * values["sky_cover"]) / 8.0
    return {name: np.clip(value, *VARIABLES[name].valid) for name, value in as_reported.items()}


def truth_at(
    sites: Sites, fields: dict[str, np.ndarray], static: Static, corner: tuple[int, int] = (0, 0)
) -> dict[str, np.ndarray]:
    """The truth at stations, carried to their height as `fields.adjustment` says.

    Args:
        sites: n stations.
        fields: all variables, on a box of the domain whose first point is ``corner`` (y, x), that holds the stations.

    Returns:
        Variable -> shape (n,), SI.
    """
    row, column = sites.row - corner[0], sites.column - corner[1]
    at_sites = {name: bilinear(field, row, column).astype(np.float64) for name, field in fields.items()}
    rise = sites.elevation - bilinear(static.terrain, sites.row, sites.column)
    moist = adjustment.virtual_temperature(at_sites["t2m"], at_sites["d2m"], at_sites["psfc"])
    at_sites["psfc"] = np.exp(adjustment.adjust_log_pressure(np.log(at_sites["psfc"]), rise, moist))
    at_sites["t2m"] = adjustment.adjust_temperature(at_sites["t2m"], rise)
    at_sites["d2m"] = adjustment.adjust_dew_point(at_sites["d2m"], rise)
    return at_sites
