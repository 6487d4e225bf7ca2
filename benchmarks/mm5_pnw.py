"""The ensemble of mm5_pnw: 8 members of MM5 and the stations of the Pacific Northwest, 52 days of early 2004.

Read with pyreadr from the R package ensembleBMA's data (Raftery et al. 2005), 48-h forecasts of 2 m temperature at
00 UTC, already interpolated to the stations. Days other than the verifying one tell the bias of the mean and every
parameter.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyreadr

from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import Static, station_points
from mlrtma_dist.grid.points import Points
from mlrtma_dist.names import VARIABLES

VERIFYING = "2004012700"
MEMBERS = ("CMCG", "ETA", "GASP", "GFS", "JMA", "NGPS", "TCWB", "UKMO")
GROSS = VARIABLES["t2m"].gross  # K; beyond it a report is an error by the rule fixed in DECISIONS.md
UNKNOWN = -9000.0  # m; elevations below it are "not known": the terrain is taken


@dataclass(frozen=True)
class Day:
    """One day at its stations.

    Attributes:
        station: names, shape (n,).
        points: places, n of them.
        members: K, shape (8, n).
        observation: K, shape (n,).
        bias: of the members' mean as other days tell it, K, shape (n,).
    """

    station: np.ndarray
    points: Points
    members: np.ndarray
    observation: np.ndarray
    bias: np.ndarray

    @property
    def first_guess(self) -> np.ndarray:
        """Mean of the members without its bias, shape (n,)."""
        return self.members.mean(axis=0) - self.bias

    @property
    def deviations(self) -> np.ndarray:
        """The members' deviations from their mean, K, shape (8, n)."""
        return self.members - self.members.mean(axis=0)

    @property
    def departure(self) -> np.ndarray:
        """Observation minus first guess, shape (n,)."""
        return self.observation - self.first_guess


def read_days(static: Static) -> dict[str, Day]:
    """Every day of the data, gross errors left out, bias zero."""
    (table,) = pyreadr.read_r(data_root() / "mm5_pnw" / "data_srft.rda").values()
    days = {}
    for date, rows in table.groupby("date", observed=True):
        values = rows[list(MEMBERS)].to_numpy(np.float64).T
        observation = rows["observation"].to_numpy(np.float64)
        good = np.abs(observation - values.mean(axis=0)) <= GROSS
        elevation = rows["elevation"].to_numpy(np.float64)
        elevation = np.where(elevation < UNKNOWN, np.nan, elevation)
        points = station_points(static, rows["latitude"].to_numpy(), rows["longitude"].to_numpy(), elevation)
        station = rows["station"].to_numpy(str)
        days[str(date)] = Day(station[good], points[good], values[:, good], observation[good], np.zeros(good.sum()))
    return days


def grid_members(static: Static) -> tuple[Points, np.ndarray]:
    """The 8,188 points of the model's grid and the members there, K, shape (8, n), of the verifying day."""
    (table,) = pyreadr.read_r(data_root() / "mm5_pnw" / "data_srftGrid.rda").values()
    points = station_points(
        static, table["latitude"].to_numpy(), table["longitude"].to_numpy(), np.full(len(table), np.nan)
    )
    return points, table[list(MEMBERS)].to_numpy(np.float64).T


def read_grid(static: Static) -> tuple[Points, np.ndarray]:
    """The points of `grid_members` and the members' deviations from their mean there, shape (8, n)."""
    points, members = grid_members(static)
    return points, members - members.mean(axis=0)


def remove_bias(days: dict[str, Day]) -> tuple[dict[str, Day], np.ndarray]:
    """Give every day the bias that a regression on elevation, relief and land finds on the days but the verifying one.

    Returns:
        The days, and the coefficients: K, K/km, K/km, K per land fraction.
    """
    others = [day for date, day in days.items() if date != VERIFYING]
    terms = np.concatenate([bias_terms(day.points) for day in others])
    wrong = np.concatenate([day.members.mean(axis=0) - day.observation for day in others])
    coefficients, *_ = np.linalg.lstsq(terms, wrong, rcond=None)
    return {date: replace(day, bias=bias_terms(day.points) @ coefficients) for date, day in days.items()}, coefficients


def bias_terms(points: Points) -> np.ndarray:
    """What the bias of the mean is regressed on, shape (n, 4)."""
    return np.column_stack([np.ones(len(points)), points.elevation / 1e3, points.relief / 1e3, points.land])
