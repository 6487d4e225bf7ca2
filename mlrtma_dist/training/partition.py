"""Where DeepSpeed keeps the float32 weights: which values of which weight this rank's optimizer updates.

ZeRO flattens weights and hands every rank a range of them (Rajbhandari et al. 2020, section 5); each stage keeps the
range elsewhere. A `Piece` says, for one weight, which of its values lie here, whatever the stage, so that checkpoints
and averages know names and ranges only. Reads attributes of DeepSpeed 0.19's optimizers, imports nothing of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Piece:
    """The values of one weight that this rank keeps in full precision.

    Attributes:
        name: of the weight in the network; shape: of the whole weight.
        start: index of the first value held here in the flattened weight.
        flat: the tensor that the optimizer updates, float32, any shape, shared with other pieces.
        offset, count: where the values lie in the flattened ``flat``.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    flat: Tensor
    offset: int
    count: int

    def of(self, tensor: Tensor) -> Tensor:
        """This piece of a tensor laid out as ``flat`` (the weights, a moment, an average), a view of shape (count,)."""
        return tensor.detach().view(-1)[self.offset : self.offset + self.count]


def pieces(network: nn.Module, optimizer, rank: int, size: int) -> list[Piece]:
    """The pieces of all weights on this rank; every value of every weight lies on one rank at least.

    Args:
        network: its names are used.
        optimizer: DeepSpeed's, of any stage, or PyTorch's own, which stage 0 uses in float32.
        rank, size: among those that share the weights.
    """
    named = [(name, weight) for name, weight in network.named_parameters()]
    if hasattr(optimizer, "fp32_partitioned_groups_flat"):
        return list(_stage_3(named, optimizer, rank))
    if named and hasattr(named[0][1], "_hp_mapping"):
        return list(_linked(named, masters(optimizer)))
    if hasattr(optimizer, "fp32_groups"):  # stage 0 in bf16: float32 copies, all on every rank
        low = [weight for group in optimizer.fp16_groups for weight in group]
        high = [weight for group in optimizer.fp32_groups for weight in group]
        copies = {id(a): b for a, b in zip(low, high, strict=True)}
        return [Piece(name, tuple(w.shape), 0, copies[id(w)], 0, w.numel()) for name, w in named]
    return [Piece(name, tuple(w.shape), 0, w, 0, w.numel()) for name, w in named]


def masters(optimizer) -> list[Tensor]:
    """The tensors that this rank's optimizer updates, each once."""
    for name in ("fp32_partitioned_groups_flat", "fp32_groups_flat_partition", "single_partition_of_fp32_groups"):
        if hasattr(optimizer, name):  # stage 3; stage 1 in bf16; stages 1 and 2
            return list(getattr(optimizer, name))
    copies = getattr(optimizer, "fp32_groups", None)
    groups = [group["params"] for group in optimizer.param_groups] if copies is None else copies
    return [weight for group in groups for weight in group]


def replicated(optimizer) -> bool:
    """Whether every rank keeps all weights (stage 0)."""
    names = ("fp32_partitioned_groups_flat", "fp32_groups_flat_partition", "single_partition_of_fp32_groups")
    return not any(hasattr(optimizer, name) for name in names)


def _stage_3(named, optimizer, rank: int) -> Iterator[Piece]:
    for name, weight in named:
        group, offset, length = optimizer.grad_position[optimizer.get_param_id(weight)]
        start = rank * length  # every rank holds as many, the last ones padding
        count = max(0, min(length, weight.ds_numel - start))
        if count:
            flat = optimizer.fp32_partitioned_groups_flat[group]
            yield Piece(name, tuple(weight.ds_shape), start, flat, offset, count)


def _linked(named, flats: list[Tensor]) -> Iterator[Piece]:
    for name, weight in named:
        link = weight._hp_mapping
        if link is not None:
            here, there = link.hp_fragment_address, link.lp_fragment_address
            flat = flats[link.param_group_index]
            yield Piece(name, tuple(weight.shape), there.start, flat, here.start, here.numel)


@torch.no_grad()
def refresh(optimizer) -> None:
    """After the float32 masters were changed: make the network compute with them. Collective."""
    if hasattr(optimizer, "fp32_partitioned_groups_flat"):
        # Weights that are whole on this rank (small ones always, others until they are released) are not gathered again
        # by DeepSpeed: they are released first.
        optimizer.checkpoint_event_prologue()
        for number in range(len(optimizer.fp32_partitioned_groups_flat)):
            optimizer._reassign_or_swap_out_partitioned_parameters(number)
        optimizer.checkpoint_event_epilogue()  # small weights are whole on every rank again
    elif hasattr(optimizer, "update_lp_params"):
        optimizer.update_lp_params()
    elif hasattr(optimizer, "fp32_groups"):
        for low, high in zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True):
            for weight, master in zip(low, high, strict=True):
                weight.data.copy_(master)


def base(optimizer) -> torch.optim.Optimizer:
    """PyTorch's optimizer below DeepSpeed's."""
    return optimizer if isinstance(optimizer, torch.optim.Optimizer) else getattr(optimizer, "optimizer", optimizer)


def forget(optimizer) -> None:
    """Undo the step with a gradient of zero by which stage 0 in bf16 makes its state: it would enter Adam's bias.

    Without it the losses are 2 % off those of the other stages after five steps. Adagrad's state is no step's.
    """
    if hasattr(optimizer, "fp32_groups") and not isinstance(base(optimizer), torch.optim.Adagrad):
        base(optimizer).state.clear()


def moments(optimizer) -> list[str]:
    """Names of the state that the optimizer keeps for every value of a weight (exp_avg, ...); empty before a step."""
    state = base(optimizer).state
    for flat in masters(optimizer):
        if flat in state:
            return sorted(key for key, value in state[flat].items() if _is_moment(value, flat))
    return []


def counters(optimizer) -> dict[str, float]:
    """The optimizer's single numbers (step), equal for all weights."""
    state = base(optimizer).state
    for flat in masters(optimizer):
        if flat in state:
            return {key: float(value) for key, value in state[flat].items() if _is_counter(value, flat)}
    return {}


def make_state(optimizer, names: list[str], numbers: dict[str, float]) -> None:
    """Give every weight a state of zeros, as after a first step, to be filled from a checkpoint.

    PyTorch's optimizers keep single numbers on the CPU, but for ``fused`` or ``capturable`` beside the weights.
    """
    state, groups = base(optimizer).state, base(optimizer).param_groups
    beside = any(group.get(key) for group in groups for key in ("fused", "capturable"))
    for flat in masters(optimizer):
        place = flat.device if beside else None
        state[flat] = {name: torch.zeros_like(flat) for name in names}
        state[flat].update({name: torch.tensor(value, device=place) for name, value in numbers.items()})
    if hasattr(optimizer, "_hp_optimizer_states_linked"):
        optimizer._hp_optimizer_states_linked = False
        optimizer._lazy_init_hp_params_optimizer_state()


def _is_moment(value, flat: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == flat.shape


def _is_counter(value, flat: Tensor) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.dim() == 0 and flat.dim() > 0)
