"""Ensemble: several forecasts of one time, each a gridded file; their mean is a first guess, their spread its error.

Every member is interpolated and carried to a place's height by itself (``gridded.py``), then the mean and the
deviations are taken, in analysis space: members on different terrains do not differ for that alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.gridded import GriddedFirstGuess, load_gridded
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.interpolate import same_grid
from mlrtma_dist.grid.points import Points
from mlrtma_dist.io.field_codes import FieldCode


class EnsembleError(InputError):
    """Files that make no ensemble; says which and why."""


@dataclass(frozen=True)
class Ensemble:
    """Members, and their mean as a first guess (``first_guess.FirstGuess``).

    Attributes:
        members: two or more.
        name: for provenance.
        note: what a reader of the product must know; "" where nothing.
    """

    members: tuple[GriddedFirstGuess, ...]
    name: str
    note: str = ""

    @property
    def variables(self) -> frozenset[str]:
        """The variables that every member has."""
        return frozenset.intersection(*(member.variables for member in self.members))

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The members' mean in analysis space, shape (n,); NaN where a member has no value."""
        return self._values(variable, points).mean(axis=0)

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """Zero, shape (n,): what the members say of their error enters by the background covariance."""
        names.variable(variable)
        return np.zeros(len(points))

    def perturbations(self, variable: str, points: Points) -> np.ndarray:
        """The members' deviations from their mean in analysis space, shape (members, n); 0 where one has no value.

        Raises:
            EnsembleError: a member without the variable.
        """
        if variable not in self.variables:
            raise EnsembleError(
                f"{self.name}: no {variable} in every member, which a method of ensembles needs; it has "
                f"{', '.join(sorted(self.variables)) or 'nothing'}: --set variables=[...] chooses what is analysed"
            )
        values = self._values(variable, points)
        return np.nan_to_num(values - values.mean(axis=0))

    def _values(self, variable: str, points: Points) -> np.ndarray:
        return np.stack([member.mean(variable, points) for member in self.members])


def load_ensemble(
    paths: Sequence[str | Path], static: Static, time: np.datetime64, codes: tuple[FieldCode, ...] = ()
) -> Ensemble:
    """Read an ensemble: one file a member, of any kind and grid that a background may have.

    Args:
        paths: two files or more; each may hold several times.
        static, time, codes: as in ``gridded.load_gridded``.

    Raises:
        EnsembleError: fewer than two files.
        BackgroundError, GriddedFileError: as in ``gridded.load_gridded``.
    """
    if len(paths) < 2:
        listed = ", ".join(map(str, paths)) or "none"
        raise EnsembleError(f"ensemble: expected two files or more, one a member, got {listed}")
    members: list[GriddedFirstGuess] = []
    for path in paths:
        member = load_gridded(path, static, time, codes)
        shared = next((m for m in members if same_grid(m.state.domain, member.state.domain)), None)
        if shared is not None:  # one grid: points are projected onto it once for all members
            member = replace(member, last=shared.last)
        members.append(member)
    notes = dict.fromkeys(member.note for member in members if member.note)
    name = f"mean of {len(members)} members: {Path(paths[0]).name} to {Path(paths[-1]).name}"
    return Ensemble(tuple(members), name, "; ".join(notes))
