"""EnVar: 3D-Var whose background covariance holds a localised sample of members; hybrid with a modelled one.

Minimises the function of ``threedvar.py`` in observation space with

    B = beta_c^2 B_c + beta_e^2 (P_e o L)

(``linalg.hybrid``). The dual form needs no control variable for the members: HBH' + R is as large as the observations
are many, whatever B is (Lorenc 2003 for the primal form; Wang, Snyder and Hamill 2007 for why both are one analysis).
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.hybrid import HybridCovariance
from mlrtma_dist.methods.departure_kind import DepartureKind, Prior
from mlrtma_dist.methods.settings import Members
from mlrtma_dist.methods.threedvar import ThreeDVar, ThreeDVarFit


@dataclass(frozen=True)
class EnVar:
    """Ensemble-variational analysis.

    Attributes:
        covariance: of the background error; with a static weight of 0 purely of the members.
        huber: limit of the variational quality control in observation errors; None: quadratic.
        error_factor: on the observation errors, which were estimated beside another covariance.
    """

    covariance: HybridCovariance
    huber: float | None = 1.5
    error_factor: float = 1.0

    def __post_init__(self):
        if not self.error_factor > 0:
            raise ValueError(f"envar: expected error_factor > 0, got {self.error_factor:g}")

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> ThreeDVarFit:
        """Solve for the weights w; see ``methods.departure_method.DepartureMethod.fit``."""
        return ThreeDVar(self.covariance, self.huber).fit(points, departure, self.error_factor * error)


def _build(prior: Prior, how: Members) -> EnVar:
    mixed = HybridCovariance(prior.covariance, prior.perturbations, how.localisation, how.static, how.weight)
    return EnVar(mixed, prior.huber, how.error_factor)


ENVAR = DepartureKind(
    "envar", lambda prior: _build(prior, prior.settings.ensemble.envar), covariance=True, members=True
)
HYBRID = DepartureKind(
    "hybrid", lambda prior: _build(prior, prior.settings.ensemble.hybrid), covariance=True, members=True
)
