"""Pictures, samples and ranges of a field in tiles are those of the whole field."""

import numpy as np
import pytest
from memory_communicator import on_threads

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.field_range import field_range
from mlrtma_dist.inference.map_picture import Tiles

SHAPE = (37, 53)
LINES = (0, 16, 32), (0, 5, 48)  # of tiles; none on a line of 3 x 3 squares, and the last tiles hold left-over points
BOXES = [
    Box(y0, y1, x0, x1)
    for y0, y1 in zip(LINES[0], (*LINES[0][1:], SHAPE[0]), strict=True)
    for x0, x1 in zip(LINES[1], (*LINES[1][1:], SHAPE[1]), strict=True)
]


@pytest.fixture(params=["float32", "float64"])
def field(request):
    generator = np.random.default_rng(4)
    values = (generator.normal(size=SHAPE) * 300.0 - 20.0).astype(request.param)
    values[3, 4], values[20, 30:33], values[::6, 7] = np.nan, np.inf, -5.0
    return values


@pytest.mark.parametrize("thin", [1, 3, 10])
def test_a_picture_of_tiles_is_the_mean_over_squares_of_the_whole_field(field, thin):
    root = len(BOXES) - 1

    def draw(communicator):
        box = BOXES[communicator.rank]
        return Tiles(SHAPE, box, thin, communicator, root).picture(field[box.slices])

    *others, picture = on_threads(len(BOXES), draw)
    assert others == [None] * root and picture.thin == thin
    rows, columns = SHAPE[0] // thin, SHAPE[1] // thin
    squares = field[: rows * thin, : columns * thin].reshape(rows, thin, columns, thin)
    if thin == 1:
        np.testing.assert_array_equal(picture.values, field)
    else:
        expected = squares.astype(np.float32).mean(axis=(1, 3), dtype=np.float64)
        np.testing.assert_array_equal(picture.values, expected.astype(np.float32))
    alone = Tiles(SHAPE, Box.whole(SHAPE), thin).picture(field)
    np.testing.assert_array_equal(alone.values, picture.values)


def test_a_sample_of_tiles_holds_the_same_points_in_the_same_order(field):
    rows, columns = np.arange(2, SHAPE[0], 5), np.arange(4, SHAPE[1], 7)

    def sample(communicator):
        box = BOXES[communicator.rank]
        return Tiles(SHAPE, box, 1, communicator).sample(field[box.slices], rows, columns)

    first, *others = on_threads(len(BOXES), sample)
    assert others == [None] * (len(BOXES) - 1)
    np.testing.assert_array_equal(first, field[np.ix_(rows, columns)])


@pytest.mark.parametrize("percentiles", [(), (0.5, 99.5), (0.0, 50.0, 100.0)])
def test_range_and_percentiles_of_tiles_are_those_that_numpy_finds_in_the_whole_field(field, percentiles):
    finite = field[np.isfinite(field)]
    for ranks in (1, len(BOXES)):
        boxes = BOXES if ranks > 1 else [Box.whole(SHAPE)]
        results = on_threads(ranks, lambda c, boxes=boxes: field_range(field[boxes[c.rank].slices], percentiles, c))
        assert len(set(results)) == 1
        numbers = results[0]
        assert (numbers.points, numbers.finite) == (field.size, finite.size)
        assert (numbers.low, numbers.high) == (finite.min(), finite.max())
        assert (
            numbers.percentiles == tuple(np.percentile(finite, percentiles)) if percentiles else not numbers.percentiles
        )
        assert numbers.mean == pytest.approx(finite.mean(dtype=np.float64), rel=1e-12)


def test_a_field_without_a_finite_value_has_the_range_zero():
    numbers = field_range(np.full((2, 3), np.nan, np.float32), (50.0,))
    assert (numbers.points, numbers.finite, numbers.low, numbers.high, numbers.percentiles) == (6, 0, 0.0, 0.0, (0.0,))
