"""A network of place and time with random Fourier features; many members side by side, with exact derivatives.

    features   phi(x) = sqrt(2 / w) cos(Omega x + b),   Omega ~ N(0, 1 / scale^2), b uniform   (Rahimi and Recht 2007)
    layers     a = 1.593 tanh(W a + c), the last one linear

Each member has features and weights of its own; all are evaluated in one product of batches. Weights are in units in
which their prior is N(0, 1) (Neal 1996), so that before anything is fitted every output is a random field of variance
near one, whose scales are those of the features. `jet` carries first and second derivatives through the layers
(Taylor mode), which costs as many passes as there are derivatives and no graph of gradients.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

GAIN = 1.593  # 1 / the deviation of tanh of a standard normal number
SECOND = 2  # the first of the coordinates, of which second derivatives are wanted


@dataclass(frozen=True)
class Jet:
    """A function of n points with its derivatives by the d coordinates, for m members and k outputs.

    Attributes:
        value: shape (m, n, k); first: (d, m, n, k), by each coordinate.
        second: of the first two coordinates, unmixed, (2, m, n, k).
    """

    value: Tensor
    first: Tensor
    second: Tensor

    def __add__(self, other: "Jet") -> "Jet":
        """The sum of two functions."""
        return Jet(self.value + other.value, self.first + other.first, self.second + other.second)

    def __mul__(self, other: "Jet") -> "Jet":
        """The product of two functions."""
        first = self.first * other.value + self.value * other.first
        mixed = 2.0 * self.first[:SECOND] * other.first[:SECOND]
        second = self.second * other.value + mixed + self.value * other.second
        return Jet(self.value * other.value, first, second)

    def __getitem__(self, output: int) -> "Jet":
        """One output, whose arrays lack the last dim."""
        return Jet(self.value[..., output], self.first[..., output], self.second[..., output])


class SpaceTimeNetwork(nn.Module):
    """Members of a network of place and time.

    Args:
        members: m of them; scale: of each coordinate, over which outputs vary, shape (d,).
        outputs: k of them; features, width, depth: of each member: Fourier features, units of a hidden layer, layers.
        seed: of features and first weights.
    """

    frequency: Tensor
    phase: Tensor

    def __init__(self, members: int, scale: Tensor, outputs: int, *, features: int, width: int, depth: int, seed: int):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
        frequency = draw(members, len(scale), features) / scale.double()[:, None]
        phase = 2.0 * torch.pi * torch.rand(members, 1, features, generator=generator, dtype=torch.float64)
        self.register_buffer("frequency", frequency.float())
        self.register_buffer("phase", phase.float())
        sizes = [features, *[width] * depth, outputs]
        self.weights = nn.ParameterList(
            nn.Parameter(draw(members, before, after).float())
            for before, after in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.offsets = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, size)) for size in sizes[1:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Values at n points (n, d) or (m, n, d), shape (m, n, k)."""
        a = self._amplitude * torch.cos(x @ self.frequency + self.phase)
        for number, weight in enumerate(self.weights):
            a = a @ weight / weight.shape[1] ** 0.5
            if number < len(self.offsets):
                a = GAIN * torch.tanh(a + self.offsets[number])
        return a

    def jet(self, x: Tensor) -> Jet:
        """Values and derivatives at n points (n, d)."""
        angle = x @ self.frequency + self.phase
        cosine, sine = self._amplitude * torch.cos(angle), self._amplitude * torch.sin(angle)
        steps = self.frequency.permute(1, 0, 2)[:, :, None]  # (d, m, 1, features)
        value, first, second = cosine, -sine * steps, -cosine * steps[:SECOND] ** 2
        for number, weight in enumerate(self.weights):
            streams = torch.cat([value[None], first, second]) @ weight / weight.shape[1] ** 0.5
            value, first, second = streams[0], streams[1 : 1 + len(steps)], streams[1 + len(steps) :]
            if number < len(self.offsets):
                value = torch.tanh(value + self.offsets[number])
                slope = 1.0 - value**2
                second = GAIN * (slope * second - 2.0 * value * slope * first[:SECOND] ** 2)
                value, first = GAIN * value, GAIN * slope * first
        return Jet(value, first, second)

    @property
    def _amplitude(self) -> float:
        return 2.0**0.5  # with weights over the root of their number: variance one
