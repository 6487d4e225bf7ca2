"""What a network may ask about the points around its tensor.

A network is handed a ``Neighbourhood`` with its field and asks it for a rim of points, a convolution, a norm, a sum
over the domain or a coarse field as a whole. `Alone` is the default: one process holds the domain, so it pads and
returns what it was given. `mlrtma_dist.parallel.neighbourhood.Tiled` answers the same questions for a tile.

Every question that moves data is collective: all tiles ask it, in the same order.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.rim import NeighbourhoodError, Rim, check_factor

EDGES = ("zeros", "replicate")


class Neighbourhood(ABC):
    """A part of a regular domain (one level of a network) and what lies around it.

    Attributes:
        domain: points of the whole domain in y and x.
        box: the points held here.
        periodic: whether y, x wrap.
        tiles: how many parts the domain is divided into.
    """

    domain: tuple[int, int]
    periodic: tuple[bool, bool]

    @property
    @abstractmethod
    def box(self) -> Box:
        """The points held here."""

    @property
    @abstractmethod
    def tiles(self) -> int:
        """How many parts the domain is divided into."""

    @abstractmethod
    def rim(self, field: Tensor, rim: Rim, edge: str = "zeros") -> Tensor:
        """Surround ``field`` (batch, channel, y, x) with ``rim``; beyond the domain, ``edge`` or the other end.

        Returns:
            Shape (batch, channel, south + y + north, west + x + east), same unit.
        """

    @abstractmethod
    def convolve(self, field, weight, bias, stride: int = 1, dilation: int = 1, edge: str = "zeros") -> Tensor:
        """Convolve ``field`` (batch, channel, y, x) with an odd kernel centred on every ``stride``-th point.

        Args:
            field: shape (batch, channel_in, y, x).
            weight: shape (channel_out, channel_in, kernel_y, kernel_x).
            bias: shape (channel_out,) or None.

        Returns:
            Shape (batch, channel_out, ceil(y / stride), ceil(x / stride)).
        """

    @abstractmethod
    def normalise(self, field, weight, bias, groups: int, epsilon: float = 1e-5) -> Tensor:
        """Group normalisation (Wu and He 2018, eq. 2) with mean and variance over the whole domain.

        Args:
            field: shape (batch, channel, y, x); weight, bias: shape (channel,).
        """

    @abstractmethod
    def total(self, tensor: Tensor) -> Tensor:
        """Sum ``tensor`` (any shape, the same on all tiles) over the tiles."""

    @abstractmethod
    def largest(self, tensor: Tensor) -> Tensor:
        """The largest over the tiles, element by element, of ``tensor`` (any shape, the same on all tiles).

        Carries no gradient.
        """

    @abstractmethod
    def whole(self, field: Tensor) -> Tensor:
        """The domain's field (..., Y, X) from everyone's part (..., y, x); meant for coarse fields only."""

    @abstractmethod
    def coarsen(self, factor: int) -> "Neighbourhood":
        """The neighbourhood of the grid that keeps every ``factor``-th point; its far edge is rounded up."""

    @abstractmethod
    def shifted(self, by: tuple[int, int]) -> "Neighbourhood":
        """The neighbourhood whose inner lines lie ``by`` points further north and east; the domain's edges stay."""

    def check(self, field: Tensor) -> None:
        """Raise NeighbourhoodError unless ``field`` is (batch, channel, y, x) on this box."""
        if field.dim() != 4 or tuple(field.shape[-2:]) != self.box.shape:
            raise NeighbourhoodError(
                f"expected a field (batch, channel, {self.box.shape[0]}, {self.box.shape[1]}) for {self.box} of a"
                f" domain of {self.domain}, got {tuple(field.shape)}. Cut the field to the box."
            )

    def far_edge(self) -> tuple[bool, bool]:
        """Whether the box ends at the northern, eastern edge of a domain that does not wrap there."""
        ends = (self.box.y1, self.box.x1)
        sides = zip(self.periodic, ends, self.domain, strict=True)
        north, east = (not wraps and end == size for wraps, end, size in sides)
        return north, east

    def move(self, field: Tensor, by: tuple[int, int]) -> tuple[Tensor, "Neighbourhood"]:
        """Hand strips of the field on, so that the lines between tiles lie ``by`` points further north and east.

        Args:
            field: shape (batch, channel, y, x) on this box.
            by: rows and columns, negative for south and west. ``move(field, by)`` is undone by moving by ``-by``.

        Returns:
            The field on the new box, and its neighbourhood.
        """
        there = self.shifted(by)
        rim = Rim(max(0, -by[0]), max(0, by[0]), max(0, -by[1]), max(0, by[1]))
        around = self.rim(field, rim, "zeros")
        south = there.box.y0 - (self.box.y0 - rim.south)
        west = there.box.x0 - (self.box.x0 - rim.west)
        rows, columns = there.box.shape
        return around[..., south : south + rows, west : west + columns], there


