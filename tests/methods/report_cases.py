"""Hours of invented reports on the toy domain, for tests of methods that read reports."""

from functools import cache

import numpy as np

from mlrtma_dist.fields.static import Static, load_static, station_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.observations.table import Observations

VARIABLES = ("t2m", "u10", "v10", "visibility")
TINY = {
    "variables": list(VARIABLES),
    "token_spacing": 40e3,
    "neighbours": 6,
    "width": 8,
    "heads": 2,
    "rounds": 1,
    "depth": 2,
    "window": 3,
    "latent": 4,
    "hidden": 16,
}


@cache
def toy() -> Static:
    """The toy domain with its terrain."""
    return load_static(load_domain("toy"))


def hour(stations: int = 60, seed: int = 0, box: Box | None = None, withheld: int = 12) -> Case:
    """Waves of temperature and wind, and fog where it is cold, at random stations, of which some are withheld."""
    static, random = toy(), np.random.default_rng(seed)
    rows, columns = static.domain.shape
    place = np.stack([random.uniform(2, rows - 3, stations), random.uniform(2, columns - 3, stations)], 1)
    latitude, longitude = static.domain.position(*place.T)
    elevation = station_points(static, latitude, longitude, np.full(stations, np.nan)).elevation
    phase = random.uniform(0, 6)
    wave = np.sin(place[:, 0] / 25.0 + phase) + np.cos(place[:, 1] / 30.0 - phase)
    values = {
        "t2m": 288.0 + 4.0 * wave - 0.0065 * elevation + random.normal(0, 0.3, stations),
        "u10": 3.0 * wave + random.normal(0, 0.3, stations),
        "v10": 3.0 - 2.0 * wave + random.normal(0, 0.3, stations),
        "visibility": np.where(wave > -0.5, 16093.0, 1000.0),
    }
    time = np.datetime64("2026-01-01T06:00:00", "s") + np.timedelta64(seed, "h")
    names = np.array([f"S{number:03d}" for number in range(stations)])
    tables = [
        Observations.build(
            station=names,
            network="test",
            latitude=latitude,
            longitude=longitude,
            elevation=elevation,
            time=time,
            variable=np.full(stations, name),
            value=value,
        )
        for name, value in values.items()
    ]
    table = Observations.concatenate(tables)
    out = np.isin(table.station, names[:withheld])
    whole = Box.whole(static.domain.shape)
    return Case(static, box or whole, time, table, ~out, out, variables=VARIABLES)
