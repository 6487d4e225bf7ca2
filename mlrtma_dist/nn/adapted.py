"""A trained network with few weights of its own: low-rank adapters of its linear maps, and entries of grown weights.

    W = W_0 + B A        B (rows, r), A (r, columns): low-rank adaptation, Hu et al. 2021
    W = W_0 + E          E: rows or columns that W_0 did not have before variables were added, 0 elsewhere

W_0 is fixed. B is 0 at first, so that adapters begin as the identity. The network is called with W in place of W_0;
`AdaptedNetwork.merged` adds both once and for all, which costs nothing at inference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class Grown:
    """Entries of a weight that are trained.

    Attributes:
        dim: along which the weight has grown; index: numbers of the new entries along it, int64, shape (n,).
    """

    dim: int
    index: Tensor


class Entries(nn.Module):
    """Adds E to a weight.

    Modules of their own, whose output is one tensor, are what ZeRO 3 gathers weights for, in the backward pass, too.
    """

    def __init__(self, weight: Tensor, grown: Grown):
        super().__init__()
        self.grown = grown
        self.entries = nn.Parameter(weight.detach().index_select(grown.dim, grown.index))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with its new entries, which are 0 in ``weight``; of any precision."""
        index = self.grown.index.to(weight.device)
        return weight.index_add(self.grown.dim, index, self.entries.to(weight.dtype))


class LowRank(nn.Module):
    """Adds B A to a matrix."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator):
        super().__init__()
        rows, columns = weight.shape
        self.left = nn.Parameter(torch.zeros(rows, rank))
        self.right = nn.Parameter(torch.randn(rank, columns, generator=generator) * columns**-0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The matrix with its adapter."""
        return weight + self.left @ self.right

    def exactly(self, weight: Tensor) -> Tensor:
        """The same summed number by number in float64: unlike a product of matrices equal to the last bit anywhere."""
        left, right = self.left.double(), self.right.double()
        for number in range(left.shape[1]):
            weight = weight + left[:, number, None] * right[None, number]
        return weight


class AdaptedNetwork(nn.Module):
    """The network; see the module's description. All that it has as parameters is trained."""

    def __init__(
        self, network: nn.Module, grown: Mapping[str, Grown], adapted: Sequence[str] = (), rank: int = 0, seed: int = 0
    ):
        """Wrap a network, whose weights are fixed from here on.

        Args:
            grown: the entries that are trained, by name of the weight; they begin as they are in ``network``.
            adapted: names of the matrices that are given an adapter; rank: r; seed: of the first A.
        """
        super().__init__()
        self._fixed = [network.requires_grad_(False)]  # a list hides it from Module's registration
        self.grown, self.adapters = nn.ModuleDict(), nn.ModuleDict()
        weights = dict(network.named_parameters())
        for name, each in grown.items():
            self.grown[_key(name)] = Entries(weights[name], each)
            weights[name].data.index_fill_(each.dim, each.index, 0.0)
        generator = torch.Generator().manual_seed(seed)
        for name in adapted:
            self.adapters[_key(name)] = LowRank(weights[name], rank, generator)

    @property
    def config(self):
        """That of the network."""
        return self._fixed[0].config

    @property
    def fixed_numbers(self) -> int:
        """How many numbers W_0 has, of all weights."""
        return sum(weight.numel() for weight in self._fixed[0].parameters())

    def _apply(self, fn, recurse: bool = True):
        """Move or convert the fixed weights, too."""
        self._fixed[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def weights(self) -> dict[str, Tensor]:
        """W of every changed weight, by name, in the graph of gradients, in the precision of what is trained.

        DeepSpeed rounds to bf16 what it knows, and it does not know W_0, which stays as exact as it is for `merged`.
        """
        changed, kind = {}, next(self.parameters()).dtype
        for name, weight in self._fixed[0].named_parameters():
            key, fixed = _key(name), weight.to(kind)
            grown = self.grown[key](fixed) if key in self.grown else fixed
            whole = self.adapters[key](grown) if key in self.adapters else grown
            if whole is not weight:
                changed[name] = whole
        return changed

    def forward(self, *arguments):
        """The network's output with W in place of W_0."""
        return functional_call(self._fixed[0], self.weights(), arguments)

    @torch.no_grad()
    def merged(self) -> dict[str, Tensor]:
        """All weights of the network as W, float32, by name, the same to the last bit on any machine."""
        whole = {}
        for name, fixed in self._fixed[0].named_parameters():
            key, weight = _key(name), fixed.detach().double()
            weight = self.grown[key](weight) if key in self.grown else weight
            weight = self.adapters[key].exactly(weight) if key in self.adapters else weight
            whole[name] = weight.float()
        return whole


def linear_maps(network: nn.Module, rank: int, except_: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the matrices of a network's linear maps that have more than ``rank`` rows and columns.

    Args:
        except_: names of maps that are left out.
    """
    return tuple(
        f"{name}.weight"
        for name, part in network.named_modules()
        if isinstance(part, nn.Linear) and min(part.weight.shape) > rank and name not in except_
    )


def _key(name: str) -> str:
    """A weight's name without dots, which PyTorch allows in no name of a module."""
    return name.replace(".", "/")
