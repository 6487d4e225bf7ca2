"""Weather: what a simulated weather is like -- its parameters, its random fields, and how a model sees it.

How the variables follow from these is `simulation.weather_fields`.
"""

from dataclasses import dataclass

from mlrtma_dist.linalg.octaves import Octaves
from mlrtma_dist.names import STANDARD_LAPSE_RATE
from mlrtma_dist.simulation.fronts import Fronts

DAY = 86400.0
# A model's fields are smooth below some six grid lengths; a lattice of s makes waves of 3 s and more.
WIND, FINEST, COARSER = 1.2, 2.0, 5.0  # lattices in grid lengths
CONVECTIVE = 5.0 / 3.0
EDDIES = 1.4  # of the wind near the ground in HRRR and AROME below 120 km
# Random fields: channel of the noise, longest lattice in m, shortest in grid lengths or m, slopes of the spectrum.
FIELDS = {
    "pressure": (1, 1200e3, 100e3, (5.0, 5.0)),  # the wind is its gradient, of slope 3
    "air": (2, 800e3, FINEST, (3.0, CONVECTIVE)),
    "moisture": (3, 600e3, FINEST, (CONVECTIVE, CONVECTIVE)),
    "cloud": (4, 300e3, COARSER, (CONVECTIVE, CONVECTIVE)),
    "east": (5, 120e3, WIND, (EDDIES, EDDIES)),
    "north": (6, 120e3, WIND, (EDDIES, EDDIES)),
    "gust": (7, 60e3, COARSER, (CONVECTIVE, CONVECTIVE)),
    "ceiling": (8, 60e3, COARSER, (CONVECTIVE, CONVECTIVE)),
}
BEND = 300e3  # m, lattice of the air masses where the spectrum bends
LARGEST = 1200e3  # m, the lattice whose lifetime is stated


@dataclass(frozen=True)
class View:
    """How a model sees the weather; the defaults see the truth.

    Attributes:
        shift: by which everything that moves is displaced (northward, eastward along the grid), m.
        smoothing: random fields whose lattice is s m wide are weakened by exp(-(smoothing / s)^2).
        pools, swing: share of the valleys' cold air, and of the sun's warmth, that it knows.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    smoothing: float = 0.0
    pools: float = 1.0
    swing: float = 1.0


TRUTH = View()


@dataclass(frozen=True)
class Weather:
    """A simulated weather of all variables for all times.

    Attributes:
        air: standard deviation of the random field of temperature at 45 degrees of latitude, K.
        pressure: the same of sea-level pressure, Pa.
        wind: the same of each component of the small-scale wind, m/s.
        moisture: standard deviation of the logarithm of the dew-point depression, without unit.
        lapse: decrease of temperature with height, K/m.
        warmth: of the ground under a clear sky by a sun in the zenith, K.
        pool: cold air in valleys, K per m below the mean terrain around.
        deepest: the largest value of the cold air in valleys, K.
        steering: velocity with which everything moves (northward, eastward along the grid), m/s.
        lifetime: of weather of the largest scale, days.
        fronts: the fronts' contrast, width, speed and trough.
    """

    air: float = 3.4
    pressure: float = 420.0
    wind: float = 2.8
    moisture: float = 0.45
    lapse: float = STANDARD_LAPSE_RATE
    warmth: float = 15.0
    pool: float = 0.012
    deepest: float = 8.0
    steering: tuple[float, ...] = (0.0, 8.0)
    lifetime: float = 2.0
    fronts: Fronts = Fronts()

    def __post_init__(self):
        if len(self.steering) != 2 or not self.lifetime > 0.0:
            got = self.steering, self.lifetime
            raise ValueError(f"steering, lifetime: expected two numbers and days above 0, got {got}")

    def octaves(self, name: str, spacing: float) -> Octaves:
        """The random field of a quantity of ``FIELDS`` on a grid of a spacing in m."""
        channel, longest, shortest, slopes = FIELDS[name]
        shortest = shortest if shortest > 1e3 else shortest * spacing  # grid lengths are few, metres thousands
        days = self.lifetime * (longest / LARGEST) ** (2.0 / 3.0)
        in_y, in_x = self.steering
        return Octaves(
            channel,
            longest,
            min(shortest, longest),
            slopes,
            bend=BEND,
            velocity=(in_y, in_x),
            lifetime=days * DAY,
        )
