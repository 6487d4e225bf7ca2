"""Classical analyses on tiles: the ranks of one case give together what one rank gives, to the last bit."""

import numpy as np
import pytest
from shares import fields_of_parts

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.classical import BLOCK

GROUPS = ("values", "first_guess", "error")
PROBABILITY = "probability"  # of the variables whose distribution is analysed
# Boundaries in y and x of 120 x 160 points, on multiples of 48.
DIVISIONS = {
    1: ((0, 120), (0, 160)),
    2: ((0, 120), (0, 96, 160)),
    3: ((0, 48, 96, 120), (0, 160)),
    4: ((0, 48, 120), (0, 96, 160)),
}


def boxes(rows: tuple[int, ...], columns: tuple[int, ...]) -> list[Box]:
    """The boxes between boundaries, row by row."""
    return [
        Box(y0, y1, x0, x1)
        for y0, y1 in zip(rows, rows[1:], strict=False)
        for x0, x1 in zip(columns, columns[1:], strict=False)
    ]


@pytest.fixture
def small_error_blocks(monkeypatch):
    """Blocks of the error field small enough that the ranks of the toy domain share them."""
    monkeypatch.setattr("mlrtma_dist.methods.classical_fields.ERROR_BLOCK", 4)


@pytest.mark.parametrize(
    "method, names, background",
    [
        ("threedvar", ("t2m", "d2m", "u10", "v10", "gust"), True),
        ("threedvar", ("t2m", "visibility"), False),
        ("threedvar", ("wind_speed", "visibility", "ceiling"), True),
        ("oi", ("u10", "v10"), True),
        ("nearest", ("t2m",), True),
    ],
)
def test_tiles_of_1_to_4_ranks_equal_the_whole_domain_to_the_last_bit(
    toy, small_error_blocks, method, names, background
):
    settings = toy.settings(*names)
    whole = toy.answer(toy.case(settings, background=background), method, settings).fields()
    assert set(whole.probability) == {"visibility", "ceiling"} & set(names)
    for count, division in DIVISIONS.items():
        tiles = boxes(*division)
        assert len(tiles) == count and all(box.y0 % BLOCK == box.x0 % BLOCK == 0 for box in tiles)
        cases = [toy.case(settings, background=background, box=box) for box in tiles]
        parts = fields_of_parts([toy.answer(case, method, settings) for case in cases])
        for box, part in zip(tiles, parts, strict=True):
            for group in (*GROUPS, PROBABILITY):
                assert tuple(getattr(part, group)) == tuple(getattr(whole, group))
                for name, field in getattr(part, group).items():
                    expected = getattr(whole, group)[name][(..., *box.slices)]
                    assert field.dtype == np.float32 and field.shape[-2:] == box.shape
                    np.testing.assert_array_equal(field, expected, err_msg=f"{count} ranks, {box}, {group}, {name}")


@pytest.mark.parametrize("method", ["threedvar", "oi"])
def test_a_box_that_is_analysed_alone_equals_its_part_of_the_domain(toy, small_error_blocks, method):
    settings = toy.settings("t2m")
    whole = toy.answer(toy.case(settings), method, settings).fields()
    for box in (Box(48, 96, 48, 144), Box(96, 120, 144, 160)):
        alone = toy.answer(toy.case(settings, box=box), method, settings).fields()
        for group in GROUPS:
            np.testing.assert_array_equal(getattr(alone, group)["t2m"], getattr(whole, group)["t2m"][box.slices])


def test_a_box_between_the_blocks_agrees_within_single_precision_only(toy):
    """The multiples of 48 matter: distances are rounded about the middle of another block."""
    settings, box = toy.settings("t2m"), Box(20, 100, 30, 130)
    whole = toy.answer(toy.case(settings), "threedvar", settings).fields().values["t2m"][box.slices]
    field = toy.answer(toy.case(settings, box=box), "threedvar", settings).fields().values["t2m"]
    assert 0.0 < np.abs(field - whole).max() < 1e-3  # K


def test_the_error_blocks_are_dealt_out_and_each_is_computed_once(toy, small_error_blocks, monkeypatch):
    settings = toy.settings("t2m")
    tiles = boxes(*DIVISIONS[4])
    answers = [toy.answer(toy.case(settings, box=box), "threedvar", settings) for box in tiles]
    counts = []
    for answer in answers:
        fit, points = answer.fits["t2m"], []
        counts.append(points)

        def counted(targets, fit_error=fit.error, points=points):
            points.append(len(targets))
            return fit_error(targets)

        object.__setattr__(fit, "error", counted)
    fields_of_parts(answers)
    coarse = 15 * 20  # of 120 x 160 points every eighth
    passes = 2  # fields_of_parts evaluates twice
    assert sum(map(sum, counts)) == passes * coarse and min(map(sum, counts)) > 0
