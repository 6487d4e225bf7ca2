"""An analysis made of random fields, small enough to be written and drawn many times."""

import numpy as np
import pytest

from mlrtma_dist.fields.static import make_static
from mlrtma_dist.grid.domain import PLANE, Corner, Domain, Size
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Flag, Observations

TIME = np.datetime64("2022-08-24T06:00:00")


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
