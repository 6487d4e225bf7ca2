"""Crops: boxes of the cases of a source, drawn by a seed, as a source of smaller cases to train on."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.methods.case import Case, Cases, Contents
from mlrtma_dist.observations.table import Observations


@dataclass(frozen=True)
class Boxes:
    """The section ``boxes:`` of cases: every case is a box of the domain.

    Attributes:
        y: number of points of a box, northward.
        x: number of points of a box, eastward.
        count: number of boxes of every time.
        seed: of their places, which depend on it, on the time and on the number of the box in it, on nothing else.
    """

    y: int
    x: int
    count: int = 1
    seed: int = 0

    def __post_init__(self):
        if min(self.y, self.x) < 2 or self.count < 1 or self.seed < 0:
            raise ValueError(
                f"boxes: expected y and x >= 2, count >= 1 and seed >= 0, got {self.y}, {self.x}, {self.count} and"
                f" {self.seed}"
            )


@dataclass(frozen=True)
class Crops:
    """Boxes of the cases of a source (`methods.case.Cases`), each a case of its own.

    A case has the terrain of its own place, the reports that its box owns and their places on the box. `contents` names
    one domain of the boxes' shape; its corner is that of the whole domain, as the boxes lie in many places.

    Attributes:
        source: of the cases; boxes: their size, number and seed.
    """

    source: Cases
    boxes: Boxes

    def __post_init__(self):
        domain = self.source.contents.domain
        if self.boxes.y > domain.shape[0] or self.boxes.x > domain.shape[1]:
            raise config.ConfigError(
                f"boxes: expected at most the {domain.shape} points of {domain.name}, got {self.boxes.y, self.boxes.x}"
            )

    @property
    def is_judged(self) -> bool:
        """Whether the source judges its reports itself."""
        return getattr(self.source, "is_judged", False)

    @cached_property
    def time(self) -> np.ndarray:
        """UTC of every case, datetime64[s], shape (case,): each time as often as it has boxes."""
        return np.repeat(self.source.time, self.boxes.count)

    @cached_property
    def contents(self) -> Contents:
        """What every case holds."""
        contents = self.source.contents
        domain = contents.domain
        shape = self.boxes.y, self.boxes.x
        return replace(
            contents,
            boxes=True,
            domain=replace(
                domain,
                name=f"{domain.name}_{shape[0]}x{shape[1]}",
                title=f"boxes of {shape[0]} x {shape[1]} points of {domain.title}",
                size=Size(shape[1], shape[0]),
                periodic=False,
                terrain=None,
                land=None,
                note=f"boxes of {domain.name}, each in another place",
            ),
        )

    def box(self, number: int) -> Box:
        """Where a case lies in the domain of the source."""
        shape, boxes = self.source.contents.domain.shape, self.boxes
        seconds = int(self.time[number].astype("datetime64[s]").astype(np.int64))
        # Seeds are not negative; times before 1970 are.
        seed = boxes.seed, abs(seconds), int(seconds < 0), number % boxes.count
        y0, x0 = np.random.default_rng(seed).integers(0, (shape[0] - boxes.y + 1, shape[1] - boxes.x + 1))
        return Box(int(y0), int(y0) + boxes.y, int(x0), int(x0) + boxes.x)

    def reports(self, number: int) -> Observations:
        """The reports of the source's case, n rows."""
        return self.source.reports(number // self.boxes.count)

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box of its own box; see `methods.case.Cases.case`."""
        return self._cut(self.source.case(number // self.boxes.count, self._outer(number, box), withheld), number, box)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """A case with its first guess as fields, where the source has it so: what a store keeps."""
        return self._cut(self.source.case_of_tile(number // self.boxes.count, self._outer(number, box)), number, box)

    def _outer(self, number: int, box: Box) -> Box:
        """A box of a case as a box of the source's domain."""
        y0, x0 = self.box(number).y0, self.box(number).x0
        return Box(box.y0 + y0, box.y1 + y0, box.x0 + x0, box.x1 + x0)

    def _cut(self, case: Case, number: int, box: Box) -> Case:
        """A case of the source as a case on the crop's own grid."""
        crop, place = self.box(number), case.grid_place
        low, high = (crop.y0 - 0.5, crop.x0 - 0.5), (crop.y1 - 0.5, crop.x1 - 0.5)
        rows = np.isfinite(place).all(axis=1) & (place >= low).all(axis=1) & (place < high).all(axis=1)
        return replace(
            case,
            static=cut_static(case.static, crop, self.contents.domain),
            box=box,
            observations=case.observations[rows],
            used=case.used[rows],
            withheld=case.withheld[rows],
            place=place[rows] - (crop.y0, crop.x0),
            imagery=case.imagery.crop(crop),
        )


def cut_static(static: Static, box: Box, domain: Domain) -> Static:
    """Terrain and land of a box of a domain; the box's grid is ``domain`` with the corner of the box."""
    if not static.domain.is_plane:
        domain = replace(domain, corner=Corner(*(float(part) for part in static.domain.position(box.y0, box.x0))))
    fields = (static.terrain, static.land, static.terrain_smooth, static.land_smooth, static.has_terrain)
    return Static(domain, *(field[box.slices] for field in fields), static.note)
