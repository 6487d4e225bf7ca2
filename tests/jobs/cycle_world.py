"""A small world for cycles: two regions, stations that report every ten minutes, and a clock that tests move."""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
from regions import small_region

from jobs import cycle
from mlrtma_dist import config
from mlrtma_dist.inference.cycle_clock import duration
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.simulation.simulated_hour import simulate_hour

START = np.datetime64("2022-08-24T06:00:00", "s")
REPORTS = START + np.arange(-30, 121, 10).astype("timedelta64[m]")  # when every station reports
DOMAINS = ("east", "west")
TWO = "[{name: oi}, {name: threedvar}]"  # methods of a run


class ManualClock:
    """A clock that stands still but where it waits, or where a test moves it."""

    def __init__(self, start):
        self.time = np.datetime64(start, "ms")

    def now(self) -> np.datetime64:
        return self.time

    def wait(self, until, stopped) -> None:
        self.time = until.astype("datetime64[ms]")

    def pass_seconds(self, number: float) -> None:
        self.time = self.time + duration(number)


@dataclass(frozen=True)
class World:
    """A folder with the regions, the reports of two and a half hours, and a background of the first hour."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> "World":
        tables = []
        for number, name in enumerate(DOMAINS):
            static = small_region(folder, name, 6.0 - 20.0 * number)
            hour = simulate_hour(static, START, stations=40, seed=number)
            if number == 0:
                write_state(folder / "background_20220824T06.nc", hour.background)
            reports = hour.observations.of("t2m")
            reports = reports[np.unique(reports.station, return_index=True)[1]]
            stations = np.char.add(f"{name}_", reports.station)
            tables += [
                dataclasses.replace(
                    reports,
                    station=stations,
                    time=np.full(len(reports), time),
                    value=reports.value + 0.01 * index,  # else they would be stuck
                )
                for index, time in enumerate(REPORTS)
            ]
        write_csv(folder / "reports_20220824.csv", Observations.concatenate(tables))
        return cls(folder)

    def run(self, output: Path, *, domains=("east",), slots: int = 1, archive: str = "", more: str = "", **keys):
        """A run of the first slots, every 15 minutes.

        ``archive``: keys of the archive; ``more``: name of another file of reports; ``keys``: of the run, as YAML.
        """
        end = START + (slots - 1) * np.timedelta64(15, "m")
        places = ", ".join(str(self.folder / f"{name}.yaml") for name in domains)
        lines = {"variables": "[t2m]", "replay": "1e9", "output": str(output), **keys}
        daily = "every_minutes: 1440, before_minutes: 1439"
        names = [name for name in ("reports", more) if name]
        patterns = ", ".join(f"{{pattern: '{name}_{{time:%Y%m%d}}.csv', {daily}}}" for name in names)
        text = (
            f"cases:\n  domain: [{places}]\n  archive:\n    {{start: '{START}', end: '{end}', every_minutes: 15,"
            f" folder: {self.folder}{archive}, reports: [{patterns}]}}\n"
            + "".join(f"{name}: {value}\n" for name, value in lines.items())
        )
        return config.build(cycle.Run, config.parse_yaml(text, "test"), "test")


def clock_at(minutes: float) -> ManualClock:
    """A clock so many minutes after the first slot's time."""
    return ManualClock(START.astype("datetime64[ms]") + duration(60.0 * minutes))


def product(output: Path, name: str = "latest.nc", domain: str = "east") -> dict:
    """The attributes of a product, and its analysis of temperature."""
    path = output / domain / name if name == "latest.nc" else output / domain / "20220824" / f"{domain}_{name}.nc"
    with netCDF4.Dataset(path) as file:
        return {key: file.getncattr(key) for key in file.ncattrs()} | {"t2m": file["t2m"][0].filled(np.nan)}


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table by the names of its columns."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
