"""SimulatedWeather: any number of cases of simulated weather on a domain, with a background and stations' reports.

A case is an hour of one world (`simulation.simulated_hour`), a given time after the one before; it is a function of the
seed and its number, never of the ranks. Stations stand at random, or where those of observation files and lists do, and
report at the terrain's height: the adjustment to it is made before an observation enters a store.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box, cell_of
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.stations import read_stations
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.build import Case
from mlrtma_dist.samples.store import Layout, Table
from mlrtma_dist.simulation.ground import require_earth
from mlrtma_dist.simulation.model_error import ModelError
from mlrtma_dist.simulation.reporting import Reporting, error_of, truth_at
from mlrtma_dist.simulation.simulated_hour import Simulation
from mlrtma_dist.simulation.sites import KINDS, Sites, joined, listed_sites, observed_sites, random_sites
from mlrtma_dist.simulation.weather import Weather


@dataclass(frozen=True)
class Stations:
    """Where stations stand; all that is named adds up.

    Attributes:
        random: number of stations at random points of the land; ships: of the water.
        files: observation files whose stations are taken, with their networks.
        lists: lists of stations; kind: of those in the lists: airport, mesonet or ship.
    """

    random: int = 300
    ships: int = 0
    files: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    kind: str = "airport"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        if min(self.random, self.ships) < 0 or not (self.random or self.ships or self.files or self.lists):
            raise ValueError("stations: expected some: random or ships above 0, or files, or lists")

    def sites(self, static: Static, seed: int) -> Sites:
        """The stations on a domain.

        Raises:
            InputError: a file cannot be used, or none of its stations lies on the domain.
        """
        parts = []
        if self.random or self.ships:
            parts.append(random_sites(static, self.random, seed, self.ships))
        if self.files:
            parts.append(observed_sites(static, Observations.concatenate([read_observations(f) for f in self.files])))
        if self.lists:
            parts.append(listed_sites(static, read_stations(self.lists), self.kind))
        return joined(parts)


@dataclass(frozen=True)
class SimulatedWeather:
    """A world of twins.

    Attributes:
        variables: of ``names.VARIABLES``, in a store's order.
        start: time of case 0, UTC; every: hours from one case to the next. Not a divisor of 24, so that all times of
            day come.
        stations: where they stand.
        weather, model, reporting: what is simulated.
        seed: of everything random.
    """

    variables: tuple[str, ...] = ("t2m", "d2m", "u10", "v10")
    start: str = "2022-07-01T00:00"
    every: int = 7
    stations: Stations = Stations()
    weather: Weather = field(default_factory=Weather)
    model: ModelError = ModelError()
    reporting: Reporting = Reporting()
    seed: int = 1

    def __post_init__(self):
        unknown = [name for name in self.variables if name not in VARIABLES]
        if unknown or not self.variables or len(set(self.variables)) != len(self.variables):
            raise ValueError(f"variables: expected some of {', '.join(VARIABLES)}, each once, got {self.variables}")
        if self.every < 1:
            raise ValueError(f"every: expected whole hours from 1, got {self.every}")
        clock.parse_time(self.start)

    def layout(self, domain: Domain, edge: int) -> Layout:
        """How a store keeps such cases; chunks of ``edge`` points."""
        fields = tuple(f"{part}_{name}" for part in ("background", "truth") for name in self.variables)
        units = tuple(VARIABLES[name].unit for name in self.variables)
        return Layout(domain.name, domain.shape, False, fields, self.variables, edge, units=units)

    def time(self, cases: int) -> np.ndarray:
        """Of so many cases, datetime64[s]."""
        return clock.parse_time(self.start) + self.every * np.arange(cases).astype("timedelta64[h]")

    def on(self, domain: Domain) -> "SimulatedWeatherCases":
        """The cases on a domain, with its terrain and stations.

        Raises:
            InputError: terrain or stations cannot be had, or the domain is a plane.
        """
        require_earth(domain)
        static = load_static(domain)
        sites = self.stations.sites(static, self.seed)
        ground = bilinear(static.terrain, sites.row, sites.column).astype(np.float64)
        return SimulatedWeatherCases(self, static, replace(sites, elevation=ground))


@dataclass(frozen=True)
class SimulatedWeatherCases:
    """SimulatedWeather on a domain: world, static fields, and stations at the terrain's height."""

    world: SimulatedWeather
    static: Static
    sites: Sites

    def make(self, number: int, box: Box) -> Case:
        """The case of a number, on a box of the domain; see `build.build_store`."""
        world, shape = self.world, self.static.domain.shape
        time = world.time(number + 1)[number]
        # one point more, as far as the domain reaches: a station between two boxes lies between points of both
        wide = Box(max(box.y0 - 1, 0), min(box.y1 + 1, shape[0]), max(box.x0 - 1, 0), min(box.x1 + 1, shape[1]))
        simulation = Simulation(world.weather, world.model, world.reporting)
        truth, believed = simulation.fields(self.static, wide, time, world.seed)
        cut = (slice(box.y0 - wide.y0, box.y1 - wide.y0), slice(box.x0 - wide.x0, box.x1 - wide.x0))
        fields = np.stack([part[name][cut] for part in (believed, truth) for name in world.variables])
        return Case(fields, self._table(truth, box, wide, time))

    def _table(self, truth: dict[str, np.ndarray], box: Box, wide: Box, time: np.datetime64) -> Table:
        """What the stations of a box say, by the truth on the wider box around it."""
        place = np.stack([self.sites.row, self.sites.column], 1)
        mine = box.owns(cell_of(place, self.static.domain.shape, False))
        sites, place = self.sites[mine], place[mine]
        true = truth_at(sites, truth, self.static, (wide.y0, wide.x0))
        said = self.world.reporting.values(sites, true, time, self.world.seed)
        parts = []
        for number, name in enumerate(self.world.variables):
            value, comes = said[name]
            error = error_of(name, sites.kind)[0] * (value if VARIABLES[name].transform == "log" else 1.0)
            parts.append((place[comes], value[comes], error[comes], np.full(comes.sum(), number)))
        return Table(*(np.concatenate(column) for column in zip(*parts, strict=True)))
