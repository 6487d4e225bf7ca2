"""4D-Var with an ensemble: members in B (En4DVar), and members in place of tangent linear and adjoint (4DEnVar).

Legend: X_m(k) the deviations of M members from their mean at time k of the window; L a localisation, L^1/2 its root; o
the product element by element; s the share of the members in the covariance.

    En4DVar   x_0 = x_b + sqrt(1 - s) B^1/2 v_0 + sqrt(s / (M - 1)) sum over m of X_m(0) o L^1/2 v_m
    4DEnVar   x_k = x_b(k) + 1 / sqrt(M - 1) sum over m of X_m(k) o L^1/2 v_m

The covariance of En4DVar at the start is (1 - s) B + s L o P (Lorenc 2003; Buehner 2005) and the model carries it
through the window. 4DEnVar (Liu, Xiao and Wang 2008) takes it from the members' own trajectories, without tangent
linear and adjoint; its localisation does not move with the flow (Lorenc et al. 2015). Where model and operators are
linear and nothing is localised, both are the Kalman smoother of the members' covariance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.fourdvar import Map, Observations, ObservedWindow


@dataclass(frozen=True)
class HybridRoot:
    """The root of a covariance of which members have a share: an argument ``root`` of `methods.fourdvar.Window`.

    Attributes:
        members: X, deviations of members from their mean at the start of the window, shape (M, *state).
        localisation: L^1/2, linear, of fields of shape (M, *state); the same for every member.
        root: B^1/2 of a covariance that is the same in every window; None: the members' alone, share 1.
        share: s, from 0 to 1.
    """

    members: Tensor
    localisation: Map
    root: Map | None = None
    share: float = 1.0

    def __post_init__(self):
        _require_members(self.members, "HybridRoot")
        if not 0.0 <= self.share <= 1.0:
            raise InputError(f"HybridRoot: share: expected 0 to 1, got {self.share:g}")
        if self.root is None and self.share < 1.0:
            raise InputError(f"HybridRoot: share: expected 1 without a root of another covariance, got {self.share:g}")

    @property
    def fields(self) -> int:
        """Number of fields of its control."""
        return 1 + len(self.members)

    def __call__(self, control: Tensor) -> Tensor:
        """A departure from the background, shape of the state, of a control of shape (1 + M, *state)."""
        factor = (self.share / (len(self.members) - 1)) ** 0.5
        departure = factor * (self.members * self.localisation(control[1:])).sum(0)
        return departure if self.root is None else departure + (1.0 - self.share) ** 0.5 * self.root(control[0])


@dataclass(frozen=True)
class MemberWindow(ObservedWindow):
    """The problem of 4DEnVar; `methods.fourdvar.minimise` solves it.

    Attributes:
        background: x_b(k), the background's trajectory, shape (K + 1, *state).
        members: X(k), deviations of the members' trajectories from their mean, shape (K + 1, M, *state).
        localisation: L^1/2, linear, of fields of shape (M, *state).
        observed: of each time, the first at the start; None where nothing is observed.
        total: sum of a tensor over the tiles.
    """

    background: Tensor
    members: Tensor
    localisation: Map
    observed: Sequence[Observations | None]
    total: Map = lambda tensor: tensor

    def __post_init__(self):
        times, shape = len(self.observed), tuple(self.members.shape)
        if self.members.dim() < 2 or shape[0] != times or shape[:1] + shape[2:] != tuple(self.background.shape):
            raise InputError(
                f"4DEnVar: expected a background of shape ({times}, *state) and members of shape ({times}, M, *state), "
                f"got {tuple(self.background.shape)} and {shape}"
            )
        _require_members(self.members[0], "4DEnVar")

    @property
    def nothing(self) -> Tensor:
        """The control 0, shape (M, *state)."""
        return torch.zeros_like(self.members[0])

    def states(self, control: Tensor) -> list[Tensor]:
        """x_0 to x_K; only the localisation may be collective."""
        weight = self.localisation(control) / (len(self.members[0]) - 1) ** 0.5
        return [mean + (members * weight).sum(0) for mean, members in zip(self.background, self.members, strict=True)]


def _require_members(members: Tensor, place: str) -> None:
    """Raise InputError unless there are two members or more."""
    if len(members) < 2:
        raise InputError(f"{place}: expected deviations of 2 members or more, got {len(members)}")
