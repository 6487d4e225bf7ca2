"""What learned methods on fields share: units, checks of contents, and cases as channels on a tile."""

from typing import Protocol

import numpy as np
import torch
from torch import nn

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.encode import encode
from mlrtma_dist.methods.learned import ContentsError, own_reports
from mlrtma_dist.methods.sample import Sample, without_data
from mlrtma_dist.methods.statistics import Statistics

BAND = 16  # rows that are normalised at once: they stay in the processor's cache between the two steps


class FieldSettings(Protocol):
    """Settings of a method on fields.

    Attributes:
        variables: how many fields are analysed; backgrounds: how many of them have a background, all or none.
        types: of observation.
    """

    variables: int
    backgrounds: int
    types: int


class FieldMethod:
    """The parts of a `methods.learned.LearnedMethod` whose network gives fields and whose truths are fields.

    Attributes:
        settings: of the method.
        statistics: the units of the network; None before they are gathered.
        reads_reports: whether the reports are channels of the network's input.
    """

    settings: FieldSettings
    statistics: Statistics | None
    network: nn.Module
    draws = whole_reports = False
    reads_reports = True
    lags: tuple[np.timedelta64, ...] = ()

    def settle(self, domain: Domain) -> None:
        """The network is the same on every domain."""

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it."""
        return self.network.alignment

    @property
    def channels(self) -> tuple[int, int]:
        """Of inputs and of the target."""
        return self._channels(self.settings.backgrounds, self.settings.types, self.settings.variables)

    def _channels(self, backgrounds: int, types: int, variables: int) -> tuple[int, int]:
        """Channels of inputs and of the target for so many backgrounds, types of observation and variables."""
        return backgrounds + 2 * types * self.reads_reports, variables

    @property
    def fields_read(self) -> int:
        """Fields of a stored case: backgrounds and targets; the other channels are made of the reports."""
        return self.settings.backgrounds + self.settings.variables

    def check(self, contents: Contents) -> None:
        """Raise ContentsError unless cases of these contents suit the network and its statistics."""
        backgrounds = len(contents.variables) if contents.background else 0
        needed = self._channels(backgrounds, len(contents.observed), len(contents.variables))
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
        units = list(zip(*self.target_units, strict=True))
        for number in range(backgrounds):
            normalise(case.background_of(self.variables[number]), *units[number], channels[number])
        if case.truth is None:
            target, mask = torch.zeros_like(target), torch.zeros(1, 1, *case.box.shape)
        else:
            for number in range(targets):
                normalise(case.truth[self.variables[number]], *units[number], target[0, number].numpy())
            if not torch.isfinite(target.sum()):  # beyond the edge of a label's grid the truth is not known
                mask = target.isfinite().all(1, keepdim=True).to(target.dtype)
        if self.reads_reports:
            self._encode_reports(case, channels)
        return Sample(inputs, target, mask, np.array([case.time], dtype="datetime64[s]"))

    def _encode_reports(self, case: Case, channels: np.ndarray) -> None:
        """Write departures (or values) and masks of the used reports of the box into their channels."""
        backgrounds, box = self.settings.backgrounds, case.box
        types = self.statistics.observed or self.variables
        rows, cell, kind = own_reports(case, types)
        mean, deviation = (part[kind] for part in (self.target_units if backgrounds else self._observed_units))
        value = (case.observations.value[rows] - mean) / deviation
        believed = channels[kind, cell[:, 0] - box.y0, cell[:, 1] - box.x0] if backgrounds else 0.0
        encode(cell, value - believed, kind, box, channels[backgrounds:])

    @property
    def target_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of every target, shape (variable,) each."""
        units = self.statistics
        return tuple(np.array(part[-self.settings.variables :]) for part in (units.mean, units.deviation))

    @property
    def _observed_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the observations of every type, shape (type,) each."""
        return np.array(self.statistics.observed_mean), np.array(self.statistics.observed_deviation)

    def without_data(self, shape: tuple[int, int], batch: int) -> Sample:
        """See `methods.learned.LearnedMethod.without_data`."""
        return without_data(shape, self.channels, batch)

    def weight(self, sample: Sample) -> float:
        """Known target points of a sample on this tile, all channels."""
        if sample.mask is None:
            return float(sample.target.numel())
        return float(sample.mask.double().sum()) * sample.target.shape[1]


def normalise(field: np.ndarray, mean: float, deviation: float, into: np.ndarray) -> None:
    """A field in units of its deviation from the mean, in double precision on the way, band by band."""
    wide = np.empty((BAND, field.shape[1]))
    for first in range(0, len(field), BAND):
        rows = slice(first, first + BAND)
        part = wide[: len(field[rows])]
        np.subtract(field[rows], mean, out=part, dtype=np.float64)
        np.divide(part, deviation, out=into[rows], casting="same_kind")
