"""Learned methods: what training asks of one, and the answer of a method whose analysis is known on the grid."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from mlrtma_dist import config, names
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import cell_of, inside
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import Points
from mlrtma_dist.grid.rim import Rim
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.method import ALONE, Answer, Fields, Share
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood

Settings, Made = TypeVar("Settings"), TypeVar("Made")


class LearnedMethod(Protocol):
    """A method with a network, as training and the pipeline of samples ask it.

    Attributes:
        network: all that is trained.
        statistics: of the cases that were trained on, the units of the network; None before they are gathered.
        alignment: tiles begin on multiples of it; known once `settle` was called.
        draws: whether a case may be shown many times, each time with other reports withheld or other noise.
        whole_reports: whether a tile takes the reports of the whole domain.
        reads_reports: whether a sample is made of reports, too.
        fields_read: fields of a stored case that are read, by which reading is counted.
        signed: input channels, from the first on, whose sign changes with that of the fields (not masks).
        channels: of inputs and of the target.
        lags: how long before its time a case needs states of the same store, the longest first; empty: none.
    """

    network: nn.Module
    statistics: Statistics | None
    alignment: int
    signed: int
    channels: tuple[int, int]
    draws: bool
    whole_reports: bool
    reads_reports: bool
    fields_read: int
    lags: tuple[np.timedelta64, ...]

    def settle(self, domain: Domain) -> None:
        """Take what depends on the grid from the domain of the cases; called before all else."""
        ...

    def check(self, contents: Contents) -> None:
        """Raise InputError unless cases of these contents suit the network and its statistics."""
        ...

    def check_source(self, contents: Contents) -> None:
        """Raise InputError unless cases of these contents have every field and type that the network takes."""
        ...

    def encode(self, case: Case, draw: int = 0) -> Sample:
        """A case of any source as a batch of one; a case without truth has a target of zeros with mask 0.

        Args:
            draw: number of the division of the reports or of the noise, where the method ``draws``; 0: the case's own.
        """
        ...

    def without_data(self, shape: tuple[int, int], batch: int) -> Sample:
        """A sample of a tile of that shape on PyTorch's meta device, by which work and memory are counted."""
        ...

    def weight(self, sample: Sample) -> float:
        """The weight of ``sample`` on this tile, without running the network.

        An accumulated step divides by the sum of the weights of all its samples on all ranks, so it must be known
        before the first backward pass.
        """
        ...

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """The sum of the loss over this tile's points, a scalar, and `weight` of the sample.

        Never a mean: a mean of tiles' means is another loss for every number of ranks. The network may be of a lower
        precision (bf16) than the sample, and rounds its input to it itself; the sum is of the target's precision.
        """
        ...

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> Answer:
        """The analysis of a case; see `methods.method.Method.analyse`."""
        ...


@contextmanager
def first_weights(seed: int) -> Iterator[None]:
    """Within the block a network is given the same first weights on every rank, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def build_method(
    method: Callable[[Settings], Made], kind: type[Settings], settings: Mapping[str, object], where: str
) -> Made:
    """A method with its first weights.

    Args:
        method: makes it of settings of the dataclass ``kind``.
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    chosen = config.build(kind, dict(settings), f"{where}: settings")
    try:
        return method(chosen)
    except ValueError as error:  # each setting is possible, the network that they describe is not
        raise config.ConfigError(f"{where}: settings: {error}") from error


class WithoutWeights:
    """The parts of an `methods.method.Answer` of a method that weighs no report and assumes no error of one."""

    case: Case
    variables: tuple[str, ...]

    @property
    def weight(self) -> np.ndarray:
        """One for each used report of an analysed variable, NaN for the others, shape (n,)."""
        rows = self.case.used & np.isin(self.case.observations.variable, self.variables)
        return np.where(rows, 1.0, np.nan)

    @property
    def observation_error(self) -> np.ndarray:
        """Not assumed by the method: NaN, shape (n,)."""
        return np.full(len(self.case.used), np.nan)


