"""Summary: what a store holds, for people: its times, the mean and deviation of its fields, and the reports by type."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.methods.case import Contents


@dataclass(frozen=True)
class Summary:
    """Numbers of a store.

    Attributes:
        contents: what every case holds.
        time: of every case, datetime64[s], shape (case,).
        moments: number of known points, mean and summed squares of departures of every field and channel of imagery,
            shape (3, field), SI.
        reports: number of reports of every observed type, shape (type,).
    """

    contents: Contents
    time: np.ndarray
    moments: np.ndarray
    reports: np.ndarray

    def text(self) -> str:
        """A YAML mapping."""
        contents, (count, mean, squares) = self.contents, self.moments
        deviation = np.sqrt(squares / np.maximum(count, 1.0))
        lines = [
            f"cases: {len(self.time)}",
            f"first: {self.time.min()}",
            f"last: {self.time.max()}",
            f"domain: {contents.domain.name}",
            "fields:  # SI; points are known points of all cases together",
        ]
        lines += [
            f"  {name}: {{mean: {mean[i]:.6g}, deviation: {deviation[i]:.6g}, points: {count[i]:.0f}}}"
            for i, name in enumerate(contents.fields + contents.imagery)
        ]
        lines.append("reports:")
        lines += [f"  {name}: {number}" for name, number in zip(contents.observed, self.reports, strict=True)]
        return "\n".join(lines) + "\n"
