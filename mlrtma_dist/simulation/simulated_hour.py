"""A simulated world: a truth, stations that measure it with errors, and an imperfect background, on any domain.

For the demonstration, for tests that must know the truth, and as training cases without end
(`simulation.simulated_weather`). The weather is `simulation.weather_fields`, the background `simulation.model_error`,
the stations `simulation.sites` and `simulation.reporting`.
The hours of one seed follow each other as weather does. docs/simulated_worlds.md compares them with real fields.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import uniform
from mlrtma_dist.linalg.octaves import CHANNELS
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.speeds import SPEED
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.model_error import ModelError
from mlrtma_dist.simulation.reporting import Reporting, numbers_of, truth_at
from mlrtma_dist.simulation.sites import Sites, random_sites
from mlrtma_dist.simulation.weather import Weather
from mlrtma_dist.simulation.weather_fields import WeatherFields

BAND = 128  # rows made at once: on CONUS 40 work arrays of 2.4 MB
MINUTES = 66 * CHANNELS  # channel of the noise
LATEST = 900  # s, most by which a station reports before or after the hour


@dataclass(frozen=True)
class SimulatedHour:
    """A simulated hour: what is, what is believed, what was measured."""

    truth: State
    background: State
    observations: Observations


@dataclass(frozen=True)
class Simulation:
    """What worlds are made of: the kinds of weather, model and reports."""

    weather: Weather = Weather()
    model: ModelError = ModelError()
    reporting: Reporting = Reporting()

    def fields(self, static: Static, box: Box, time: np.datetime64, seed: int) -> tuple[dict, dict]:
        """Truth and background on a box, variable -> shape (y, x), SI, float32."""
        truth, believed = ({name: np.empty(box.shape, np.float32) for name in VARIABLES} for _ in range(2))
        for first in range(box.y0, box.y1, BAND):
            band = Box(first, min(first + BAND, box.y1), box.x0, box.x1)
            ground, rows = Ground.of(static, band), slice(first - box.y0, band.y1 - box.y0)
            for name, values in WeatherFields(self.weather, seed, ground, time).fields().items():
                truth[name][rows] = values
            for name, values in self.model.fields(self.weather, seed, ground, time).items():
                believed[name][rows] = values
        return truth, believed


def simulate_hour(
    static: Static, time: np.datetime64, *, seed: int, stations: int | Sites = 300, simulation: Simulation | None = None
) -> SimulatedHour:
    """Simulate an hour on a domain.

    Args:
        static: domain and terrain.
        time: valid time.
        seed: the same seed gives the same world; its hours belong together.
        stations: number of stations, on land, at random; or where they stand.
        simulation: kinds of weather, model and reports.

    Raises:
        InputError: the domain is a plane, or has no land for the stations.
    """
    simulation = simulation or Simulation()
    rows, columns = static.domain.shape
    truth, believed = simulation.fields(static, Box(0, rows, 0, columns), time, seed)
    true_state, background_state = (
        State(static.domain, time, values, static.terrain, f"simulated {word}")
        for values, word in ((truth, "truth"), (believed, "background"))
    )
    sites = random_sites(static, stations, seed) if isinstance(stations, int) else stations
    reports = report(sites, truth_at(sites, truth, static), time, seed, simulation.reporting)
    return SimulatedHour(true_state, background_state, reports)


def lateness(station: np.ndarray, seed: int) -> np.ndarray:
    """How long after the hour (negative: before it) each station reports, s, shape (n,); always the same."""
    if not len(station):
        return np.zeros(0)
    return (2.0 * uniform(seed, numbers_of(station), 0, channel=MINUTES) - 1.0) * LATEST


def report(
    sites: Sites, truth: dict[str, np.ndarray], time: np.datetime64, seed: int, reporting: Reporting
) -> Observations:
    """The reports of stations as a table; each station's comes within a quarter of an hour, always as early or late.

    Args:
        truth: variable -> what is true at the stations, SI, shape (n,).
    """
    late = lateness(sites.station, seed)
    tables = []
    for name, (value, comes) in reporting.values(sites, truth, time, seed).items():
        if name == SPEED:  # stations report winds
            continue
        tables.append(
            Observations.build(
                station=sites.station[comes],
                network=sites.network[comes],
                latitude=sites.latitude[comes],
                longitude=sites.longitude[comes],
                elevation=sites.elevation[comes],
                time=time + late[comes].astype("timedelta64[s]"),
                variable=name,
                value=value[comes],
                source="simulated",
            )
        )
    return Observations.concatenate(tables)
