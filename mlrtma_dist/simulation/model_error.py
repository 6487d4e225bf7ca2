"""Model error: how a simulated background differs from the truth.

A model's forecast is the same weather seen by a model (`weather.View`): all that moves lies some way off, small scales
are smoothed away, valleys are too warm at night and the day's swing is too small. To that a bias and a random error
field are added, the dew point's correlated with the temperature's. Displacement and random error grow with the square
root of the forecast's length.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.linalg.octaves import Octaves, seconds
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.speeds import SPEED
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.weather import View, Weather
from mlrtma_dist.simulation.weather_fields import WeatherFields

DISPLACEMENT, ERROR = 20, 21  # channels; the variables' errors count on from the last one
CHANGES = 86400.0  # s after which a displacement has another direction, and an error field another shape
STATED_LEAD = 6.0  # hours for which the numbers below hold
# Bias and standard deviation of what is added, in analysis space.
ADDED = {
    "t2m": (0.3, 0.9),
    "d2m": (-0.3, 1.0),
    "u10": (0.0, 1.3),
    "v10": (0.0, 1.3),
    "gust": (0.5, 1.5),
    "psfc": (15.0, 50.0),
    "visibility": (0.0, 0.35),
    "ceiling": (0.0, 0.4),
    "sky_cover": (0.02, 0.12),
}
SHARED = 0.5  # correlation of the errors of temperature and dew point
LONGEST, SHORTEST = 200e3, 12e3  # lattices of the error fields, m
SLOPE = 2.0


@dataclass(frozen=True)
class ModelError:
    """How good a model is.

    Attributes:
        lead: length of the forecast, hours.
        displacement: of a forecast of six hours, m; its direction changes from day to day.
        smoothing: random fields whose lattice is s m wide are weakened by exp(-(smoothing / s)^2), m.
        pools: share of the valleys' cold air that the model has, 0 to 1.
        swing: share of the sun's warmth that the model has, 0 to 1.
        bias: factor on the biases of ``ADDED``; 0: none.
        error: factor on the random errors of ``ADDED``; 0: none.
    """

    lead: float = 6.0
    displacement: float = 20e3
    smoothing: float = 15e3
    pools: float = 0.5
    swing: float = 0.9
    bias: float = 1.0
    error: float = 1.0

    def __post_init__(self):
        if min(self.lead, self.displacement, self.smoothing, self.error) < 0.0:
            raise ValueError(f"model: expected lead, displacement, smoothing and error from 0, got {self}")

    @property
    def growth(self) -> float:
        """Of displacement and random error, against six hours."""
        return float(np.sqrt(self.lead / STATED_LEAD))

    def view(self, seed: int, time: np.datetime64) -> View:
        """How the model sees an hour; the displacement is as long as it should be, its direction at random."""
        once = np.zeros(1)
        north, east = (
            Octaves(DISPLACEMENT, 1.0, 1.0, lifetime=CHANGES).draw(seed, once, once, seconds(time), member=member)[0, 0]
            for member in (0, 1)
        )
        length = self.growth * self.displacement / max(np.hypot(north, east), 1e-9)
        return View((float(length * north), float(length * east)), self.smoothing, self.pools, self.swing)

    def fields(
        self, weather: Weather, seed: int, ground: Ground, time: np.datetime64, errors: int | None = None
    ) -> dict[str, np.ndarray]:
        """The background on a box, as `hour.WeatherFields.fields`: what the variables share is right there, too.

        Args:
            seed: of the weather; errors: of the model's errors, where another forecast of it is wanted; None: ``seed``.
        """
        own = seed if errors is None else errors
        seen = WeatherFields(weather, seed, ground, time, self.view(own, time)).fields()
        drawn = {name: self._drawn(number, own, ground, time) for number, name in enumerate(VARIABLES)}
        drawn["d2m"] = SHARED * drawn["t2m"] + np.sqrt(1.0 - SHARED**2) * drawn["d2m"]
        erroneous = {}
        for name, value in seen.items():
            if name == SPEED:  # that of the erroneous wind
                continue
            bias, deviation = ADDED[name]
            added = self.bias * bias + self.error * self.growth * deviation * drawn[name]
            erroneous[name] = VARIABLES[name].from_analysis(VARIABLES[name].to_analysis(value) + added)
        erroneous[SPEED] = np.hypot(erroneous["u10"], erroneous["v10"])
        make_consistent(erroneous)
        return erroneous

    def _drawn(self, number: int, seed: int, ground: Ground, time: np.datetime64) -> np.ndarray:
        """The error field of a variable's number, of unit variance, shape (y, x)."""
        shortest = min(max(SHORTEST, 4.0 * ground.spacing), LONGEST)
        field = Octaves(ERROR + number, LONGEST, shortest, (SLOPE, SLOPE), lifetime=CHANGES)
        return field.draw(seed, ground.y, ground.x, seconds(time))
