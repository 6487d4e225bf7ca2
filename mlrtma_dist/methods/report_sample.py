"""ReportSample: a batch of cases as stations, tokens and points, for a network that reads reports."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.report_points import PointSet, Stations


@dataclass(frozen=True)
class ReportSample(Sample):
    """A batch of cases; ``inputs`` are the fields of this tile's tokens.

    ``target`` and ``mask`` have the shape (batch, variable, point, 1): departures in units of the scale, or of a
    variable with limits the number of them that the value reaches; 0 where the mask is 0.

    Attributes:
        tokens: this tile's; stations: all of the domain; points: where the targets of this tile are.
        cell: coordinates (y, x) of the points on the grid of the tokens, shape (batch, point, 2).
        rise: how far each target lies above its point, km, shape (batch, point).
    """

    tokens: PointSet
    stations: Stations
    points: PointSet
    cell: Tensor
    rise: Tensor

    @classmethod
    def join(cls, samples: Sequence["ReportSample"]) -> "ReportSample":
        """Samples side by side; those with fewer stations or points are filled up: by stations that
        report nothing, and by points without weight."""
        if len(samples) == 1:
            return samples[0]
        stations = max(each.stations.values.shape[1] for each in samples)
        points = max(each.rise.shape[1] for each in samples)
        filled = [_filled(each, stations, points) for each in samples]
        return _join(filled)

    def each(self, change) -> "ReportSample":
        """The same batch with every tensor changed."""
        parts = {}
        for field in fields(self):
            part = getattr(self, field.name)
            if isinstance(part, Tensor):
                parts[field.name] = change(part)
            elif isinstance(part, PointSet | Stations):
                parts[field.name] = part.each(change)
        return replace(self, **parts)


def _filled(sample: ReportSample, stations: int, points: int) -> ReportSample:
    """A sample with so many stations and points."""
    more = stations - sample.stations.values.shape[1]
    beyond = points - sample.rise.shape[1]
    return replace(
        sample,
        stations=Stations(
            sample.stations.points.each(lambda rows: _longer(rows, more)),
            F.pad(sample.stations.values, (0, 0, 0, more)),
            F.pad(sample.stations.present, (0, 0, 0, more)),
        ),
        points=sample.points.each(lambda rows: _longer(rows, beyond)),
        cell=_longer(sample.cell, beyond),
        rise=F.pad(sample.rise, (0, beyond)),
        target=_longer(sample.target, beyond),
        mask=F.pad(sample.mask, (0, 0, 0, beyond)),
    )


def _longer(rows: Tensor, more: int) -> Tensor:
    """``more`` copies of the last of the rows (..., n, c) after it: a place on the earth, as it must be one."""
    return torch.cat([rows, rows[..., -1:, :].expand(*rows.shape[:-2], more, rows.shape[-1])], -2) if more else rows


def _join(parts: Sequence):
    """Dataclasses of tensors and times side by side, part by part."""
    joined = {}
    for field in fields(parts[0]):
        each = [getattr(part, field.name) for part in parts]
        if each[0] is None:
            joined[field.name] = None
        elif isinstance(each[0], Tensor):
            joined[field.name] = torch.cat(each)
        elif isinstance(each[0], np.ndarray):
            joined[field.name] = np.concatenate(each)
        else:
            joined[field.name] = _join(each)
    return type(parts[0])(**joined)
