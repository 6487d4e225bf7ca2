"""What a product has of the distribution of an analysis: the section ``ensemble:`` of a run, and its fields."""

from dataclasses import dataclass, field, replace

import numpy as np

from mlrtma_dist.grid.box import Box


@dataclass(frozen=True)
class EnsembleSection:
    """What a product has of the distribution of an analysis.

    Attributes:
        quantiles: levels of the quantiles of every analysed variable, as shares from above 0 to below 1.
        above: variable -> limits, SI: probabilities of a value at or above each of them.
        below: variable -> limits, SI: probabilities of a value below each of them.
        members: whether the members themselves are written.
    """

    quantiles: tuple[float, ...] = ()
    above: dict[str, tuple[float, ...]] = field(default_factory=dict)
    below: dict[str, tuple[float, ...]] = field(default_factory=dict)
    members: bool = False

    def __post_init__(self):
        if not all(0.0 < level < 1.0 for level in self.quantiles) or len(set(self.quantiles)) < len(self.quantiles):
            raise ValueError(f"ensemble.quantiles: expected levels between 0 and 1, each once, got {self.quantiles}")
        for side in ("above", "below"):
            for name, limits in getattr(self, side).items():
                if not limits or not np.isfinite(limits).all() or len(set(limits)) < len(limits):
                    raise ValueError(f"ensemble.{side}.{name}: expected finite limits, each once, got {limits}")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.quantiles or self.above or self.below or self.members)

    def fields(self, variables: int) -> int:
        """Number of fields of a product of so many variables, without members."""
        limits = sum(len(each) for side in (self.above, self.below) for each in side.values())
        return len(self.quantiles) * variables + limits


@dataclass(frozen=True)
class Distribution:
    """The distribution of an analysis on a box.

    Attributes:
        section: what was asked for.
        quantiles: variable -> of each level, float32 (level, y, x), SI.
        above, below: variable -> probability beyond each limit, float32 (limit, y, x).
        members: variable -> each member, float32 (member, y, x), SI, where they are asked for.
        drawn: variables whose quantiles and probabilities are those of members; the others' are of Gaussians.
        count: of the members.
    """

    section: EnsembleSection = EnsembleSection()
    quantiles: dict[str, np.ndarray] = field(default_factory=dict)
    above: dict[str, np.ndarray] = field(default_factory=dict)
    below: dict[str, np.ndarray] = field(default_factory=dict)
    members: dict[str, np.ndarray] = field(default_factory=dict)
    drawn: frozenset[str] = frozenset()
    count: int = 0

    @property
    def groups(self) -> dict[str, dict[str, np.ndarray]]:
        """The fields by what they are, variable by variable."""
        return {name: getattr(self, name) for name in ("quantiles", "above", "below", "members")}

    def on(self, box: Box) -> "Distribution":
        """Of a distribution on the whole domain the part on a box."""

        def cut(group: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: each[(..., *box.slices)] for name, each in group.items()}

        return replace(
            self,
            quantiles=cut(self.quantiles),
            above=cut(self.above),
            below=cut(self.below),
            members=cut(self.members),
        )
