"""The fields of a classical answer: all variables are evaluated over the grid in one walk, block by block.

The domain is divided into blocks of 48 x 48 points, and into areas of 4 x 4 blocks. The fits are made ready for an area
(`departure_method.within`) and evaluated together on its blocks (`evaluation`). Areas and blocks begin
on multiples of their size in the domain, whoever evaluates them, so that boxes that begin on multiples of ``BLOCK``
have the values of the whole domain to the last bit. No array larger than the fields of the box is made. Threads take
areas and blocks in turn (numpy and BLAS work outside the interpreter's lock).
"""

from collections.abc import Callable, Iterator

import numpy as np

from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.mesh import Area
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.evaluation import JoinedEvaluation, evaluations
from mlrtma_dist.methods.indicators import IndicatorFit
from mlrtma_dist.methods.method import Fields, Share
from mlrtma_dist.methods.threads import threads
from mlrtma_dist.names import EVENTS, from_analysis, to_analysis

BLOCK = 48  # grid points: 120 km at 2.5 km, smooth enough for few sources, large enough for BLAS
AREA = 4 * BLOCK
AREA_SAMPLE = 9  # rows, and columns, of the points that tell where an area lies
ERROR_BLOCK = 32  # coarse points of a block of the error field
ERROR_SPACING = 40e3  # m between the points at which the analysis error is computed; interpolated between
FIELDS_PART = 0.8  # of the work; the rest is the error

Progress = Callable[[str, float], None]


def evaluate_fields(case: Case, fits: dict[str, Fit], share: Share, progress: Progress) -> Fields:
    """The analysis on a case's box; see `methods.method.Answer.fields`.

    Args:
        case: that is analysed; fits: of each variable.
        share: the part of the work that is this rank's.
        progress: called with the names of the variables and the share of their work done.
    """
    title = ", ".join(fits)
    fields = _empty(case, fits)
    _walk(case, JoinedEvaluation.of(fits), fields, share, lambda part: progress(title, FIELDS_PART * part))
    fields.error.update(_errors(case, fits, share))
    progress(title, 1.0)
    make_consistent(fields.values, case.reported)
    return fields


def evaluate_members(case: Case, fits: dict[str, Fit], fields: Fields, share: Share) -> dict[str, np.ndarray]:
    """The members of the variables whose fits have some, on a case's box, SI, float32 (member, y, x).

    Args:
        case: that is analysed; fits: of each variable; fields: the analysis, which is the members' mean.
    """
    box, drawn = case.box, {name: fit for name, fit in fits.items() if hasattr(fit, "members")}
    members: dict[str, np.ndarray] = {}

    def work(block: Box) -> None:
        points = case.grid_points(*block.slices)
        place = slice(block.y0 - box.y0, block.y1 - box.y0), slice(block.x0 - box.x0, block.x1 - box.x0)
        for name, fit in drawn.items():
            deviations = fit.members(points)
            mean = to_analysis(name, fields.values[name][place])
            values = from_analysis(name, mean + deviations.reshape(-1, *mean.shape))
            if name not in members:
                members[name] = _filled((len(deviations), *box.shape))
            members[name][:, *place] = values

    first, *others = _blocks(box, BLOCK)
    work(first)  # the number of members is known then
    with threads(share) as pool:
        for _ in pool.map(work, others):
            pass
    for number in range(len(next(iter(members.values()), ()))):
        make_consistent({name: each[number] for name, each in members.items()}, case.reported)
    return members


def _empty(case: Case, fits: dict[str, Fit]) -> Fields:
    """Fields of the box without values, in the order of the variables."""
    values, first_guess = ({name: _filled(case.box.shape) for name in fits} for _ in range(2))
    probability = {
        name: _filled((len(EVENTS[name]), *case.box.shape))
        for name, fit in fits.items()
        if isinstance(fit, IndicatorFit)
    }
    return Fields(values, first_guess, {}, probability)


def _filled(shape: tuple[int, ...]) -> np.ndarray:
    """A field without values, float32: written as a whole it gets its memory five times as fast as block by block."""
    return np.full(shape, np.nan, np.float32)


