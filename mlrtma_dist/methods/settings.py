"""The classical methods' settings: what they assume of each variable, and how they use an ensemble."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from mlrtma_dist import config
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.indicators import Indicators
from mlrtma_dist.methods.spread import Local
from mlrtma_dist.methods.wind import MEASURED, WIND


@dataclass(frozen=True)
class InWindow:
    """What a method that uses the reports of a whole window assumes of a variable instead (``oi_time``).

    Attributes:
        observation_error: standard deviation of what one report does not share with the station's next one, in
            analysis space (SI unit; natural logarithm of visibility and ceiling).
        covariance: components of the background error covariance, with their time scales; one of a length of few km
            is what a station's reports share with each other alone.
    """

    observation_error: float
    covariance: tuple[Component, ...]

    def __post_init__(self):
        if not self.covariance or not self.observation_error > 0:
            raise ValueError("window: expected at least one component and an observation_error above 0")


@dataclass(frozen=True)
class VariableSettings:
    """What a classical method assumes of one variable.

    Attributes:
        observation_error: standard deviation in analysis space (SI unit; natural logarithm of visibility and ceiling),
            representativeness included. It belongs to the covariance beside it, with which it was estimated; errors
            that a report brings along do not.
        huber: limit of the variational quality control in observation errors; null: none, for variables with
            two modes (fog or none), where the rarer mode is no error.
        covariance: components of the background error covariance.
        indicators: null, or of a variable with two modes, whose distribution is analysed (``indicators``).
        local: null, or of a variable whose extremes are kept, what one station does not share with its neighbours
            (``spread``).
        window: null, or of a variable of which several reports of a station are used by methods in time; of others
            they use the report nearest to the time.
    """

    observation_error: float
    huber: float | None
    covariance: tuple[Component, ...]
    indicators: Indicators | None = None
    local: Local | None = None
    window: InWindow | None = None

    def __post_init__(self):
        if not self.observation_error > 0:
            raise ValueError(f"observation_error: expected a positive standard deviation, got {self.observation_error}")
        if self.huber is not None and not self.huber > 0:
            raise ValueError(f"huber: expected a positive limit, or null for none, got {self.huber}")
        if not self.covariance:
            raise ValueError("covariance: expected at least one component, got none")


@dataclass(frozen=True)
class Members:
    """How a method uses an ensemble's members.

    Attributes:
        localisation: radius and height beyond which members say nothing of each other's places.
        weight: factor on the members' variance: beta_e^2 of EnVar, inflation of the filter.
        static: factor on the modelled covariance, beta_c^2; 0: members only. The filter has none.
        error_factor: on the observation errors.
    """

    localisation: Localisation
    weight: float
    static: float = 0.0
    error_factor: float = 1.0

    def __post_init__(self):
        if not self.weight >= 0 or not self.static >= 0 or not self.weight + self.static > 0:
            raise ValueError(f"weight and static: expected >= 0, not both 0, got {self.weight:g} and {self.static:g}")
        if not self.error_factor > 0:
            raise ValueError(f"error_factor: expected a positive factor, got {self.error_factor:g}")


@dataclass(frozen=True)
class EnsembleSettings:
    """Settings of the methods that use an ensemble.

    Attributes:
        letkf, envar, hybrid: of the method of that name.
        relaxation: of the filter's analysed spread to that of the background, 0 to 1.
    """

    letkf: Members
    envar: Members
    hybrid: Members
    relaxation: float = 0.0

    def __post_init__(self):
        if not 0 <= self.relaxation <= 1:
            raise ValueError(f"relaxation: expected 0 to 1, got {self.relaxation:g}")
        if self.letkf.static:
            raise ValueError(f"letkf: static: expected 0, for the filter has no such part, got {self.letkf.static:g}")


@dataclass(frozen=True)
class Classical:
    """Settings of the classical methods (``configs/methods/classical.yaml``).

    Attributes:
        neighbours: observations that local optimal interpolation uses for a block.
        amplitude: scale the covariance of each variable, and with a gridded background the observation error, to the
            hour's departures (``hour_settings``).
        variables: for each analysed variable.
        ensemble: of the methods that use one; null: they cannot be chosen.
    """

    neighbours: int
    amplitude: bool
    variables: dict[str, VariableSettings]
    ensemble: EnsembleSettings | None = None

    def __post_init__(self):
        if self.neighbours < 1:
            raise ValueError(f"neighbours: expected at least 1, got {self.neighbours}")
        eastward, northward = (self.variables.get(name) for name in WIND)
        if eastward and northward and eastward != northward:
            raise ValueError("u10 and v10: expected the same settings, for a wind is analysed as a vector")

    def only(self, names: Collection[str]) -> "Classical":
        """The settings of the named variables alone, in their own order."""
        return replace(self, variables={name: each for name, each in self.variables.items() if name in names})

    @property
    def in_window(self) -> "Classical":
        """The settings for the reports of a whole window, of the variables that have such settings."""
        return replace(self, variables={name: _in_window(each) for name, each in self.variables.items()})


def _in_window(own: VariableSettings) -> VariableSettings:
    """A variable's settings with those for a window in place."""
    if own.window is None:
        return own
    return replace(own, observation_error=own.window.observation_error, covariance=own.window.covariance)


def load_settings(name: str, variables: tuple[str, ...] = ()) -> Classical:
    """Read the classical methods' settings, of the named variables only (empty: all).

    Raises:
        ConfigError: an unknown variable.
    """
    settings = config.load(Classical, config.find("methods", name))
    unknown = [v for v in variables if v not in settings.variables]
    if unknown:
        expected = ", ".join(settings.variables)
        raise config.ConfigError(f"variables: {', '.join(unknown)} not in {name}; it has {expected}")
    return settings.only(variables) if variables else settings


@dataclass(frozen=True)
class Assumption:
    """What quality control and the regression first guess assume of a variable, in analysis space.

    Attributes:
        observation_error: standard deviation of a report's error.
        background_deviation: standard deviation of a background's error.
    """

    observation_error: float
    background_deviation: float


def assumptions(settings: Classical) -> dict[str, Assumption]:
    """Variable -> what the settings assume of it."""
    return {
        name: Assumption(each.observation_error, Covariance(each.covariance).variance ** 0.5)
        for name, each in settings.variables.items()
    }


def for_vectors(settings: Classical) -> Classical:
    """The settings with the limit of winds' variational quality control for the length of a vector."""
    limit = {
        name: replace(v, huber=v.huber and v.huber * math.sqrt(MEASURED))
        for name, v in settings.variables.items()
        if name in WIND
    }
    return replace(settings, variables={**settings.variables, **limit})
