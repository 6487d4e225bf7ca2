"""The U-net: a convolutional network that learns the analysis from cases whose truth is known (Exercises 1 and 2).

    x_a = x_b + f(x_b, d, m)        d = y_o - x_b at observed points, else 0;  m = 1 at observed points, else 0

f minimises the mean square of x_a - H over cases, and the function that does so is the posterior mean E[H | x_b, y_o]:
on Gaussian fields the Bayes-optimal analysis of `methods.optimal` is the limit that training tends to. Channels are
described in `methods.encode`. Everything is in units of the target's deviation.

Without a background, in units of each type's and each target's deviation from its climatological mean,

    x_a = f(y, m)                   y = y_o at observed points, else 0, for all types of observation
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.field_method import FieldMethod
from mlrtma_dist.methods.learned import ContentsError, GridAnswer, build_method, first_weights
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood


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
            and the network's output to size one. None: there is no background, and the output is the analysis.
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
            raise ValueError(f"expected variables >= 1 and observed >= 0, got {self.variables} and {self.observed}")
        if self.background_deviation is not None and not self.background_deviation > 0.0:
            raise ValueError(f"background_deviation: expected more than 0, got {self.background_deviation:g}")
        if self.background_deviation is not None and self.observed:
            raise ValueError(f"observed: expected 0 with a background, got {self.observed}")

    @property
    def backgrounds(self) -> int:
        """Channels of backgrounds."""
        return 0 if self.background_deviation is None else self.variables

    @property
    def types(self) -> int:
        """Types of observation."""
        return self.observed or self.variables

    @property
    def scales_in(self) -> tuple[float, ...]:
        """What each channel of the input is divided by."""
        if self.background_deviation is None:
            return (1.0,) * (2 * self.types)
        return (1.0,) * self.variables + (self.background_deviation,) * self.variables + (1.0,) * self.variables


class UNetMethod(FieldMethod):
    """The method (`methods.learned.LearnedMethod`).

    Attributes:
        network: called with inputs (batch, channel, y, x) and the neighbourhood, gives the analysis.
        statistics: the units of the network; None before they are gathered.
        signed: channels of the input that are no masks.
    """

    def __init__(self, settings: UNetSettings, statistics: Statistics | None = None):
        deviation, scales = settings.background_deviation, settings.scales_in
        self.settings, self.statistics = settings, statistics
        self.signed = settings.backgrounds + settings.types
        with first_weights(settings.seed):
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

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's points of the squared error, a scalar, and its `weight`; never a mean."""
        target = sample.target
        if sample.mask is not None:  # what is unknown may be NaN, whose gradient would be NaN even with weight 0
            target = torch.where(sample.mask > 0, target, 0.0)
        squares = (self.network(sample.inputs, neighbourhood).to(target.dtype) - target).square()
        if sample.mask is not None:
            squares = squares * sample.mask
        return squares.sum(), self.weight(sample)

    @torch.no_grad()
    def predict(self, sample: Sample, neighbourhood: Neighbourhood) -> Tensor:
        """The analysis on this tile, shape (batch, variables, y, x), in units of the target."""
        return self.network(sample.inputs, neighbourhood).to(sample.target.dtype)

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> GridAnswer:
        """The analysis of a case of any source; see `methods.method.Method.analyse`.

        Raises:
            ContentsError: the case has no first guess, which the network corrects.
        """
        if self.settings.backgrounds and case.first_guess is None and not case.background:
            raise ContentsError(f"method unet: the case of {case.time} has no background, which the network corrects")
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        device = next(self.network.parameters()).device
        output = self.predict(self.encode(case).to(device), here).cpu().numpy()[0]
        mean, deviation = (part[:, None, None] for part in self.target_units)
        fields = (output * deviation + mean).astype(np.float32)
        return GridAnswer.of(case, dict(zip(self.variables, fields, strict=True)), neighbourhood)


def build_unet(settings: Mapping[str, object], where: str) -> UNetMethod:
    """A U-net with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(UNetMethod, UNetSettings, settings, where)
