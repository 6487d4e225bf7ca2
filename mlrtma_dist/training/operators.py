"""What the operators of a computation do: floating point operations and bytes of memory of each, counted as it runs.

Works on PyTorch's meta device, where nothing is computed. A processor does an operator in the time of its operations
or in that of its memory traffic, whichever is longer (the roofline of Williams, Waterman and Patterson 2009), and a
program that calls operators one after another is no faster than its calls:

    seconds = max(calls * call, sum over operators of max(operations / rate, bytes / bandwidth))
"""

import math
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Processor:
    """What a rank computes on.

    Attributes:
        rate: floating point operations that matrix products and convolutions reach, 1/s.
        bandwidth: of memory, bytes/s.
        call: time that the program needs to call one operator, s.
    """

    rate: float
    bandwidth: float
    call: float

    def seconds(self, operators: "Counter[tuple[int, int]]") -> float:
        """Time of `Operators.counts`."""
        work = sum(
            times * max(operations / self.rate, size / self.bandwidth)
            for (operations, size), times in operators.items()
        )
        return max(operators.total() * self.call, work)


class Operators(TorchDispatchMode):
    """Counts the operators that run within the ``with`` block; views cost nothing and are left out.

    Attributes:
        counts: how often an operator of so many (operations, bytes read and written) was called. An addition and a
            multiplication are two operations.
    """

    def __init__(self):
        super().__init__()
        self.counts: Counter[tuple[int, int]] = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        """Run an operator and count it."""
        named = named or {}
        result = function(*arguments, **named)
        read = [each for each in tree_leaves((arguments, named)) if isinstance(each, Tensor)]
        written = [each for each in tree_leaves(result) if isinstance(each, Tensor)]
        if not _is_view(function, read, written):
            formula = flop_registry.get(function._overloadpacket)
            operations = formula(*arguments, **named, out_val=result) if formula else 0
            self.counts[int(operations), sum(map(_bytes, read)) + sum(map(_bytes, written))] += 1
        return result

    @property
    def operations(self) -> int:
        """Floating point operations in all."""
        return sum(operations * times for (operations, _), times in self.counts.items())


def _is_view(function, read: list[Tensor], written: list[Tensor]) -> bool:
    """Whether what was made is what was read under another shape, and nothing was written."""
    if function._schema.is_mutable or not read or not written:
        return function._overloadpacket in (torch.ops.aten.empty, torch.ops.aten.new_empty)
    storages = {each.untyped_storage()._cdata for each in read}
    return all(each.untyped_storage()._cdata in storages for each in written)


def _bytes(tensor: Tensor) -> int:
    """Bytes of memory behind a tensor: one that repeats its points has fewer than its shape says."""
    repeated = math.prod(size for size, step in zip(tensor.shape, tensor.stride(), strict=True) if step == 0)
    return tensor.nbytes // max(1, repeated)
