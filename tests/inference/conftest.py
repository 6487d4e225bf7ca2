"""Analyses of random fields, small enough to be written and drawn many times, and of equal reports everywhere."""

import numpy as np
import pytest

from mlrtma_dist.fields.static import make_static
from mlrtma_dist.grid.domain import PLANE, Corner, Domain, Size
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.map_atlas import Atlas
from mlrtma_dist.inference.map_canvas import Base
from mlrtma_dist.inference.map_settings import load_map_settings
from mlrtma_dist.names import FOOT, MILE, VARIABLES
from mlrtma_dist.observations.table import Flag, Observations

TIME = np.datetime64("2022-08-24T06:00:00")
LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"
REPORTS = {
    "t2m": 271.15,
    "d2m": 258.15,
    "u10": -7.7,
    "v10": 6.4,
    "psfc": 90000.0,
    "visibility": 0.5 * MILE,
    "ceiling": 700.0 * FOOT,
    "sky_cover": 0.75,
}


@pytest.fixture
def make_domain():
    def make(projection: str, *, spacing=25e3, corner=(38.0, -103.0), size=(14, 11), name="made") -> Domain:
        place = None if projection == PLANE else Corner(*corner)
        return Domain(name, f"made, {projection}", projection, Size(*size), spacing, place)

    return make


@pytest.fixture
def make_analysis():
    def make(domain: Domain, names=("t2m", "visibility"), *, seed=3, num_stations=12) -> Analysis:
        generator = np.random.default_rng(seed)
        fields = {group: {} for group in ("values", "first_guess", "error")}
        for name in names:
            low, high = VARIABLES[name].valid
            for group in ("values", "first_guess"):
                fields[group][name] = generator.uniform(low, high, domain.shape).astype(np.float32)
            fields["error"][name] = generator.uniform(0.1, 2.0, domain.shape).astype(np.float32)
        terrain, land = generator.uniform(0, 900, domain.shape), generator.uniform(0, 1, domain.shape)
        table = _stations(domain, names, num_stations, generator)
        departure = generator.normal(size=(2, len(table)))
        weight = np.where(table.good, 1.0, np.nan)
        return Analysis(
            make_static(domain, terrain, land),
            TIME,
            **fields,
            observations=table,
            background_departure=departure[0],
            analysis_departure=departure[1],
            observation_error=np.ones(len(table)),
            weight=weight,
            method="oi",
            first_guess_name="made of random numbers",
            notes=("nothing here is weather",),
        )

    return make


@pytest.fixture
def atlas(make_domain, make_analysis):
    """1000 stations on a domain of 1500 km, all with the same reports, in the units of the US."""
    domain = make_domain(LAMBERT, spacing=10e3, size=(150, 110), corner=(33.0, -105.0))
    analysis = make_analysis(domain, (*REPORTS, "gust"), num_stations=1000)
    table = analysis.observations
    for name, value in REPORTS.items():
        table.value[table.variable == name] = value
    table.elevation[:] = 900.0
    analysis.static.terrain[:] = 900.0  # a constant pressure at sea level has no isobars
    for name, value in (*REPORTS.items(), ("gust", 12.0)):
        analysis.values[name][:] = value
    return Atlas(analysis, Base(analysis.static), load_map_settings("us"))


def _stations(domain, names, num_stations, generator) -> Observations:
    """Stations at random grid points; the first of each variable is a gross error, the second a duplicate."""
    row, column = (generator.integers(1, n - 1, num_stations) for n in domain.shape)
    if domain.is_plane:
        latitude = longitude = np.zeros(num_stations)
    else:
        latitude, longitude = (a[row, column] for a in domain.latitude_longitude())
    flags = np.zeros(num_stations, np.uint32)
    flags[:2] = Flag.GROSS, Flag.DUPLICATE
    return Observations.concatenate(
        [
            Observations.build(
                station=[f"S{i}" for i in range(num_stations)],
                network=["187"] * num_stations,
                latitude=latitude,
                longitude=longitude,
                time=np.full(num_stations, TIME),
                variable=np.full(num_stations, name),
                value=np.ones(num_stations),
                flags=flags,
                source=["made.csv"] * num_stations,
            )
            for name in names
        ]
    )
