"""The ensemble of meps_transect: 30 members of MEPS on a line of 501 points from south to north, and observations.

R data of the project EnSI-demo (GPL-3), read with pyreadr: 2 m temperature of 2023-08-07, hourly, at points 2 km
apart: post-processed members, and an observation at the points that have one. Heights are known, land and sea are not:
all counts as land.
"""

from dataclasses import dataclass

import numpy as np
import pyreadr

from mlrtma_dist.config import data_root
from mlrtma_dist.fields.adjustment import adjust_temperature
from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.names import ICE, VARIABLES

FOLDER, DAY, HOURS = "meps_transect", "20230807", range(16)
TERRAIN_REACH = 10  # points on both sides, 20 km, whose mean height is the terrain that relief stands above


@dataclass(frozen=True)
class Hour:
    """One hour on the line.

    Attributes:
        time: UTC.
        grid: its 501 points; members: there, K, shape (30, 501).
        slot: number of the point of each observation, shape (n,); stations: their places.
        observation: K, shape (n,).
    """

    time: np.datetime64
    grid: Points
    members: np.ndarray
    slot: np.ndarray
    stations: Points
    observation: np.ndarray

    def at_stations(self) -> np.ndarray:
        """The members at the stations' own heights, K, shape (30, n)."""
        rise = self.stations.elevation - self.grid.elevation[self.slot]
        return adjust_temperature(self.members[:, self.slot], rise)

    @property
    def names(self) -> np.ndarray:
        """One for each observation, the same in all hours, shape (n,)."""
        return np.array([f"point {number}" for number in self.slot])


def read_hours() -> list[Hour]:
    """All hours; observations that differ from the members' mean by more than the gross error are left out."""
    hours = []
    for number in HOURS:
        stamp, folder = f"{DAY}T{number:02d}Z", data_root() / FOLDER
        fields = _columns(folder / f"MEPSpp_TA-MEPS_lcc_1d_{stamp}.rdata", "in2d_grid_")
        reports = _columns(folder / f"obs_ta_1d_{stamp}.rdata", "in2d_obs_")
        slot = np.flatnonzero(np.isfinite(reports["val"][:, 0]))
        broad = _mean_around(fields["z"][:, 0])
        grid = _points(fields, slice(None), broad)
        time = np.datetime64(f"{DAY[:4]}-{DAY[4:6]}-{DAY[6:]}T{number:02d}:00", "s")
        value = reports["val"][slot, 0] + ICE
        hour = Hour(time, grid, fields["val"].T + ICE, slot, _points(reports, slot, broad), value)
        usable = np.abs(value - hour.at_stations().mean(0)) <= VARIABLES["t2m"].gross
        hours.append(Hour(time, grid, hour.members, slot[usable], hour.stations[usable], value[usable]))
    return hours


def _columns(path, prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): table.to_numpy(np.float64)
        for name, table in pyreadr.read_r(str(path)).items()
        if name.startswith(prefix)
    }


def _points(columns: dict[str, np.ndarray], rows, broad: np.ndarray) -> Points:
    latitude, longitude, height = (columns[name][rows, 0] for name in ("lat", "lon", "z"))
    return Points(
        latitude, longitude, cartesian(latitude, longitude), height, np.ones(len(height)), height - broad[rows]
    )


def _mean_around(height: np.ndarray) -> np.ndarray:
    """Mean over the points within ``TERRAIN_REACH``, shape (501,)."""
    kernel = np.ones(2 * TERRAIN_REACH + 1)
    return np.convolve(height, kernel, "same") / np.convolve(np.ones(len(height)), kernel, "same")