def _walk(case: Case, evaluation: JoinedEvaluation, fields: Fields, share: Share, progress) -> None:
    """Evaluate on all blocks of the box, one row of areas after the other."""
    box, areas = case.box, {}

    def prepare(part: Box) -> JoinedEvaluation:
        return evaluation.within(_area(case, part))

    def work(block: Box) -> None:
        points = case.grid_points(*block.slices)
        place = slice(block.y0 - box.y0, block.y1 - box.y0), slice(block.x0 - box.x0, block.x1 - box.x0)
        areas[block.x0 // AREA].write(case.first_guess, points, fields, place)

    with threads(share) as pool:
        for row in range(box.y0 // AREA, -(-box.y1 // AREA)):
            strip = Box(max(row * AREA, box.y0), min((row + 1) * AREA, box.y1), box.x0, box.x1)
            parts = list(_blocks(_widened(strip, case.domain.shape), AREA))
            areas = {part.x0 // AREA: each for part, each in zip(parts, pool.map(prepare, parts), strict=True)}
            blocks = list(_blocks(strip, BLOCK))
            for done, _ in enumerate(pool.map(work, blocks), start=1):
                progress((strip.y0 - box.y0 + strip.shape[0] * done / len(blocks)) / box.shape[0])


def _widened(box: Box, shape: tuple[int, int]) -> Box:
    """A box widened to multiples of ``AREA``, within the domain of ``shape``."""
    rows, columns = shape
    y1, x1 = (-(-end // AREA) * AREA for end in (box.y1, box.x1))
    return Box(box.y0 // AREA * AREA, min(y1, rows), box.x0 // AREA * AREA, min(x1, columns))


def _area(case: Case, part: Box) -> Area:
    """A part of the domain as an area."""
    rows, columns = (
        np.unique(np.linspace(start, stop - 1, AREA_SAMPLE).astype(np.int64))
        for start, stop in ((part.y0, part.y1), (part.x0, part.x1))
    )
    terrain = case.static.terrain[part.slices]
    return Area(case.grid_points(rows, columns), terrain.size, float(terrain.min()), float(terrain.max()))


def _errors(case: Case, fits: dict[str, Fit], share: Share) -> dict[str, np.ndarray]:
    """Standard deviation of the analysis errors on the box, float32 (y, x), from a coarse subset of the points.

    The blocks of the coarse fields are dealt out to the ranks, whose sum is the same whatever their number.
    """
    box, (rows, columns) = case.box, case.domain.shape
    step = max(1, min(round(ERROR_SPACING / case.domain.spacing_metres), rows // 4, columns // 4))
    coarse = {name: np.zeros((-(-rows // step), -(-columns // step)), np.float32) for name in fits}

    def work(block: Box) -> None:
        place = tuple(slice(part.start // step, -(-part.stop // step)) for part in block.slices)
        points = case.grid_points(*(slice(part.start, part.stop, step) for part in block.slices))
        for each in evaluations(fits):
            error = each.fit.error(points)
            for name in each.names:
                target = coarse[name][place]
                target[...] = np.hypot(error, case.first_guess.spread(name, points)).reshape(target.shape)

    blocks = list(_blocks(Box.whole((rows, columns)), ERROR_BLOCK * step))
    if share.count == 1:
        blocks = [block for block in blocks if _touches(block, box, step)]
    with threads(share) as pool:
        for _ in pool.map(work, blocks[share.number :: share.count]):
            pass
    return {name: _interpolated(share.total(field), step, box) for name, field in coarse.items()}


def _interpolated(coarse: np.ndarray, step: int, box: Box) -> np.ndarray:
    """A field of every ``step``-th point of the domain at the points of a box, shape (y, x)."""
    if step == 1:
        return coarse[box.slices]
    for axis, (start, stop) in enumerate(((box.y0, box.y1), (box.x0, box.x1))):
        place = np.minimum(np.arange(start, stop) / step, coarse.shape[axis] - 1).astype(np.float32)
        low = np.minimum(place.astype(np.int64), coarse.shape[axis] - 2)
        share = np.expand_dims(place - low, 1 - axis)
        step_up = np.diff(coarse, axis=axis)
        coarse = np.take(coarse, low, axis)
        coarse += share * np.take(step_up, low, axis)
    return coarse


def _blocks(box: Box, size: int) -> Iterator[Box]:
    """The parts of a box between multiples of ``size`` in the domain."""
    for row in range(box.y0 // size * size, box.y1, size):
        for column in range(box.x0 // size * size, box.x1, size):
            yield Box(max(row, box.y0), min(row + size, box.y1), max(column, box.x0), min(column + size, box.x1))


def _touches(block: Box, box: Box, step: int) -> bool:
    """Whether a coarse block holds a point that the bilinear interpolation on the box needs."""
    return (
        block.y0 < box.y1 + step and block.y1 > box.y0 - step and block.x0 < box.x1 + step and block.x1 > box.x0 - step
    )
