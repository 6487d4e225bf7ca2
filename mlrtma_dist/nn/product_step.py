"""One time step as local products: convolutions that reach as far as anything travels, a layer of products, a residual.

    z = C_0(x)        z <- z + C_i(z) * C'_i(z) + C''_i(z)   (i = 1, ..., layers)        change = C(z)

Advection multiplies two fields at neighbouring points, and one Runge-Kutta stage is a product of such sums; the layers
are those of a polynomial of degree 2^layers in the state, without any other nonlinearity. A point depends on points no
further than `ProductStep.reach`, which should be the distance that waves and wind travel in a step (that of Courant,
Friedrichs and Lewy): beyond it the Jacobian is exactly zero, as the model's is. All points are treated alike. On tiles
it asks its neighbourhood for rims, once per layer.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from mlrtma_dist.nn.layers import Convolution
from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError


@dataclass(frozen=True)
class ProductStepConfig:
    """What a step is made of.

    Attributes:
        channels_in, channels_out: of the fields.
        width: channels inside.
        layers: of products.
        kernel: points of every convolution in y and x, odd; (1, 5) on a line.
        edge: beyond a domain that does not wrap, "zeros" or "replicate".
    """

    channels_in: int = 1
    channels_out: int = 1
    width: int = 32
    layers: int = 2
    kernel: tuple[int, int] = (1, 5)
    edge: str = "replicate"

    def __post_init__(self):
        if min(self.channels_in, self.channels_out, self.width, self.layers) < 1:
            raise NeighbourhoodError(
                "a product step has channels, a width and layers of 1 or more, got"
                f" {self.channels_in}, {self.channels_out}, {self.width} and {self.layers}."
            )


class ProductStep(nn.Module):
    """Convolutions and products; its last convolution begins at zero: the first step changes nothing."""

    def __init__(self, config: ProductStepConfig):
        super().__init__()
        self.config = config
        width, kernel, edge = config.width, config.kernel, config.edge
        self.stem = Convolution(config.channels_in, width, kernel, edge=edge)
        self.layers = nn.ModuleList(Convolution(width, 3 * width, kernel, edge=edge) for _ in range(config.layers))
        self.head = Convolution(width, config.channels_out, kernel, edge=edge)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @property
    def reach(self) -> tuple[int, int]:
        """How many points away in y and x a point may matter."""
        south, west = ((size // 2) * (self.config.layers + 2) for size in self.config.kernel)
        return south, west

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """The change (batch, channels_out, y, x) of fields (batch, channels_in, y, x).

        Raises:
            NeighbourhoodError: the field is not of the neighbourhood's box.
            TileError: a tile is smaller than a kernel's half.
        """
        neighbourhood.check(field)
        field = self.stem(field, neighbourhood)
        for layer in self.layers:
            one, other, alone = layer(field, neighbourhood).chunk(3, 1)
            field = field + one * other + alone
        return self.head(field, neighbourhood)
