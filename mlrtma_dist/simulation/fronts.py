"""Fronts: lines between air masses, one after the other, that cross a domain at a steady speed.

A front is a line with a heading, a speed and a time of passage at the domain's centre, bent by a random field that
travels with it. With d the distance ahead of it in m (negative behind), w its width, R the distance behind it over
which the cold air warms up again, D its contrast and L the reach of its trough:

    temperature   -D / 2 (1 - tanh(d / w)) exp(min(d, 0) / R)
    pressure      -P exp(-(sqrt(d^2 + w^2) - w) / L)

so that temperature falls by D over some 2 w, and the wind, which follows the pressure's gradient, turns where the
trough passes. Cloud and moisture stand in a band about the line; behind it the air is drier. The exponentials are
lowered a little to end at zero after four lengths, so that far fronts cost nothing.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.linalg.noise import WORD, uniform
from mlrtma_dist.linalg.octaves import CHANNELS, Octaves

LOTS, BEND = 40 * CHANNELS, 41  # of the noise: a front's own numbers, the bends of its line
HOUR = 3600.0
END = 4.0  # lengths after which nothing is left of an exponential (2 %): it is cut to zero
FLAT = 20.0  # widths from the line, where tanh is one to the last bit
FARTHEST_BEND = 8.0  # standard deviations
BAND = 120e3  # half width of the band of cloud, m
TURN = np.deg2rad(35.0)  # heading of a front: this far from due east towards the equator, give or take as much
ALONG = 600e3  # lattice of the bends, m


@dataclass(frozen=True)
class Fronts:
    """How fronts are.

    Attributes:
        contrast: of temperature, K, in high latitudes; a front has half to one and a half of it. 0: no fronts.
        width: w, m; temperature falls by the contrast over some 2 w.
        speed: of the line, m/s; a front has 0.7 to 1.3 of it.
        interval: hours from one front to the next.
        recovery: distance R behind the line over which the cold air warms up again, m.
        trough: depth P of the trough along the line, Pa.
        reach: distance L from the line over which the trough falls to a share of 1/e, m.
        bend: standard deviation of the line about a straight one, m.
    """

    contrast: float = 7.0
    width: float = 20e3
    speed: float = 12.0
    interval: float = 60.0
    recovery: float = 700e3
    trough: float = 350.0
    reach: float = 250e3
    bend: float = 60e3

    def __post_init__(self):
        for name in ("width", "speed", "interval", "recovery", "reach"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"fronts: {name}: expected more than 0, got {getattr(self, name):g}")
        if not self.bend >= 0.0:
            raise ValueError(f"fronts: bend: expected at least 0, got {self.bend:g}")

    @property
    def extent(self) -> tuple[float, float]:
        """How far ahead of its line and behind it a front is felt, m: where all that it adds has come to zero."""
        bends = FARTHEST_BEND * self.bend
        ahead = max(END * self.reach, FLAT * self.width, END * BAND)
        return ahead + bends, max(END * self.recovery, ahead) + bends

    def near(self, seed: int, time: float, centre: tuple[float, float], northern: bool) -> list["Front"]:
        """The fronts that the domain feels at a time (s since 1970), the oldest first."""
        if self.contrast == 0.0:
            return []
        reach = (np.hypot(*centre) + max(self.extent)) / (0.7 * self.speed)
        interval = self.interval * HOUR
        numbers = range(int((time - reach) // interval) - 1, int((time + reach) // interval) + 2)
        fronts = [self._front(seed, number, centre, northern) for number in numbers]
        return [front for front in fronts if abs(time - front.passage) < reach]

    def _front(self, seed: int, number: int, centre: tuple[float, float], northern: bool) -> "Front":
        step = number % WORD
        when, speed, contrast, heading = uniform(seed, 0, np.arange(4), channel=LOTS, step=step)
        turn = 2.0 * heading * TURN * (-1.0 if northern else 1.0)
        return Front(
            self,
            seed,
            step,
            centre,
            (number + 0.5 * when) * self.interval * HOUR,
            self.speed * (0.7 + 0.6 * speed),
            self.contrast * (0.5 + contrast),
            (np.sin(turn), np.cos(turn)),
        )


@dataclass(frozen=True)
class Front:
    """One front.

    Attributes:
        kind: how fronts are; seed, number: of its noise.
        centre: of the domain, (y, x) in m.
        passage: when it passes there, s since 1970.
        speed: m/s; contrast: K; heading: unit vector (y, x).
    """

    kind: Fronts
    seed: int
    number: int
    centre: tuple[float, float]
    passage: float
    speed: float
    contrast: float
    heading: tuple[float, float]

    def straight(self, y: np.ndarray, x: np.ndarray, time: float) -> np.ndarray:
        """Distance of the points (y,) x (x,) ahead of the line without its bends, m, shape (y, x)."""
        north, east = self.heading
        distance = north * (y - self.centre[0])[:, None] + east * (x - self.centre[1])[None, :]
        return distance - self.speed * (time - self.passage)

    def ahead(self, y: np.ndarray, x: np.ndarray, time: float) -> np.ndarray:
        """Distance d of the points (y,) x (x,) from the line, m, positive where it has not passed; shape (y, x)."""
        distance = self.straight(y, x, time)
        if not self.kind.bend:
            return distance
        in_y, in_x = (self.speed * part for part in self.heading)
        line = Octaves(BEND, ALONG, ALONG / 4, velocity=(in_y, in_x))
        # counted from its passage: the bends of each front are its own, and lattice numbers stay small
        return distance + self.kind.bend * line.draw(self.seed, y, x, time - self.passage, member=self.number)

    def is_felt(self, y: np.ndarray, x: np.ndarray, time: float) -> bool:
        """Whether anything of it reaches these points; where not, all that it adds is zero exactly."""
        corners = self.straight(y[[0, -1]], x[[0, -1]], time)
        ahead, behind = self.kind.extent
        return bool(corners.max() > -behind and corners.min() < ahead)

    def temperature(self, ahead: np.ndarray) -> np.ndarray:
        """What the front adds to temperature, K."""
        cold = 0.5 * (1.0 - np.tanh(ahead / self.kind.width))
        return -self.contrast * cold * _fading(-np.minimum(ahead, 0.0) / self.kind.recovery)

    def pressure(self, ahead: np.ndarray) -> np.ndarray:
        """What it adds to pressure, Pa."""
        away = np.sqrt(ahead**2 + self.kind.width**2) - self.kind.width
        return -self.kind.trough * self.contrast / self.kind.contrast * _fading(away / self.kind.reach)

    def cloud(self, ahead: np.ndarray) -> np.ndarray:
        """A band of one on the line, falling to zero around it."""
        return _fading(0.5 * (ahead / BAND) ** 2)


def _fading(away: np.ndarray) -> np.ndarray:
    """exp(-away) from one at 0 to exactly zero at ``END``."""
    return np.maximum(np.exp(-away) - np.exp(-END), 0.0) / (1.0 - np.exp(-END))
