"""The neighbourhood of a tile: the questions of `mlrtma_dist.nn.neighbourhood`, answered by its neighbours."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn.neighbourhood import Neighbourhood, Rim
from mlrtma_dist.parallel import gather, halo, normalise, reduce
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport


@dataclass(frozen=True)
class Tiled(Neighbourhood):
    """A tile among tiles: N of them give what `Alone` gives.

    Attributes:
        tile: the points owned here and who lives around them.
        transport: how tensors travel between the tiles.
    """

    tile: Tile
    transport: Transport

    @property
    def domain(self) -> tuple[int, int]:
        """Points of the whole domain in y and x."""
        return self.tile.domain

    @property
    def periodic(self) -> tuple[bool, bool]:
        """Whether y, x wrap."""
        return self.tile.periodic

    @property
    def box(self) -> Box:
        """The owned points."""
        return self.tile.box

    @property
    def tiles(self) -> int:
        """How many tiles share the domain."""
        return self.transport.size

    def rim(self, field: Tensor, rim: Rim, edge: str = "zeros") -> Tensor:
        """Fetch the neighbours' points; see `halo.exchange`."""
        return halo.exchange(field, rim, self.tile, self.transport, edge)

    def convolve(self, field, weight, bias, stride: int = 1, dilation: int = 1, edge: str = "zeros") -> Tensor:
        """Fetch the halo, then convolve by PyTorch."""
        around = self.rim(field, Rim.around(*(dilation * (size // 2) for size in weight.shape[-2:])), edge)
        return F.conv2d(around, weight, bias, stride, 0, dilation)

    def normalise(self, field, weight, bias, groups: int, epsilon: float = 1e-5) -> Tensor:
        """Normalise with all tiles' mean and variance; see `normalise.normalise`."""
        return normalise.normalise(field, weight, bias, groups, epsilon, self.transport)

    def total(self, tensor: Tensor) -> Tensor:
        """Sum over tiles; see `reduce.total`."""
        return reduce.total(tensor, self.transport)

    def largest(self, tensor: Tensor) -> Tensor:
        """Largest over tiles, element by element."""
        return torch.stack(self.transport.collect(tensor.detach())).amax(0)

    def whole(self, field: Tensor) -> Tensor:
        """Assemble all tiles' parts here; see `gather.gather`."""
        return gather.gather(field, self.tile, self.transport)

    def coarsen(self, factor: int) -> "Tiled":
        """The tile of the coarser grid; TileError where a line would be cut through."""
        return replace(self, tile=self.tile.coarsen(factor))

    def shifted(self, by: tuple[int, int]) -> "Tiled":
        """The tile between shifted lines."""
        return replace(self, tile=self.tile.shifted(by))
