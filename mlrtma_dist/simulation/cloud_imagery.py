"""Images of the clouds of simulated weather as a satellite has them: not the sky cover itself, but related to it.

The cover seen from above differs from that seen from below by thin cloud, and the height of the top from that of the
base by the depth of the cloud; both are random fields that no report tells. Every pixel has an error of its own. An
image may end within the domain, at the edge of a swath, or be missing.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.imagery import NO_IMAGERY, Imagery
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import WORD, normal, uniform
from mlrtma_dist.linalg.octaves import CHANNELS, Octaves, seconds
from mlrtma_dist.names import STANDARD_LAPSE_RATE, UNLIMITED_CEILING
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.weather import CONVECTIVE

UNITS = {"cloud_brightness": "1", "window_temperature": "K"}  # of every channel
THIN, DEPTH = 71, 72  # octaves' channels of the noise
PIXELS, LOTS = 73 * CHANNELS, 75 * CHANNELS  # channels of the noise: of each image, and of each time
PATTERN = 150e3, 5.0  # longest lattice in m, shortest in grid lengths
HOUR = 3600.0  # s
DARK, BRIGHT = 0.12, 0.6  # brightness of the ground, and what an overcast sky adds
THIN_LOGIT = 0.8  # deviation of the logit of the cover seen from above from that of the true cover
TYPICAL_DEPTH, DEPTH_LOG = 1200.0, 0.5  # m from base to top, and the deviation of its logarithm
MIDDLE = 3000.0  # m above ground, base of cloud that is no ceiling
HIGHEST = 11000.0  # m, of a top


@dataclass(frozen=True)
class CloudImagery:
    """Which images there are, and their errors.

    Attributes:
        channels: cloud_brightness (a reflectance, 1) and window_temperature (a brightness temperature, K), or one.
        brightness_noise: standard deviation of the error of each pixel of cloud_brightness, a number without a unit.
        temperature_noise: the same of window_temperature, K.
        absent: share of the times that have no image, 0 to 1.
        swath: share of the others whose image ends on a straight line within the domain, 0 to 1.
    """

    channels: tuple[str, ...] = tuple(UNITS)
    brightness_noise: float = 0.08
    temperature_noise: float = 2.0
    absent: float = 0.1
    swath: float = 0.3

    def __post_init__(self):
        unknown = [name for name in self.channels if name not in UNITS]
        if unknown or not self.channels or len(set(self.channels)) < len(self.channels):
            raise ValueError(f"channels: expected some of {', '.join(UNITS)}, each once, got {self.channels}")
        if min(self.brightness_noise, self.temperature_noise) < 0.0:
            got = self.brightness_noise, self.temperature_noise
            raise ValueError(f"brightness_noise, temperature_noise: expected 0 or more, got {got}")
        if not (0.0 <= self.absent <= 1.0 and 0.0 <= self.swath <= 1.0):
            raise ValueError(f"absent, swath: expected from 0 to 1, got {self.absent:g} and {self.swath:g}")

    @property
    def units(self) -> tuple[str, ...]:
        """Of the channels."""
        return tuple(UNITS[name] for name in self.channels)

    def of(self, truth: dict[str, np.ndarray], ground: Ground, box: Box, time: np.datetime64, seed: int) -> Imagery:
        """The images of a time on a box: a function of seed, time and place, never of the box.

        Args:
            truth: variable -> true field on the box, SI, shape (y, x); sky_cover, ceiling and t2m are used.
            ground: of the box.
            seed: of the world.
        """
        step = int(seconds(time) // HOUR) % WORD
        lots = uniform(seed, 0, np.arange(4), channel=LOTS, step=step)
        if lots[0] < self.absent:
            return NO_IMAGERY
        seen = self._seen(truth["sky_cover"], ground, time, seed)
        values = {}
        for number, name in enumerate(UNITS):
            if name not in self.channels:
                continue
            error = normal(
                seed,
                np.arange(box.y0, box.y1)[:, None],
                np.arange(box.x0, box.x1)[None, :],
                channel=PIXELS + number,
                step=step,
            )
            if name == "cloud_brightness":
                image = DARK + BRIGHT * seen + self.brightness_noise * error
            else:
                top = self._top(truth["ceiling"], ground, time, seed)
                image = truth["t2m"] - seen * STANDARD_LAPSE_RATE * top + self.temperature_noise * error
            values[name] = image.astype(np.float32)
        if lots[1] < self.swath:
            outside = beyond_line(ground, 2.0 * np.pi * lots[2], lots[3])
            values = {name: np.where(outside, np.float32(np.nan), image) for name, image in values.items()}
        return Imagery(box, values)

    def _seen(self, cover: np.ndarray, ground: Ground, time: np.datetime64, seed: int) -> np.ndarray:
        """Share of the ground that cloud hides from above, 0 to 1."""
        share = np.clip(cover.astype(np.float64), 1e-3, 1.0 - 1e-3)
        logit = np.log(share / (1.0 - share)) + THIN_LOGIT * _pattern(THIN, ground, time, seed)
        return 1.0 / (1.0 + np.exp(-logit))

    def _top(self, ceiling: np.ndarray, ground: Ground, time: np.datetime64, seed: int) -> np.ndarray:
        """Height of the cloud's top above ground, m."""
        base = np.where(ceiling < UNLIMITED_CEILING, ceiling, MIDDLE).astype(np.float64)
        depth = TYPICAL_DEPTH * np.exp(DEPTH_LOG * _pattern(DEPTH, ground, time, seed))
        return np.minimum(base + depth, HIGHEST)


def _pattern(channel: int, ground: Ground, time: np.datetime64, seed: int) -> np.ndarray:
    """A random field of unit variance on the ground, another one every hour."""
    octaves = Octaves(channel, PATTERN[0], min(PATTERN[1] * ground.spacing, PATTERN[0]), (CONVECTIVE, CONVECTIVE))
    return octaves.draw(seed, ground.y, ground.x, 0.0, member=int(seconds(time) // HOUR) % WORD)


def beyond_line(ground: Ground, direction: float, place: float) -> np.ndarray:
    """Mask of the points on one side of a line, shape (y, x).

    Args:
        direction: of the side, radians from the grid's x; place: 0 to 1, how far in it the line lies: within a quarter
            of the domain's diagonal to both sides of its centre.
    """
    (centre_y, centre_x), (y, x) = ground.centre, np.meshgrid(ground.y, ground.x, indexing="ij")
    distance = (x - centre_x) * np.cos(direction) + (y - centre_y) * np.sin(direction)
    return distance > (place - 0.5) * np.hypot(centre_y, centre_x)
