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
        covariance: components of the background error covariance.
    """

    observation_error: float
    covariance: tuple[Component, ...]


@dataclass(frozen=True)
class Classical:
    """Settings of the classical methods (``configs/methods/classical.yaml``).

    Attributes:
        huber: limit of the variational quality control in observation errors; null: none.
        neighbours: observations that local optimal interpolation uses for a block.
        amplitude: scale the covariance of each variable to the hour's departures.
        variables: for each analysed variable.
    """

    huber: float | None
    neighbours: int
    amplitude: bool
    variables: dict[str, VariableSettings]


METHODS: dict[str, Callable[[Classical, Covariance], Method]] = {
    "threedvar": lambda settings, covariance: ThreeDVar(covariance, settings.huber),
    "oi": lambda settings, covariance: OptimalInterpolation(covariance, settings.huber, settings.neighbours),
    "gaussian_weights": lambda settings, covariance: GaussianWeights(),
    "nearest": lambda settings, covariance: NearestStation(),
    "first_guess": lambda settings, covariance: NoIncrement(),
}


def build_method(name: str, settings: Classical, covariance: Covariance) -> Method:
    """Make a method.

    Raises:
        ValueError: no such method; lists them.
    """
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}: the methods are {', '.join(METHODS)}")
    return METHODS[name](settings, covariance)
