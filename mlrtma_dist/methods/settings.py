"""The classical methods' settings, and the one dictionary in which a method is chosen by name."""

from collections.abc import Callable
from dataclasses import dataclass

from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.reference import GaussianWeights, NearestStation, NoIncrement
from mlrtma_dist.methods.threedvar import ThreeDVar


@dataclass(frozen=True)
class VariableSettings:
    """What a classical method assumes of one variable.

    Attributes:
        observation_error: standard deviation in analysis space, representativeness included. It belongs to the
            covariance beside it, with which it was estimated; errors that a report brings along do not.
        huber: limit of the variational quality control in observation errors; null: none, for variables with
            two modes (fog or none), where the rarer mode is no error.
        covariance: components of the background error covariance.
    """

    observation_error: float
    huber: float | None
    covariance: tuple[Component, ...]

    def __post_init__(self):
        if not self.observation_error > 0:
            raise ValueError(f"observation_error: expected a positive standard deviation, got {self.observation_error}")
        if self.huber is not None and not self.huber > 0:
            raise ValueError(f"huber: expected a positive limit, or null for none, got {self.huber}")
        if not self.covariance:
            raise ValueError("covariance: expected at least one component, got none")


@dataclass(frozen=True)
class Classical:
    """Settings of the classical methods (``configs/methods/classical.yaml``).

    Attributes:
        neighbours: observations that local optimal interpolation uses for a block.
        amplitude: scale the covariance of each variable to the hour's departures.
        variables: for each analysed variable.
    """

    neighbours: int
    amplitude: bool
    variables: dict[str, VariableSettings]

    def __post_init__(self):
        if self.neighbours < 1:
            raise ValueError(f"neighbours: expected at least 1, got {self.neighbours}")


METHODS: dict[str, Callable[[Classical, str, Covariance], Method]] = {
    "threedvar": lambda settings, name, covariance: ThreeDVar(covariance, settings.variables[name].huber),
    "oi": lambda settings, name, covariance: OptimalInterpolation(
        covariance, settings.variables[name].huber, settings.neighbours
    ),
    "gaussian_weights": lambda settings, name, covariance: GaussianWeights(),
    "nearest": lambda settings, name, covariance: NearestStation(),
    "first_guess": lambda settings, name, covariance: NoIncrement(),
}


def build_method(method: str, settings: Classical, name: str, covariance: Covariance) -> Method:
    """Make a method for the variable ``name`` with this background error covariance.

    Raises:
        ValueError: no such method; lists them.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: the methods are {', '.join(METHODS)}")
    return METHODS[method](settings, name, covariance)
