"""WeatherFields: simulated weather at one time, whose variables belong together, on any box of a domain.

Random fields (`linalg.octaves`), fronts, the sun and the ground make it, in this order:

1. Pressure at sea level: a random field and the fronts' troughs. Its gradient gives the geostrophic wind; near the
   ground friction slows it and turns it towards the low, ridges are windier than valleys, a clear night is calmer than
   a sunny day. Eddies of smaller scale are added.
2. Cloud: a random field, moist air and the fronts' bands, through a logistic curve.
3. The air's temperature: the climatology of latitude and season (`fields.climatology`), air masses, fronts, less with
   height, land against sea by season. Near the ground the sun of the last hours warms it below a clear sky; on clear,
   calm nights cold air lies in the valleys.
4. Dew point: its depression below the *air* is random; what the ground has warmed or cooled is added, so that the dew
   point hardly follows the day; a softplus keeps it above zero.
5. Surface pressure: hydrostatic, with the virtual temperature of the air, which no ground has warmed or cooled.
6. Gust, visibility and ceiling follow from wind, warmth, relief, depression and cover.

All is computed point by point: a box is the cut of the whole domain to the last bit. Numbers that name no source were
set so that spectra, spreads and the day's course are near those of real fields and reports (docs/simulated_worlds.md).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.fields import adjustment, climatology
from mlrtma_dist.grid.domain import rotate
from mlrtma_dist.linalg.octaves import seconds
from mlrtma_dist.names import STANDARD_PRESSURE, UNLIMITED_CEILING, VARIABLES
from mlrtma_dist.simulation.fronts import Front
from mlrtma_dist.simulation.ground import Ground, declination_of
from mlrtma_dist.simulation.weather import TRUTH, View, Weather

MIDDLE = np.sin(np.deg2rad(45.0)) ** 2  # strengths are those of 45 degrees of latitude and fade towards the equator
ROTATION = 7.292e-5  # of the earth, s-1
LEAST_CORIOLIS = 4e-5  # s-1; within some 16 degrees of the equator wind does not follow the pressure's gradient
DENSITY = 1.2  # kg m-3
SLOWED, TURNED = (0.8, 0.6), (15.0, 25.0)  # by friction over sea and land: share of the geostrophic speed, degrees
CALMED = 0.5  # share of the wind over land that a clear night takes
OVERCAST = 0.6  # cover from which a ceiling is reported: BKN, five eighths
BASE = 125.0  # m of cloud base per K of dew-point depression (Lawrence 2005, BAMS 86, 225-233)
CLOUDLESS = 6000.0  # m; higher bases are not made
SEASON = 8.0  # K between land and sea at 45 degrees at a solstice,
AT_SOLSTICE = 0.281  # where sin(latitude) sin(declination) is this: sin(45) sin(23.4)
SOFT = 0.3  # K over which the depression bends to stay above zero
OVER_SEA = 0.7  # of the temperature's variations: water evens them out
CLEAREST, FOGGIEST = 16100.0, 300.0  # visibility in dry air, 10 miles, and in dense fog, m
RIDGE = 1200.0  # m of relief that double the wind
LOG_DEPRESSION = 1.7  # logarithm of the depression in K at 283 K
DRIER = 0.03  # by which it grows per K of the air's temperature: deserts are warm


@dataclass(frozen=True)
class WeatherFields:
    """The weather of a time on a box.

    Attributes:
        weather: its parameters; seed: of everything random.
        ground: of the box.
        time: UTC.
        view: the truth, or how a model sees it.
    """

    weather: Weather
    seed: int
    ground: Ground
    time: np.datetime64
    view: View = TRUTH

    def fields(self) -> dict[str, np.ndarray]:
        """All variables of ``names.VARIABLES`` within their valid ranges, SI, float64, shape (y, x) each."""
        (east, north), depression = self.wind, self.depression
        temperature = self.air + self.warmed
        along_earth = rotate(east, north, self.ground.convergence)
        dry = 1.0 / (1.0 + np.exp(-1.2 * (depression - 1.0 - 3.0 * self.cover)))  # half way at 1 K, 4 K below cloud
        visibility = FOGGIEST + (CLEAREST - FOGGIEST) * dry
        variables = {
            "t2m": temperature,
            "d2m": temperature - depression,
            "u10": along_earth[0],
            "v10": along_earth[1],
            "gust": self._gust(np.hypot(east, north)),
            "psfc": self._surface_pressure(),
            "visibility": visibility,
            "ceiling": self._ceiling(depression),
            "sky_cover": self.cover,
            "wind_speed": np.hypot(east, north),
        }
        return {name: np.clip(value, *VARIABLES[name].valid) for name, value in variables.items()}

    @cached_property
    def strength(self) -> np.ndarray:
        """Of the weather against that at 45 degrees: a fifth at the equator, up to 1.8 at the poles."""
        return 0.2 + 0.8 * np.sin(np.deg2rad(self.ground.latitude)) ** 2 / MIDDLE

    @cached_property
    def wide(self) -> tuple[np.ndarray, np.ndarray]:
        """Places in m, one point wider than the box on each side, as a model sees them."""
        y, x = (
            np.concatenate([axis[:1] - self.ground.spacing, axis, axis[-1:] + self.ground.spacing]) - moved
            for axis, moved in zip((self.ground.y, self.ground.x), self.view.shift, strict=True)
        )
        return y, x

    @cached_property
    def fronts(self) -> list[tuple[Front, np.ndarray]]:
        """Those that are felt, and the distance of the wider box's points ahead of each."""
        now = seconds(self.time)
        near = self.weather.fronts.near(self.seed, now, self.ground.centre, self.ground.northern)
        return [(front, front.ahead(*self.wide, now)) for front in near if front.is_felt(*self.wide, now)]

    @cached_property
    def cooling(self) -> np.ndarray:
        """What fronts add to temperature, K, on the box."""
        return sum((front.temperature(ahead[1:-1, 1:-1]) for front, ahead in self.fronts), np.zeros(self.ground.shape))

    @cached_property
    def bands(self) -> np.ndarray:
        """Of cloud along the fronts, one on a line, on the box."""
        return sum((front.cloud(ahead[1:-1, 1:-1]) for front, ahead in self.fronts), np.zeros(self.ground.shape))

    def random(self, name: str, wide: bool = False) -> np.ndarray:
        """The random field of a quantity on the box, or on the wider one."""
        y, x = self.wide if wide else (axis[1:-1] for axis in self.wide)
        smoothing = self.view.smoothing
        return self.weather.octaves(name, self.ground.spacing).draw(
            self.seed, y, x, seconds(self.time), gain=lambda spacing: np.exp(-((smoothing / spacing) ** 2))
        )

    @cached_property
    def pressure(self) -> np.ndarray:
        """Departure of sea-level pressure at 45 degrees of latitude, Pa, on the wider box."""
        departure = self.weather.pressure * self.random("pressure", wide=True)
        return departure + sum(front.pressure(ahead) for front, ahead in self.fronts)

    @cached_property
    def wind(self) -> tuple[np.ndarray, np.ndarray]:
        """Along the grid's x and y, m/s."""
        step = 2.0 * self.ground.spacing
        uphill = (self.pressure[2:, 1:-1] - self.pressure[:-2, 1:-1]) / step
        across = (self.pressure[1:-1, 2:] - self.pressure[1:-1, :-2]) / step
        coriolis = 2.0 * ROTATION * np.sin(np.deg2rad(self.ground.latitude))
        turning = self.strength * coriolis / (coriolis**2 + LEAST_CORIOLIS**2) / DENSITY  # 1 / (density f), tamed
        slowed, turned = (sea + (land - sea) * self.ground.land_smooth for sea, land in (SLOWED, TURNED))
        angle = np.deg2rad(turned) * np.where(self.ground.latitude < 0.0, -1.0, 1.0)
        east, north = rotate(-slowed * turning * uphill, slowed * turning * across, angle)
        eddies = self.weather.wind * np.sqrt(self.strength)
        exposed = np.clip(1.0 + self.ground.relief / RIDGE, 0.4, 1.8)
        exposed = exposed * (1.0 - CALMED * self.ground.land_smooth * self.night * (1.0 - self.cover))
        return (east + eddies * self.random("east")) * exposed, (north + eddies * self.random("north")) * exposed

    @cached_property
    def dry(self) -> np.ndarray:
        """Standardised moisture, positive where dry; fronts bring moist air, and drier behind."""
        return self.random("moisture") - 1.5 * self.bands - 0.1 * self.cooling

    @cached_property
    def cover(self) -> np.ndarray:
        """Share of the sky that is covered, 0 to 1."""
        return 1.0 / (1.0 + np.exp(-0.3 + 1.4 * self.dry - 2.2 * self.random("cloud") - 2.5 * self.bands))

    @cached_property
    def night(self) -> np.ndarray:
        """How far it is night: 0 while the sun is up, 1 from six degrees below the horizon."""
        return np.clip(-self.ground.sunshine(self.time) / np.sin(np.deg2rad(6.0)), 0.0, 1.0)

    @cached_property
    def air(self) -> np.ndarray:
        """Temperature that neither sun nor night has changed, K, at the ground's height."""
        ground, weather = self.ground, self.weather
        mean = climatology.mean("t2m", ground.latitude, 0.0, self.time) - weather.lapse * ground.terrain
        moving = weather.air * self.random("air") + self.cooling
        season = SEASON / AT_SOLSTICE * np.sin(np.deg2rad(ground.latitude)) * np.sin(declination_of(self.time))
        moving = moving * (OVER_SEA + (1.0 - OVER_SEA) * ground.land_smooth)
        return mean + self.strength * moving + season * (ground.land_smooth - 0.5)

    @cached_property
    def warmed(self) -> np.ndarray:
        """What the sun has added, and the night taken, K."""
        ground, clear = self.ground, 1.0 - self.cover
        inland = 0.1 + 0.9 * ground.land_smooth
        sun = self.view.swing * self.weather.warmth * inland * (1.0 - 0.7 * self.cover) * ground.warmth(self.time)
        depth = np.minimum(self.weather.pool * np.maximum(-ground.relief, 0.0), self.weather.deepest)
        calm = np.exp(-((np.hypot(*self.wind) / 6.0) ** 2))
        return sun - self.view.pools * depth * self.night * clear * calm * ground.land_smooth

    @cached_property
    def depression(self) -> np.ndarray:
        """Of the dew point, K, above zero."""
        typical = LOG_DEPRESSION + DRIER * (self.air - 283.0)
        away = np.exp(typical + self.weather.moisture * self.dry) + 0.85 * self.warmed
        return SOFT * np.logaddexp(0.0, away / SOFT)

    def _surface_pressure(self) -> np.ndarray:
        sea = STANDARD_PRESSURE + self.strength * self.pressure[1:-1, 1:-1]
        terrain = self.ground.terrain
        below = self.air + self.weather.lapse * terrain  # the air's temperature at sea level
        moist = adjustment.virtual_temperature(below, below - np.exp(LOG_DEPRESSION), sea)
        return np.exp(adjustment.adjust_log_pressure(np.log(sea), terrain, moist))

    def _gust(self, speed: np.ndarray) -> np.ndarray:
        """At least the mean wind; more where the ground warms the air or is rough."""
        lively = 0.3 + 0.04 * np.maximum(self.warmed, 0.0) + np.minimum(np.abs(self.ground.relief) / 1500.0, 0.3)
        return speed * (1.0 + lively) + np.maximum(0.8 + 0.8 * self.random("gust"), 0.0)

    def _ceiling(self, depression: np.ndarray) -> np.ndarray:
        """Base of the clouds above ground where they cover the sky, else unlimited, m."""
        base = BASE * depression * np.exp(0.35 * self.random("ceiling"))
        return np.where(self.cover > OVERCAST, np.clip(base, 30.0, CLOUDLESS), UNLIMITED_CEILING)
