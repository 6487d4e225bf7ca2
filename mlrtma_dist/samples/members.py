"""Members as cases: each member of an ensemble in turn is the truth, and the mean of the others is the background."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.ensemble import Ensemble, files_of_members, load_ensemble
from mlrtma_dist.fields.labels import label_fields
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.gridded_files import check_gridded

FEWEST = 3  # members: the mean of the others of two is the other one, whose departure is no error of a mean


class MembersError(InputError):
    """Files whose members make no cases; names the files, the time and the variable."""


@dataclass(frozen=True)
class Members:
    """The section ``members:``: the members of an ensemble, of which each in turn is the truth.

    Attributes:
        files: one per member, or netCDF files whose variables have a dimension of members, as ``reports.ensemble``.
        time: UTC, each a time or a range START/END[/STEP] (``clock.parse_times``); the files hold fields of each.
        variables: of ``names.VARIABLES``, in a store's order.
        codes: what the files' own codes mean (``io.field_codes``).
    """

    files: tuple[str, ...]
    time: tuple[str, ...]
    variables: tuple[str, ...] = ("t2m",)
    codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        check_gridded(self.files, self.time, self.variables, self.codes)

    @property
    def times(self) -> np.ndarray:
        """The times that are named, datetime64[s], each once."""
        return clock.parse_times(self.time)

    def on(self, domain: Domain) -> "MemberCases":
        """The cases on a domain.

        Raises:
            MembersError: a file that is missing, or too few members.
            InputError: terrain or files cannot be used.
        """
        missing = [file for file in self.files if not Path(file).is_file()]
        if missing:
            raise MembersError(
                f"members: no file {missing[0]} ({len(missing)} of {len(self.files)} are missing): set files of the"
                " section members, or MLRTMA_REAL_DATA to the folder by which they are named"
            )
        count = len(files_of_members(self.files))
        if count < FEWEST:
            raise MembersError(f"members: expected at least {FEWEST} members, got {count} in {', '.join(self.files)}")
        return MemberCases(self, load_static(domain), count)


@dataclass(frozen=True)
class MemberCases:
    """Every member at every time as a source of cases (`methods.case.Cases`): all members of a time, then the next.

    Attributes:
        section: what is read; static: the domain; count: of members.
    """

    section: Members
    static: Static
    count: int

    @property
    def contents(self) -> Contents:
        """What every case holds; there are no reports."""
        names = self.section.variables
        units = tuple(VARIABLES[name].unit for name in names)
        return Contents(self.static.domain, names, units, names, background=True, truth=True)

    @cached_property
    def time(self) -> np.ndarray:
        """Valid time of every case, datetime64[s], shape (case,): each as often as there are members."""
        return np.repeat(np.sort(self.section.times), self.count)

    def reports(self, number: int) -> Observations:
        """None: a table without rows."""
        return Observations.empty()

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """The case of a member at a time; see `methods.case.Cases.case`.

        Raises:
            InputError: files that cannot be used, or do not cover the box.
        """
        time, own = self.time[number], number % self.count
        members = self._members(time).members
        others = Ensemble(members[:own] + members[own + 1 :], f"mean of {self.count - 1} members other than {own}")
        nothing = np.zeros(0, dtype=bool)
        case = Case(
            self.static, box, time, self.reports(number), nothing, nothing, others, variables=self.section.variables
        )
        points = case.grid_points()
        background, truth = (label_fields(each, case.variables, points, box.shape) for each in (others, members[own]))
        missing = [name for name, values in background.items() if np.isnan(values).any()]
        if missing:
            raise MembersError(
                f"members: expected values of {', '.join(missing)} in every member at all points of"
                f" {self.static.domain.name} at {time}, which {others.name} lacks at some: name a domain that the"
                " files cover, or other variables"
            )
        return replace(case, background=background, truth=truth)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same: there are no reports that a box could own."""
        return self.case(number, box)

    def _members(self, time: np.datetime64) -> Ensemble:
        """The members at a time, which are read once for all cases of the time.

        Raises:
            MembersError: a variable that a member lacks.
        """
        if not self._read or self._read[0][0] != time:
            files, codes = self.section.files, parse_codes(self.section.codes)
            members = load_ensemble(files, self.static, time, codes, exact=True)
            missing = [name for name in self.section.variables if name not in members.variables]
            if missing:
                raise MembersError(
                    f"{members.name}: no {', '.join(missing)} in every member at {time}; they have"
                    f" {', '.join(sorted(members.variables))}: set variables of the section members to some of these"
                )
            self._read[:] = [(time, members)]
        return self._read[0][1]

    @cached_property
    def _read(self) -> list:
        """Time and members that were read last."""
        return []
