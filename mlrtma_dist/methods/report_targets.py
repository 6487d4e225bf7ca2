"""Targets: the reports by which the loss of a network that reads reports is measured, on the tile that owns them."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.predictands import Channels, limits
from mlrtma_dist.methods.report_encoding import Reports


@dataclass(frozen=True)
class Targets:
    """Stations by which the loss is measured.

    Attributes:
        channels: of the reports.
        points: where they are, t of them; own: mask of those that the box owns, shape (t,).
        value: what they report, analysis space, NaN where nothing, shape (t, variables).
    """

    channels: Channels
    points: Points
    own: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, case: Case, chosen: np.ndarray, channels: Channels) -> "Targets":
        """The targets among the reports of the mask ``chosen`` (n,), which lie on the domain."""
        table, place = case.observations, case.grid_place
        inside = ((place >= -0.5) & (place < np.array(case.domain.shape) - 0.5)).all(1)
        rows = np.flatnonzero(chosen & inside & np.isin(table.variable, channels.variables) & np.isfinite(case.value))
        first, number = np.unique(case.report_number[rows], return_index=True, return_inverse=True)[1:]
        value = np.full((len(first), len(channels.variables)), np.nan)
        for column, name in enumerate(channels.variables):
            of = table.variable[rows] == name
            value[number[of], column] = case.value[rows[of]]
        own = case.box.owns(cell_of(place[rows[first]], case.domain.shape, case.domain.periodic))
        return cls(channels, case.points[rows[first]], own, value)

    def against(self, reports: Reports, asked: Points, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and their mask at the own points, shape (variables, points) each; see `ReportSample`.

        Args:
            asked: the own points at the height at which the network is asked; above: m from there up to the station.
        """
        value = self.value[self.own]
        mask = np.isfinite(value).T.astype(np.float64)
        target = np.zeros_like(mask)
        for column, name in enumerate(self.channels.variables):
            reported = mask[column] > 0
            if name in self.channels.smooth:
                guess, gradient = reports.first_guess(name, asked)
                there = guess + gradient * above / 1000.0
                target[column, reported] = ((value[:, column] - there) / self.channels.scale[column])[reported]
            else:
                target[column, reported] = np.searchsorted(limits(name), value[reported, column], side="right")
        return target, mask
