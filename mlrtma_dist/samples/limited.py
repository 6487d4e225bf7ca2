"""Cases of which some variables are analysed, by methods that read the reports of more."""

from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case, Cases, Contents
from mlrtma_dist.samples.derived import Derived


@dataclass(frozen=True)
class Limited(Derived):
    """A source of which only some variables are analysed (`methods.case.Cases`); it gives the reports of all.

    Attributes:
        source: of the cases; variables: names of those that are analysed.
    """

    variables: tuple[str, ...]

    @classmethod
    def to(cls, variables: tuple[str, ...], cases: Cases) -> Cases:
        """The cases, of which these variables are analysed."""
        return cls(cases, variables)

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        whole = self.source.contents
        units = tuple(whole.unit_of[name] for name in whole.variables if name in self.variables)
        return replace(whole, variables=self._of(whole.variables), units=units)

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case, without the notes on variables that are not analysed; see `methods.case.Cases.case`."""
        case = self.source.case(number, box, withheld)
        others = [name for name in case.variables if name not in self.variables]
        notes = tuple(note for note in case.notes if not any(f" {name}:" in note for name in others))
        return replace(case, variables=self._of(case.variables), notes=notes)

    def _of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self.variables)
