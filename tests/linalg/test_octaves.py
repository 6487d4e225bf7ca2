"""Octaves: unit variance everywhere, the stated spectrum, motion and memory; a tile is the cut of the whole."""

import numpy as np
import pytest

from mlrtma_dist.linalg.octaves import Octaves

STEP = 2.5e3
AXIS = np.arange(400) * STEP


def test_a_tile_is_the_cut_of_the_whole_to_the_last_bit():
    field = Octaves(3, 800e3, 5e3, velocity=(3.0, 8.0), lifetime=86400.0)
    whole = field.draw(7, AXIS, AXIS[:300], 1.66e9)
    for rows, columns in (
        (slice(0, 40), slice(0, 300)),
        (slice(37, 120), slice(201, 202)),
        (slice(399, 400), slice(299, 300)),
    ):
        part = field.draw(7, AXIS[rows], AXIS[:300][columns], 1.66e9)
        np.testing.assert_array_equal(part, whole[rows, columns])


def test_its_variance_is_one_at_every_place_and_time():
    field = Octaves(1, 200e3, 50e3, lifetime=40000.0)
    far = np.arange(40) * 8e5  # four of the longest lattices apart: independent, and at the same place in their cells
    for place, time in ((0.0, 0.0), (33e3, 13000.0), (100e3, 30000.0), (10e3, 0.0)):
        drawn = field.draw(1, far + place, far + 0.5 * place, time)
        assert drawn.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / drawn.size))
        assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)


@pytest.mark.parametrize("slope", [5 / 3, 3.0])
def test_a_line_through_it_has_the_stated_slope(slope):
    field, x = Octaves(1, 1600e3, 3e3, (slope, slope)), np.arange(4096) * STEP
    window = np.hanning(len(x))
    lines = [field.draw(seed, np.arange(4) * 100e3, x, 0.0) * window for seed in range(6)]
    power = np.mean(np.abs(np.fft.rfft(np.concatenate(lines), axis=1)) ** 2, 0)
    k = np.fft.rfftfreq(len(x), STEP)
    inside = (k > 1 / 1500e3) & (k < 1 / 30e3)
    even = np.interp(
        np.linspace(np.log(k[inside][0]), np.log(k[inside][-1]), 60), np.log(k[inside]), np.log(power[inside])
    )
    fitted_slope = -np.polyfit(np.linspace(np.log(k[inside][0]), np.log(k[inside][-1]), 60), even, 1)[0]
    assert fitted_slope == pytest.approx(slope, abs=0.15)


def test_what_lasts_for_ever_only_moves():
    field = Octaves(2, 100e3, 20e3, velocity=(5.0, 10.0))
    hour = 3600.0
    before, after = (field.draw(1, AXIS, AXIS, time) for time in (0.0, hour))
    later = field.draw(1, AXIS + 5.0 * hour, AXIS + 10.0 * hour, hour)
    np.testing.assert_allclose(later, before, atol=1e-6)
    assert np.abs(after - before).max() > 0.5


def test_it_fades_from_one_draw_into_the_next_as_a_cosine():
    field = Octaves(2, 100e3, 100e3, lifetime=3600.0)
    far = np.arange(80) * 4e5  # four lattices apart: independent
    now = field.draw(1, far, far, 0.0)
    for share in (1 / 3, 2 / 3, 1.0):
        later = field.draw(1, far, far, share * 3600.0)
        assert np.mean(now * later) == pytest.approx(np.cos(0.5 * np.pi * share), abs=0.06)


def test_another_channel_member_or_seed_is_another_field():
    draws = [
        Octaves(c, 50e3, 10e3).draw(s, AXIS, AXIS, 0.0, member=m)
        for c, s, m in ((1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1))
    ]
    for number, one in enumerate(draws):
        for other in draws[:number]:
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.15
