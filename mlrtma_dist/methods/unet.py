"""UNetMethod: a convolutional U-net learns the analysis from cases whose truth is known (Exercises 1 and 2).

    x_a = x_b + f(x_b, d, m)        d = y_o - x_b at observed points, else 0;  m = 1 at observed points, else 0

f minimises the mean square of x_a - H over cases, and the function that does so is the posterior mean E[H | x_b, y_o]:
on Gaussian fields the Bayes-optimal analysis of `methods.optimal` is the limit that training tends to. Channels are
described in `samples.encode`. Everything is in units of the target's deviation.

Without a background, in units of each type's and each target's deviation from its climatological mean,

    x_a = f(y, m)                   y = y_o at observed points, else 0, for all types of observation
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig
from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class UNetSettings:
    """What the method is made of.

    Attributes:
        variables: fields that are analysed; each has a channel of background, of departures and of the mask.
        observed: types of observation, each with a channel of values and of the mask, where there is no background;
            0: the variables.
        fold: points on a side of the squares that become channels; smaller than the shortest scale to be resolved.
        widths: channels of the U-net's levels; groups: of its norms.
        background_deviation: typical error of the background in units of the target's deviation; brings departures
            and the network's answer to size one. None: there is no background, and the answer is the analysis.
        recompute: forget activations in the forward pass, compute them again in the backward pass.
        seed: of the first weights.
    """

    variables: int = 1
    observed: int = 0
    fold: int = 2
    widths: tuple[int, ...] = (64, 64, 64)
    groups: int = 8
    background_deviation: float | None = 0.4
    recompute: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.variables < 1 or self.observed < 0:
            got = self.variables, self.observed
            raise ValueError(f"expected variables from 1 and observed from 0 on, got {got[0]} and {got[1]}")
        if self.background_deviation is not None and not self.background_deviation > 0.0:
            raise ValueError(f"background_deviation: expected more than 0, got {self.background_deviation:g}")
        if self.background_deviation is not None and self.observed:
            raise ValueError(f"observed: expected 0 with a background, got {self.observed}")

    @property
    def scales_in(self) -> tuple[float, ...]:
        """What each channel that the network sees is divided by."""
        if self.background_deviation is None:
            return (1.0,) * (2 * (self.observed or self.variables))
        return (1.0,) * self.variables + (self.background_deviation,) * self.variables + (1.0,) * self.variables


class UNetMethod:
    """The method; what training asks of it, and an analysis.

    Attributes:
        network: called with inputs (batch, channel, y, x) and the neighbourhood, says the analysis.
    """

    def __init__(self, settings: UNetSettings):
        deviation, scales = settings.background_deviation, settings.scales_in
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)  # every rank the same first weights, whatever was drawn before
            self.network = FoldedUNet(
                FoldedUNetConfig(
                    channels_in=len(scales),
                    channels_out=settings.variables,
                    fold=settings.fold,
                    widths=settings.widths,
                    groups=settings.groups,
                    recompute=settings.recompute,
                    scale=deviation or 1.0,
                    scales_in=scales,
                    adds=deviation is not None,
                )
            )

    def weight(self, sample) -> float:
        """Known target points of a `samples.sample.Sample` on this tile, all channels."""
        if sample.mask is None:
            return float(sample.target.numel())
        return float(sample.mask.double().sum()) * sample.target.shape[1]

    def loss(self, sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's points of the squared error, a scalar, and its `weight`; never a mean."""
        target = sample.target
        if sample.mask is not None:  # what is unknown may be NaN, whose gradient would be NaN even with weight 0
            target = torch.where(sample.mask > 0, target, 0.0)
        squares = (self.network(sample.inputs, neighbourhood).to(target.dtype) - target).square()
        if sample.mask is not None:
            squares = squares * sample.mask
        return squares.sum(), self.weight(sample)

    @torch.no_grad()
    def analyse(self, sample, neighbourhood: Neighbourhood) -> Tensor:
        """The analysis on this tile, shape (batch, variables, y, x), in units of the target."""
        return self.network(sample.inputs, neighbourhood).to(sample.target.dtype)
