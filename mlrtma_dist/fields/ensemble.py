"""Ensemble: several forecasts of one time in gridded files; their mean is a first guess, their spread its error.

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
from mlrtma_dist.io.gridded import member_names


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
    paths: Sequence[str | Path],
    static: Static,
    time: np.datetime64,
    codes: tuple[FieldCode, ...] = (),
    *,
    exact: bool = False,
) -> Ensemble:
    """Read an ensemble from files of any kind and grid that a background may have.

    Args:
        paths: of which `files_of_members` makes members; each may hold several times.
        static, time, codes, exact: as in ``gridded.load_gridded``.

    Raises:
        EnsembleError: the files make no ensemble.
        BackgroundError, GriddedFileError: as in ``gridded.load_gridded``.
    """
    members: list[GriddedFirstGuess] = []
    for files, number in files_of_members(paths):
        member = load_gridded(files, static, time, codes, exact=exact, member=number)
        shared = next((m for m in members if same_grid(m.state.domain, member.state.domain)), None)
        if shared is not None:  # one grid: points are projected onto it once for all members
            member = replace(member, last=shared.last)
        members.append(member)
    notes = dict.fromkeys(member.note for member in members if member.note)
    name = f"mean of {len(members)} members: {Path(paths[0]).name} to {Path(paths[-1]).name}"
    return Ensemble(tuple(members), name, "; ".join(notes))


def files_of_members(paths: Sequence[str | Path]) -> list[tuple[list[str | Path], int | None]]:
    """The files of each member, and its index within them; None where the files hold one member alone.

    Args:
        paths: one file per member; or files of which one or several have a dimension of members (netCDF): then every
            member is made of all the files, so that variables may lie in different files, and terrain in another.

    Raises:
        EnsembleError: fewer than two members, or files of different members.
        GriddedFileError: a file cannot be read.
    """
    listed = ", ".join(map(str, paths)) or "none"
    members_of = {path: names for path in paths if (names := member_names(path))}
    if len(set(members_of.values())) > 1:
        each = "; ".join(f"{Path(path).name}: {', '.join(names)}" for path, names in members_of.items())
        raise EnsembleError(f"ensemble: expected the same members in all files, got {each}")
    if members_of:
        return [(list(paths), number) for number in range(len(next(iter(members_of.values()))))]
    if len(paths) < 2:
        raise EnsembleError(
            f"ensemble: expected two files or more, one per member, or a netCDF file of all members, whose variables"
            f" have a dimension of members (standard_name realization); got {listed}"
        )
    return [([path], None) for path in paths]
