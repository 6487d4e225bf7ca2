"""Targets: the reports by which the loss of a network that reads reports is measured, on the tile that owns them."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.static import with_broad_ground
from mlrtma_dist.grid.box import cell_of, inside
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
        row: number of the case's row of every variable, -1 where nothing is reported, shape (t, variables).
        value: what they report, analysis space, NaN where nothing, shape (t, variables).
    """

    channels: Channels
    points: Points
    own: np.ndarray
    row: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, case: Case, chosen: np.ndarray, channels: Channels) -> "Targets":
        """The targets among the reports of the mask ``chosen`` (n,), which lie on the domain."""
        table, place = case.observations, case.grid_place
        reported = np.isin(table.variable, channels.variables) & np.isfinite(case.value)
        rows = np.flatnonzero(chosen & inside(place, case.domain.shape) & reported)
        first, number = np.unique(case.report_number[rows], return_index=True, return_inverse=True)[1:]
        row = np.full((len(first), len(channels.variables)), -1)
        for column, name in enumerate(channels.variables):
            of = table.variable[rows] == name
            row[number[of], column] = rows[of]
        value = at_rows(case.value, row)
        own = case.box.owns(cell_of(place[rows[first]], case.domain.shape, case.domain.periodic))
        return cls(channels, with_broad_ground(case.static, case.points[rows[first]]), own, row, value)

    def counted(self, reports: Reports) -> np.ndarray:
        """Whether the targets of each variable count, shape (variables,): not those of one without reports.

        Where none would, all do: a draw must have a weight.
        """
        reported = reports.reported
        return reported if (np.isfinite(self.value) & reported).any() else np.ones_like(reported)

    def against(self, reports: Reports, places: Points, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and their mask at the own points, shape (variables, points) each; see `ReportSample`.

        Args:
            places: the own points at the height at which the network is asked; above: m from there up to the station.
        """
        value = self.value[self.own]
        mask = np.isfinite(value).T.astype(np.float64)
        target = np.zeros_like(mask)
        for column, name in enumerate(self.channels.variables):
            reported = mask[column] > 0
            if name in self.channels.smooth:
                guess, gradient = reports.first_guess(name, places)
                there = guess + gradient * above / 1000.0
                target[column, reported] = ((value[:, column] - there) / self.channels.scale[column])[reported]
            else:
                target[column, reported] = np.searchsorted(limits(name), value[reported, column], side="right")
        return target, mask


def at_rows(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Values (n,) of a case's reports by station and variable, NaN where ``row`` is -1, shape of ``row``."""
    if not len(column):
        return np.full(row.shape, np.nan)
    return np.where(row >= 0, column[row], np.nan)
