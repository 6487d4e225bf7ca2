"""Parts: which cases, and which points of a case, a rank works on."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.methods.case import Case, Cases
from mlrtma_dist.methods.method import Answer, Fields, Method, Share
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.team import Team

if TYPE_CHECKING:  # it imports torch
    from mlrtma_dist.nn.neighbourhood import Neighbourhood

BLOCK = 16  # cases that a rank of the data axis takes in turn


@dataclass(frozen=True)
class Part:
    """This rank's part of a run.

    Attributes:
        data_rank, data_ranks: its place on the axis over which cases are dealt out.
        box: its points of every case.
        neighbourhood: of the box, for networks; None where none is asked.
        share: its share of the ranks that analyse one case.
        communicator: mpi4py's, of all ranks; None alone.
        total: sum of an array over all ranks, the same on every rank; collective.
        team: the ranks of this one's tile, among which members are divided; None: each has cases of its own.
    """

    box: Box
    data_rank: int = 0
    data_ranks: int = 1
    neighbourhood: "Neighbourhood | None" = None
    share: Share = Share()
    communicator: Any = None
    total: Callable[[np.ndarray], np.ndarray] = lambda array: array
    team: Team | None = None

    @property
    def is_first(self) -> bool:
        """Whether this rank writes what is written once."""
        return self.communicator is None or self.communicator.rank == 0

    def blocks(self, cases: int) -> Iterator[range]:
        """This rank's block of every round; an empty one where the cases do not suffice for all ranks."""
        whole = BLOCK * self.data_ranks
        for start in range(BLOCK * self.data_rank, -(-cases // whole) * whole, whole):
            yield range(min(start, cases), min(start + BLOCK, cases))


def alignment(methods: Mapping[str, Method], edge: int = 1) -> int:
    """Multiples of points on which tiles begin: of the methods' blocks, and of a store's chunks of ``edge`` points."""
    return math.lcm(edge, *(getattr(method, "alignment", 1) for method in methods.values()))


def part_of(ranks, cases: Cases, methods: Mapping[str, Method], *, one_case: bool | None = None) -> Part:
    """This rank's part of the cases of a source.

    Args:
        ranks: `parallel.ranks.Ranks`, or `parallel.processes.Processes` where no method needs torch.
        cases: the source; methods: that are run.
        one_case: whether all ranks take each case together, one after the other. Then, or where there are fewer blocks
            of cases than places on the data axis, methods that draw members divide them over it. None: they never do.

    Raises:
        TileError: more tiles than the alignment allows.
    """
    domain = cases.contents.domain
    align = alignment(methods, getattr(cases, "edge", 1)) if ranks.mesh.tiles > 1 else 1
    tile = ranks.tile(domain.shape, align=align, periodic=(domain.periodic,) * 2, name=domain.name)
    neighbourhood = ranks.neighbourhood(tile) if hasattr(ranks, "neighbourhood") else None
    first = ranks.coordinates[0] * ranks.mesh.tiles
    divide = ranks.mesh.data > 1 and bool(methods) and all(hasattr(each, "divided") for each in methods.values())
    if divide and one_case is not None and (one_case or -(-len(cases.time) // BLOCK) < ranks.mesh.data):
        share = Share(ranks.rank, ranks.size, ranks.total, ranks.threads)
        return Part(tile.box, 0, 1, neighbourhood, share, ranks.communicator, ranks.total, _team(ranks))
    share = Share(ranks.rank - first, ranks.mesh.tiles, ranks.tiles_total, ranks.threads)
    return Part(tile.box, ranks.coordinates[0], ranks.mesh.data, neighbourhood, share, ranks.communicator, ranks.total)


def _team(ranks) -> Team:
    """The ranks of this rank's tile, one of every place on the data axis."""
    (data, *_), tiles, communicator = ranks.coordinates, ranks.mesh.tiles, ranks.communicator
    mates = range(ranks.rank - data * tiles, ranks.size, tiles)

    def exchange(objects: Sequence) -> list:
        sent = [None] * ranks.size
        for mate, each in zip(mates, objects, strict=True):
            sent[mate] = each
        received = communicator.alltoall(sent)
        return [received[mate] for mate in mates]

    return Team(data, ranks.mesh.data, exchange, lambda number: max(communicator.allgather(number)))


class Analyst:
    """Methods at work on the cases of a source, on this rank's part; a case is made once for all methods."""

    def __init__(self, cases: Cases, methods: Mapping[str, Method], part: Part):
        self.cases, self.methods, self.part = cases, methods, part
        for method in methods.values() if part.team is not None else ():
            method.divided(part.team)  # type: ignore[attr-defined]  # part_of asks whether all have it

    def answers(self, number: int, withheld=None) -> Iterator[tuple[str, Case, Answer]]:
        """Name, case and answer of every method for a case, method after method."""
        cases: dict[bool, Case] = {}
        for name, method in self.methods.items():
            whole = METHODS[name].whole if name in METHODS else False
            if whole not in cases:
                box = Box.whole(self.cases.contents.domain.shape) if whole else self.part.box
                cases[whole] = self.cases.case(number, box, withheld)
            answer = method.analyse(cases[whole], self.part.neighbourhood)
            yield name, cases[whole] if self.part.team is None else answer.case, answer  # type: ignore[attr-defined]

    def fields(self, case: Case, answer: Answer) -> Fields:
        """The fields of an answer on this rank's box."""
        fields = answer.fields(self.part.share)
        groups = fields.values, fields.first_guess, fields.error, fields.probability
        return Fields(*(self._cut(case, group) for group in groups))

    def cut(self, analysis: Analysis) -> Analysis:
        """An analysis with its fields on this rank's box."""
        if analysis.box == self.part.box or analysis.box != Box.whole(analysis.static.domain.shape):
            return analysis  # of a method that divides members it has some rows of this rank's box
        groups = analysis.values, analysis.first_guess, analysis.error, analysis.probability
        values, first_guess, error, probability = (self._inside(group) for group in groups)
        return replace(
            analysis,
            box=self.part.box,
            values=values,
            first_guess=first_guess,
            error=error,
            probability=probability,
            distribution=analysis.distribution.on(self.part.box),
        )

    def truth(self, case: Case) -> dict[str, np.ndarray]:
        """The true fields of a case on this rank's box."""
        return self._cut(case, case.truth or {})

    def _cut(self, case: Case, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Fields on the case's box as they are on this rank's."""
        return fields if case.box == self.part.box else self._inside(fields)

    def _inside(self, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Fields of the whole domain on this rank's box."""
        return {name: field[(..., *self.part.box.slices)] for name, field in fields.items()}
