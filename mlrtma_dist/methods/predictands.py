"""Predictands: how a network that reads reports describes each variable's distribution, and in which units.

Smooth variables are Gaussian about a mean. The others have modes and limits (no ceiling, a gust that is the wind
itself, a clear sky): their distribution is a probability below each of several limits, which lie between the values
that reports can have; the limits of `names.EVENTS` are among them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist import names


@dataclass(frozen=True)
class Smooth:
    """A Gaussian variable.

    Attributes:
        scale: typical deviation of a report from the regression on all reports, analysis space.
        error: deviation of a report from the analysis that an analysis cannot be blamed for, analysis space.
    """

    scale: float
    error: float


@dataclass(frozen=True)
class Classes:
    """A variable with limits.

    Attributes:
        scale, error: as of `Smooth`.
        limits: ascending, SI, k of them; frequency: of values below each in any weather.
        values: of the classes below, between and above the limits, SI, k + 1 of them.
        median: whether the analysis is the median; else the mean.
    """

    scale: float
    error: float
    limits: tuple[float, ...]
    frequency: tuple[float, ...]
    values: tuple[float, ...]
    median: bool = False


# Scales and frequencies: METAR of eight hours of configs/samples/reports_metar_world. Errors, and the frequencies of
# visibility and ceiling: as in configs/methods/classical.yaml.
PREDICTANDS: dict[str, Smooth | Classes] = {
    "t2m": Smooth(3.2, 0.4),
    "d2m": Smooth(3.1, 0.53),
    "u10": Smooth(2.5, 0.77),
    "v10": Smooth(2.5, 0.77),
    "psfc": Smooth(220.0, 29.0),
    "gust": Classes(
        3.2,
        1.8,
        (0.3, 1.8, 2.8, 3.9, 4.9, 5.9, 7.0, 8.5, 10.0, 12.0, 15.0, 20.0),
        (0.16, 0.25, 0.43, 0.58, 0.69, 0.75, 0.80, 0.86, 0.91, 0.96, 0.985, 0.998),
        (0.0, 1.4, 2.3, 3.3, 4.4, 5.4, 6.4, 7.7, 9.2, 10.9, 13.2, 16.5, 23.0),
    ),
    "wind_speed": Classes(
        2.2,
        1.1,
        (0.3, 1.3, 1.8, 2.8, 3.4, 3.9, 5.0, 5.9, 7.0, 8.5, 10.0, 15.0),
        (0.16, 0.17, 0.25, 0.43, 0.52, 0.60, 0.74, 0.83, 0.91, 0.96, 0.985, 0.998),
        (0.0, 0.9, 1.5, 2.3, 3.1, 3.6, 4.4, 5.4, 6.4, 7.7, 9.2, 11.5, 17.0),
    ),
    "visibility": Classes(
        0.4,
        0.14,
        (400.0, 800.0, 1200.0, 1600.0, 3200.0, 4800.0, 8100.0, 16000.0),
        (0.0003, 0.0026, 0.0040, 0.0053, 0.0097, 0.014, 0.04, 0.14),
        (250.0, 600.0, 1000.0, 1400.0, 2400.0, 4000.0, 6600.0, 11500.0, 16093.0),
        median=True,
    ),
    "ceiling": Classes(
        1.2,
        0.53,
        (60.0, 106.0, 152.0, 228.0, 304.0, 609.0, 920.0, 1980.0, 3650.0, 13520.0),
        (0.0018, 0.0071, 0.0097, 0.019, 0.026, 0.052, 0.08, 0.16, 0.21, 0.25),
        (40.0, 80.0, 130.0, 190.0, 265.0, 450.0, 760.0, 1400.0, 2700.0, 5500.0, 20000.0),
        median=True,
    ),
    "sky_cover": Classes(0.33, 0.13, (0.09, 0.31, 0.6, 0.88), (0.54, 0.62, 0.73, 0.85), (0.0, 0.19, 0.44, 0.75, 1.0)),
}


@dataclass(frozen=True)
class Channels:
    """The numbers by which reports of some variables are given to a network.

    A smooth variable has one channel, its departure from the first guess in units of its scale; a variable with limits
    one for each limit, 1 below it and 0 at and above it.

    Attributes:
        variables: names.
    """

    variables: tuple[str, ...]

    @cached_property
    def smooth(self) -> tuple[str, ...]:
        """The Gaussian variables; their channels come first."""
        return tuple(name for name in self.variables if isinstance(PREDICTANDS[name], Smooth))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The variables with limits."""
        return tuple(name for name in self.variables if name not in self.smooth)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The channels of each variable."""
        slices = {name: slice(number, number + 1) for number, name in enumerate(self.smooth)}
        start = len(self.smooth)
        for name in self.classes:
            slices[name] = slice(start, start + len(PREDICTANDS[name].limits))
            start = slices[name].stop
        return slices

    @property
    def count(self) -> int:
        """Of all channels."""
        return max(each.stop for each in self.slices.values())

    @cached_property
    def scale(self) -> np.ndarray:
        """Of each variable, analysis space, shape (variables,)."""
        return np.array([PREDICTANDS[name].scale for name in self.variables])

    @cached_property
    def frequency(self) -> np.ndarray:
        """Of a value below each limit in any weather, shape (count,); 0 of smooth variables."""
        frequency = np.zeros(self.count, np.float32)
        for name in self.classes:
            frequency[self.slices[name]] = PREDICTANDS[name].frequency
        return frequency

    def of(self, name: str, departure: np.ndarray, value: np.ndarray) -> np.ndarray:
        """The channels of n reports of a variable, shape (n, channels).

        Args:
            departure: from the first guess in units of the scale; value: in analysis space; shape (n,) each.
        """
        if name in self.smooth:
            return departure[:, None]
        return (value[:, None] < limits(name)).astype(np.float64)


def has_limits(name: str) -> bool:
    """Whether a variable's distribution is one of classes; False for any name that is not in the table."""
    return isinstance(PREDICTANDS.get(name), Classes)


def limits(name: str) -> np.ndarray:
    """Limits of a variable in analysis space, shape (k,)."""
    return np.asarray(names.to_analysis(name, np.array(PREDICTANDS[name].limits)))


def values(name: str) -> np.ndarray:
    """Values of a variable's classes in analysis space, shape (k + 1,)."""
    return np.asarray(names.to_analysis(name, np.array(PREDICTANDS[name].values)))
