"""SimulatedWeather: any number of cases of simulated weather on a domain, with a background and stations' reports.

A case is an hour of one world (`simulation.simulated_hour`), a given time after the one before; it is a function of the
seed and its number, never of the ranks. Stations stand at random, or where those of observation files and lists do, and
report at the terrain's height: the adjustment to it is made before an observation enters a store.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.imagery import NO_IMAGERY
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box, cell_of
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.stations import read_stations
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.simulation.cloud_imagery import CloudImagery
from mlrtma_dist.simulation.ground import Ground, require_earth
from mlrtma_dist.simulation.model_error import ModelError
from mlrtma_dist.simulation.reporting import Reporting, error_of, truth_at
from mlrtma_dist.simulation.simulated_hour import Simulation, lateness
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
    """A simulated weather: its variables, times, stations and errors.

    Attributes:
        variables: of ``names.VARIABLES``, in a store's order.
        start: time of case 0, UTC.
        every: hours from one case to the next. Not a divisor of 24, so that all times of day come; of what a forecast
            is learnt from 1, as each case is then the state before the next.
        stations: where stations stand.
        weather: the simulated truth.
        model: errors of the simulated background.
        reporting: errors of the simulated reports.
        seed: of everything random.
        imagery: images of the clouds as a satellite sees them; null: cases have none.
    """

    variables: tuple[str, ...] = ("t2m", "d2m", "u10", "v10")
    start: str = "2022-07-01T00:00"
    every: int = 7
    stations: Stations = Stations()
    weather: Weather = field(default_factory=Weather)
    model: ModelError = ModelError()
    reporting: Reporting = Reporting()
    seed: int = 1
    imagery: CloudImagery | None = None

    def __post_init__(self):
        unknown = [name for name in self.variables if name not in VARIABLES]
        if unknown or not self.variables or len(set(self.variables)) != len(self.variables):
            raise ValueError(f"variables: expected some of {', '.join(VARIABLES)}, each once, got {self.variables}")
        if self.every < 1:
            raise ValueError(f"every: expected whole hours from 1, got {self.every}")
        clock.parse_time(self.start)

    def on(self, domain: Domain, first: int = 0, count: int = 1) -> "SimulatedWeatherCases":
        """The cases on a domain, with its terrain and stations, ``count`` from number ``first`` on.

        Raises:
            InputError: terrain or stations cannot be had, or the domain is a plane.
        """
        require_earth(domain)
        static = load_static(domain)
        sites = self.stations.sites(static, self.seed)
        ground = bilinear(static.terrain, sites.row, sites.column).astype(np.float64)
        return SimulatedWeatherCases(self, static, replace(sites, elevation=ground), first, count)


@dataclass(frozen=True)
class SimulatedWeatherCases:
    """Simulated weather on a domain as a source of cases (`methods.case.Cases`); stations stand on the terrain.

    Attributes:
        law: the world; static: the domain; sites: of the stations.
        first: number of the first case in the world; count: of cases.
    """

    law: SimulatedWeather
    static: Static
    sites: Sites
    first: int
    count: int

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        names, images = self.law.variables, self.law.imagery
        return Contents(
            self.static.domain,
            names,
            tuple(VARIABLES[name].unit for name in names),
            names,
            background=True,
            truth=True,
            imagery=images.channels if images else (),
            imagery_units=images.units if images else (),
        )

    @property
    def time(self) -> np.ndarray:
        """Of every case, datetime64[s], shape (case,)."""
        hours = self.law.every * np.arange(self.first, self.first + self.count)
        return clock.parse_time(self.law.start) + hours.astype("timedelta64[h]")

    def reports(self, number: int) -> Observations:
        """The reports of a case, n rows."""
        return self.case(number, Box.whole(self.static.domain.shape)).observations

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box with the reports of the whole domain; see `methods.case.Cases.case`."""
        whole = Box.whole(self.static.domain.shape)
        case = self.case_of_tile(number, whole)
        withheld = np.zeros(len(case.observations), dtype=bool) if withheld is None else withheld
        background, truth = (
            {name: field[box.slices] for name, field in group.items()} for group in (case.background, case.truth or {})
        )
        return replace(case, box=box, used=~withheld, withheld=withheld, background=background, truth=truth)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """A case on a box with the reports of the stations that the box owns."""
        law, shape, time = self.law, self.static.domain.shape, self.time[number]
        # one point more, as far as the domain reaches: a station between two boxes lies between points of both
        wide = Box(max(box.y0 - 1, 0), min(box.y1 + 1, shape[0]), max(box.x0 - 1, 0), min(box.x1 + 1, shape[1]))
        simulation = Simulation(law.weather, law.model, law.reporting)
        truth, background = simulation.fields(self.static, wide, time, law.seed)
        cut = (slice(box.y0 - wide.y0, box.y1 - wide.y0), slice(box.x0 - wide.x0, box.x1 - wide.x0))
        reports, place = self._reports(truth, box, wide, time)
        everything = np.ones(len(reports), dtype=bool)
        own, other = ({name: field[name][cut] for name in law.variables} for field in (truth, background))
        imagery = NO_IMAGERY
        if law.imagery is not None:
            here = {name: field[cut] for name, field in truth.items()}
            imagery = law.imagery.of(here, Ground.of(self.static, box), box, time, law.seed)
        state = State(self.static.domain, time, background, self.static.terrain, "simulated background")
        guess = GriddedFirstGuess(state, state.origin) if box.shape == shape else None
        return Case(
            self.static,
            box,
            time,
            reports,
            everything,
            ~everything,
            guess,
            place=place,
            truth=own,
            background=other,
            variables=law.variables,
            imagery=imagery,
        )

    def _reports(self, truth: dict[str, np.ndarray], box: Box, wide: Box, time: np.datetime64):
        """The reports of the stations of a box, by the truth on the wider box around it, and their grid coordinates."""
        place = np.stack([self.sites.row, self.sites.column], 1)
        rows = box.owns(cell_of(place, self.static.domain.shape, False))
        sites, place = self.sites[rows], place[rows]
        at_sites = truth_at(sites, truth, self.static, (wide.y0, wide.x0))
        values = self.law.reporting.values(sites, at_sites, time, self.law.seed)
        tables, places = [], []
        for name in self.law.variables:
            value, comes = values[name]
            scale = value if VARIABLES[name].transform == "log" else 1.0
            error = error_of(name, sites.kind)[0] * scale
            kept = sites[comes]
            tables.append(
                Observations.build(
                    station=kept.station,
                    network=kept.network,
                    latitude=kept.latitude,
                    longitude=kept.longitude,
                    elevation=kept.elevation,
                    time=time + lateness(kept.station, self.law.seed).astype("timedelta64[s]"),
                    variable=name,
                    value=value[comes],
                    error=error[comes],
                    source="simulated",
                )
            )
            places.append(place[comes])
        return Observations.concatenate(tables), np.concatenate(places)
