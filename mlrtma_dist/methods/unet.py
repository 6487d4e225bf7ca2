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

from mlrtma_dist import config
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.encode import encode
from mlrtma_dist.methods.learned import ContentsError, GridAnswer, own_reports
from mlrtma_dist.methods.sample import Sample, without_data
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood

BAND = 16  # rows that are normalised at once: they stay in the processor's cache between the two steps


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


class UNetMethod:
    """The method (`methods.learned.LearnedMethod`).

    Attributes:
        network: called with inputs (batch, channel, y, x) and the neighbourhood, gives the analysis.
        statistics: the units of the network; None before they are gathered.
        signed: channels of the input that are no masks.
    """

    draws = whole_reports = False

    def __init__(self, settings: UNetSettings, statistics: Statistics | None = None):
        deviation, scales = settings.background_deviation, settings.scales_in
        self.settings, self.statistics = settings, statistics
        self.signed = settings.backgrounds + settings.types
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

    def settle(self, domain: Domain) -> None:
        """The network is the same on every domain."""

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it."""
        return self.network.alignment

    @property
    def channels(self) -> tuple[int, int]:
        """Of inputs and of the target."""
        return self.network.config.channels_in, self.network.config.channels_out

    @property
    def fields_read(self) -> int:
        """Fields of a stored case: backgrounds and targets; the other channels are made of the reports."""
        return self.settings.backgrounds + self.settings.variables

    def check(self, contents: Contents) -> None:
        """Raise ContentsError unless cases of these contents suit the network and its statistics."""
        backgrounds = len(contents.variables) if contents.background else 0
        needed = backgrounds + 2 * len(contents.observed), len(contents.variables)
        if self.channels != needed or backgrounds != self.settings.backgrounds:
            kind = "with" if contents.background else "without"
            raise ContentsError(
                f"settings: the network takes {self.channels[0]} channels and gives {self.channels[1]}, the cases of"
                f" {contents.domain.name} have {needed[0]} and {needed[1]}: variables: {len(contents.variables)}, types"
                f" of observation: {len(contents.observed)}, {kind} background. Set settings.variables,"
                " settings.observed and settings.background_deviation to suit."
            )
        units = self.statistics
        if units is not None and (
            units.fields != contents.fields or (units.observed and units.observed != contents.observed)
        ):
            raise ContentsError(
                f"the network was trained on the fields {', '.join(units.fields)} and observations of"
                f" {', '.join(units.observed) or 'them'}, but the cases hold {', '.join(contents.fields)} and"
                f" {', '.join(contents.observed)}. Use a checkpoint that was trained on such cases."
            )

    def check_source(self, contents: Contents) -> None:
        """Raise ContentsError unless cases of these contents have every field and type that the network takes."""
        types = self.statistics.observed or self.variables
        missing = [name for name in self.variables if name not in contents.variables]
        missing += [name for name in types if name not in contents.observed and name not in missing]
        if missing:
            raise ContentsError(
                f"the network was trained on {', '.join(self.variables)}, observed as {', '.join(types)}; the cases of"
                f" {contents.domain.name} have no {', '.join(missing)}, but {', '.join(contents.variables)}. Use a"
                " checkpoint that was trained on such cases."
            )

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the analysed fields, from the statistics."""
        return tuple(name.partition("_")[2] for name in self.statistics.fields[-self.settings.variables :])

    def encode(self, case: Case, draw: int = 0) -> Sample:
        """A case as a batch of one: backgrounds, departures (or values) and masks; the truth as target."""
        backgrounds, targets = self.settings.backgrounds, self.settings.variables
        inputs, target = (torch.empty(1, count, *case.box.shape) for count in self.channels)
        channels, mask = inputs[0].numpy(), None
        units = list(zip(*self._target_units, strict=True))
        for number in range(backgrounds):
            _normalise(case.background_of(self.variables[number]), *units[number], channels[number])
        if case.truth is None:
            target, mask = torch.zeros_like(target), torch.zeros(1, 1, *case.box.shape)
        else:
            for number in range(targets):
                _normalise(case.truth[self.variables[number]], *units[number], target[0, number].numpy())
            if not torch.isfinite(target.sum()):  # beyond the edge of a label's grid the truth is not known
                mask = target.isfinite().all(1, keepdim=True).to(target.dtype)
        self._encode_reports(case, channels)
        return Sample(inputs, target, mask, np.array([case.time], dtype="datetime64[s]"))

    def _encode_reports(self, case: Case, channels: np.ndarray) -> None:
        """Write departures (or values) and masks of the used reports of the box into their channels."""
        backgrounds, box = self.settings.backgrounds, case.box
        types = self.statistics.observed or self.variables
        rows, cell, kind = own_reports(case, types)
        mean, deviation = (part[kind] for part in (self._target_units if backgrounds else self._observed_units))
        value = (case.observations.value[rows] - mean) / deviation
        believed = channels[kind, cell[:, 0] - box.y0, cell[:, 1] - box.x0] if backgrounds else 0.0
        encode(cell, value - believed, kind, box, channels[backgrounds:])

    @property
    def _target_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of every target, shape (variable,) each."""
        units = self.statistics
        return tuple(np.array(part[-self.settings.variables :]) for part in (units.mean, units.deviation))

    @property
    def _observed_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the observations of every type, shape (type,) each."""
        return np.array(self.statistics.observed_mean), np.array(self.statistics.observed_deviation)

    def without_data(self, shape: tuple[int, int], batch: int, dtype: torch.dtype) -> Sample:
        """See `methods.learned.LearnedMethod.without_data`."""
        return without_data(shape, self.channels, batch, dtype)

    def weight(self, sample: Sample) -> float:
        """Known target points of a sample on this tile, all channels."""
        if sample.mask is None:
            return float(sample.target.numel())
        return float(sample.mask.double().sum()) * sample.target.shape[1]

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
        mean, deviation = (part[:, None, None] for part in self._target_units)
        fields = (output * deviation + mean).astype(np.float32)
        return GridAnswer.of(case, dict(zip(self.variables, fields, strict=True)), neighbourhood)


def _normalise(field: np.ndarray, mean: float, deviation: float, into: np.ndarray) -> None:
    """A field in units of its deviation from the mean, in double precision on the way, band by band."""
    wide = np.empty((BAND, field.shape[1]))
    for first in range(0, len(field), BAND):
        rows = slice(first, first + BAND)
        part = wide[: len(field[rows])]
        np.subtract(field[rows], mean, out=part, dtype=np.float64)
        np.divide(part, deviation, out=into[rows], casting="same_kind")


def build_unet(settings: Mapping[str, object], where: str) -> UNetMethod:
    """A U-net with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    chosen = config.build(UNetSettings, dict(settings), f"{where}: settings")
    try:
        return UNetMethod(chosen)
    except ValueError as error:  # each setting is possible, the network that they describe is not
        raise config.ConfigError(f"{where}: settings: {error}") from error
