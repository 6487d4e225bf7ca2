"""A small simulated world: a truth, stations that measure it with errors, and an imperfect background.

For the demonstration and for tests that must know the truth. Weather is a sum of Gaussian random fields on
several scales, tied to the terrain: temperature falls with height but rises out of cold valleys, the dew point
stays below it, pressure is hydrostatic, wind turns around the highs and lows, fog and low cloud come
where the air is moist. The background is the truth of a place 20 km upstream, smoothed, warm-biased and noisy.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from mlrtma_dist.fields.climatology import standard_pressure_ratio
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.names import UNLIMITED_CEILING, VARIABLES
from mlrtma_dist.observations.table import Observations

LAPSE = 0.0065  # K/m
VALLEY_COLD = 0.006  # K per m of depth below the mean terrain: cold air pools
AIRPORTS = 0.3  # share of the stations that are airports; the others are a mesonet
GROSS = 0.02  # share of gross errors among the mesonet's reports
MISSING = 0.05  # share of values that do not come
AIRPORT_ONLY = ("visibility", "ceiling", "sky_cover", "psfc")
# Station error: standard deviation and bias in analysis space, airports and mesonet.
ERRORS = {
    "t2m": ((0.5, 0.0), (0.9, 0.3)),
    "d2m": ((0.7, 0.0), (1.2, -0.3)),
    "u10": ((0.8, 0.0), (1.3, 0.0)),
    "v10": ((0.8, 0.0), (1.3, 0.0)),
    "gust": ((1.0, 0.0), (1.5, 0.0)),
    "psfc": ((40.0, 0.0), (80.0, 0.0)),
    "visibility": ((0.15, 0.0), (0.3, 0.0)),
    "ceiling": ((0.2, 0.0), (0.3, 0.0)),
    "sky_cover": ((0.1, 0.0), (0.1, 0.0)),
}


@dataclass(frozen=True)
class World:
    """A simulated hour: what is, what is believed, what was measured."""

    truth: State
    background: State
    observations: Observations


def simulate_world(
    static: Static, time: np.datetime64, *, stations: int, seed: int, gross: float = GROSS
) -> World:
    """Simulate an hour on a domain.

    Args:
        static: domain and terrain.
        time: valid time.
        stations: number of stations, on land, at random.
        seed: the same seed gives the same world.
        gross: share of gross errors among the mesonet's reports.
    """
    generator = np.random.default_rng(seed)
    values = _weather(static, generator)
    truth = State(static.domain, time, values, static.terrain, "simulated truth")
    believed = _imperfect(values, static, generator)
    background = State(static.domain, time, believed, static.terrain, "simulated background")
    return World(truth, background, _measure(truth, static, stations, generator, gross))


def _field(static: Static, generator: np.random.Generator, length: float) -> np.ndarray:
    """Gaussian random field of unit variance and correlation length in m, shape (y, x)."""
    noise = generator.standard_normal(static.domain.shape)
    smooth = gaussian_filter(noise, length / static.domain.spacing_metres, mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def _weather(static: Static, generator: np.random.Generator) -> dict[str, np.ndarray]:
    terrain, relief = static.terrain, static.terrain - static.terrain_smooth
    temperature = 291.0 + 2.5 * _field(static, generator, 120e3) + 0.8 * _field(static, generator, 25e3)
    temperature += VALLEY_COLD * np.minimum(relief, 0.0) - LAPSE * terrain + 1.5 * (0.5 - static.land_smooth)
    depression = np.exp(1.4 + 0.7 * _field(static, generator, 80e3))
    pressure_sea = 101300.0 + 350.0 * _field(static, generator, 150e3)
    gradient_y, gradient_x = np.gradient(pressure_sea, static.domain.spacing_metres)
    turning = 1.0 / (1.2 * 1.0e-4) * 0.5  # 1 / (density * Coriolis parameter), halved by friction near the ground
    east = -gradient_y * turning + 1.2 * _field(static, generator, 30e3)
    north = gradient_x * turning + 1.2 * _field(static, generator, 30e3)
    gust = np.hypot(east, north) * 1.4 + 1.5 + np.abs(_field(static, generator, 30e3))
    cover = 1.0 / (1.0 + np.exp(1.2 * (depression - 4.0) - 1.5 * _field(static, generator, 60e3)))
    ceiling = np.where(cover > 0.6, np.clip(125.0 * depression, 60.0, 6000.0), UNLIMITED_CEILING)
    visibility = 16000.0 / (1.0 + np.exp(-2.5 * (depression - 1.5))) + 300.0
    made = {
        "t2m": temperature, "d2m": temperature - depression, "u10": east, "v10": north, "gust": gust,
        "psfc": pressure_sea * standard_pressure_ratio(terrain), "visibility": visibility, "ceiling": ceiling,
        "sky_cover": cover,
    }
    return {name: np.clip(value, *VARIABLES[name].valid).astype(np.float32) for name, value in made.items()}


def _imperfect(values: dict[str, np.ndarray], static: Static, generator) -> dict[str, np.ndarray]:
    """The background: displaced, smoothed, biased, with an error field of its own."""
    spacing = static.domain.spacing_metres
    made = {}
    for name, value in values.items():
        known, (_, (deviation, _)) = VARIABLES[name], ERRORS[name]
        space = np.asarray(known.to_analysis(value), dtype=np.float64)
        trend = LAPSE * static.terrain if name in ("t2m", "d2m") else 0.0
        if name == "psfc":
            space, trend = space / standard_pressure_ratio(static.terrain), 0.0
        moved = shift(space + trend, (0.0, 20e3 / spacing), order=1, mode="nearest")
        error = deviation * (0.4 + 1.2 * _field(static, generator, 60e3))
        moved = gaussian_filter(moved, 10e3 / spacing) - trend + error
        if name == "psfc":
            moved = moved * standard_pressure_ratio(static.terrain)
        made[name] = known.from_analysis(moved).astype(np.float32)
    made["d2m"] = np.minimum(made["d2m"], made["t2m"])
    return made


def _measure(
    truth: State, static: Static, stations: int, generator: np.random.Generator, gross: float
) -> Observations:
    land = np.argwhere(static.land > 0.5)
    place = land[generator.choice(len(land), stations)] + generator.uniform(-0.5, 0.5, (stations, 2))
    row, column = np.clip(place.T, 0, np.array(static.domain.shape)[:, None] - 1.0)
    domain = static.domain
    index = np.arange(stations)
    all_latitude, all_longitude = domain.latitude_longitude()
    latitude, longitude = bilinear(all_latitude, row, column), bilinear(all_longitude, row, column)
    elevation = bilinear(static.terrain, row, column)
    airport = generator.uniform(size=stations) < AIRPORTS
    names = np.array([f"{'AP' if a else 'MS'}{i:04d}" for i, a in zip(index, airport, strict=True)])
    seconds = generator.integers(-900, 900, stations).astype("timedelta64[s]")
    tables = []
    for name, field in truth.values.items():
        known = VARIABLES[name]
        error = np.array(ERRORS[name])[np.where(airport, 0, 1)]
        value = known.to_analysis(bilinear(field, row, column)) + error[:, 1]
        value = value + error[:, 0] * generator.standard_normal(stations)
        wild = ~airport & (generator.uniform(size=stations) < gross)
        value = value + np.where(wild, generator.choice([-25.0, 25.0], stations) * error[:, 0], 0.0)
        comes = (generator.uniform(size=stations) > MISSING) & (airport | (name not in AIRPORT_ONLY))
        tables.append(Observations.build(
            station=names[comes], network=np.where(airport, "airport", "mesonet")[comes], latitude=latitude[comes],
            longitude=longitude[comes], elevation=elevation[comes], time=truth.time + seconds[comes], variable=name,
            value=known.from_analysis(value[comes]), source="simulated",
        ))
    return Observations.concatenate(tables)