@dataclass(frozen=True)
class Alone(Neighbourhood):
    """One process holds the whole domain.

    Attributes:
        origin: index of the first row and column held; not 0 only after a shift of a periodic domain.
    """

    domain: tuple[int, int]
    periodic: tuple[bool, bool] = (False, False)
    origin: tuple[int, int] = (0, 0)

    @property
    def box(self) -> Box:
        """The whole domain."""
        (y0, x0), (ny, nx) = self.origin, self.domain
        return Box(y0, y0 + ny, x0, x0 + nx)

    @property
    def tiles(self) -> int:
        """One."""
        return 1

    def rim(self, field: Tensor, rim: Rim, edge: str = "zeros") -> Tensor:
        """Pad: from the other end where the domain wraps, else with zeros or the outermost points."""
        in_y, in_x = (0, 0, rim.south, rim.north), (rim.west, rim.east, 0, 0)
        for widths, wraps in ((in_x, self.periodic[1]), (in_y, self.periodic[0])):
            if any(widths):
                field = F.pad(field, widths, mode="circular" if wraps else torch_mode(edge))
        return field

    def convolve(self, field, weight, bias, stride: int = 1, dilation: int = 1, edge: str = "zeros") -> Tensor:
        """PyTorch's own convolution, padded by itself where zeros are wanted (no copy of the field)."""
        width = [dilation * (size // 2) for size in weight.shape[-2:]]
        if edge == "zeros" and not any(self.periodic):
            return F.conv2d(field, weight, bias, stride, width, dilation)
        return F.conv2d(self.rim(field, Rim.around(*width), edge), weight, bias, stride, 0, dilation)

    def normalise(self, field, weight, bias, groups: int, epsilon: float = 1e-5) -> Tensor:
        """PyTorch's own group normalisation, also of a single point (which its functional form refuses)."""
        return torch.group_norm(field, groups, weight, bias, epsilon)

    def total(self, tensor: Tensor) -> Tensor:
        """What it was given."""
        return tensor

    def largest(self, tensor: Tensor) -> Tensor:
        """What it was given."""
        return tensor.detach()

    def whole(self, field: Tensor) -> Tensor:
        """What it was given."""
        return field

    def coarsen(self, factor: int) -> "Alone":
        """Keep every ``factor``-th point; a periodic size that does not divide raises NeighbourhoodError."""
        check_factor(self.domain, self.periodic, factor)
        rows, columns = (-(-size // factor) for size in self.domain)
        return Alone((rows, columns), self.periodic)

    def shifted(self, by: tuple[int, int]) -> "Alone":
        """Where the domain wraps, begin elsewhere; where it does not there are no inner lines."""
        row, column = (at + step * wraps for at, step, wraps in zip(self.origin, by, self.periodic, strict=True))
        return Alone(self.domain, self.periodic, (row, column))


def torch_mode(edge: str) -> str:
    """PyTorch's name of an edge; raises NeighbourhoodError for an unknown one."""
    if edge not in EDGES:
        raise NeighbourhoodError(f"unknown edge {edge!r}; choose one of {', '.join(EDGES)}.")
    return "constant" if edge == "zeros" else edge
