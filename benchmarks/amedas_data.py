"""Hourly temperature of Japan (`jma_t2m`): its stations and hours, as the benchmarks use them."""

import csv
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.config import data_root
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.units import ZERO_CELSIUS

FOLDER, MISSING = "jma_t2m", -32768
CHOOSES = np.datetime64("2023-10-16")  # hours from here on choose, those before train
OFTEN = 0.9  # share of the stations that report in an hour that is used


@dataclass(frozen=True)
class Amedas:
    """Some hours of all stations.

    Attributes:
        time: datetime64[s], shape (time,).
        station: names, shape (station,).
        place: latitude, longitude (degrees) and height (m), shape (3, station).
        tenths: temperature, tenths of a degree Celsius, shape (time, station).
    """

    time: np.ndarray
    station: np.ndarray
    place: np.ndarray
    tenths: np.ndarray

    @classmethod
    def read(cls, choose: bool = False) -> "Amedas":
        """The hours that train, or those that choose."""
        folder = data_root() / FOLDER
        with (folder / "stations.csv").open(newline="") as stream:
            places = {row["station"]: (row["lat"], row["lon"], row["alt_m"]) for row in csv.DictReader(stream)}
        (path,) = folder.glob("*.npz")
        with np.load(path) as data:
            time, station, tenths = data["time_epoch_utc"].astype("datetime64[s]"), data["station"], data["T_tenthC"]
        place = np.array([places[str(name)] for name in station], dtype=np.float64).T
        rows = (time >= CHOOSES) if choose else (time < CHOOSES)
        return cls(time[rows], station, place, tenths[rows])

    @property
    def full(self) -> np.ndarray:
        """Numbers of the hours in which most stations report."""
        return np.flatnonzero((self.tenths != MISSING).mean(axis=1) > OFTEN)

    def table(self, numbers: np.ndarray) -> Observations:
        """The reports of some hours, hour after hour."""
        tenths = self.tenths[numbers]
        hour, at = np.nonzero(tenths != MISSING)
        latitude, longitude, elevation = self.place
        return Observations.build(
            station=self.station[at],
            network="amedas",
            latitude=latitude[at],
            longitude=longitude[at],
            elevation=elevation[at],
            time=self.time[numbers][hour],
            variable="t2m",
            value=ZERO_CELSIUS + 0.1 * tenths[hour, at],
        )
