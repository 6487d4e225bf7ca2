"""From the imagery of a case to what a network of tokens and points is given of it.

A token is given the means and the shares of pixels present of `CELLS` x `CELLS` cells of its square, so that the first
layer of the network is a convolution of that stride over cells. A point is given the pixel in which it lies, and the
mean of the pixels around it. What is missing is 0, with a mask or share of 0 beside it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.imagery import Imagery
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.learned import ContentsError

log = logging.getLogger(__name__)
CELLS = 4  # on a side of a token
AROUND = 15e3  # m, half a side of the square around a point: what a station's observer sees of the sky
POINT_COLUMNS = ("pixel", "present", "mean around", "share around")  # of each channel, at a point
OUTSIDE = -1e6  # grid coordinate of no domain
LARGEST = 5.0  # scales; what lies farther from the mean counts as this


@dataclass(frozen=True)
class ImageryChannel:
    """What is typical of a channel.

    Attributes:
        unit: of its values, as the source of the imagery states it.
        mean: typical value in that unit, which the network is given as 0.
        scale: typical deviation in that unit, which the network is given as 1.
    """

    unit: str
    mean: float
    scale: float

    def __post_init__(self):
        if not 0.0 < self.scale < float("inf"):
            raise ValueError(f"scale: expected more than 0 and finite, got {self.scale:g}")


def token_labels(channels: Mapping[str, ImageryChannel]) -> tuple[str, ...]:
    """Names of the fields of a token, in their order."""
    cells = [f"{y} {x}" for y in range(CELLS) for x in range(CELLS)]
    return tuple(f"image {kind} {name} {cell}" for kind in ("mean", "share") for name in channels for cell in cells)


def point_labels(channels: Mapping[str, ImageryChannel]) -> tuple[str, ...]:
    """Names of the columns of a point, in their order."""
    return tuple(f"image {column} {name}" for name in channels for column in POINT_COLUMNS)


@dataclass(frozen=True)
class Images:
    """The channels that a network takes, of one case.

    Attributes:
        domain: of the case.
        channels: what is typical of each, by name.
        fields: channel -> field on the whole domain in units of the scale, float32, NaN where a pixel is missing;
            those that the case lacks are not in it.
    """

    domain: Domain
    channels: Mapping[str, ImageryChannel]
    fields: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, case: Case, channels: Mapping[str, ImageryChannel], missing: frozenset[str] = frozenset()) -> "Images":
        """The imagery of a case.

        Args:
            missing: channels that are treated as missing.

        Raises:
            InputError: the case has a channel on a part of the domain alone.
        """
        whole, fields = Box.whole(case.domain.shape), {}
        for name, channel in channels.items():
            if name in missing or name not in case.imagery.values:
                continue
            if case.imagery.box != whole:
                raise InputError(
                    f"imagery {name} of {case.time}: expected all {case.domain.shape} points of {case.domain.name}, got"
                    f" {case.imagery.box}. A source of cases gives whole images (methods.case.Case.imagery)."
                )
            fields[name] = _in_scales(case.imagery, name, channel)
        return cls(case.domain, channels, fields)

    def tokens(self, box: Box, patch: int) -> np.ndarray:
        """Fields of the tokens of a box, `token_labels` of them, shape (fields, y, x).

        Args:
            box: begins on multiples of ``patch``, the grid points on a side of a token; a token at the far edge of the
                domain is completed by missing pixels.
        """
        repeated = max(1, CELLS // patch)  # a token of fewer points than cells shows each point in several cells
        rows, columns = (-(-size // patch) for size in box.shape)
        cell = max(patch, CELLS) // CELLS
        result = np.zeros((2, len(self.channels), rows, CELLS, columns, CELLS))
        for number, name in enumerate(self.channels):
            if name not in self.fields:
                continue
            square = np.full((rows * patch, columns * patch), np.nan, np.float32)
            square[: box.shape[0], : box.shape[1]] = self.fields[name][box.slices]
            square = square.repeat(repeated, 0).repeat(repeated, 1)
            present = np.isfinite(square)
            for part, pixels in enumerate((np.where(present, square, 0.0), present)):
                parts = pixels.astype(np.float64).reshape(rows, CELLS, cell, columns, CELLS, cell)
                result[part, number] = parts.sum((2, 5))
        total, count = result
        fields = np.stack([total / np.maximum(count, 1.0), count / cell**2])
        return fields.transpose(0, 1, 3, 5, 2, 4).reshape(-1, rows, columns)

    def points(self, place: np.ndarray) -> np.ndarray:
        """Columns of points at grid coordinates (y, x), `point_labels` of them, shape (m, columns).

        Args:
            place: of the domain, shape (m, 2); all is missing at points outside of it.
        """
        reach = int(AROUND / self.domain.spacing_metres)
        steps = np.arange(-reach, reach + 1)
        result = np.zeros((len(place), len(self.channels), len(POINT_COLUMNS)))
        nearest = np.floor(np.clip(np.nan_to_num(place, nan=OUTSIDE), OUTSIDE, -OUTSIDE) + 0.5)
        rows, columns = nearest.astype(np.int64).T
        for number, name in enumerate(self.channels):
            if name not in self.fields:
                continue
            for y in steps:  # one row of the square at a time: 31 pixels of a point on a grid of 1 km
                pixels = self._pixels(name, rows[:, None] + y, columns[:, None] + steps)
                present = np.isfinite(pixels)
                result[:, number, 2] += np.where(present, pixels, 0.0).sum(1)
                result[:, number, 3] += present.sum(1)
                if y == 0:
                    own, there = pixels[:, reach], present[:, reach]
                    result[:, number, 0], result[:, number, 1] = np.where(there, own, 0.0), there
            result[:, number, 2] /= np.maximum(result[:, number, 3], 1.0)
            result[:, number, 3] /= len(steps) ** 2
        return result.reshape(len(place), -1)

    def _pixels(self, name: str, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Pixels of a channel, NaN where they are missing or outside the domain; the shape of both numbers."""
        field = self.fields[name]
        inside = (rows >= 0) & (rows < field.shape[0]) & (columns >= 0) & (columns < field.shape[1])
        pixels = field[np.clip(rows, 0, field.shape[0] - 1), np.clip(columns, 0, field.shape[1] - 1)]
        return np.where(inside, pixels.astype(np.float64), np.nan)