@dataclass(frozen=True)
class GridAnswer(WithoutWeights):
    """An analysis that is known on the case's box (`methods.method.Answer`).

    Attributes:
        case: what was analysed.
        values: variable -> analysis on the box, shape (y, x), SI, float32.
        around: variable -> increment in analysis space (without a first guess: the analysis itself) on the box and one
            point around it, shape (y + 2, x + 2).
    """

    case: Case
    values: dict[str, np.ndarray]
    around: dict[str, np.ndarray]
    everywhere = False

    @classmethod
    def of(cls, case: Case, values: dict[str, np.ndarray], neighbourhood: Neighbourhood | None) -> "GridAnswer":
        """The answer of fields on a box; collective among the tiles, whose outermost points are exchanged."""
        return cls.of_each(case, [values], neighbourhood)[0]

    @classmethod
    def of_each(
        cls, case: Case, analyses: Sequence[dict[str, np.ndarray]], neighbourhood: Neighbourhood | None
    ) -> "list[GridAnswer]":
        """The answers of several analyses of the same variables, whose outermost points are exchanged at once."""
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        increments = [[_increment(case, name, field) for name, field in values.items()] for values in analyses]
        around = here.rim(torch.from_numpy(np.array(increments)), Rim.around(1, 1), "replicate").numpy()
        return [
            cls(case, values, dict(zip(values, own, strict=True))) for values, own in zip(analyses, around, strict=True)
        ]

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return tuple(self.values)

    def fields(self, share: Share = ALONE, progress=lambda name, part: None) -> Fields:
        """The analysis and the first guess on the box; the method knows no error."""
        first_guess = {}
        if self.case.first_guess is not None or self.case.background:
            first_guess = {name: self.case.background_of(name).astype(np.float32) for name in self.values}
        for name in self.values:
            progress(name, 1.0)
        return Fields(self.values, first_guess)

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """First guess at the points' own height plus the interpolated increment, analysis space, shape (m,).

        NaN at points that the box does not own; the error is not known.
        """
        value = self.believed(variable, points) + self.increment(variable, self.places(points))
        return value, np.full(len(points), np.nan)

    def believed(self, variable: str, points: Points) -> np.ndarray | float:
        """The first guess at points, analysis space, shape (m,); 0 where there is none."""
        return 0.0 if self.case.first_guess is None else self.case.first_guess.mean(variable, points)

    def places(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of points in ``around``, shape (m, 2), and which of them the box owns, shape (m,)."""
        domain, box = self.case.domain, self.case.box
        if domain.is_plane:
            place = np.stack([points.position[:, 1], points.position[:, 0]], 1) / domain.spacing
        else:
            place = np.stack(domain.index(points.latitude, points.longitude), 1)
        own = inside(place, domain.shape) | domain.periodic
        cell = cell_of(place[own], domain.shape, domain.periodic)
        place[own] += cell - np.floor(place[own] + 0.5)  # to the side of a domain that wraps on which its cell lies
        own[own] = box.owns(cell)
        return place - (box.y0 - 1, box.x0 - 1), own

    def increment(self, variable: str, places: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The interpolated increment at `places`, analysis space, shape (m,); NaN where the box does not own it."""
        place, own = places
        return np.where(own, bilinear(self.around[variable], *place.T).astype(np.float64), np.nan)


def _increment(case: Case, name: str, field: np.ndarray) -> np.ndarray:
    """Analysis minus first guess in analysis space, or the analysis where there is no first guess."""
    value = names.to_analysis(name, field)
    if case.first_guess is None:
        return value.astype(np.float32)
    return (value - names.to_analysis(name, case.background_of(name))).astype(np.float32)


def own_reports(case: Case, types: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The used reports of a case that are of the given types and that its box owns, m of them.

    Returns:
        Their rows in the table, shape (m,); the grid points that own them, in the box's own numbers where the box
        wraps, shape (m, 2); the number of each one's type, shape (m,).
    """
    place, box, shape, periodic = case.grid_place, case.box, case.domain.shape, case.domain.periodic
    kind = np.full(len(place), -1)
    for number, name in enumerate(types):
        kind[case.observations.variable == name] = number
    usable = case.used & (kind >= 0) & np.isfinite(place).all(axis=1)
    if not periodic:
        usable &= inside(place, shape)
    rows = np.flatnonzero(usable)
    cell = cell_of(place[rows], shape, periodic)
    if periodic:
        cell = (cell - (box.y0, box.x0)) % shape + (box.y0, box.x0)
    own = box.owns(cell)
    return rows[own], cell[own], kind[rows[own]]


class ContentsError(InputError):
    """Cases that a network is not made for."""
