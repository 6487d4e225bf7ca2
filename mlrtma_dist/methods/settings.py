"""The classical methods' settings, and the one dictionary in which a method is chosen by name."""

from dataclasses import dataclass
from typing import Callable

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