def _in_scales(imagery: Imagery, name: str, channel: ImageryChannel) -> np.ndarray:
    """A channel in units of its scale, NaN where a pixel is missing or infinite, float32."""
    field = (np.asarray(imagery.values[name], np.float32) - np.float32(channel.mean)) / np.float32(channel.scale)
    return np.where(np.isfinite(field), np.clip(field, -LARGEST, LARGEST), np.float32(np.nan))


def missing_channels(
    channels: Mapping[str, ImageryChannel], share: float, random: np.random.Generator
) -> frozenset[str]:
    """The channels that are missing in a draw of a training: all in a share of the draws, else one in as many.

    Args:
        share: of the draws.
    """
    at, one = random.random(), int(random.integers(max(len(channels), 1)))
    if at < share:
        return frozenset(channels)
    return frozenset([list(channels)[one]]) if at < 2.0 * share and len(channels) > 1 else frozenset()


def check_imagery(channels: Mapping[str, ImageryChannel], contents: Contents) -> None:
    """Warn where the cases of a source have no channel of a network, which does without it.

    Raises:
        ContentsError: a channel has another unit in the cases.
    """
    units = dict(zip(contents.imagery, contents.imagery_units, strict=True))
    for name, channel in channels.items():
        if name in units and units[name] != channel.unit:
            raise ContentsError(
                f"method vit: settings.imagery.{name}: the network takes it in {channel.unit}, the cases of"
                f" {contents.domain.name} have it in {units[name]}. Convert it, or change unit, mean and scale."
            )
    if channels and not set(channels) & set(units):
        log.warning(
            "method vit takes imagery of %s; the cases of %s have none of it, all is treated as missing",
            ", ".join(channels),
            contents.domain.name,
        )
