"""Transfer: how the weights of a trained network become those of a training that begins from them (Zhuang et al. 2020).

| mode | what is trained |
|---|---|
| `frozen` | the outputs of the variables that are added |
| `adapters` | these, the inputs of the added variables, and low-rank adapters of every linear map but the head |
| `whole` | every weight; with a small learning rate of the schedule |
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.methods.vit_entries import HEAD, added, taken_over
from mlrtma_dist.nn.adapted import AdaptedNetwork, linear_maps

FROZEN, ADAPTERS, WHOLE = MODES = ("frozen", "adapters", "whole")


@dataclass(frozen=True)
class Transfer:
    """The section ``transfer:`` of a training that begins from other weights.

    Attributes:
        mode: frozen (the outputs of added variables are trained), adapters (these, their inputs, and low-rank adapters
            of every linear map but the head) or whole (all weights).
        rank: number of columns of B and rows of A of each adapter.
        inputs: whether the network reads reports of the added variables beyond their weighted means, so that they
            change the analysis of the others, too; null: in the mode adapters. Has no effect in the mode whole.
        seed: of the first weights of the adapters.
    """

    mode: str = "whole"
    rank: int = 4
    inputs: bool | None = None
    seed: int = 0

    def __post_init__(self):
        if self.mode not in MODES:
            raise ValueError(f"transfer.mode: expected one of {', '.join(MODES)}, got {self.mode!r}")
        if self.rank < 1:
            raise ValueError(f"transfer.rank: expected 1 or more, got {self.rank}")

    @property
    def separate(self) -> bool:
        """Whether what is trained is kept apart from the weights that it changes."""
        return self.mode != WHOLE

    @property
    def reads_added(self) -> bool:
        """``inputs``, decided."""
        return self.mode != FROZEN if self.inputs is None else self.inputs


def names_added(method: LearnedMethod, before: LearnedMethod) -> tuple[str, ...]:
    """Variables, and other sources, of a method that one before it does not have."""
    variables = tuple(name for name in variables_of(method) if name not in variables_of(before))
    source = getattr(method, "source", None) is not None and getattr(before, "source", None) is None
    return variables + (("analysis of 3D-Var",) if source else ())


def variables_of(method: LearnedMethod) -> tuple[str, ...]:
    """The analysed variables of a method whose weights know them by name; of another one none."""
    return method.variables if hasattr(method, "entries") else ()


def as_weights_of(method: LearnedMethod, before: LearnedMethod, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the method ``before`` as weights of another one; see `vit_entries.taken_over`."""
    if not (hasattr(method, "entries") and hasattr(before, "entries")):
        return dict(weights)
    return taken_over(weights, before.entries, method.entries, dict(method.network.named_parameters()))


def adapt(method: LearnedMethod, before: LearnedMethod, transfer: Transfer, where: str) -> None:
    """Fix the weights of a method's network, which have been taken over, and train what the mode trains beside them.

    Raises:
        InputError: a method that has no adapters, or nothing that would be trained.
    """
    if not (hasattr(method, "entries") and hasattr(before, "entries")):
        raise InputError(f"{where}: transfer.mode {transfer.mode} is of methods vit and vit_hybrid; use mode {WHOLE}.")
    if method.network.config.recompute:
        raise InputError(
            f"{where}: settings.recompute is true, which computes activations again without the adapters. Set it to"
            f" false, or use transfer.mode {WHOLE}."
        )
    grown = added(before.entries, method.entries)
    if not transfer.reads_added:
        grown = {name: each for name, each in grown.items() if name.startswith(HEAD) or name.endswith("share")}
    adapted = linear_maps(method.network, transfer.rank, (HEAD,)) if transfer.mode == ADAPTERS else ()
    if not grown and not adapted:
        raise InputError(
            f"{where}: transfer.mode {FROZEN} trains the outputs of added variables, and settings.variables adds none"
            f" to {', '.join(before.variables)}. Add some, or use transfer.mode {ADAPTERS}."
        )
    method.network = AdaptedNetwork(method.network, grown, adapted, transfer.rank, transfer.seed)
