"""Departure kind: how a departure method is made for one variable, and what it uses.

Every file of a departure method ends with its kind, which the method's entry in `methods.registry` names.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.departure_method import DepartureMethod
from mlrtma_dist.methods.settings import Classical

Perturbations = Callable[[Points], np.ndarray]  # members' deviations from their mean at points, shape (members, n)


@dataclass(frozen=True)
class Prior:
    """What is assumed of one variable before its reports are used.

    Attributes:
        variable: its name.
        settings: of the classical methods.
        covariance: of the background error, scaled to the hour where the kind uses it; None: not stated.
        perturbations: of an ensemble's members; None: there is no ensemble.
    """

    variable: str
    settings: Classical
    covariance: Covariance | None = None
    perturbations: Perturbations | None = None

    @property
    def huber(self) -> float | None:
        """Limit of the variational quality control in observation errors; None: there is none."""
        return self.settings.variables[self.variable].huber


@dataclass(frozen=True)
class DepartureKind:
    """How a departure method is made, and what it uses.

    Attributes:
        name: of the method.
        make: makes the method of one variable.
        covariance: whether it uses the modelled background error covariance.
        isotropic: whether both components of a wind have one covariance and are analysed as one vector.
        members: whether it uses an ensemble's members.
        in_time: whether it uses the reports of a whole window, several of a station.
        reports: whether it adds what the reports tell; one that does not leaves a background as it is.
    """

    name: str
    make: Callable[[Prior], DepartureMethod]
    covariance: bool = False
    isotropic: bool = False
    members: bool = False
    in_time: bool = False
    reports: bool = True

    def method(self, prior: Prior) -> DepartureMethod:
        """Make the method of one variable.

        Raises:
            InputError: a method of ensembles without members, or without settings for them.
        """
        if self.members and prior.perturbations is None:
            raise InputError(
                f"method {self.name} needs an ensemble and got none: --ensemble FILE FILE ... names the members, one"
                " file each"
            )
        if self.members and prior.settings.ensemble is None:
            raise InputError(f"method {self.name}: the settings have no key 'ensemble'; classical.yaml has")
        return self.make(prior)
